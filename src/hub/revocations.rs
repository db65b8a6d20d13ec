//! Revocations: heard from the other nodes, and found in the store where nobody told, so that a socket ends within
//! two seconds whatever became of the message.

use super::Hub;
use super::subscriber::is_revoked_by;
use crate::clock::Clock;
use crate::domain::{Principal, Timestamp};
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
/// How long a revocation is remembered for those who are authenticating meanwhile.
const RECENT: Duration = Duration::from_secs(60);
/// Most that are remembered.
const MAX_RECENT: usize = 10_000;
/// How long after a message its entry in the store counts as the same.
const SAME_WITHIN: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct Revocations {
    /// What was revoked, and when this node heard of it.
    recent: Mutex<VecDeque<(Instant, Uuid)>>,
    /// Messages whose entry in the store has not been seen yet.
    heard: Mutex<HashMap<Uuid, VecDeque<Instant>>>,
}

impl Revocations {
    /// Notes that `id` is revoked; whoever is registered with it after this finds it here.
    pub(super) fn note(&self, id: Uuid) {
        let now = Instant::now();
        let mut recent = self.recent.lock();
        recent.push_back((now, id));
        while recent.len() > MAX_RECENT || recent.front().is_some_and(|(at, _)| now.duration_since(*at) > RECENT) {
            recent.pop_front();
        }
    }

    /// Notes that a message told of it.
    pub(super) fn heard(&self, id: Uuid) {
        self.heard.lock().entry(id).or_default().push_back(Instant::now());
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

    /// Whether a principal whose credential was looked up at `since` or later has lost it meanwhile.
    pub(super) fn ends(&self, principal: &Principal, since: Instant) -> bool {
        self.recent.lock().iter().any(|(at, id)| *at >= since && is_revoked_by(principal, *id))
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
                for (entry, subject) in &entries {
                    if !seen.contains(entry) && !hub.revocations.was_heard(*subject) {
                        hub.revoke_here(*subject);
                    }
                }
                *seen = entries.into_iter().map(|(entry, _)| entry).collect();
                hub.revocations.forget_old();
            }
            Err(error) => hub.metrics.store_failed(During::Reconcile, &error, "cannot look for revocations"),
        }
    }
}
