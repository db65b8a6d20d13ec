//! Pages of lists and timelines: how long they take, and whether they hold what they should.

use std::time::Instant;

use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};

use crate::{
    client::Session,
    latency::{Latencies, Summary},
    problems::Kind,
    progress::Phase,
    scenario::Context,
    stop::Stop,
};

/// Pages that are read, one after the other.
const PAGES: usize = 50;
/// Items of a page of the list of sessions.
const PAGE_SIZE: usize = 20;
/// Events of a page of a timeline.
const EVENTS: u64 = 100;

#[derive(Deserialize)]
struct List {
    data: Vec<IgnoredAny>,
    total: usize,
}

#[derive(Deserialize)]
struct Timeline {
    data: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    seq: u64,
}

/// Reads the first page of the list of sessions, of which there are at least so many.
pub(super) async fn sessions(context: &Context, number: usize) -> Result<Summary, Stop> {
    let latencies = Latencies::new();
    let phase = Phase::start("pages", PAGES as u64);
    for _ in 0..PAGES {
        let path = format!("/v1/agent/sessions?page=1&pageSize={PAGE_SIZE}");
        let list: List = get(context, &latencies, &path).await?;
        let right = list.total >= number && list.data.len() == PAGE_SIZE.min(list.total);
        context.problems.add(Kind::PageWrong, u64::from(!right), || {
            format!("{} of {} sessions in a list of at least {number}", list.data.len(), list.total)
        });
        phase.advance(1);
    }
    Ok(latencies.summary())
}

/// Reads pages of these sessions' timelines, from any place.
pub(super) async fn timelines(context: &Context, sessions: &[Session]) -> Result<Summary, Stop> {
    let latencies = Latencies::new();
    let phase = Phase::start("pages", PAGES as u64);
    for _ in 0..PAGES {
        let Some(session) = fastrand::choice(sessions) else { break };
        let head = context.api.session(&session.id).await.map_err(Stop::Hub)?.last_seq;
        let after = fastrand::u64(0..head.max(1));
        let path = format!("/v1/agent/sessions/{}/timeline?after={after}&limit={EVENTS}", session.id);
        let page: Timeline = get(context, &latencies, &path).await?;
        let right = page.data.iter().map(|event| event.seq).eq(after + 1..=head.min(after + EVENTS));
        context.problems.add(Kind::PageWrong, u64::from(!right), || {
            format!("session {}: {} events after {after}, head {head}", session.id, page.data.len())
        });
        phase.advance(1);
    }
    Ok(latencies.summary())
}

async fn get<T: DeserializeOwned>(context: &Context, latencies: &Latencies, path: &str) -> Result<T, Stop> {
    let start = Instant::now();
    let credential = context.target.credential();
    let page = context.api.request(credential, Method::GET, path, Bytes::new(), StatusCode::OK).await;
    latencies.record(start.elapsed());
    page.map_err(|error| Stop::Hub(error.context("reading a page")))
}
