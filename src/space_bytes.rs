//! How many bytes of events a space holds, against `HILOOP_SPACE_BYTES` (contract section 10).
//!
//! A request only looks at a number in memory: what the store said last, plus what this node has committed since. A
//! task asks the store again in the background, so that other nodes' events and what retention deletes are noticed
//! within [`FRESH`]. A space may so pass its quota by what is written meanwhile.

use crate::domain::decide::Command;
use crate::domain::{CommittedEvent, Refusal, SpaceId};
use crate::store::{Store, StoreError};
use crate::supervisor::Supervisor;
use crate::timeline::Action;
use dashmap::DashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// For how long a sum holds before the store is asked again.
const FRESH: Duration = Duration::from_secs(10);
/// Spaces that wait to be asked for; beyond it they are asked for by a later request.
const MAX_WAITING: usize = 1024;
/// Sessions of unknown size that are counted at a time.
const COUNTED_AT_ONCE: i64 = 16;
/// Most spaces that are remembered.
const MAX_SPACES: usize = 50_000;

/// The sums of the spaces that were asked for, if there is a quota.
#[derive(Clone)]
pub struct SpaceBytes(Option<Arc<Known>>);

struct Known {
    limit: u64,
    spaces: DashMap<SpaceId, Sum>,
    ask: mpsc::Sender<SpaceId>,
}

#[derive(Clone, Copy)]
struct Sum {
    /// What the store said; none while it has not been asked.
    stored: Option<i64>,
    /// What this node has committed since.
    added: i64,
    asked: Instant,
}

impl SpaceBytes {
    /// Starts the task that asks the store; without a limit there is nothing to do.
    pub fn start(limit: Option<u64>, store: Arc<dyn Store>, supervisor: &Supervisor) -> Self {
        let Some(limit) = limit else { return Self(None) };
        let (ask, asked) = mpsc::channel(MAX_WAITING);
        let known = Arc::new(Known { limit, spaces: DashMap::new(), ask });
        let state = (asked, Arc::downgrade(&known), store);
        supervisor.spawn("space bytes", state, |(asked, known, store)| {
            Box::pin(async move {
                while let Some(space) = asked.recv().await {
                    let Some(known) = known.upgrade() else { return };
                    if let Err(error) = known.refresh(space, &**store).await {
                        tracing::warn!(%error, "cannot ask the store how many bytes a space holds");
                    }
                }
            })
        });
        Self(Some(known))
    }

    /// What becomes of something that is asked of a session of this space: if it adds content and the space is full, it
    /// is refused, unless it was done before.
    pub fn within(&self, space: SpaceId, action: Action) -> Action {
        let adds = match &action {
            Action::Create { .. } => true,
            Action::Command(command) => matches!(command, Command::Post(_) | Command::PushBlocks(_)),
            Action::Recall(_) => false,
        };
        match self.0.as_ref().filter(|_| adds).and_then(|known| known.refusal(space)) {
            Some(refusal) => Action::Recall(refusal),
            None => action,
        }
    }

    /// Notes what this node has committed.
    pub fn added(&self, events: &[CommittedEvent]) {
        let Some(known) = &self.0 else { return };
        for event in events {
            if let Some(mut sum) = known.spaces.get_mut(&event.space) {
                sum.added = sum.added.saturating_add(i64::try_from(event.text.len()).unwrap_or(i64::MAX));
            }
        }
    }
}

impl Known {
    fn refusal(&self, space: SpaceId) -> Option<Refusal> {
        let now = Instant::now();
        let sum = self.spaces.get(&space).map(|sum| *sum);
        if sum.is_none_or(|sum| now.duration_since(sum.asked) > FRESH) {
            if sum.is_none() && self.spaces.len() >= MAX_SPACES {
                self.spaces.retain(|_, sum| now.duration_since(sum.asked) < FRESH);
            }
            self.spaces.entry(space).or_insert(Sum { stored: None, added: 0, asked: now }).asked = now;
            // With a full queue a later request asks again.
            let _ = self.ask.try_send(space);
        }
        let sum = sum?;
        let bytes = sum.stored?.saturating_add(sum.added);
        let is_full = u64::try_from(bytes).is_ok_and(|bytes| bytes >= self.limit);
        is_full.then_some(Refusal::LimitReached { what: "Bytes of the space", limit: self.limit })
    }

    async fn refresh(&self, space: SpaceId, store: &dyn Store) -> Result<(), StoreError> {
        // Sessions of a version that did not note their size.
        while store.count_session_bytes(space, COUNTED_AT_ONCE).await? {}
        let before = self.spaces.get(&space).map_or(0, |sum| sum.added);
        let stored = store.space_bytes(space).await?;
        if let Some(mut sum) = self.spaces.get_mut(&space) {
            // What was added while the store was asked may be in its answer or not: it counts, until it is asked again.
            sum.added = sum.added.saturating_sub(before);
            sum.stored = Some(stored);
        }
        Ok(())
    }
}
