//! Announces key changes in all open sessions of the principal, in chunks.
//!
//! A change is a row that was written with the key entry, and any node may process it. The announcement in a session is
//! written under the session's lock, and only if the key is newer than the last announced one. So it is written once,
//! even if several nodes process the row or one of them dies. The changes of one principal are processed in order. When a
//! change was announced in all sessions, the row waits until sessions that were being created meanwhile, with the previous
//! key, are committed; then one last pass covers these.

use crate::context::Context;
use crate::domain::{Refusal, SessionId};
use crate::metrics::During;
use crate::service::public_keys;
use crate::store::{Announcement, StoreResult};
use futures::StreamExt as _;
use futures::stream;
use std::sync::Arc;
use std::time::Duration;

const TICK: Duration = Duration::from_millis(500);
/// Most changes in one round, a chunk of each.
const CHANGES: i64 = 16;
/// Age of a change at which all sessions that were being created at its time are committed: longer than a timeline writer
/// waits.
const SETTLED_MILLIS: i64 = 20_000;
/// Sessions in a chunk.
const CHUNK: i64 = 64;
/// Most concurrent announcements, which share their batches with requests.
const MAX_CONCURRENT: usize = 16;

pub(super) fn start(context: &Arc<Context>) {
    context.supervisor.spawn("announcements", Arc::clone(context), |context| Box::pin(run(context)));
}

async fn run(context: &Context) {
    let mut schedule = super::Schedule::every(TICK);
    while schedule.next(context).await {
        loop {
            match round(context).await {
                Ok(true) if !context.draining.is_cancelled() => {}
                Ok(_) => break,
                Err(error) => {
                    context.metrics.store_failed(During::Job, &error, "cannot announce key changes");
                    break;
                }
            }
        }
    }
}

/// Processes a chunk of each waiting change; `true` if there was one and all succeeded.
async fn round(context: &Context) -> StoreResult<bool> {
    let settled = context.clock.now().plus_millis(-SETTLED_MILLIS);
    let announcements = context.store.announcements(settled, CHANGES).await?;
    let mut succeeded = !announcements.is_empty();
    for announcement in announcements {
        succeeded &= process(context, announcement).await?;
    }
    Ok(succeeded)
}

/// Announces a change in its next chunk of sessions, or in its last pass in all that are left; `false` if that has to be
/// retried.
async fn process(context: &Context, mut announcement: Announcement) -> StoreResult<bool> {
    loop {
        let sessions = context.store.sessions_to_announce(&announcement, CHUNK).await?;
        let Some(last) = sessions.last().copied() else {
            if announcement.is_last_pass {
                context.store.end_announcement(&announcement).await?;
            } else {
                context.store.rest_announcement(&announcement).await?;
            }
            return Ok(true);
        };
        let announced = stream::iter(sessions).map(|session| announce(context, &announcement, session));
        if !announced.buffer_unordered(MAX_CONCURRENT).all(std::future::ready).await {
            return Ok(false);
        }
        if !announcement.is_last_pass {
            context.store.note_announced(&announcement, last).await?;
            return Ok(true);
        }
        announcement.after = Some(last);
    }
}

/// Announces a change in one session; `false` if the database is unavailable. A deleted session needs nothing, and a session
/// whose commit fails for another reason, which the writer logs, must not delay the others.
async fn announce(context: &Context, announcement: &Announcement, session: SessionId) -> bool {
    let announced = public_keys::announce(context, announcement.space, session, &announcement.change).await;
    !matches!(announced, Err(Refusal::Unavailable))
}
