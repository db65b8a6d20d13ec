//! The frames of the hub's WebSocket that a follower uses.

use crate::types::{Event, FeedEntry};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// Something ephemeral to send; lost when there is no connection.
pub(crate) enum Signal {
    Typing(bool),
    Read(i64),
}

/// A frame of the hub.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum Frame {
    Hello {
        heartbeat_seconds: u64,
    },
    Subscribed {
        #[serde(default)]
        reset: bool,
        /// The oldest event that exists; of a session.
        #[serde(default)]
        first_seq: i64,
    },
    Event {
        event: Event,
    },
    Feed(FeedEntry),
    Goaway {
        reconnect_after_ms: (u64, u64),
    },
    Unsubscribed {
        reason: Option<String>,
    },
    Error {
        error: Value,
    },
    #[serde(other)]
    Other,
}

/// Asks for the events of a session after `after`.
pub(super) fn subscribe(session: Uuid, after: i64) -> String {
    json!({ "type": "subscribe", "id": 1, "sessionId": session, "after": after }).to_string()
}

/// Asks for the feed.
pub(super) fn subscribe_feed() -> String {
    json!({ "type": "subscribe", "id": 1, "feed": true }).to_string()
}

/// The frame of a signal.
pub(super) fn signal(session: Uuid, signal: &Signal) -> String {
    let frame = match signal {
        Signal::Typing(typing) => json!({ "type": "typing", "sessionId": session, "typing": typing }),
        Signal::Read(seq) => json!({ "type": "read", "sessionId": session, "seq": seq }),
    };
    frame.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Frame {
        serde_json::from_str(text).expect("a frame")
    }

    #[test]
    fn frames_are_read() {
        let hello = parse(r#"{"type":"hello","principal":{"type":"Agent"},"heartbeatSeconds":25,"expiresAt":null}"#);
        assert!(matches!(hello, Frame::Hello { heartbeat_seconds: 25 }));
        let subscribed = parse(r#"{"type":"subscribed","id":1,"sessionId":"s","seq":3,"replay":3,"firstSeq":1}"#);
        assert!(matches!(subscribed, Frame::Subscribed { reset: false, first_seq: 1 }));
        let away = parse(r#"{"type":"goaway","reconnectAfterMs":[100,500]}"#);
        assert!(matches!(away, Frame::Goaway { reconnect_after_ms: (100, 500) }));
        let event = r#"{"type":"event","event":{"sessionId":"0195d2a0-0000-7000-8000-000000000001","seq":2,
            "type":"session.closed","at":"2026-03-25T10:30:00.000Z","actor":{"type":"Human","id":null,"name":"Ada"},
            "data":{}}}"#;
        assert!(matches!(parse(event), Frame::Event { event } if event.seq == 2 && event.kind == "session.closed"));
        let feed = r#"{"type":"feed","sessionId":"0195d2a0-0000-7000-8000-000000000001","seq":2,"event":"session.closed",
            "pendingCount":0,"at":"2026-03-25T10:30:00.000Z"}"#;
        assert!(matches!(parse(feed), Frame::Feed(entry) if entry.seq == 2));
        assert!(matches!(parse(r#"{"type":"subscribed","id":1,"feed":true}"#), Frame::Subscribed { first_seq: 0, .. }));
        for other in [r#"{"type":"presence","online":true}"#, r#"{"type":"new in v2","x":[1]}"#] {
            assert!(matches!(parse(other), Frame::Other), "{other}");
        }
    }
}
