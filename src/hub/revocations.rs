//! Revocations: heard from the other nodes, and found in the store where nobody told, so that a socket ends within
//! two seconds whatever became of the message.

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
/// How far back each look goes: nodes' clocks differ, and commits take time.
const OVERLAP_MILLIS: i64 = 60_000;
/// How much further back than its start a node looks: what is older was never missed by it.
const SKEW_MILLIS: i64 = 10_000;
/// How long after a message its entry in the store counts as the same.
const SAME_WITHIN: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct Revocations {
    /// Messages whose entry in the store has not been seen yet.
    heard: Mutex<HashMap<Uuid, VecDeque<Instant>>>,
}

impl Revocations {
    /// Notes that a message told of these.
    pub(super) fn heard(&self, ids: &HashSet<Uuid>) {
        let (mut heard, now) = (self.heard.lock(), Instant::now());
        ids.iter().for_each(|id| heard.entry(*id).or_default().push_back(now));
    }

    /// Whether a message told of this entry already; each message counts for one.
    fn was_heard(&self, id: Uuid) -> bool {
        let mut heard = self.heard.lock();
        let Some(times) = heard.get_mut(&id) else { return false };
        times.pop_front().is_some_and(|at| at.elapsed() < SAME_WITHIN)
    }

    fn forget_old(&self) {
        self.heard.lock().retain(|_, times| {
            times.retain(|at| at.elapsed() < SAME_WITHIN);
            !times.is_empty()
        });
    }
}

/// What the task works with.
struct Watch {
    hub: Weak<Hub>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    started: Timestamp,
    /// The entries that the last look found.
    seen: HashSet<Uuid>,
}

/// Looks for what nobody told, until the hub ends. A single node may have something to find too: a revocation whose
/// commit was done and whose request was cut off before it told anybody.
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
                let untold = entries
                    .iter()
                    .filter(|(entry, subject)| !seen.contains(entry) && !hub.revocations.was_heard(*subject));
                let untold: HashSet<Uuid> = untold.map(|(_, subject)| *subject).collect();
                if !untold.is_empty() {
                    hub.revoke_here(&untold);
                }
                *seen = entries.into_iter().map(|(entry, _)| entry).collect();
                hub.revocations.forget_old();
                hub.revoked.forget_old();
            }
            Err(error) => hub.metrics.store_failed(During::Reconcile, &error, "cannot look for revocations"),
        }
    }
}
