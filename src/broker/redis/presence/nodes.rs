//! Which other nodes are alive: by their leases on Redis, and by the messages that they send.

use super::field::KEEP;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Grace period of a node that was alive and has no lease: Redis may have lost the lease.
pub(super) const GRACE: Duration = Duration::from_secs(3);
/// Grace period after this node reconnected to Redis: the other nodes reconnect within 5 s, or later on a busy machine.
/// With the interval of the checks it is no longer than a node that dies at any other time counts as alive.
pub(super) const RECONNECT_GRACE: Duration = Duration::from_secs(9);
/// How long a node has to be dead before its presence entries are deleted. They are ignored from the start; the node
/// may only have been paused, and finds them in place when it continues.
pub(super) const DELETE_AFTER: Duration = Duration::from_secs(60);

/// The other nodes that have shown a sign of life.
#[derive(Default)]
pub(super) struct Nodes(HashMap<Uuid, Liveness>);

#[derive(Default)]
struct Liveness {
    /// Until when the node counts as alive without a lease; none if it never showed a sign of life.
    grace_until: Option<Instant>,
    /// Since when it has had no lease, if it has had none since its last sign of life.
    lease_missing_since: Option<Instant>,
}

impl Liveness {
    fn alive() -> Self {
        Self { grace_until: Some(Instant::now() + GRACE), lease_missing_since: None }
    }
}

impl Nodes {
    /// Records a message of a node.
    pub(super) fn record_message(&mut self, node: Uuid) {
        self.0.insert(node, Liveness::alive());
    }

    /// Extends the grace periods after a reconnect, when a lease may be missing for a moment. A node that had no lease
    /// before gets no second grace period: a Redis that disconnects again and again would keep dead nodes alive.
    pub(super) fn extend_grace(&mut self) {
        let until = Instant::now() + RECONNECT_GRACE;
        let alive = |node: &&mut Liveness| node.lease_missing_since.is_none() && node.grace_until.is_some();
        self.0.values_mut().filter(alive).for_each(|node| node.grace_until = Some(until));
    }

    /// Nodes whose lease was there at the last check, or that have sent a message since.
    pub(super) fn alive(&self) -> HashSet<Uuid> {
        self.0.iter().filter(|(_, node)| node.lease_missing_since.is_none()).map(|(id, _)| *id).collect()
    }

    /// Records which of the `asked` nodes have a lease; returns those that are dead.
    pub(super) fn record_leases(&mut self, asked: &HashSet<Uuid>, with_lease: &HashSet<Uuid>) -> Vec<Uuid> {
        let now = Instant::now();
        let mut dead = Vec::new();
        for id in asked {
            if with_lease.contains(id) {
                self.0.insert(*id, Liveness::alive());
                continue;
            }
            let node = self.0.entry(*id).or_default();
            node.lease_missing_since.get_or_insert(now);
            if node.grace_until.is_none_or(|until| until <= now) {
                dead.push(*id);
            }
        }
        // The leases of nodes without presence entries are not asked for, so that they stay here until now.
        self.0.retain(|_, node| {
            let last = node.lease_missing_since.max(node.grace_until);
            last.is_some_and(|last| now.saturating_duration_since(last) < KEEP)
        });
        dead
    }

    /// Whether a node has been dead for so long that its entries can be deleted.
    pub(super) fn is_long_dead(&self, id: Uuid) -> bool {
        let since = self.0.get(&id).and_then(|node| node.lease_missing_since);
        since.is_some_and(|since| since.elapsed() >= DELETE_AFTER)
    }

    /// Moves the times of a node into the past.
    #[cfg(test)]
    pub(super) fn age(&mut self, id: Uuid, time: Duration) {
        let node = self.0.get_mut(&id).expect("a known node");
        for at in [&mut node.grace_until, &mut node.lease_missing_since].into_iter().flatten() {
            *at = at.checked_sub(time).expect("the machine has run for long enough");
        }
    }
}
