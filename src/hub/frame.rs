//! The frames of typing, presence and read receipts, which are sent live and never stored.

use crate::broker::Ephemeral;
use crate::protocol::frame::hub::HubFrame;
use crate::protocol::limits::TYPING_LAPSE_MILLIS;
use crate::protocol::rfc6455::encode::text_frame;
use bytes::Bytes;

/// The frame of an ephemeral signal (contract section 8).
pub fn ephemeral_frame(ephemeral: &Ephemeral) -> Bytes {
    let frame = match ephemeral {
        Ephemeral::Typing { session, actor, typing } => HubFrame::Typing {
            session_id: *session,
            actor: actor.clone(),
            typing: *typing,
            expires_in_ms: if *typing { TYPING_LAPSE_MILLIS } else { 0 },
        },
        Ephemeral::Presence { session, participant, online, .. } => {
            HubFrame::Presence { session_id: *session, participant_id: *participant, online: *online }
        }
        Ephemeral::Receipt { session, participant, seq } => {
            HubFrame::Receipt { session_id: *session, participant_id: *participant, seq: *seq }
        }
    };
    text_frame(&[&frame.text()])
}
