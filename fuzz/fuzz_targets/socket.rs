//! A connection's bytes, as a client that means no good sends them: WebSocket frames, then the frames of the protocol
//! in them. However the bytes are cut on the way, the hub must read the same from them.
#![no_main]

use hiloop::protocol::close::CloseCode;
use hiloop::protocol::limits::MAX_MESSAGE;
use hiloop::protocol::rfc6455::decode::{Decoder, Incoming};
use hiloop::testing::{Effect, ProtocolState};
use libfuzzer_sys::fuzz_target;

fn decode(pieces: &[&[u8]]) -> (Vec<Incoming>, Option<CloseCode>) {
    let mut decoder = Decoder::default();
    let mut out = Vec::new();
    for piece in pieces {
        if let Err(code) = decoder.feed(piece, &mut out) {
            return (out, Some(code));
        }
        // The connection ends here, and reads no more.
        if out.iter().any(|message| matches!(message, Incoming::Close(_))) {
            break;
        }
    }
    (out, None)
}

fuzz_target!(|data: &[u8]| {
    // The first two bytes say where the stream is cut.
    let Some(([first, second], stream)) = data.split_first_chunk::<2>() else { return };
    let whole = decode(&[stream]);
    let at = (usize::from(*first)).min(stream.len());
    let (head, tail) = stream.split_at(at);
    assert_eq!(decode(&[head, tail]), whole);
    let every: Vec<&[u8]> = stream.chunks(usize::from(*second % 16) + 1).collect();
    assert_eq!(decode(&every), whole);

    let mut session = ProtocolState::default();
    if first & 1 == 1 {
        session.authenticated();
    }
    for message in whole.0 {
        let effect = match message {
            Incoming::Text(text) => {
                assert!(text.len() <= MAX_MESSAGE && std::str::from_utf8(&text).is_ok());
                session.on_text(&text)
            }
            Incoming::Binary => session.on_binary(),
            Incoming::Ping(payload) => {
                assert!(payload.len() <= 125);
                continue;
            }
            Incoming::Pong | Incoming::Close(_) => continue,
        };
        if let Effect::Reply(text) | Effect::ReplyAndClose(text, _) = effect {
            assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{text}");
        }
    }
});
