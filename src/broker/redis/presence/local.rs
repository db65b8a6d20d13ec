//! Presence on this node: which principals have a subscribed socket, and which changes of that are still to be published.

use super::field::CHUNK;
use crate::domain::{ParticipantId, PrincipalId, SessionId};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Notify;

/// A principal that is present in a session.
pub(super) type Present = (SessionId, PrincipalId);

/// Presence on this node.
pub(in crate::broker::redis) struct LocalPresence {
    state: Mutex<State>,
    /// Wakes the task that publishes.
    changed: Arc<Notify>,
}

#[derive(Default)]
struct State {
    /// Principals with a subscribed socket on this node.
    present: HashMap<Present, ParticipantId>,
    /// Changes of `present` that are not published yet. A principal that came and went before anything was published is
    /// not in here, so that this does not grow while Redis is unavailable.
    unpublished: HashMap<Present, Unpublished>,
}

/// A principal that came (it is in `State::present`) or went.
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

impl LocalPresence {
    pub(super) fn new(changed: Arc<Notify>) -> Self {
        Self { state: Mutex::default(), changed }
    }

    /// Records whether a principal has a subscribed socket on this node.
    pub(in crate::broker::redis) fn set(
        &self,
        session: SessionId,
        principal: PrincipalId,
        participant: ParticipantId,
        online: bool,
    ) {
        let mut state = self.state.lock();
        let who = (session, principal);
        if online {
            state.present.insert(who, participant);
        } else {
            state.present.remove(&who);
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

    /// Publishes everything again.
    pub(super) fn republish_all(&self) {
        let mut state = self.state.lock();
        let State { present, unpublished } = &mut *state;
        unpublished
            .extend(present.iter().map(|(who, participant)| (*who, Unpublished::published_before(*participant))));
    }

    /// Ends the presence of every principal on this node.
    pub(super) fn withdraw_all(&self) {
        let mut state = self.state.lock();
        let State { present, unpublished } = &mut *state;
        unpublished.extend(present.drain().map(|(who, participant)| (who, Unpublished::published_before(participant))));
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
            Some((who, change.participant, state.present.contains_key(&who)))
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn present() -> (Present, ParticipantId) {
        ((SessionId::new(), PrincipalId(Uuid::now_v7())), ParticipantId::new())
    }

    #[test]
    fn everything_can_be_published_again() {
        let local = LocalPresence::new(Arc::default());
        let (who, participant) = present();
        local.set(who.0, who.1, participant, true);
        assert_eq!(local.take_unpublished().len(), 1);
        local.republish_all();
        assert_eq!(local.take_unpublished().len(), 1);
    }

    #[test]
    fn a_change_that_failed_is_published_later_in_its_latest_state() {
        let local = LocalPresence::new(Arc::default());
        let (who, participant) = present();
        local.set(who.0, who.1, participant, true);
        let failed = local.take_unpublished();
        assert_eq!(failed, [(who, participant, true)]);
        assert!(local.take_unpublished().is_empty());
        local.set(who.0, who.1, participant, false);
        local.requeue(failed);
        assert_eq!(local.take_unpublished(), [(who, participant, false)]);
        local.republish_all();
        assert!(local.take_unpublished().is_empty(), "no local presence");
    }

    #[test]
    fn a_connection_that_was_never_published_leaves_nothing_to_publish() {
        let local = LocalPresence::new(Arc::default());
        let (who, participant) = present();
        let set = |online| local.set(who.0, who.1, participant, online);
        set(true);
        set(false);
        assert!(local.take_unpublished().is_empty(), "never published");
        // Once it may have been published, the departure has to be published too.
        set(true);
        assert_eq!(local.take_unpublished(), [(who, participant, true)]);
        for _ in 0..3 {
            set(false);
            set(true);
        }
        set(false);
        assert_eq!(local.take_unpublished(), [(who, participant, false)]);
    }
}
