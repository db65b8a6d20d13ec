//! A session's timeline as pages: after a `seq`, or by page number.

use super::App;
use super::audience::Audience;
use super::path::Id;
use super::query::Query;
use super::reply::{self, Reply};
use crate::domain::{Refusal, SessionId};
use axum::extract::State;
use axum::http::StatusCode;

const DEFAULT_LIMIT: i64 = 100;
const MAX_LIMIT: i64 = 1000;
/// A reply ends after about so many bytes, with `hasMore`.
const MAX_BYTES: i64 = 4 * 1024 * 1024;

/// `?after=SEQ&limit=1..1000` → `{data, lastSeq, hasMore}`; with `page` or `pageSize` → a page of the list.
pub async fn list<A: Audience>(caller: A, State(app): State<App>, Id(session): Id<SessionId>, query: Query) -> Reply {
    let scope = caller.principal().scope();
    let missing = Refusal::NotFound("Session");
    let after = query.number("after", 0, i64::MAX)?;
    let limit = query.number("limit", 1, MAX_LIMIT)?;
    let paged = query.text("page").is_some() || query.text("pageSize").is_some();
    if paged && after.is_none() && limit.is_none() {
        let page = app.store.events_page(scope, session, query.page()?).await?.ok_or(missing)?;
        return Ok(reply::page_of_texts(&page.map(|event| event.text)));
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
