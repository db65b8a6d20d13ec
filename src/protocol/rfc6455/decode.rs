//! Decodes the WebSocket frames of clients (RFC 6455): masked, possibly fragmented, received in arbitrary chunks.
//!
//! The hub reads from the socket into a buffer that all connections of a thread share, and keeps only what is
//! incomplete; an idle connection owns no buffer at all. Headers are parsed by tungstenite.

use crate::protocol::close::CloseCode;
use crate::protocol::limits::MAX_MESSAGE;
use std::io::Cursor;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Largest payload of a control frame (RFC 6455 section 5.5).
const MAX_CONTROL: u64 = 125;

/// A complete message or control frame from the client.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Valid UTF-8.
    Text(Vec<u8>),
    Binary,
    Ping(Vec<u8>),
    Pong,
    /// The client's close code, if it gave one.
    Close(Option<u16>),
}

/// Turns the bytes of a connection into messages.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The beginning of a frame that is not complete yet.
    partial: Vec<u8>,
    /// The message whose first fragments have arrived.
    fragments: Option<Fragments>,
    /// Frames since the last `take_fragments` that completed no message.
    incomplete: u32,
}

#[derive(Debug)]
struct Fragments {
    is_text: bool,
    payload: Vec<u8>,
    /// Length of the prefix that is valid UTF-8. The rest may be the beginning of a character.
    checked: usize,
}

impl Fragments {
    /// Checks the new bytes: invalid UTF-8 is rejected before the last fragment arrives.
    fn check(&mut self, is_final: bool) -> Result<(), CloseCode> {
        if !self.is_text {
            return Ok(());
        }
        match std::str::from_utf8(&self.payload[self.checked..]) {
            Ok(_) => self.checked = self.payload.len(),
            Err(error) if is_final || error.error_len().is_some() => return Err(CloseCode::BAD_UTF8),
            Err(error) => self.checked += error.valid_up_to(),
        }
        Ok(())
    }
}

impl Decoder {
    /// Returns the number of frames since the last call that completed no message.
    pub fn take_fragments(&mut self) -> u32 {
        std::mem::take(&mut self.incomplete)
    }

    /// Decodes received bytes; pushes every complete message to `out`. An error closes the connection.
    pub fn feed(&mut self, input: &[u8], out: &mut Vec<Incoming>) -> Result<(), CloseCode> {
        if self.partial.is_empty() {
            let used = self.decode_all(input, out)?;
            self.partial.extend_from_slice(&input[used..]);
        } else {
            let mut buffer = std::mem::take(&mut self.partial);
            buffer.extend_from_slice(input);
            let used = self.decode_all(&buffer, out)?;
            if used < buffer.len() {
                buffer.drain(..used);
                self.partial = buffer;
            }
        }
        Ok(())
    }

    fn decode_all(&mut self, input: &[u8], out: &mut Vec<Incoming>) -> Result<usize, CloseCode> {
        let mut used = 0;
        while let Some((size, incoming)) = self.decode_one(&input[used..])? {
            used += size;
            let closes = matches!(incoming, Some(Incoming::Close(_)));
            self.incomplete += u32::from(incoming.is_none());
            out.extend(incoming);
            if closes {
                // Data after a close frame is ignored (RFC 6455 section 5.5.1).
                return Ok(input.len());
            }
        }
        Ok(used)
    }

    /// Decodes one frame; `None` if it is incomplete. Returns its size and the message that it completes.
    fn decode_one(&mut self, input: &[u8]) -> Result<Option<(usize, Option<Incoming>)>, CloseCode> {
        let mut cursor = Cursor::new(input);
        let Some((header, length)) = FrameHeader::parse(&mut cursor).map_err(|_| CloseCode::PROTOCOL)? else {
            return Ok(None);
        };
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(CloseCode::PROTOCOL);
        }
        let Some(mask) = header.mask else { return Err(CloseCode::PROTOCOL) };
        let is_control = matches!(header.opcode, OpCode::Control(_));
        if is_control && (length > MAX_CONTROL || !header.is_final) {
            return Err(CloseCode::PROTOCOL);
        }
        let gathered = self.fragments.as_ref().map_or(0, |fragments| fragments.payload.len());
        let length = usize::try_from(length).map_err(|_| CloseCode::TOO_BIG)?;
        if !is_control && length.saturating_add(gathered) > MAX_MESSAGE {
            return Err(CloseCode::TOO_BIG);
        }
        let start = usize::try_from(cursor.position()).map_err(|_| CloseCode::PROTOCOL)?;
        let Some(masked) = input.get(start..start + length) else {
            // The opcode is checked before the payload has arrived, so that an invalid frame is rejected immediately.
            self.check_order(&header)?;
            return Ok(None);
        };
        self.check_order(&header)?;
        let mut payload = masked.to_vec();
        for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= key;
        }
        let incoming = match header.opcode {
            OpCode::Control(Control::Ping) => Some(Incoming::Ping(payload)),
            OpCode::Control(Control::Pong) => Some(Incoming::Pong),
            OpCode::Control(Control::Close) => Some(Incoming::Close(close_code(&payload)?)),
            OpCode::Data(data) => self.data_frame(data, header.is_final, payload)?,
            OpCode::Control(Control::Reserved(_)) => return Err(CloseCode::PROTOCOL),
        };
        Ok(Some((start + length, incoming)))
    }

    /// A continuation needs a message to continue, and a new message must not interrupt one (RFC 6455 section 5.4).
    fn check_order(&self, header: &FrameHeader) -> Result<(), CloseCode> {
        match header.opcode {
            OpCode::Data(Data::Continue) if self.fragments.is_none() => Err(CloseCode::PROTOCOL),
            OpCode::Data(Data::Text | Data::Binary) if self.fragments.is_some() => Err(CloseCode::PROTOCOL),
            OpCode::Data(Data::Reserved(_)) | OpCode::Control(Control::Reserved(_)) => Err(CloseCode::PROTOCOL),
            _ => Ok(()),
        }
    }

    fn data_frame(&mut self, kind: Data, is_final: bool, payload: Vec<u8>) -> Result<Option<Incoming>, CloseCode> {
        let mut message = match self.fragments.take() {
            None => Fragments { is_text: kind == Data::Text, payload, checked: 0 },
            Some(mut fragments) => {
                fragments.payload.extend_from_slice(&payload);
                fragments
            }
        };
        message.check(is_final)?;
        if !is_final {
            self.fragments = Some(message);
            return Ok(None);
        }
        if !message.is_text {
            return Ok(Some(Incoming::Binary));
        }
        message.payload.shrink_to_fit();
        Ok(Some(Incoming::Text(message.payload)))
    }
}

