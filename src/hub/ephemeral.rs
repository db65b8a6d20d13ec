//! What is shown live and never stored: typing, presence, receipts.

use super::lane::LaneMessage;
use super::{Hub, frame, typing};
use crate::broker::{Ephemeral, Signal};
use crate::domain::{Actor, ParticipantId, PrincipalId, SessionId};
use crate::protocol::frame::hub::{PresenceChange, crowd_frame};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

impl Hub {
    /// Notes that somebody types in a session, or has stopped.
    pub fn note_typing(&self, session: SessionId, who: PrincipalId, actor: Actor, typing: bool) {
        self.typing.note(session, who, actor, typing, typing::Origin::Here);
    }

    /// Shows how far a participant has read.
    pub fn show_receipt(&self, session: SessionId, participant: ParticipantId, seq: i64) {
        self.show_everywhere(Ephemeral::Receipt { session, participant, seq });
    }

    /// Counts a socket of a participant as present in a session.
    pub fn enter(&self, session: SessionId, principal: PrincipalId, participant: ParticipantId) {
        if self.presence.enter(session, principal, participant) {
            self.turn(session, principal, participant, true);
        }
    }

    /// Notes whether a session has so many people that their presence is told in batches.
    pub fn note_crowd(&self, session: SessionId, is_crowd: bool) {
        if let Some(topic) = self.topics.get(&session) {
            topic.note_crowd(is_crowd);
        }
    }

    /// Ends what `enter` began.
    pub fn exit(&self, session: SessionId, principal: PrincipalId) {
        if let Some(participant) = self.presence.leave(session, principal) {
            self.turn(session, principal, participant, false);
        }
    }

    /// Tells of somebody's first or last socket on this node. The readers here are told only if there is none on
    /// another node.
    fn turn(&self, session: SessionId, principal: PrincipalId, participant: ParticipantId, online: bool) {
        let presence = Ephemeral::Presence { session, participant, principal, online };
        // Asked after this node's own count has changed: whoever goes here and there at once is told of by one of them.
        if !self.broker.is_present_elsewhere(session, principal) {
            self.show_here(&presence);
        }
        self.broker.publish(Signal::Ephemeral(presence));
    }

    /// Who has a subscribed socket for a session, on any node. While the other nodes are out of reach these are the
    /// ones on this node and those on others that it last heard of.
    pub async fn online(&self, session: SessionId) -> HashSet<PrincipalId> {
        let elsewhere = self.broker.present_elsewhere(session).await;
        let mut online = self.presence.of(session);
        online.extend(elsewhere.unwrap_or_default());
        online
    }

    fn show_everywhere(&self, ephemeral: Ephemeral) {
        self.show_here(&ephemeral);
        self.broker.publish(Signal::Ephemeral(ephemeral));
    }

    /// Shows who has come and gone in a session of many people, to all of them alike.
    pub(super) fn show_crowd(&self, session: SessionId, changes: &[PresenceChange]) {
        let Some(topic) = self.topics.get(&session).map(|topic| Arc::clone(&topic)) else { return };
        let frame = crowd_frame(session, changes);
        topic.each_lane(&self.lanes, || LaneMessage::Show { session, frame: frame.clone(), except: None });
    }

    pub(super) fn show_here(&self, ephemeral: &Ephemeral) {
        let session = ephemeral.session();
        let Some(topic) = self.topics.get(&session).map(|topic| Arc::clone(&topic)) else { return };
        if let Ephemeral::Presence { participant, online, .. } = ephemeral
            && topic.is_crowd()
        {
            let change = PresenceChange { participant_id: *participant, online: *online };
            if let Some(first) = self.crowds.take(session, change, Instant::now()) {
                self.show_crowd(session, &[first]);
            }
            return;
        }
        let except = match ephemeral {
            Ephemeral::Typing { actor, .. } => actor.id.map(PrincipalId),
            Ephemeral::Presence { principal, .. } => Some(*principal),
            Ephemeral::Receipt { .. } => None,
        };
        let frame = frame::ephemeral_frame(ephemeral);
        topic.each_lane(&self.lanes, || LaneMessage::Show { session, frame: frame.clone(), except });
    }
}
