//! The frames that the hub sends, built once as the bytes that go out to every socket.

use crate::broker::Ephemeral;
use crate::domain::{CommittedEvent, EventHint, SessionId};
use crate::wire::frame::{HubFrame, PresenceChange};
use bytes::Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// How long `typing:true` holds unless it is repeated (contract section 8).
pub const TYPING_LAPSE_MILLIS: u64 = 6000;

/// A whole frame, ready to be written to any number of sockets.
fn frame(opcode: OpCode, parts: &[&[u8]]) -> Bytes {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let header = FrameHeader { opcode, ..FrameHeader::default() };
    let mut out = Vec::with_capacity(length + 10);
    // Writing to a Vec can't fail.
    let _ = header.format(length as u64, &mut out);
    for part in parts {
        out.extend_from_slice(part);
    }
    Bytes::from(out)
}

/// A text frame; `parts` are joined.
pub fn text_frame(parts: &[&str]) -> Bytes {
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
    frame(OpCode::Data(Data::Text), &parts)
}

pub fn ping_frame() -> Bytes {
    frame(OpCode::Control(Control::Ping), &[])
}

pub fn pong_frame(payload: &[u8]) -> Bytes {
    frame(OpCode::Control(Control::Pong), &[payload])
}

pub fn close_frame(code: u16, reason: &str) -> Bytes {
    frame(OpCode::Control(Control::Close), &[&code.to_be_bytes(), reason.as_bytes()])
}

/// The answer to a close frame without a code.
pub fn empty_close_frame() -> Bytes {
    frame(OpCode::Control(Control::Close), &[])
}

/// A [`HubFrame::Event`] around the event as it was stored.
pub fn event_frame(event: &CommittedEvent) -> Bytes {
    text_frame(&[r#"{"type":"event","event":"#, &event.text, "}"])
}

/// A [`HubFrame::Feed`].
pub fn feed_frame(event: &EventHint) -> Bytes {
    let frame = HubFrame::Feed {
        session_id: event.session,
        seq: event.seq,
        event: event.kind.as_str(),
        pending_count: event.pending,
        at: event.at,
    };
    text_frame(&[&frame.text()])
}

/// A [`HubFrame::PresenceOfMany`].
pub fn crowd_frame(session_id: SessionId, changes: &[PresenceChange]) -> Bytes {
    text_frame(&[&HubFrame::PresenceOfMany { session_id, changes }.text()])
}

/// The frame of something ephemeral (contract section 8).
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
