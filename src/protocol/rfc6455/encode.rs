//! Encodes the WebSocket frames of the hub (RFC 6455): unmasked and unfragmented.

use bytes::Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// An encoded frame, which can be written to any number of sockets.
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

/// The reply to a close frame without a code.
pub fn empty_close_frame() -> Bytes {
    frame(OpCode::Control(Control::Close), &[])
}
