//! Presence in memory: who is present on this node, which changes of that are still to be published, and who is present
//! on the other nodes.

use super::CHUNK;
use super::field::Field;
use super::nodes::Nodes;
use super::remote::RemotePresence;
use crate::domain::{ParticipantId, PrincipalId, SessionId};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use tokio::sync::Notify;
use uuid::Uuid;

/// A principal that is present in a session.
pub(super) type Present = (SessionId, PrincipalId);

/// A change of presence over all other nodes: present on one of them (`true`), or on none any more.
pub(super) type Change = (SessionId, PrincipalId, ParticipantId, bool);

/// Presence on this node and on the others.
#[derive(Default)]
pub(in crate::broker::redis) struct PresenceState {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// Principals with a subscribed socket on this node.
    local: HashMap<Present, ParticipantId>,
    /// Changes of `local` that are not published yet. A principal that came and went before anything was published is
    /// not in here, so that this does not grow while Redis is unavailable.
    unpublished: HashMap<Present, Unpublished>,
    /// Presence on the other nodes, of the sessions that this node is subscribed to.
    remote: HashMap<SessionId, RemotePresence>,
    /// Sessions of `remote` whose hash is still to be read.
    unread: HashSet<SessionId>,
    nodes: Nodes,
}

/// A principal that came or went; which of the two, `State::local` says.
struct Unpublished {
    participant: ParticipantId,
    /// Whether other nodes may have the principal as present.
    may_be_published: bool,
}

impl Unpublished {
    fn published_before(participant: ParticipantId) -> Self {
        Self { participant, may_be_published: true }
    }
}

impl PresenceState {
    /// Records whether a principal has a subscribed socket on this node.
    pub(in crate::broker::redis) fn set_local(
        &self,
        session: SessionId,
        principal: PrincipalId,
        participant: ParticipantId,
        online: bool,
    ) {
        let mut state = self.state.lock();
        let who = (session, principal);
        if online {
            state.local.insert(who, participant);
        } else {
            state.local.remove(&who);
        }
        // Without an unpublished change, the other nodes have the state before this one.
        let change = state.unpublished.entry(who).or_insert(Unpublished { participant, may_be_published: !online });
        change.participant = participant;
        if !online && !change.may_be_published {
            state.unpublished.remove(&who);
        }
        drop(state);
        self.changed.notify_one();
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
        let Some(remote) = state.remote.get_mut(&session) else { return false };
        remote.version += 1;
        if online { remote.enter(node, principal, participant) } else { remote.leave(node, principal).is_some() }
    }

