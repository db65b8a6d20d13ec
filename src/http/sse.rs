//! A session's timeline as Server-Sent Events, on the same cursor as everything else.

use super::audience::Audience;
use super::path::Id;
use super::query::Query;
use super::{ApiError, App};
use crate::domain::{Refusal, SessionId};
use crate::metrics::During;
use crate::wire::event::Event;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

const PAGE: i64 = 64;
const PAGE_BYTES: i64 = 256 * 1024;
/// A comment goes out after so much silence, so that proxies keep the stream open.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Follow the timeline as Server-Sent Events
///
/// `id:` is the seq, `event:` the type, `data:` the Event. Without `Last-Event-ID` and `after` it begins with the next event. The stream ends when access ends, the credential expires or the node drains: reconnect with `Last-Event-ID`.
#[utoipa::path(
    get, path = "/sessions/{id}/events", operation_id = "followTimeline",
    params(
        ("after" = Option<i64>, Query, minimum = 0, description = "Begin after this `seq`."),
        ("Last-Event-ID" = Option<i64>, Header, minimum = 0, description = "Begin after this `seq`; before `after`."),
    ),
    responses((status = 200, description = "The events as they come, each as the `data` of one Server-Sent Event", body = Event, content_type = "text/event-stream")),
)]
pub async fn events<A: Audience>(
    caller: A,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let principal = caller.principal().clone();
    let scope = principal.scope();
    let resumed = match headers.get("last-event-id") {
        None => query.number("after", 0, i64::MAX)?,
        Some(value) => {
            let seq = value.to_str().ok().and_then(|text| text.parse::<i64>().ok()).filter(|seq| *seq >= 0);
            Some(seq.ok_or_else(|| Refusal::Invalid("Header 'Last-Event-ID' must be a seq".to_owned()))?)
        }
    };
    let attendance = app.hub.attend(Arc::clone(&principal));
    let live = app.hub.stream(session);
    let head = app.store.head(scope, session).await?.ok_or(Refusal::NotFound("Session"))?;
    app.hub.observe(head.space, session, head.last_seq);
    let state = (app, live, attendance, principal, resumed.unwrap_or(head.last_seq), VecDeque::<Bytes>::new());
    let stream = stream::unfold(state, move |(app, mut live, attendance, principal, mut at, mut ready)| async move {
        loop {
            if let Some(chunk) = ready.pop_front() {
                return Some((Ok::<_, std::convert::Infallible>(chunk), (app, live, attendance, principal, at, ready)));
            }
            // Read what there is (in scope: whoever was removed gets nothing more), then wait for more.
            let page = match app.store.events_after(scope, session, at, PAGE, PAGE_BYTES).await {
                Ok(Some(page)) => page,
                Ok(None) => return None,
                Err(error) => {
                    let what = "an event stream ends because the store can't be read";
                    app.metrics.store_failed(During::Replay, &error, what);
                    return None;
                }
            };
            app.metrics.delivered_stream.inc_by(page.events.len() as u64);
            for event in &page.events {
                at = event.seq;
                let text = format!("id: {}\nevent: {}\ndata: {}\n\n", event.seq, event.kind.as_str(), event.text);
                ready.push_back(Bytes::from(text));
            }
            if !ready.is_empty() {
                continue;
            }
            let expires = principal.expires_at().map_or(i64::MAX, |at| at.millis_since(app.clock.now()));
            if expires <= 0 {
                return None;
            }
            let expiry = Duration::from_millis(expires.unsigned_abs());
            tokio::select! {
                () = live.beyond(at) => {}
                () = tokio::time::sleep(KEEP_ALIVE.min(expiry)) => ready.push_back(Bytes::from_static(b": still here\n\n")),
                () = attendance.ended() => return None,
            }
        }
    });
    let mut response = axum::body::Body::from_stream(stream).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}
