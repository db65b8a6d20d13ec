//! A session's timeline as pages: after a `seq`, or by page number.

use super::App;
use super::auth::SessionCaller;
use super::paged_stream::{self, Chunk};
use super::path::Id;
use super::query::Query;
use super::reply::{self, HandlerResult};
use crate::domain::{Refusal, Scope, SessionId};
use crate::protocol::body::TimelineReply;
use crate::protocol::page::PageRequest;
use axum::extract::State;
use axum::http::StatusCode;

const DEFAULT_LIMIT: i64 = 100;
const MAX_LIMIT: i64 = 1000;
/// A reply ends after about so many bytes, with `hasMore`.
const MAX_BYTES: i64 = 4 * 1024 * 1024;

/// Read the timeline
///
/// The events after a `seq`, in order; or, with `page` or `pageSize` instead of `after` and `limit`, a page of the list, oldest first.
#[utoipa::path(
    get, path = "/sessions/{id}/timeline", operation_id = "readTimeline",
    params(
        ("after" = Option<i64>, Query, minimum = 0, description = "Only events after this `seq`; all events unless given."),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 1000, description = "Maximum number of events; 100 unless given."),
        PageRequest,
    ),
    responses((status = 200, description = "Events, oldest first", body = TimelineReply)),
)]
pub async fn list<C: SessionCaller>(
    caller: C,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    query: Query,
) -> HandlerResult {
    let scope = caller.principal().scope();
    let missing = Refusal::NotFound("Session");
    let after = query.number("after", 0, i64::MAX)?;
    let limit = query.number("limit", 1, MAX_LIMIT)?;
    let paged = query.text("page").is_some() || query.text("pageSize").is_some();
    if paged && after.is_none() && limit.is_none() {
        return page(app, scope, session, query.page()?).await;
    }
    if paged {
        return Err(Refusal::Invalid("Query parameters 'page' and 'after' can't be used together".to_owned()).into());
    }
    let after = after.unwrap_or(0);
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    let page = app.store.events_after(scope, session, after, limit, MAX_BYTES).await?.ok_or(missing)?;
    let data: Vec<&str> = page.events.iter().map(|event| &*event.text).collect();
    // The page was read after the head and may reach beyond it.
    let reached = page.events.last().map_or(page.head.last_seq, |event| event.seq);
    let last_seq = page.head.last_seq.max(reached);
    let has_more = reached < last_seq;
    let text = format!(r#"{{"data":[{}],"lastSeq":{last_seq},"hasMore":{has_more}}}"#, data.join(","));
    Ok(reply::raw_json(StatusCode::OK, text))
}

/// A page of the timeline. `seq` is gapless, so that a page is a range of `seq`.
async fn page(app: App, scope: Scope, session: SessionId, page: PageRequest) -> HandlerResult {
    const MISSING: Refusal = Refusal::NotFound("Session");
    let head = app.store.head(scope, session).await?.ok_or(MISSING)?;
    let total = head.last_seq - head.first_seq + 1;
    let before = (head.first_seq - 1).saturating_add(page.offset());
    let count = paged_stream::count(page, total);
    let read = move |done: usize| {
        let app = App::clone(&app);
        async move {
            let after = before.saturating_add(i64::try_from(done).unwrap_or(i64::MAX));
            let limit = i64::try_from(count - done).unwrap_or(0);
            let found = app.store.events_after(scope, session, after, limit, paged_stream::MAX_BYTES).await?;
            let events = found.ok_or(MISSING)?.events;
            Ok(Chunk::of_texts(events.iter().map(|event| event.text.to_string()).collect()))
        }
    };
    paged_stream::page(page, total, count, read(0).await?, read)
}
