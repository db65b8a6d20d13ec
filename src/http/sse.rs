//! A session's timeline as Server-Sent Events.

use super::auth::SessionCaller;
use super::long_lived::LongLived;
use super::path::Id;
use super::query::Query;
use super::{ApiError, App};
use crate::domain::actor::Scope;
use crate::domain::{Refusal, SessionId};
use crate::hub::HeadWatch;
use crate::metrics::During;
use crate::net::Cutoff;
use crate::protocol::event::Event;
use crate::timeline::reader::{CatchUp, Cursor, Gap, Offer, Start, catch_up};
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

/// How often a comment is sent while there are no events, so that proxies keep the stream open.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// How long to wait after the store has failed.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Stream the timeline as Server-Sent Events
///
/// `id:` is the `seq`, `event:` the type, `data:` the event. Without `Last-Event-ID` and `after` the stream begins with the next event. It ends when access ends, the credential expires, the node drains or the store is restored to an earlier state; the client reconnects with `Last-Event-ID`. If that is beyond the newest event, the stream begins with the oldest event, and the client must discard its copy of the session.
#[utoipa::path(
    get, path = "/sessions/{id}/events", operation_id = "followTimeline",
    params(
        ("after" = Option<i64>, Query, minimum = 0, description = "Begin after this `seq`."),
        ("Last-Event-ID" = Option<i64>, Header, minimum = 0, description = "Begin after this `seq`; takes precedence over `after`."),
    ),
    responses((status = 200, description = "The stream; the `data` of each Server-Sent Event is one event", body = Event, content_type = "text/event-stream")),
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
    let live = app.hub.watch_for_stream(session);
    let head = app.store.head(scope, session).await?.ok_or(Refusal::NotFound("Session"))?;
    app.hub.observe(session, &head);
    let Start { position, is_reset } = Start::resume(resumed, &head);
    if is_reset {
        // The store was restored to an earlier state: the client must discard its copy, as for sockets.
        app.hub.compare_later(session);
    }
    let mut cursor = Cursor::closed();
    cursor.open(position, head.last_seq);
    // While its client reads nothing, the stream is not polled.
    let ending = Arc::clone(&request);
    cutoff.set(async move { drop(ending.ended().await) });
    let ready = VecDeque::new();
    let events = EventStream { app, session, scope, request, cutoff, live, cursor, asked_for: 0, ready };
    let chunks = stream::unfold(events, |mut events| async move {
        let chunk = events.next().await?;
        Some((Ok::<_, Infallible>(chunk), events))
    });
    let mut response = axum::body::Body::from_stream(chunks).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// A reader of a timeline that writes Server-Sent Events.
struct EventStream {
    app: App,
    session: SessionId,
    scope: Scope,
    request: Arc<LongLived>,
    cutoff: Cutoff,
    live: HeadWatch,
    cursor: Cursor,
    /// The high-water mark of `live` when the store was last read. The store is not read again until it rises.
    asked_for: i64,
    /// Chunks that were read from the store and are not written yet.
    ready: VecDeque<Bytes>,
}

impl Drop for EventStream {
    fn drop(&mut self) {
        // The last write may still wait for the client.
        if self.request.has_ended() { self.cutoff.end() } else { self.cutoff.clear() }
    }
}

impl EventStream {
    /// The next chunk of the stream; `None` if it ends.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            // Checked before every page and every chunk: a client that reads slowly may take long for them.
            if self.request.has_ended() {
                return None;
            }
            if let Some(chunk) = self.ready.pop_front() {
                return Some(chunk);
            }
            if let Some(gap) = self.cursor.gap() {
                self.read(gap).await?;
                continue;
            }
            let (request, live) = (&self.request, &mut self.live);
            tokio::select! {
                biased;
                _ = request.ended() => return None,
                is_more = live.wait_beyond(self.cursor.position().max(self.asked_for)) => {
                    // If the store was restored, the client reconnects and begins anew.
                    if !is_more {
                        return None;
                    }
                    self.cursor.note_high_water_mark(live.high_water_mark());
                }
                () = tokio::time::sleep(KEEP_ALIVE) => self.ready.push_back(Bytes::from_static(b": still here\n\n")),
            }
        }
    }

    /// Reads a page of what is missing, or waits a moment if the store cannot be read. `None` if the stream ends: its
    /// access ends meanwhile, the session is out of scope, or the store was restored to an earlier state.
    async fn read(&mut self, gap: Gap) -> Option<()> {
        self.asked_for = self.live.high_water_mark();
        let outcome = tokio::select! {
            biased;
            _ = self.request.ended() => return None,
            outcome = catch_up(&*self.app.store, self.scope, self.session, gap) => outcome,
        };
        let page = match outcome {
            Ok(CatchUp::Page(page)) => page,
            Ok(CatchUp::OutOfScope) => return None,
            Ok(CatchUp::Restored(_)) => {
                self.app.hub.compare_later(self.session);
                return None;
            }
            Err(error) => {
                // The store may be back in a moment, and a client that reconnects would find it no better.
                let what = "an event stream waits because the store can't be read";
                self.app.metrics.store_failed(During::Replay, &error, what);
                tokio::select! {
                    biased;
                    _ = self.request.ended() => return None,
                    () = tokio::time::sleep(RETRY_AFTER) => return Some(()),
                }
            }
        };
        self.app.metrics.delivered_stream.inc_by(page.events.len() as u64);
        self.cursor.begin_page(&page);
        for event in &page.events {
            if self.cursor.offer(event.seq) == Offer::Next {
                self.cursor.advance();
                let text = format!("id: {}\nevent: {}\ndata: {}\n\n", event.seq, event.kind.as_str(), event.text);
                self.ready.push_back(Bytes::from(text));
            }
        }
        Some(())
    }
}
