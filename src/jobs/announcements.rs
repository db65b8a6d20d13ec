//! Tells every open session of a principal of its new public key, a piece at a time.
//!
//! The change is a row that was written with the entry, and any node may work on it: a session is told under its own
//! lock, and only of what is newer than what its timeline tells, so that it is told once whoever else is at it and
//! whichever node dies. Of one principal the oldest change comes first. When every session has been told, the row rests
//! until those that were being made meanwhile, with the key before, are there too; then it is looked once more.

use crate::context::Context;
use crate::domain::decide::Command;
use crate::domain::{Refusal, SessionId};
use crate::metrics::During;
use crate::store::{Announcement, StoreResult};
use crate::timeline::{Action, By, Request};
use futures::StreamExt as _;
use futures::stream;
use std::sync::Arc;
use std::time::Duration;

const TICK: Duration = Duration::from_millis(500);
/// Most changes that are worked on in one round, a piece of each.
const CHANGES: i64 = 16;
/// After so long whatever was being made when a change came is there: longer than the timeline's writer waits.
const SETTLED_MILLIS: i64 = 20_000;
/// Most sessions of a piece.
const PIECE: i64 = 64;
/// Most that are under way: they share their batches with what people say.
const AT_ONCE: usize = 16;

pub(super) fn start(context: &Arc<Context>) {
    context.supervisor.spawn("announcements", Arc::clone(context), |context| Box::pin(run(context)));
}

async fn run(context: &Context) {
    let mut turns = super::Turns::every(TICK);
    while turns.next(context).await {
        loop {
            match round(context).await {
                Ok(true) if !context.draining.is_cancelled() => {}
                Ok(_) => break,
                Err(error) => {
                    context.metrics.store_failed(During::Job, &error, "cannot announce changes of keys");
                    break;
                }
            }
        }
    }
}

/// Works on the changes that are waiting; `true` if all went well and there was something to do.
async fn round(context: &Context) -> StoreResult<bool> {
    let settled = context.clock.now().plus_millis(-SETTLED_MILLIS);
    let announcements = context.store.announcements(settled, CHANGES).await?;
    let mut went_well = !announcements.is_empty();
    for announcement in announcements {
        went_well &= work_on(context, announcement).await?;
    }
    Ok(went_well)
}

/// Tells the next sessions of one change, or in its last look all that are left; `false` if that has to be tried again.
async fn work_on(context: &Context, mut announcement: Announcement) -> StoreResult<bool> {
    loop {
        let sessions = context.store.sessions_to_tell(&announcement, PIECE).await?;
        let Some(last) = sessions.last().copied() else {
            if announcement.is_last_pass {
                context.store.end_announcement(&announcement).await?;
            } else {
                context.store.rest_announcement(&announcement).await?;
            }
            return Ok(true);
        };
        let tell = stream::iter(sessions).map(|session| tell(context, &announcement, session));
        if !tell.buffer_unordered(AT_ONCE).all(std::future::ready).await {
            return Ok(false);
        }
        if !announcement.is_last_pass {
            context.store.note_told(&announcement, last).await?;
            return Ok(true);
        }
        announcement.after = Some(last);
    }
}

/// Tells one session; `false` if the store can't be reached. A session that is gone by now needs nothing, and one whose
/// commit fails for a reason of its own, which the writer logs, must not keep up the others.
async fn tell(context: &Context, announcement: &Announcement, session: SessionId) -> bool {
    let request = Request {
        space: announcement.space,
        session,
        by: By::System,
        action: Action::Command(Command::TellKey(Box::new(announcement.change.clone()))),
        idempotency: None,
    };
    let outcome = context.timeline.submit(request).await;
    !matches!(outcome, Err(Refusal::Unavailable))
}