/// Reads the payload of a close frame (RFC 6455 sections 5.5.1 and 7.4).
fn close_code(payload: &[u8]) -> Result<Option<u16>, CloseCode> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok(None) } else { Err(CloseCode::PROTOCOL) };
    };
    let code = u16::from_be_bytes(*code);
    let allowed = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
    if !allowed {
        return Err(CloseCode::PROTOCOL);
    }
    if std::str::from_utf8(reason).is_err() {
        return Err(CloseCode::BAD_UTF8);
    }
    Ok(Some(code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let mut out = vec![first];
        match payload.len() {
            n @ 0..=125 => out.push(0x80 | n as u8),
            n @ 126..=65535 => {
                out.push(0x80 | 126);
                out.extend_from_slice(&(n as u16).to_be_bytes());
            }
            n => {
                out.push(0x80 | 127);
                out.extend_from_slice(&(n as u64).to_be_bytes());
            }
        }
        out.extend_from_slice(&mask);
        out.extend(payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m));
        out
    }

    fn decode(bytes: &[u8]) -> Result<Vec<Incoming>, CloseCode> {
        let mut out = Vec::new();
        Decoder::default().feed(bytes, &mut out).map(|()| out)
    }

    #[test]
    fn decodes_whole_and_fragmented_messages_with_an_interleaved_ping() {
        let mut bytes = client_frame(0x81, b"one");
        bytes.extend(client_frame(0x01, "tw\u{f6}".as_bytes().split_at(3).0));
        bytes.extend(client_frame(0x89, b"p"));
        bytes.extend(client_frame(0x80, "tw\u{f6}".as_bytes().split_at(3).1));
        assert_eq!(
            decode(&bytes),
            Ok(vec![
                Incoming::Text(b"one".to_vec()),
                Incoming::Ping(b"p".to_vec()),
                Incoming::Text("tw\u{f6}".as_bytes().to_vec())
            ])
        );
    }

    #[test]
    fn rejects_frames_that_the_rfc_forbids() {
        let protocol = [
            vec![0x81, 0x01, b'a'],                                        // unmasked
            client_frame(0xC1, b"x"),                                      // reserved bit
            client_frame(0x83, b"x"),                                      // reserved opcode
            client_frame(0x80, b"x"),                                      // no message to continue
            [client_frame(0x01, b"a"), client_frame(0x81, b"b")].concat(), // interrupted
            client_frame(0x09, b"x"),                                      // fragmented control
            client_frame(0x89, &[0; 126]),                                 // long control
            client_frame(0x88, &[3]),                                      // half a close code
            client_frame(0x88, &1005_u16.to_be_bytes()),                   // a code that must not be sent
        ];
        for bytes in protocol {
            assert_eq!(decode(&bytes), Err(CloseCode::PROTOCOL), "{bytes:?}");
        }
        assert_eq!(decode(&client_frame(0x81, &[0xff])), Err(CloseCode::BAD_UTF8));
        assert_eq!(
            decode(&client_frame(0x01, &[b'a', 0xff])),
            Err(CloseCode::BAD_UTF8),
            "before the message has ended"
        );
        assert_eq!(decode(&client_frame(0x88, &[3, 0xe8, 0xff])), Err(CloseCode::BAD_UTF8));
    }

    #[test]
    fn a_message_has_at_most_64_kib() {
        assert_eq!(decode(&client_frame(0x81, &[b'a'; MAX_MESSAGE])).map(|m| m.len()), Ok(1));
        assert_eq!(decode(&client_frame(0x81, &[b'a'; MAX_MESSAGE + 1])), Err(CloseCode::TOO_BIG));
        // The size in the header is enough to reject it; nothing is buffered.
        assert_eq!(decode(&client_frame(0x81, &[b'a'; MAX_MESSAGE + 1])[..14]), Err(CloseCode::TOO_BIG));
        let halves = [client_frame(0x01, &[b'a'; MAX_MESSAGE]), client_frame(0x80, b"a")].concat();
        assert_eq!(decode(&halves), Err(CloseCode::TOO_BIG));
    }

    proptest! {
        #[test]
        fn messages_do_not_depend_on_chunk_boundaries(
            messages in proptest::collection::vec("[a-z\u{e9}]{0,300}", 1..6),
            cuts in proptest::collection::vec(1..40_usize, 1..60),
        ) {
            let bytes: Vec<u8> = messages.iter().flat_map(|m| client_frame(0x81, m.as_bytes())).collect();
            let mut decoder = Decoder::default();
            let mut out = Vec::new();
            let mut rest = bytes.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                decoder.feed(now, &mut out).expect("valid");
                rest = later;
            }
            let expected: Vec<_> = messages.iter().map(|m| Incoming::Text(m.clone().into_bytes())).collect();
            prop_assert_eq!(out, expected);
            prop_assert!(decoder.partial.is_empty());
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
        }
    }
}
