//! Revocations that were not announced: found in the store, so that a socket ends within two seconds even if the
//! message of the revoking node got lost.

use super::Hub;
use crate::clock::Clock;
use crate::domain::Timestamp;
use crate::metrics::During;
use crate::store::Store;
use crate::supervisor::Supervisor;
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The contract allows 2 s.
const TICK: Duration = Duration::from_millis(500);
/// How far back each query goes: nodes' clocks differ, and commits take time.
const OVERLAP_MILLIS: i64 = 60_000;
/// How far before its own start a node looks. It missed no message before.
const SKEW_MILLIS: i64 = 10_000;
/// How long after a message an entry in the store is taken for the one that the message announced.
const SAME_WITHIN: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct Revocations {
    /// Announced ids whose entries in the store have not been seen yet, with the times of the messages.
    announced: Mutex<HashMap<Uuid, VecDeque<Instant>>>,
}

impl Revocations {
    /// Notes that a message announced these ids.
    pub(super) fn note_announced(&self, ids: &HashSet<Uuid>) {
        let (mut announced, now) = (self.announced.lock(), Instant::now());
        ids.iter().for_each(|id| announced.entry(*id).or_default().push_back(now));
    }

    /// Whether a message has announced this entry. Each message stands for one entry.
    fn was_announced(&self, id: Uuid) -> bool {
        let mut announced = self.announced.lock();
        let Some(times) = announced.get_mut(&id) else { return false };
        times.pop_front().is_some_and(|at| at.elapsed() < SAME_WITHIN)
    }

    fn remove_old(&self) {
        self.announced.lock().retain(|_, times| {
            times.retain(|at| at.elapsed() < SAME_WITHIN);
            !times.is_empty()
        });
    }
}

/// The state of the task.
struct Watch {
    hub: Weak<Hub>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    started: Timestamp,
    /// The entries that the last query found.
    seen: HashSet<Uuid>,
}

/// Starts the task, which ends with the hub. A single node needs it too: a request may be cut off between the commit of
/// a revocation and its announcement.
pub(super) fn start(hub: &Arc<Hub>, store: Arc<dyn Store>, clock: Arc<dyn Clock>, supervisor: &Supervisor) {
    let started = clock.now().plus_millis(-SKEW_MILLIS);
    let state = Watch { hub: Arc::downgrade(hub), store, clock, started, seen: HashSet::new() };
    supervisor.spawn("revocations", state, |state| Box::pin(watch(state)));
}

async fn watch(Watch { hub, store, clock, started, seen }: &mut Watch) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(hub) = hub.upgrade() else { return };
        let since = clock.now().plus_millis(-OVERLAP_MILLIS).max(*started);
        match store.revoked_since(since).await {
            Ok(entries) => {
                let missed = entries
                    .iter()
                    .filter(|(entry, subject)| !seen.contains(entry) && !hub.revocations.was_announced(*subject));
                let missed: HashSet<Uuid> = missed.map(|(_, subject)| *subject).collect();
                if !missed.is_empty() {
                    hub.revoke_here(&missed);
                }
                *seen = entries.into_iter().map(|(entry, _)| entry).collect();
                hub.revocations.remove_old();
                hub.revoked.remove_old();
            }
            Err(error) => hub.metrics.store_failed(During::Reconcile, &error, "cannot read recent revocations"),
        }
    }
}
