//! How many bytes of events a space holds, against `HILOOP_SPACE_BYTES` (contract section 10).
//!
//! A request only looks at a number in memory: what the store said last, plus what this node has committed since. A
//! task asks the store again in the background, so that other nodes' events and what retention deletes are noticed
//! within [`FRESH`]. A space may so pass its quota by what is written meanwhile.
//!
//! Sessions of a version that did not note their size are counted by a task of its own, so that a space with very many
//! of them keeps up no other one; until that is done, they count as empty.

use crate::domain::decide::Command;
use crate::domain::{CommittedEvent, Refusal, SpaceId};
use crate::store::Store;
use crate::supervisor::Supervisor;
use crate::timeline::Action;
use dashmap::DashMap;
use futures::StreamExt as _;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// For how long a sum holds before the store is asked again.
const FRESH: Duration = Duration::from_secs(10);
/// Spaces that wait to be asked for; beyond it they are asked for by a later request.
const MAX_WAITING: usize = 1024;
/// Most spaces that are asked for in one query, how many queries at a time, and how long one may take: a space is large
/// for its own tenant, not for the others.
const ASKED_TOGETHER: usize = 16;
const ASKED_AT_ONCE: usize = 2;
const ASKED_WITHIN: Duration = Duration::from_secs(10);
/// Sessions of unknown size that are counted before it is another space's turn, and how long that may take.
const COUNTED_AT_ONCE: i64 = 16;
const COUNTED_WITHIN: Duration = Duration::from_secs(10);
/// Most spaces that are remembered.
const MAX_SPACES: usize = 50_000;

/// The sums of the spaces that were asked for, if there is a quota.
#[derive(Clone)]
pub struct SpaceBytes(Option<Arc<Known>>);

struct Known {
    limit: u64,
    spaces: DashMap<SpaceId, Sum>,
    ask: mpsc::Sender<SpaceId>,
    count: mpsc::Sender<SpaceId>,
}

#[derive(Clone, Copy)]
struct Sum {
    /// What the store said; none while it has not been asked.
    stored: Option<i64>,
    /// What this node has committed since.
    added: i64,
    asked: Instant,
    /// Whether its sessions of unknown size are being counted.
    is_counted: bool,
}

/// What a task works with.
struct Work {
    known: Weak<Known>,
    store: Arc<dyn Store>,
    spaces: mpsc::Receiver<SpaceId>,
}

impl SpaceBytes {
    /// Starts the tasks that ask the store; without a limit there is nothing to do.
    pub fn start(limit: Option<u64>, store: &Arc<dyn Store>, supervisor: &Supervisor) -> Self {
        let Some(limit) = limit else { return Self(None) };
        let (ask, asked) = mpsc::channel(MAX_WAITING);
        let (count, counted) = mpsc::channel(MAX_WAITING);
        let known = Arc::new(Known { limit, spaces: DashMap::new(), ask, count });
        let work = |spaces| Work { known: Arc::downgrade(&known), store: Arc::clone(store), spaces };
        supervisor.spawn("space bytes", work(asked), |work| Box::pin(ask_for(work)));
        supervisor.spawn("session bytes", work(counted), |work| Box::pin(count_sessions(work)));
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
            let unknown = Sum { stored: None, added: 0, asked: now, is_counted: false };
            self.spaces.entry(space).or_insert(unknown).asked = now;
            // With a full queue a later request asks again.
            let _ = self.ask.try_send(space);
        }
        let sum = sum?;
        let bytes = sum.stored?.saturating_add(sum.added);
        let is_full = u64::try_from(bytes).is_ok_and(|bytes| bytes >= self.limit);
        is_full.then_some(Refusal::LimitReached { what: "Bytes of the space", limit: self.limit })
    }

    /// Asks the store what these spaces hold.
    async fn refresh(&self, mut spaces: Vec<SpaceId>, store: &dyn Store) {
        spaces.sort_unstable();
        spaces.dedup();
        let added = |space: &SpaceId| self.spaces.get(space).map_or(0, |sum| sum.added);
        let before: Vec<i64> = spaces.iter().map(added).collect();
        let sizes = match timeout(ASKED_WITHIN, store.space_bytes(&spaces)).await {
            Ok(Ok(sizes)) => sizes,
            Ok(Err(error)) => return tracing::warn!(%error, "cannot ask the store how many bytes spaces hold"),
            Err(_) => return tracing::warn!("the store takes too long to say how many bytes spaces hold"),
        };
        for (space, before) in spaces.into_iter().zip(before) {
            let size = sizes.iter().find(|size| size.space == space);
            let Some(mut sum) = self.spaces.get_mut(&space) else { continue };
            // What was added while the store was asked may be in its answer or not: it counts, until it is asked again.
            sum.added = sum.added.saturating_sub(before);
            sum.stored = Some(size.map_or(0, |size| size.bytes));
            if size.is_some_and(|size| size.is_partial) && !sum.is_counted {
                // With a full queue, when it is asked for again.
                sum.is_counted = self.count.try_send(space).is_ok();
            }
        }
    }

    /// Counts some of a space's sessions of unknown size; `true` if there may be more.
    async fn count_some(&self, space: SpaceId, store: &dyn Store) -> bool {
        match timeout(COUNTED_WITHIN, store.count_session_bytes(space, COUNTED_AT_ONCE)).await {
            Ok(Ok(is_more)) => {
                if !is_more {
                    let _ = self.ask.try_send(space);
                }
                is_more
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "cannot count the bytes of sessions yet");
                false
            }
            Err(_) => {
                tracing::warn!("the store takes too long to count the bytes of sessions");
                false
            }
        }
    }
}

/// Asks the store for spaces as they come, a few queries at a time.
async fn ask_for(Work { known, store, spaces }: &mut Work) {
    let asked = futures::stream::poll_fn(|context| spaces.poll_recv(context)).ready_chunks(ASKED_TOGETHER);
    let (known, store) = (&*known, &**store);
    let refreshes = asked.map(|spaces| async move {
        if let Some(known) = known.upgrade() {
            known.refresh(spaces, store).await;
        }
    });
    refreshes.buffer_unordered(ASKED_AT_ONCE).for_each(|()| std::future::ready(())).await;
}

/// Counts what is not known; spaces take turns.
async fn count_sessions(Work { known, store, spaces }: &mut Work) {
    while let Some(space) = spaces.recv().await {
        let Some(known) = known.upgrade() else { return };
        let goes_on = known.count_some(space, &**store).await && known.count.try_send(space).is_ok();
        if let Some(mut sum) = known.spaces.get_mut(&space) {
            sum.is_counted = goes_on;
        }
    }
}
