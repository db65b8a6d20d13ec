//! Presence on the other nodes, of the sessions that this node is subscribed to: from the changes that the nodes publish,
//! and from the hashes.

use super::field::{CHUNK, Field};
use super::nodes::Nodes;
use super::remote::RemotePresence;
use crate::domain::{ParticipantId, PrincipalId, SessionId};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::Notify;
use uuid::Uuid;

/// A change of presence over all other nodes: present on one of them (`true`), or on none any more.
pub(super) type Change = (SessionId, PrincipalId, ParticipantId, bool);

/// Presence on the other nodes.
pub(in crate::broker::redis) struct RemoteSessions {
    state: Mutex<State>,
    /// Wakes the task that reads hashes.
    changed: Arc<Notify>,
}

#[derive(Default)]
struct State {
    /// The sessions that this node is subscribed to.
    sessions: HashMap<SessionId, RemotePresence>,
    /// Those whose hash is still to be read.
    unread: HashSet<SessionId>,
    nodes: Nodes,
}

impl RemoteSessions {
    pub(super) fn new(changed: Arc<Notify>) -> Self {
        Self { state: Mutex::default(), changed }
    }

    /// Tracks sessions that this node has just subscribed to, or has to read again.
    pub(in crate::broker::redis) fn track(&self, sessions: &[SessionId]) {
        let mut state = self.state.lock();
        for session in sessions {
            state.sessions.entry(*session).or_default();
            state.unread.insert(*session);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Stops tracking a session that this node has unsubscribed from.
    pub(in crate::broker::redis) fn untrack(&self, session: SessionId) {
        let mut state = self.state.lock();
        state.sessions.remove(&session);
        state.unread.remove(&session);
    }

    /// otherwise stay forever.
    pub(in crate::broker::redis) fn track_only(&self, sessions: &HashSet<SessionId>) {
        let mut state = self.state.lock();
        state.sessions.retain(|session, _| sessions.contains(session));
        state.unread.retain(|session| sessions.contains(session));
    }

    /// Applies a change that another node published; `true` if it changes the presence over all other nodes.
    pub(in crate::broker::redis) fn apply_message(
        &self,
        node: Uuid,
        session: SessionId,
        principal: PrincipalId,
        participant: ParticipantId,
        online: bool,
    ) -> bool {
        let mut state = self.state.lock();
        state.nodes.record_message(node);
        let Some(remote) = state.sessions.get_mut(&session) else { return false };
        remote.version += 1;
        if online { remote.enter(node, principal, participant) } else { remote.leave(node, principal).is_some() }
    }

    /// the hash is outdated and is read again.
    pub(super) fn apply_hash(
        &self,
        session: SessionId,
        version: u64,
        fields: &[Field],
        alive: &HashSet<Uuid>,
    ) -> Vec<Change> {
        let mut state = self.state.lock();
        let Some(remote) = state.sessions.get_mut(&session) else { return Vec::new() };
        if remote.version != version {
            state.unread.insert(session);
            drop(state);
            self.changed.notify_one();
            return Vec::new();
        }
        remote.was_read = true;
        let mut changes = Vec::new();
        for field in fields.iter().filter(|field| alive.contains(&field.node)) {
            if remote.enter(field.node, field.principal, field.participant) {
                changes.push((session, field.principal, field.participant, true));
            }
        }
        for node in alive {
            for principal in remote.on_node(*node) {
                if !fields.iter().any(|field| field.node == *node && field.principal == principal)
                    && let Some(participant) = remote.leave(*node, principal)
                {
                    changes.push((session, principal, participant, false));
                }
            }
        }
        changes
    }

    /// Removes a dead node from all sessions; returns the principals that were present on it alone.
    pub(super) fn remove_node(&self, node: Uuid) -> Vec<Change> {
        let mut state = self.state.lock();
        let mut changes = Vec::new();
        for (session, remote) in &mut state.sessions {
            for principal in remote.on_node(node) {
                if let Some(participant) = remote.leave(node, principal) {
                    changes.push((*session, principal, participant, false));
                }
            }
        }
        changes
    }

    /// Whether a principal is present on another node in a session that this node tracks.
    pub(in crate::broker::redis) fn is_present(&self, session: SessionId, principal: PrincipalId) -> bool {
        self.state.lock().sessions.get(&session).is_some_and(|remote| remote.is_present(principal))
    }

    /// The principals that are present on other nodes, if this node tracks the session and has read its hash.
    pub(super) fn present(&self, session: SessionId) -> Option<Vec<PrincipalId>> {
        let state = self.state.lock();
        Some(state.sessions.get(&session).filter(|remote| remote.was_read)?.principals())
    }

    /// Nodes on which a principal is present in a tracked session.
    pub(super) fn nodes_with_presence(&self) -> HashSet<Uuid> {
        self.state.lock().sessions.values().flat_map(RemotePresence::nodes).collect()
    }

    /// A chunk of the sessions whose hash is to be read, each with its version.
    pub(super) fn take_unread(&self) -> Vec<(SessionId, u64)> {
        let mut state = self.state.lock();
        let chunk: Vec<SessionId> = state.unread.iter().take(CHUNK).copied().collect();
        let taken = chunk.into_iter().filter_map(|session| {
            state.unread.remove(&session);
            Some((session, state.sessions.get(&session)?.version))
        });
        taken.collect()
    }

    /// Reads every hash again.
    pub(super) fn read_all_again(&self) {
        let mut state = self.state.lock();
        let State { sessions, unread, .. } = &mut *state;
        unread.extend(sessions.keys());
    }

    /// As [`Nodes::extend_grace`].
    pub(super) fn extend_grace(&self) {
        self.state.lock().nodes.extend_grace();
    }

    /// As [`Nodes::alive`].
    pub(super) fn alive_nodes(&self) -> HashSet<Uuid> {
        self.state.lock().nodes.alive()
    }

    /// As [`Nodes::record_leases`].
    pub(super) fn record_leases(&self, asked: &HashSet<Uuid>, with_lease: &HashSet<Uuid>) -> Vec<Uuid> {
        self.state.lock().nodes.record_leases(asked, with_lease)
    }

    /// As [`Nodes::is_long_dead`].
    pub(super) fn is_long_dead(&self, node: Uuid) -> bool {
        self.state.lock().nodes.is_long_dead(node)
    }
}

#[cfg(test)]
mod tests {
    use super::super::nodes::{DELETE_AFTER, GRACE, RECONNECT_GRACE};
    use super::*;
    use std::time::Duration;

    struct Story {
        state: RemoteSessions,
        session: SessionId,
        principal: PrincipalId,
        participant: ParticipantId,
    }

    impl Story {
        fn new() -> Self {
            let story = Self {
                state: RemoteSessions::new(Arc::default()),
                session: SessionId::new(),
                principal: PrincipalId(Uuid::now_v7()),
                participant: ParticipantId::new(),
            };
            story.state.track(&[story.session]);
            story
        }

        fn receive(&self, node: Uuid, online: bool) -> bool {
            self.state.apply_message(node, self.session, self.principal, self.participant, online)
        }

        fn field(&self, node: Uuid) -> Field {
            Field { node, principal: self.principal, participant: self.participant }
        }

        /// Moves the times of a node into the past.
        fn age(&self, node: Uuid, time: Duration) {
            self.state.state.lock().nodes.age(node, time);
        }

        fn changes(&self, changes: &[Change]) -> Vec<bool> {
            changes
                .iter()
                .inspect(|change| assert_eq!((change.0, change.1), (self.session, self.principal)))
                .map(|change| change.3)
                .collect()
        }
    }

    #[test]
    fn a_principal_on_several_nodes_leaves_with_the_last() {
        let (story, [one, other]) = (Story::new(), [Uuid::now_v7(), Uuid::now_v7()]);
        assert!(story.receive(one, true));
        assert!(!story.receive(one, true), "a repetition");
        assert!(!story.receive(other, true));
        assert!(!story.receive(one, false));
        assert!(story.state.is_present(story.session, story.principal));
        assert!(story.receive(other, false));
        assert!(!story.receive(other, false), "a repetition");
        assert!(!story.state.is_present(story.session, story.principal));
    }

    #[test]
    fn a_hash_that_was_read_before_a_message_arrived_is_read_again() {
        let (story, node) = (Story::new(), Uuid::now_v7());
        let alive = HashSet::from([node]);
        assert_eq!(story.state.take_unread(), [(story.session, 0)]);
        assert!(story.receive(node, true));
        assert!(story.state.apply_hash(story.session, 0, &[], &alive).is_empty(), "it was written after that");
        assert_eq!(story.state.present(story.session), None);
        assert_eq!(story.state.take_unread(), [(story.session, 1)]);
        assert!(story.state.apply_hash(story.session, 1, &[story.field(node)], &alive).is_empty(), "as received");
        assert_eq!(story.state.present(story.session), Some(vec![story.principal]));
    }

    #[test]
    fn a_session_without_readers_is_not_tracked() {
        let (story, kept) = (Story::new(), SessionId::new());
        story.state.track(&[kept]);
        assert!(story.receive(Uuid::now_v7(), true));
        story.state.track_only(&HashSet::from([kept]));
        assert!(!story.state.is_present(story.session, story.principal));
        assert_eq!(story.state.take_unread(), [(kept, 0)]);
    }

    #[test]
    fn a_hash_counts_only_for_nodes_with_a_lease() {
        let (story, [one, other]) = (Story::new(), [Uuid::now_v7(), Uuid::now_v7()]);
        let both = [story.field(one), story.field(other)];
        let changes = story.state.apply_hash(story.session, 0, &both, &HashSet::from([one]));
        assert_eq!(story.changes(&changes), [true]);
        assert_eq!(story.state.nodes_with_presence(), HashSet::from([one]));
        // Its lease is missing, perhaps because Redis lost it: then its missing field has no meaning.
        assert!(story.state.apply_hash(story.session, 0, &[], &HashSet::new()).is_empty());
        let changes = story.state.apply_hash(story.session, 0, &[], &HashSet::from([one]));
        assert_eq!(story.changes(&changes), [false]);
    }

    #[test]
    fn a_node_without_a_lease_is_dead_after_its_grace_period() {
        let (story, [known, strange]) = (Story::new(), [Uuid::now_v7(), Uuid::now_v7()]);
        story.receive(known, true);
        let asked = HashSet::from([known, strange]);
        assert_eq!(story.state.record_leases(&asked, &HashSet::new()), [strange]);
        story.age(known, GRACE);
        assert_eq!(story.state.record_leases(&HashSet::from([known]), &HashSet::new()), [known]);
        assert!(!story.state.is_long_dead(known), "its entries may still be valid");
        story.age(known, DELETE_AFTER);
        assert!(story.state.is_long_dead(known));
        let changes = story.state.remove_node(known);
        assert_eq!(story.changes(&changes), [false]);
        assert!(story.receive(known, true));
        assert!(!story.state.is_long_dead(known), "alive");
    }

    #[test]
    fn a_reconnect_extends_the_grace_period_once() {
        let (story, node) = (Story::new(), Uuid::now_v7());
        story.receive(node, true);
        let (asked, none) = (HashSet::from([node]), HashSet::new());
        story.age(node, GRACE);
        story.state.extend_grace();
        assert!(story.state.record_leases(&asked, &none).is_empty());
        // Redis disconnects again within the grace period.
        for _ in 0..3 {
            story.age(node, RECONNECT_GRACE / 3);
            story.state.extend_grace();
        }
        assert_eq!(story.state.record_leases(&asked, &none), [node]);
        // It is alive again.
        assert!(story.state.record_leases(&asked, &asked).is_empty());
        story.age(node, GRACE);
        story.state.extend_grace();
        assert!(story.state.record_leases(&asked, &none).is_empty());
    }

    #[test]
    fn every_hash_can_be_read_again() {
        let story = Story::new();
        assert_eq!(story.state.take_unread().len(), 1);
        story.state.read_all_again();
        assert_eq!(story.state.take_unread().len(), 1);
    }
}
