//! A session's timeline as Server-Sent Events.

use super::auth::SessionCaller;
use super::long_lived::LongLived;
use super::path::Id;
use super::query::Query;
use super::{ApiError, App};
use crate::domain::actor::Scope;
use crate::domain::{Refusal, SessionId};
use crate::hub::Stream;
use crate::metrics::During;
use crate::net::Cutoff;
use crate::protocol::event::Event;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

const PAGE: i64 = 64;
const PAGE_BYTES: i64 = 256 * 1024;
/// A comment goes out after so much silence, so that proxies keep the stream open.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// How long to wait before the store is asked again after it has failed.
const PAUSE: Duration = Duration::from_millis(500);

/// Follow the timeline as Server-Sent Events
///
/// `id:` is the seq, `event:` the type, `data:` the Event. Without `Last-Event-ID` and `after` it begins with the next event. The stream ends when access ends, the credential expires, the node drains or the store goes back to an earlier state: reconnect with `Last-Event-ID`. One beyond the newest event begins anew with the oldest: what the client has of the session is void.
#[utoipa::path(
    get, path = "/sessions/{id}/events", operation_id = "followTimeline",
    params(
        ("after" = Option<i64>, Query, minimum = 0, description = "Begin after this `seq`."),
        ("Last-Event-ID" = Option<i64>, Header, minimum = 0, description = "Begin after this `seq`; before `after`."),
    ),
    responses((status = 200, description = "The events as they come, each as the `data` of one Server-Sent Event", body = Event, content_type = "text/event-stream")),
)]
pub async fn events<C: SessionCaller>(
    caller: C,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    query: Query,
    Extension(cutoff): Extension<Cutoff>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let principal = caller.principal().clone();
    let scope = principal.scope();
    let resumed = match headers.get("last-event-id").filter(|value| !value.is_empty()) {
        None => query.number("after", 0, i64::MAX)?,
        Some(value) => {
            let seq = value.to_str().ok().and_then(|text| text.parse::<i64>().ok()).filter(|seq| *seq >= 0);
            Some(seq.ok_or_else(|| Refusal::Invalid("Header 'Last-Event-ID' must be a seq".to_owned()))?)
        }
    };
    let request = Arc::new(LongLived::begin(&app, &principal)?);
    let live = app.hub.stream(session);
    let head = app.store.head(scope, session).await?.ok_or(Refusal::NotFound("Session"))?;
    app.hub.observe(session, &head);
    let at = match resumed {
        None => head.last_seq,
        // The store was restored to an earlier state: what the client has seen is void, as for sockets.
        Some(after) if after > head.last_seq => {
            app.hub.look_later(session);
            head.first_seq - 1
        }
        Some(after) => after,
    };
    let ready = VecDeque::new();
    // While its client takes nothing, the follower is not polled.
    let ending = Arc::clone(&request);
    cutoff.set(async move { drop(ending.ended().await) });
    let follower = Follower { app, session, scope, request, cutoff, live, at, heard: at, behind: true, ready };
    let chunks = stream::unfold(follower, |mut follower| async move {
        let chunk = follower.next().await?;
        Some((Ok::<_, Infallible>(chunk), follower))
    });
    let mut response = axum::body::Body::from_stream(chunks).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// One who follows a timeline.
struct Follower {
    app: App,
    session: SessionId,
    scope: Scope,
    request: Arc<LongLived>,
    cutoff: Cutoff,
    live: Stream,
    /// The last event that was read.
    at: i64,
    /// How far the timeline was said to reach when the store was asked last.
    heard: i64,
    /// Whether the store may have more.
    behind: bool,
    /// What was read and is still to go out.
    ready: VecDeque<Bytes>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        // What was written last may still wait for the client.
        if self.request.has_ended() { self.cutoff.end() } else { self.cutoff.clear() }
    }
}

impl Follower {
    /// The next piece of the stream; none if it ends.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            // Asked before every page and every piece: a client that reads slowly may be at them for long.
            if self.request.has_ended() {
                return None;
            }
            if let Some(chunk) = self.ready.pop_front() {
                return Some(chunk);
            }
            let pause = if self.behind { self.read().await? } else { None };
            if pause.is_none() && (self.behind || !self.ready.is_empty()) {
                continue;
            }
            let (request, live) = (&self.request, &mut self.live);
            tokio::select! {
                biased;
                _ = request.ended() => return None,
                is_more = live.beyond(self.at.max(self.heard)), if pause.is_none() => {
                    // Where the store went back, the client reconnects and begins anew.
                    if !is_more {
                        return None;
                    }
                    self.behind = true;
                }
                () = tokio::time::sleep(pause.unwrap_or(KEEP_ALIVE)) => {
                    if pause.is_none() {
                        self.ready.push_back(Bytes::from_static(b": still here

"));
                    }
                }
            }
        }
    }

    /// Reads a page of what there is; a time to wait if the store can't be read. None if the session is out of sight
    /// (the page is read in scope: whoever was removed gets nothing more) or access ends meanwhile.
    async fn read(&mut self) -> Option<Option<Duration>> {
        self.heard = self.live.reach();
        let page = tokio::select! {
            biased;
            _ = self.request.ended() => return None,
            page = self.app.store.events_after(self.scope, self.session, self.at, PAGE, PAGE_BYTES) => page,
        };
        let page = match page {
            Ok(page) => page?,
            Err(error) => {
                // It may be back in a moment, and a client that reconnects would find it no better.
                let what = "an event stream waits because the store can't be read";
                self.app.metrics.store_failed(During::Replay, &error, what);
                return Some(Some(PAUSE));
            }
        };
        if page.head.last_seq < self.at {
            self.app.hub.look_later(self.session);
            return None;
        }
        self.app.metrics.delivered_stream.inc_by(page.events.len() as u64);
        for event in &page.events {
            self.at = event.seq;
            let text = format!(
                "id: {}
event: {}
data: {}

",
                event.seq,
                event.kind.as_str(),
                event.text
            );
            self.ready.push_back(Bytes::from(text));
        }
        self.behind = !page.events.is_empty() && self.at < page.head.last_seq;
        Some(None)
    }
}
