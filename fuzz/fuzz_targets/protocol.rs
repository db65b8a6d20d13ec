//! The text of a socket's frame. Errors have the documented shape and the given `id`.
#![no_main]

use hiloop::protocol::frame::client::{ClientFrame, parse};
use hiloop::testing::{Effect, ProtocolState};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    for authenticated in [false, true] {
        let mut session = ProtocolState::default();
        if authenticated {
            session.authenticated();
        }
        let Effect::Reply(text) = session.on_text(data) else { continue };
        let reply: Value = serde_json::from_str(&text).expect("a reply is JSON");
        match reply["type"].as_str() {
            Some("pong") => {}
            Some("error") => assert!(reply["error"]["code"].is_string() && reply["error"]["message"].is_string()),
            other => panic!("{other:?}: {text}"),
        }
    }
    if let Ok((id, frame)) = parse(data) {
        let id: Value = serde_json::from_str(&id.to_string()).expect("an id is JSON");
        assert!(id.is_string() || id.is_number() || id.is_null());
        match frame {
            ClientFrame::Subscribe { after: Some(after), .. } => assert!(after >= 0),
            ClientFrame::Send { draft, .. } => drop(draft.check(true, 1024)),
            _ => {}
        }
    }
});
