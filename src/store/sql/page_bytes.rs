//! The number of items that fit into the byte limit of a page, by their sizes, so that only those are loaded.

use super::scoped::Scoped;
use crate::domain::{Scope, SessionId};
use crate::store::StoreResult;
use crate::store::engine::Engine;
use crate::store::pool::PooledConnection;
use std::collections::HashMap;

/// How many of these items fit, from the first one on. The item that exceeds `max_bytes` is the last.
pub(super) fn fitting(sizes: impl IntoIterator<Item = i64>, max_bytes: i64) -> usize {
    let mut bytes = 0;
    let fits = sizes.into_iter().take_while(|size| {
        let fits = bytes < max_bytes;
        bytes += size;
        fits
    });
    fits.count()
}

/// How many of these sessions fit, from the first one on, by the sizes that a look-up returns.
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
