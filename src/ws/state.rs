//! The protocol's state machine, without I/O: turns frames into effects.

use crate::domain::Refusal;
use crate::protocol::close::CloseCode;
use crate::protocol::frame::FrameId;
use crate::protocol::frame::client::{ClientFrame, FrameError, parse};
use crate::protocol::frame::hub::reply;
use crate::protocol::limits::MAX_UNREADABLE;

/// An action for the connection.
#[derive(Debug)]
pub enum Effect {
    /// Send this text.
    Reply(String),
    /// Resolve the token. Then call [`ProtocolState::authenticated`] and reply with this id, or close with 4401.
    Authenticate { id: FrameId, token: String, agent: Option<String> },
    /// Execute a frame of an authenticated client, and reply with this id.
    Do(FrameId, ClientFrame),
    /// Send this text, then close.
    ReplyAndClose(String, CloseCode),
}

/// The protocol state of one connection.
#[derive(Debug, Default)]
pub struct ProtocolState {
    authenticated: bool,
    unreadable: u32,
}

impl ProtocolState {
    /// Notes that the client has authenticated.
    pub fn authenticated(&mut self) {
        self.authenticated = true;
    }

    pub fn is_authenticated(&self) -> bool {
        self.authenticated
    }

    pub fn on_text(&mut self, text: &[u8]) -> Effect {
        let (id, frame) = match parse(text) {
            Ok(read) => read,
            Err(FrameError::Unreadable(id, refusal)) => return self.unreadable(&id, &refusal),
            Err(FrameError::Bad(id, refusal)) => {
                self.unreadable = 0;
                return Effect::Reply(reply::error(&id, &refusal));
            }
        };
        self.unreadable = 0;
        match frame {
            ClientFrame::Auth { .. } if self.authenticated => {
                let refusal = Refusal::Invalid("The socket is authenticated already; use 'refresh'".to_owned());
                Effect::Reply(reply::error(&id, &refusal))
            }
            ClientFrame::Auth { token, agent } => Effect::Authenticate { id, token, agent },
            _ if !self.authenticated => {
                let refusal = Refusal::Unauthorized("The first frame must be 'auth'".to_owned());
                Effect::Reply(reply::error(&id, &refusal))
            }
            ClientFrame::Ping => Effect::Reply(reply::pong(&id)),
            frame => Effect::Do(id, frame),
        }
    }

    pub fn on_binary(&mut self) -> Effect {
        self.unreadable(&FrameId::null(), &Refusal::Invalid("Frames must be text".to_owned()))
    }

    fn unreadable(&mut self, id: &FrameId, refusal: &Refusal) -> Effect {
        self.unreadable += 1;
        let text = reply::error(id, refusal);
        if self.unreadable >= MAX_UNREADABLE {
            Effect::ReplyAndClose(text, CloseCode::BAD_FRAMES)
        } else {
            Effect::Reply(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frames_before_auth_are_refused() {
        let mut state = ProtocolState::default();
        let Effect::Reply(text) = state.on_text(br#"{"type":"ping","id":1}"#) else { panic!("a reply") };
        assert!(text.contains("UNAUTHORIZED") && text.contains(r#""id":1"#), "{text}");
        assert!(matches!(state.on_text(br#"{"type":"auth","token":"t"}"#), Effect::Authenticate { .. }));
        state.authenticated();
        let Effect::Reply(text) = state.on_text(br#"{"type":"ping","id":"x"}"#) else { panic!("a reply") };
        assert_eq!(text, r#"{"type":"pong","id":"x"}"#);
    }

    #[test]
    fn a_reply_echoes_the_id() {
        let mut state = ProtocolState::default();
        state.authenticated();
        for id in ["123456789012345678901234567890", "-0", "1.50", "1E40", r#""a\u0000b""#, "null"] {
            let Effect::Reply(text) = state.on_text(format!(r#"{{"type":"ping","id": {id} }}"#).as_bytes()) else {
                panic!("a reply to {id}")
            };
            assert_eq!(text, format!(r#"{{"type":"pong","id":{id}}}"#));
        }
        for id in ["{}", "[1]", "true", "1e400", r#""\ud800""#] {
            let Effect::Reply(text) = state.on_text(format!(r#"{{"type":"ping","id":{id}}}"#).as_bytes()) else {
                panic!("a reply to {id}")
            };
            assert!(text.contains("'id'") && text.contains(r#""id":null"#), "{id}: {text}");
        }
    }

    #[test]
    fn ten_unreadable_frames_in_a_row_close_the_connection() {
        let mut state = ProtocolState::default();
        state.authenticated();
        for round in 0..2 {
            for _ in 0..9 {
                assert!(matches!(state.on_text(b"nonsense"), Effect::Reply(_)));
            }
            if round == 0 {
                assert!(matches!(state.on_text(br#"{"type":"ping"}"#), Effect::Reply(_)));
            }
        }
        assert!(matches!(state.on_binary(), Effect::ReplyAndClose(_, CloseCode::BAD_FRAMES)));
    }

    #[test]
    fn errors_name_the_field() {
        let mut state = ProtocolState::default();
        state.authenticated();
        for (frame, field) in [
            (r#"{"type":"subscribe"}"#, "sessionId"),
            (r#"{"type":"subscribe","sessionId":5}"#, "sessionId"),
            (r#"{"type":"subscribe","sessionId":"0198f7b2-0000-7000-8000-000000000000","after":-1}"#, "after"),
            (r#"{"type":"subscribe","sessionId":"0198f7b2-0000-7000-8000-000000000000","after":1e99}"#, "after"),
            (r#"{"type":"read","sessionId":"0198f7b2-0000-7000-8000-000000000000"}"#, "seq"),
            (r#"{"type":"what"}"#, "type"),
            (r#"{"type":"ping","id":{}}"#, "id"),
            (r#"{"id":7}"#, "type"),
            (r#"{"id":7,"type":5}"#, "type"),
        ] {
            let Effect::Reply(text) = state.on_text(frame.as_bytes()) else { panic!("a reply to {frame}") };
            assert!(text.contains("VALIDATION_ERROR") && text.contains(&format!("'{field}'")), "{frame}: {text}");
            let id = if frame.contains(r#""id":7"#) { "7" } else { "null" };
            assert!(text.contains(&format!(r#""id":{id}"#)), "{frame}: {text}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_frames_do_not_panic(text in "\\PC{0,80}", bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut state = ProtocolState::default();
            state.authenticated();
            let _ = state.on_text(text.as_bytes());
            let _ = state.on_text(&bytes);
        }
    }
}
