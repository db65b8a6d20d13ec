//! Presence on this node: a participant is online in a session while a socket of theirs is subscribed to it.

pub(super) mod batches;

use crate::domain::{ParticipantId, PrincipalId, SessionId};
use dashmap::DashMap;
use std::collections::{HashMap, HashSet};

/// Subscribed sockets of each participant of each session on this node.
#[derive(Default)]
pub(super) struct Presence {
    sessions: DashMap<SessionId, HashMap<PrincipalId, (ParticipantId, usize)>>,
}

impl Presence {
    /// Adds a socket; `true` if it is the participant's first.
    pub(super) fn enter(&self, session: SessionId, principal: PrincipalId, participant: ParticipantId) -> bool {
        let mut session = self.sessions.entry(session).or_default();
        let (id, count) = session.entry(principal).or_insert((participant, 0));
        *id = participant;
        *count += 1;
        *count == 1
    }

    /// Removes a socket; returns the participant if it was their last.
    pub(super) fn leave(&self, session: SessionId, principal: PrincipalId) -> Option<ParticipantId> {
        let gone = {
            let mut present = self.sessions.get_mut(&session)?;
            let (id, count) = present.get_mut(&principal)?;
            let id = *id;
            *count = count.saturating_sub(1);
            if *count > 0 {
                return None;
            }
            present.remove(&principal);
            id
        };
        self.sessions.remove_if(&session, |_, present| present.is_empty());
        Some(gone)
    }

    /// The principals that are online on this node.
    pub(super) fn of(&self, session: SessionId) -> HashSet<PrincipalId> {
        self.sessions.get(&session).map(|present| present.keys().copied().collect()).unwrap_or_default()
    }

    pub(super) fn is_online(&self, session: SessionId, principal: PrincipalId) -> bool {
        self.sessions.get(&session).is_some_and(|present| present.contains_key(&principal))
    }
}
