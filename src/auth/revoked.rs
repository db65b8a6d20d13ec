//! What was revoked lately: nothing that was looked up before a revocation counts after it, neither a credential that is
//! remembered nor one whose request or socket is still on its way in.

use parking_lot::RwLock;
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long a revocation is remembered: longer than a credential is, and than it may take to look one up.
const REMEMBER: Duration = Duration::from_secs(60);
/// Most that are remembered, about 100 MB. What is forgotten earlier still counts, see [`State::forgotten`].
const MAX_REMEMBERED: usize = 1_000_000;

/// Ids of keys, sign-ins, agents, humans, guests and spaces that were revoked.
#[derive(Default)]
pub struct RecentlyRevoked(RwLock<State>);

#[derive(Default)]
struct State {
    /// When this node heard of each last.
    heard: HashMap<Uuid, Instant>,
    /// The same in the order of time; an id that was revoked twice stands here twice.
    order: VecDeque<(Instant, Uuid)>,
    /// When the last one was revoked that is no longer remembered: of a credential that was looked up before, nobody
    /// can say any more that it was not among them.
    forgotten: Option<Instant>,
}

impl RecentlyRevoked {
    /// Notes that these are revoked; what is looked up from now on is looked up after it.
    pub fn note(&self, ids: &HashSet<Uuid>) {
        let mut state = self.0.write();
        let now = Instant::now();
        for id in ids {
            state.heard.insert(*id, now);
            state.order.push_back((now, *id));
        }
        state.forget(now, MAX_REMEMBERED);
    }

    /// Forgets what is older than anything that may depend on it.
    pub fn forget_old(&self) {
        self.0.write().forget(Instant::now(), MAX_REMEMBERED);
    }

    /// Whether one of `ids`, by which a credential was good when it was looked up at `since` or later, was revoked after
    /// that.
    pub fn ends(&self, ids: impl IntoIterator<Item = Uuid>, since: Instant) -> bool {
        let state = self.0.read();
        state.forgotten.is_some_and(|at| at >= since)
            || (!state.heard.is_empty()
                && ids.into_iter().any(|id| state.heard.get(&id).is_some_and(|at| *at >= since)))
    }
}

impl State {
    fn forget(&mut self, now: Instant, max: usize) {
        while let Some((at, id)) = self.order.front().copied()
            && (self.order.len() > max || now.duration_since(at) > REMEMBER)
        {
            self.order.pop_front();
            self.forgotten = Some(at);
            if self.heard.get(&id) == Some(&at) {
                self.heard.remove(&id);
            }
        }
        if self.order.is_empty() {
            // After very many at once.
            (self.heard, self.order) = Default::default();
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
    fn a_credential_that_is_looked_up_before_a_revocation_ends_with_it_however_many_follow() {
        let (revoked, since) = (RecentlyRevoked::default(), Instant::now());
        let (mine, others) = (Uuid::now_v7(), ids(50_000));
        assert!(!revoked.ends([mine], since));
        revoked.note(&HashSet::from([mine]));
        others.chunks(1000).for_each(|some| revoked.note(&some.iter().copied().collect()));
        assert!(revoked.ends([Uuid::now_v7(), mine], since) && revoked.ends([others[0]], since));
        assert!(!revoked.ends([Uuid::now_v7()], since), "others go on");
        assert!(!revoked.ends([mine], Instant::now()), "who comes later is looked up after it");
    }

    #[test]
    fn what_no_longer_fits_is_taken_for_revoked_rather_than_for_good() {
        let (mut state, start) = (State::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let [first, second] = [Uuid::now_v7(), Uuid::now_v7()];
        for (id, seconds) in [(first, 1), (second, 2)] {
            state.heard.insert(id, at(seconds));
            state.order.push_back((at(seconds), id));
        }
        state.forget(at(2), 1);
        assert_eq!((state.heard.len(), state.order.len(), state.forgotten), (1, 1, Some(at(1))));
        let revoked = RecentlyRevoked(RwLock::new(state));
        assert!(revoked.ends([first], at(1)) && revoked.ends([second], at(2)));
        assert!(!revoked.ends([first], at(2)), "it was looked up later");
        // In time, everything is forgotten.
        let mut state = revoked.0.into_inner();
        state.forget(at(63), MAX_REMEMBERED);
        assert!(state.heard.is_empty() && state.order.is_empty());
    }

    #[test]
    fn an_id_that_is_revoked_again_is_remembered_from_then_on() {
        let (mut state, start, id) = (State::default(), Instant::now(), Uuid::now_v7());
        for seconds in [0, 50] {
            let at = start + Duration::from_secs(seconds);
            state.heard.insert(id, at);
            state.order.push_back((at, id));
        }
        state.forget(start + Duration::from_secs(70), MAX_REMEMBERED);
        assert_eq!(state.heard.get(&id), Some(&(start + Duration::from_secs(50))));
    }
}
