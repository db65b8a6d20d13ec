//! Recent revocations. A look-up from before a revocation does not count after it, whether the credential is cached or its
//! request is still being authenticated.

use parking_lot::RwLock;
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long a revocation is kept: longer than a credential is cached, and than a look-up may take.
const KEEP: Duration = Duration::from_secs(60);
/// Most revocations that are kept, about 100 MB. Those dropped earlier still count, see [`State::dropped_until`].
const MAX_KEPT: usize = 1_000_000;

/// Ids of keys, sign-ins, agents, humans, guests and spaces that were revoked.
#[derive(Default)]
pub struct RecentlyRevoked(RwLock<State>);

#[derive(Default)]
struct State {
    /// When this node last received the revocation of each id.
    revoked_at: HashMap<Uuid, Instant>,
    /// The same in the order of time; an id that was revoked twice is in here twice.
    order: VecDeque<(Instant, Uuid)>,
    /// The time of the last revocation that was dropped: a credential that was looked up before may have been among those
    /// that were dropped.
    dropped_until: Option<Instant>,
}

impl RecentlyRevoked {
    /// Adds revocations. Look-ups from now on are after them.
    pub fn note(&self, ids: &HashSet<Uuid>) {
        let mut state = self.0.write();
        let now = Instant::now();
        for id in ids {
            state.revoked_at.insert(*id, now);
            state.order.push_back((now, *id));
        }
        state.drop_old(now, MAX_KEPT);
    }

    /// Drops revocations that are too old to matter.
    pub fn remove_old(&self) {
        self.0.write().drop_old(Instant::now(), MAX_KEPT);
    }

    /// Whether one of `ids`, on which a credential depends, was revoked after its look-up at `since`.
    pub fn ends(&self, ids: impl IntoIterator<Item = Uuid>, since: Instant) -> bool {
        let state = self.0.read();
        state.dropped_until.is_some_and(|at| at >= since)
            || (!state.revoked_at.is_empty()
                && ids.into_iter().any(|id| state.revoked_at.get(&id).is_some_and(|at| *at >= since)))
    }
}

impl State {
    fn drop_old(&mut self, now: Instant, max: usize) {
        while let Some((at, id)) = self.order.front().copied()
            && (self.order.len() > max || now.duration_since(at) > KEEP)
        {
            self.order.pop_front();
            self.dropped_until = Some(at);
            if self.revoked_at.get(&id) == Some(&at) {
                self.revoked_at.remove(&id);
            }
        }
        if self.order.is_empty() {
            // Releases the memory after a large number at once.
            (self.revoked_at, self.order) = Default::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: usize) -> Vec<Uuid> {
        (0..count).map(|_| Uuid::now_v7()).collect()
    }

    #[test]
    fn a_look_up_before_a_revocation_is_revoked_regardless_of_later_ones() {
        let (revoked, since) = (RecentlyRevoked::default(), Instant::now());
        let (mine, others) = (Uuid::now_v7(), ids(50_000));
        assert!(!revoked.ends([mine], since));
        revoked.note(&HashSet::from([mine]));
        others.chunks(1000).for_each(|some| revoked.note(&some.iter().copied().collect()));
        assert!(revoked.ends([Uuid::now_v7(), mine], since) && revoked.ends([others[0]], since));
        assert!(!revoked.ends([Uuid::now_v7()], since), "other ids are not revoked");
        assert!(!revoked.ends([mine], Instant::now()), "a later look-up is after the revocation");
    }

    #[test]
    fn an_old_look_up_counts_as_revoked_once_revocations_were_dropped() {
        let (mut state, start) = (State::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let [first, second] = [Uuid::now_v7(), Uuid::now_v7()];
        for (id, seconds) in [(first, 1), (second, 2)] {
            state.revoked_at.insert(id, at(seconds));
            state.order.push_back((at(seconds), id));
        }
        state.drop_old(at(2), 1);
        assert_eq!((state.revoked_at.len(), state.order.len(), state.dropped_until), (1, 1, Some(at(1))));
        let revoked = RecentlyRevoked(RwLock::new(state));
        assert!(revoked.ends([first], at(1)) && revoked.ends([second], at(2)));
        assert!(!revoked.ends([first], at(2)), "it was looked up later");
        // In time, everything is dropped_until.
        let mut state = revoked.0.into_inner();
        state.drop_old(at(63), MAX_KEPT);
        assert!(state.revoked_at.is_empty() && state.order.is_empty());
    }

    #[test]
    fn an_id_that_is_revoked_again_is_kept_from_then_on() {
        let (mut state, start, id) = (State::default(), Instant::now(), Uuid::now_v7());
        for seconds in [0, 50] {
            let at = start + Duration::from_secs(seconds);
            state.revoked_at.insert(id, at);
            state.order.push_back((at, id));
        }
        state.drop_old(start + Duration::from_secs(70), MAX_KEPT);
        assert_eq!(state.revoked_at.get(&id), Some(&(start + Duration::from_secs(50))));
    }
}
