//! The quota of bytes of events in a space, `HILOOP_SPACE_BYTES` (contract section 10).
//!
//! A request is checked against a sum in memory: the last sum from the store, plus what this node has committed since. A
//! background task queries the store again, so that events of other nodes and deletions are noticed within [`FRESH`].
//! Until then a space may exceed its quota.
//!
//! Sessions that were written by a release that did not record their size are counted by a task of its own, so that a
//! space with many of them delays no other space. Until they are counted, they count as empty.

use super::Action;
use crate::domain::command::Command;
use crate::domain::{CommittedEvent, Refusal, SpaceId};
use crate::store::Store;
use crate::supervisor::Supervisor;
use dashmap::DashMap;
use futures::StreamExt as _;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Age of a sum at which the store is queried again.
const FRESH: Duration = Duration::from_secs(10);
/// Most spaces in the queue of either task. When it is full, a later request tries again.
const MAX_WAITING: usize = 1024;
/// Most spaces in one query, most concurrent queries, and the time limit of one: a large space must not delay the others.
const SPACES_PER_QUERY: usize = 16;
const CONCURRENT_QUERIES: usize = 2;
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// Sessions of unknown size that are counted before the next space, and the time limit for that.
const SESSIONS_PER_COUNT: i64 = 16;
const COUNT_TIMEOUT: Duration = Duration::from_secs(10);
/// Most spaces with a sum in memory.
const MAX_SPACES: usize = 50_000;

/// The sums of the spaces in use, if there is a quota.
#[derive(Clone)]
pub struct SpaceBytes(Option<Arc<Sums>>);

struct Sums {
    limit: u64,
    spaces: DashMap<SpaceId, Sum>,
    query: mpsc::Sender<SpaceId>,
    count: mpsc::Sender<SpaceId>,
}

#[derive(Clone, Copy)]
struct Sum {
    /// The sum from the store; none until the first query.
    stored: Option<i64>,
    /// Bytes that this node has committed since.
    added: i64,
    queried: Instant,
    /// Whether sessions of unknown size are being counted.
    is_counted: bool,
}

/// The state of a task.
struct Work {
    sums: Weak<Sums>,
    store: Arc<dyn Store>,
    spaces: mpsc::Receiver<SpaceId>,
}

impl SpaceBytes {
    /// Starts the tasks that query the store; without a limit there is nothing to do.
    pub fn start(limit: Option<u64>, store: &Arc<dyn Store>, supervisor: &Supervisor) -> Self {
        let Some(limit) = limit else { return Self(None) };
        let (query, queried) = mpsc::channel(MAX_WAITING);
        let (count, counted) = mpsc::channel(MAX_WAITING);
        let sums = Arc::new(Sums { limit, spaces: DashMap::new(), query, count });
        let work = |spaces| Work { sums: Arc::downgrade(&sums), store: Arc::clone(store), spaces };
        supervisor.spawn("space bytes", work(queried), |work| Box::pin(query_spaces(work)));
        supervisor.spawn("session bytes", work(counted), |work| Box::pin(count_sessions(work)));
        Self(Some(sums))
    }

    /// The action as it is, or, if it adds content and the space is full, one that returns the refusal unless the request is
    /// a repetition.
    pub fn within(&self, space: SpaceId, action: Action) -> Action {
        let adds = match &action {
            Action::Create { .. } => true,
            Action::Command(command) => matches!(command, Command::Post(_) | Command::PushBlocks(_)),
            Action::Recall(_) => false,
        };
        match self.0.as_ref().filter(|_| adds).and_then(|sums| sums.refusal(space)) {
            Some(refusal) => Action::Recall(refusal),
            None => action,
        }
    }

    /// Adds events that this node has committed.
    pub fn added(&self, events: &[CommittedEvent]) {
        let Some(sums) = &self.0 else { return };
        for event in events {
            if let Some(mut sum) = sums.spaces.get_mut(&event.space) {
                sum.added = sum.added.saturating_add(i64::try_from(event.text.len()).unwrap_or(i64::MAX));
            }
        }
    }
}