    /// Tracks sessions that this node has just subscribed to, or has to read again.
    pub(in crate::broker::redis) fn track(&self, sessions: &[SessionId]) {
        let mut state = self.state.lock();
        for session in sessions {
            state.remote.entry(*session).or_default();
            state.unread.insert(*session);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Stops tracking a session that this node has unsubscribed from.
    pub(in crate::broker::redis) fn untrack(&self, session: SessionId) {
        let mut state = self.state.lock();
        state.remote.remove(&session);
        state.unread.remove(&session);
    }

    /// Stops tracking all other sessions: those that lost their last reader while this node was disconnected would
    /// otherwise stay forever.
    pub(in crate::broker::redis) fn track_only(&self, sessions: &HashSet<SessionId>) {
        let mut state = self.state.lock();
        state.remote.retain(|session, _| sessions.contains(session));
        state.unread.retain(|session| sessions.contains(session));
    }

    /// Wakes the task, since there is a connection again.
    pub(in crate::broker::redis) fn reconnected(&self) {
        self.changed.notify_one();
    }

    /// Returns when there may be something to publish or to read.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(in crate::broker::redis) fn is_present_elsewhere(&self, session: SessionId, principal: PrincipalId) -> bool {
        self.state.lock().remote.get(&session).is_some_and(|remote| remote.is_present(principal))
    }

    /// The principals that are present on other nodes, if this node tracks the session and has read its hash.
    pub(super) fn present_elsewhere(&self, session: SessionId) -> Option<Vec<PrincipalId>> {
        let state = self.state.lock();
        Some(state.remote.get(&session).filter(|remote| remote.was_read)?.principals())
    }

    /// Publishes everything again.
    pub(super) fn republish_all(&self) {
        let mut state = self.state.lock();
        let State { local, unpublished, .. } = &mut *state;
        unpublished.extend(local.iter().map(|(who, participant)| (*who, Unpublished::published_before(*participant))));
    }

    /// Ends the presence of every principal on this node.
    pub(super) fn withdraw_all(&self) {
        let mut state = self.state.lock();
        let State { local, unpublished, .. } = &mut *state;
        unpublished.extend(local.drain().map(|(who, participant)| (who, Unpublished::published_before(participant))));
    }

    /// Reads every hash again.
    pub(super) fn reread_all(&self) {
        let mut state = self.state.lock();
        let State { remote, unread, .. } = &mut *state;
        unread.extend(remote.keys());
    }

    /// Whether there is more to publish than fits into one chunk.
    pub(super) fn has_backlog(&self) -> bool {
        self.state.lock().unpublished.len() > CHUNK
    }

    /// A chunk of the changes to publish, each with whether the principal is present.
    pub(super) fn take_unpublished(&self) -> Vec<(Present, ParticipantId, bool)> {
        let mut state = self.state.lock();
        let chunk: Vec<Present> = state.unpublished.keys().take(CHUNK).copied().collect();
        let changes = chunk.into_iter().filter_map(|who| {
            let change = state.unpublished.remove(&who)?;
            Some((who, change.participant, state.local.contains_key(&who)))
        });
        changes.collect()
    }

    /// Puts back changes that could not be published.
    pub(super) fn requeue(&self, changes: Vec<(Present, ParticipantId, bool)>) {
        let mut state = self.state.lock();
        for (who, participant, _) in changes {
            // They may have arrived all the same.
            let change = state.unpublished.entry(who).or_insert(Unpublished::published_before(participant));
            change.may_be_published = true;
        }
    }

    /// A chunk of the sessions whose hash is to be read, each with its version.
    pub(super) fn take_unread(&self) -> Vec<(SessionId, u64)> {
        let mut state = self.state.lock();
        let chunk: Vec<SessionId> = state.unread.iter().take(CHUNK).copied().collect();
        let taken = chunk.into_iter().filter_map(|session| {
            state.unread.remove(&session);
            Some((session, state.remote.get(&session)?.version))
        });
        taken.collect()
    }

    /// As [`Nodes::extend_grace`].
    pub(super) fn extend_grace(&self) {
        self.state.lock().nodes.extend_grace();
    }

    /// As [`Nodes::alive`].
    pub(super) fn alive_nodes(&self) -> HashSet<Uuid> {
        self.state.lock().nodes.alive()
    }

    /// Nodes on which anybody is present in a tracked session.
    pub(super) fn nodes_with_presence(&self) -> HashSet<Uuid> {
        self.state.lock().remote.values().flat_map(RemotePresence::nodes).collect()
    }

    /// As [`Nodes::record_leases`].
    pub(super) fn record_leases(&self, asked: &HashSet<Uuid>, with_lease: &HashSet<Uuid>) -> Vec<Uuid> {
        self.state.lock().nodes.record_leases(asked, with_lease)
    }

    /// As [`Nodes::is_long_dead`].
    pub(super) fn is_long_dead(&self, node: Uuid) -> bool {
        self.state.lock().nodes.is_long_dead(node)
    }

    /// Removes a dead node from all sessions; returns the principals that were present on it alone.
    pub(super) fn remove_node(&self, node: Uuid) -> Vec<Change> {
        let mut state = self.state.lock();
        let mut changes = Vec::new();
        for (session, remote) in &mut state.remote {
            for principal in remote.on_node(node) {
                if let Some(participant) = remote.leave(node, principal) {
                    changes.push((*session, principal, participant, false));
                }
            }
        }
        changes
    }

    /// Applies a session's hash as it was read at `version`, and returns the changes. If a message has arrived since,
    /// the hash is outdated and is read again.
    pub(super) fn apply_hash(
        &self,
        session: SessionId,
        version: u64,
        fields: &[Field],
        alive: &HashSet<Uuid>,
    ) -> Vec<Change> {
        let mut state = self.state.lock();
        let Some(remote) = state.remote.get_mut(&session) else { return Vec::new() };
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::redis::presence::nodes::{DELETE_AFTER, GRACE, RECONNECT_GRACE};
    use std::time::Duration;

    struct Story {
        state: PresenceState,
        session: SessionId,
        principal: PrincipalId,
        participant: ParticipantId,
    }

    impl Story {
        fn new() -> Self {
            let story = Self {
                state: PresenceState::default(),
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
        assert!(story.state.is_present_elsewhere(story.session, story.principal));
        assert!(story.receive(other, false));
        assert!(!story.receive(other, false), "a repetition");
        assert!(!story.state.is_present_elsewhere(story.session, story.principal));
    }

    #[test]
    fn a_hash_that_was_read_before_a_message_arrived_is_read_again() {
        let (story, node) = (Story::new(), Uuid::now_v7());
        let alive = HashSet::from([node]);
        assert_eq!(story.state.take_unread(), [(story.session, 0)]);
        assert!(story.receive(node, true));
        assert!(story.state.apply_hash(story.session, 0, &[], &alive).is_empty(), "it was written after that");
        assert_eq!(story.state.present_elsewhere(story.session), None);
        assert_eq!(story.state.take_unread(), [(story.session, 1)]);
        assert!(story.state.apply_hash(story.session, 1, &[story.field(node)], &alive).is_empty(), "as received");
        assert_eq!(story.state.present_elsewhere(story.session), Some(vec![story.principal]));
    }

    #[test]
    fn a_session_without_readers_is_not_tracked() {
        let (story, kept) = (Story::new(), SessionId::new());
        story.state.track(&[kept]);
        assert!(story.receive(Uuid::now_v7(), true));
        story.state.track_only(&HashSet::from([kept]));
        assert!(!story.state.is_present_elsewhere(story.session, story.principal));
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
    fn everything_can_be_published_and_read_again() {
        let story = Story::new();
        story.state.set_local(story.session, story.principal, story.participant, true);
        assert_eq!((story.state.take_unpublished().len(), story.state.take_unread().len()), (1, 1));
        story.state.republish_all();
        story.state.reread_all();
        assert_eq!((story.state.take_unpublished().len(), story.state.take_unread().len()), (1, 1));
    }

    #[test]
    fn a_change_that_failed_is_published_later_in_its_latest_state() {
        let story = Story::new();
        let (who, participant) = ((story.session, story.principal), story.participant);
        story.state.set_local(story.session, story.principal, participant, true);
        let failed = story.state.take_unpublished();
        assert_eq!(failed, [(who, participant, true)]);
        assert!(story.state.take_unpublished().is_empty());
        story.state.set_local(story.session, story.principal, participant, false);
        story.state.requeue(failed);
        assert_eq!(story.state.take_unpublished(), [(who, participant, false)]);
        story.state.republish_all();
        assert!(story.state.take_unpublished().is_empty(), "no local presence");
    }

    #[test]
    fn a_visit_that_was_never_published_leaves_nothing_to_publish() {
        let story = Story::new();
        let who = (story.session, story.principal);
        let set = |online| story.state.set_local(story.session, story.principal, story.participant, online);
        set(true);
        set(false);
        assert!(story.state.take_unpublished().is_empty(), "never published");
        // Once it may have been published, the departure has to be published too.
        set(true);
        assert_eq!(story.state.take_unpublished(), [(who, story.participant, true)]);
        for _ in 0..3 {
            set(false);
            set(true);
        }
        set(false);
        assert_eq!(story.state.take_unpublished(), [(who, story.participant, false)]);
    }
}
