//! The principals that are present in one session on the other nodes.

use crate::domain::{ParticipantId, PrincipalId};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

#[derive(Default)]
pub(super) struct RemotePresence {
    /// Each principal with the nodes on which it has a subscribed socket.
    present: HashMap<PrincipalId, (ParticipantId, HashSet<Uuid>)>,
    /// Grows with every change that is received, by which a hash that was read before it is recognised as outdated.
    pub(super) version: u64,
    /// Whether the session's hash has been read.
    pub(super) was_read: bool,
}

impl RemotePresence {
    /// Adds a node of a principal; `true` if it is its first one.
    pub(super) fn enter(&mut self, node: Uuid, principal: PrincipalId, participant: ParticipantId) -> bool {
        let (id, nodes) = self.present.entry(principal).or_insert_with(|| (participant, HashSet::new()));
        *id = participant;
        nodes.insert(node) && nodes.len() == 1
    }

    /// Removes a node of a principal; returns the participant if it was the last one.
    pub(super) fn leave(&mut self, node: Uuid, principal: PrincipalId) -> Option<ParticipantId> {
        let (participant, nodes) = self.present.get_mut(&principal)?;
        let participant = *participant;
        nodes.remove(&node);
        if !nodes.is_empty() {
            return None;
        }
        self.present.remove(&principal);
        Some(participant)
    }

    pub(super) fn is_present(&self, principal: PrincipalId) -> bool {
        self.present.contains_key(&principal)
    }

    pub(super) fn principals(&self) -> Vec<PrincipalId> {
        self.present.keys().copied().collect()
    }

    /// The principals that are present on a node.
    pub(super) fn on_node(&self, node: Uuid) -> Vec<PrincipalId> {
        self.present.iter().filter(|(_, (_, nodes))| nodes.contains(&node)).map(|(principal, _)| *principal).collect()
    }

    /// The nodes on which a principal is present.
    pub(super) fn nodes(&self) -> impl Iterator<Item = Uuid> {
        self.present.values().flat_map(|(_, nodes)| nodes.iter().copied())
    }
}
