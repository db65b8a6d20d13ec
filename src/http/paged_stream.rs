//! Pages of large entries as a stream: a page of a hundred messages can hold tens of megabytes, so it is read and written
//! in chunks. A chunk is read when the client has taken the one before, so that a slow client costs the memory of one chunk.

use super::ApiError;
use super::reply::{self, HandlerResult};
use crate::domain::Refusal;
use crate::protocol::page::PageRequest;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use futures::stream;
use serde::Serialize;
use std::future::Future;
use std::io;

/// About how many bytes of entries are read at a time; the entry that passes it is the last of its chunk.
pub const MAX_BYTES: i64 = 1024 * 1024;

/// Some entries of a page, as JSON.
pub struct Chunk {
    /// How many entries of the page were read for it, including those that were deleted meanwhile.
    count: usize,
    texts: Vec<String>,
}

impl Chunk {
    pub fn of_texts(texts: Vec<String>) -> Self {
        Self { count: texts.len(), texts }
    }

    /// The entries that were found of `count`.
    pub fn new<T: Serialize>(count: usize, entries: &[T]) -> Result<Self, ApiError> {
        let texts: Result<_, _> = entries.iter().map(serde_json::to_string).collect();
        Ok(Self { count, texts: texts.map_err(|_| ApiError(Refusal::Internal))? })
    }
}

/// Replies with a page of `count` entries, given the first chunk; `read` reads the chunk after as many entries as it is given.
pub fn page<R, F>(request: PageRequest, total: i64, count: usize, first: Chunk, read: R) -> HandlerResult
where
    R: Fn(usize) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Chunk, ApiError>> + Send + 'static,
{
    let end = format!(r#"],"total":{total},"page":{},"pageSize":{}}}"#, request.page, request.size);
    let Chunk { count: done, texts } = first;
    let begin = format!(r#"{{"data":[{}"#, texts.join(","));
    if done >= count {
        return Ok(reply::raw_json(StatusCode::OK, begin + &end));
    }
    let is_empty = texts.is_empty();
    drop(texts);
    let begin = stream::iter([Ok(Bytes::from(begin))]);
    let rest = stream::try_unfold((read, done, is_empty), move |(read, done, is_empty)| async move {
        if done >= count {
            return Ok(None);
        }
        // The status has been sent: a page that can't be finished can only be aborted.
        let chunk = read(done).await.map_err(|ApiError(refusal)| {
            tracing::warn!(%refusal, "page aborted: cannot read the rest");
            io::Error::other(refusal)
        })?;
        if chunk.count == 0 {
            return Err(io::Error::other("the rest of the page was deleted"));
        }
        let comma = if is_empty || chunk.texts.is_empty() { "" } else { "," };
        let text = format!("{comma}{}", chunk.texts.join(","));
        let is_empty = is_empty && chunk.texts.is_empty();
        Ok(Some((Bytes::from(text), (read, done + chunk.count, is_empty))))
    });
    let end = stream::iter([Ok(Bytes::from(end))]);
    let body = stream::StreamExt::chain(stream::StreamExt::chain(begin, rest), end);
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], Body::from_stream(body)).into_response())
}

/// How many entries this page of a list of `total` has.
pub fn count(request: PageRequest, total: i64) -> usize {
    usize::try_from(total.saturating_sub(request.offset()).clamp(0, request.size)).unwrap_or(0)
}
