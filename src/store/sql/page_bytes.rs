//! How many items of a page fit into its byte limit, by their sizes alone, so that no more is loaded than is returned.

use super::scope::Scoped;
use crate::domain::{Scope, SessionId};
use crate::store::StoreResult;
use crate::store::engine::Engine;
use crate::store::pool::PooledConnection;
use std::collections::HashMap;

/// How many of these sizes, from the first one on, fit: the one that passes `max_bytes` is the last.
pub(super) fn fitting(sizes: impl IntoIterator<Item = i64>, max_bytes: i64) -> usize {
    let mut bytes = 0;
    let fits = sizes.into_iter().take_while(|size| {
        let fits = bytes < max_bytes;
        bytes += size;
        fits
    });
    fits.count()
}

/// How many of these sessions, from the first one on, fit by what a look-up says of their sizes.
pub(super) async fn fitting_of<E: Engine>(
    db: &mut PooledConnection<E>,
    sizes: Scoped,
    scope: Scope,
    sessions: &[SessionId],
    max_bytes: i64,
) -> StoreResult<usize> {
    if sessions.is_empty() {
        return Ok(0);
    }
    let sizes = sizes.within_of::<E>(scope, sessions);
    let sizes: HashMap<_, i64> =
        sizes.all(db, |row| Ok((SessionId(row.read()?), row.read()?))).await?.into_iter().collect();
    Ok(fitting(sessions.iter().map(|session| sizes.get(session).copied().unwrap_or(0)), max_bytes))
}