impl Sums {
    fn refusal(&self, space: SpaceId) -> Option<Refusal> {
        let now = Instant::now();
        let sum = self.spaces.get(&space).map(|sum| *sum);
        if sum.is_none_or(|sum| now.duration_since(sum.queried) > FRESH) {
            if sum.is_none() && self.spaces.len() >= MAX_SPACES {
                self.spaces.retain(|_, sum| now.duration_since(sum.queried) < FRESH);
            }
            let unqueried = Sum { stored: None, added: 0, queried: now, is_counted: false };
            self.spaces.entry(space).or_insert(unqueried).queried = now;
            // With a full queue, a later request tries again.
            let _ = self.query.try_send(space);
        }
        let sum = sum?;
        let bytes = sum.stored?.saturating_add(sum.added);
        let is_full = u64::try_from(bytes).is_ok_and(|bytes| bytes >= self.limit);
        is_full.then_some(Refusal::LimitReached { what: "Bytes of the space", limit: self.limit })
    }

    /// Queries the store for the sums of these spaces.
    async fn refresh(&self, mut spaces: Vec<SpaceId>, store: &dyn Store) {
        spaces.sort_unstable();
        spaces.dedup();
        let added = |space: &SpaceId| self.spaces.get(space).map_or(0, |sum| sum.added);
        let before: Vec<i64> = spaces.iter().map(added).collect();
        let sizes = match timeout(QUERY_TIMEOUT, store.space_bytes(&spaces)).await {
            Ok(Ok(sizes)) => sizes,
            Ok(Err(error)) => return tracing::warn!(%error, "cannot query the bytes of spaces"),
            Err(_) => return tracing::warn!("the query for the bytes of spaces timed out"),
        };
        for (space, before) in spaces.into_iter().zip(before) {
            let size = sizes.iter().find(|size| size.space == space);
            let Some(mut sum) = self.spaces.get_mut(&space) else { continue };
            // Bytes that were added during the query may be in its result or not. They count until the next query.
            sum.added = sum.added.saturating_sub(before);
            sum.stored = Some(size.map_or(0, |size| size.bytes));
            if size.is_some_and(|size| size.is_partial) && !sum.is_counted {
                // With a full queue, the next query tries again.
                sum.is_counted = self.count.try_send(space).is_ok();
            }
        }
    }

    /// Counts some of a space's sessions of unknown size; `true` if there may be more.
    async fn count_some(&self, space: SpaceId, store: &dyn Store) -> bool {
        match timeout(COUNT_TIMEOUT, store.count_session_bytes(space, SESSIONS_PER_COUNT)).await {
            Ok(Ok(is_more)) => {
                if !is_more {
                    let _ = self.query.try_send(space);
                }
                is_more
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "cannot count the bytes of sessions");
                false
            }
            Err(_) => {
                tracing::warn!("counting the bytes of sessions timed out");
                false
            }
        }
    }
}

/// Queries the store for spaces from the queue, a few queries at a time.
async fn query_spaces(Work { sums, store, spaces }: &mut Work) {
    let queried = futures::stream::poll_fn(|context| spaces.poll_recv(context)).ready_chunks(SPACES_PER_QUERY);
    let (sums, store) = (&*sums, &**store);
    let refreshes = queried.map(|spaces| async move {
        if let Some(sums) = sums.upgrade() {
            sums.refresh(spaces, store).await;
        }
    });
    refreshes.buffer_unordered(CONCURRENT_QUERIES).for_each(|()| std::future::ready(())).await;
}

/// Counts sessions of unknown size, a few of each space in turn.
async fn count_sessions(Work { sums, store, spaces }: &mut Work) {
    while let Some(space) = spaces.recv().await {
        let Some(sums) = sums.upgrade() else { return };
        let goes_on = sums.count_some(space, &**store).await && sums.count.try_send(space).is_ok();
        if let Some(mut sum) = sums.spaces.get_mut(&space) {
            sum.is_counted = goes_on;
        }
    }
}
