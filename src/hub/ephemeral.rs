//! Frames that are sent live and never stored: typing, presence, read receipts.

use super::fan_out::WorkerMessage;
use super::{Hub, frame, typing};
use crate::broker::{Ephemeral, Signal};
use crate::domain::{Actor, ParticipantId, PrincipalId, SessionId};
use crate::protocol::frame::hub::{PresenceChange, presence_batch_frame};
use std::collections::HashSet;
use std::time::Instant;

impl Hub {
    /// Notes that a principal has begun or stopped typing in a session.
    pub fn note_typing(&self, session: SessionId, who: PrincipalId, actor: Actor, typing: bool) {
        self.typing.note(session, who, actor, typing, typing::Source::ThisNode);
    }

    /// Sends the read mark of a participant to the other subscribers.
    pub fn send_receipt(&self, session: SessionId, participant: ParticipantId, seq: i64) {
        let receipt = Ephemeral::Receipt { session, participant, seq };
        self.send_here(&receipt);
        self.broker.publish(Signal::Ephemeral(receipt));
    }

    /// Counts a subscribed socket of a participant.
    pub fn enter(&self, session: SessionId, principal: PrincipalId, participant: ParticipantId) {
        if self.presence.enter(session, principal, participant) {
            self.announce_presence(session, principal, participant, true);
        }
    }

    /// Removes a socket that `enter` has counted.
    pub fn exit(&self, session: SessionId, principal: PrincipalId) {
        if let Some(participant) = self.presence.leave(session, principal) {
            self.announce_presence(session, principal, participant, false);
        }
    }

    /// Sets whether changes of presence in a session are sent in batches, because the session has many people.
    pub fn set_presence_batching(&self, session: SessionId, is_batched: bool) {
        if let Some(topic) = self.topics.get(&session) {
            topic.set_presence_batching(is_batched);
        }
    }

    /// Announces the first or last socket of a participant on this node. The readers here get a frame only if the
    /// participant has no socket on another node.
    fn announce_presence(&self, session: SessionId, principal: PrincipalId, participant: ParticipantId, online: bool) {
        let presence = Ephemeral::Presence { session, participant, principal, online };
        // Read after this node's own count has changed: of two nodes that change at once, one announces it.
        if !self.broker.is_present_elsewhere(session, principal) {
            self.send_here(&presence);
        }
        self.broker.publish(Signal::Ephemeral(presence));
    }

    /// The principals that have a subscribed socket for a session, on any node. While other nodes are unreachable, with
    /// their last known state.
    pub async fn online(&self, session: SessionId) -> HashSet<PrincipalId> {
        let elsewhere = self.broker.present_elsewhere(session).await;
        let mut online = self.presence.of(session);
        online.extend(elsewhere.unwrap_or_default());
        online
    }

    /// Sends one frame with several changes of presence to every subscriber of a session.
    pub(super) fn send_presence_batch(&self, session: SessionId, changes: &[PresenceChange]) {
        let Some(topic) = self.topic(session) else { return };
        let frame = presence_batch_frame(session, changes);
        let message = || WorkerMessage::Ephemeral { session, frame: frame.clone(), except: None };
        topic.send_to_workers(&self.workers, message);
    }

    /// Sends a frame to the subscribers on this node, other than the principal that it is about.
    pub(super) fn send_here(&self, ephemeral: &Ephemeral) {
        let session = ephemeral.session();
        let Some(topic) = self.topic(session) else { return };
        if let Ephemeral::Presence { participant, online, .. } = ephemeral
            && topic.batches_presence()
        {
            let change = PresenceChange { participant_id: *participant, online: *online };
            if let Some(first) = self.presence_batches.add(session, change, Instant::now()) {
                self.send_presence_batch(session, &[first]);
            }
            return;
        }
        let except = match ephemeral {
            Ephemeral::Typing { actor, .. } => actor.id.map(PrincipalId),
            Ephemeral::Presence { principal, .. } => Some(*principal),
            Ephemeral::Receipt { .. } => None,
        };
        let frame = frame::ephemeral_frame(ephemeral);
        topic.send_to_workers(&self.workers, || WorkerMessage::Ephemeral { session, frame: frame.clone(), except });
    }
}
