//! Reads only the fields of the hub's frames that the ledger needs.

use std::borrow::Cow;

use serde::Deserialize;

use crate::payload;

/// A frame from the hub.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    Hello,
    Subscribed {
        /// The last `seq` before the live events.
        seq: u64,
        /// The store is behind what the client has seen.
        reset: bool,
    },
    Event {
        session: Cow<'a, str>,
        seq: u64,
        message: Option<Message>,
    },
    Typing {
        session: Cow<'a, str>,
        actor: Cow<'a, str>,
        typing: bool,
    },
    Receipt {
        session: Cow<'a, str>,
        participant: Cow<'a, str>,
        seq: u64,
    },
    Pong,
    Error(String),
    /// Anything else, such as presence.
    Other,
}

/// The relevant fields of a `message.created` event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message {
    /// The schedule index in its content, where there is one.
    pub(crate) index: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    seq: Option<u64>,
    #[serde(default)]
    reset: bool,
    #[serde(borrow)]
    event: Option<Event<'a>>,
    error: Option<serde_json::Value>,
    #[serde(borrow)]
    session_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    participant_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    actor: Option<Actor<'a>>,
    typing: Option<bool>,
}

#[derive(Deserialize)]
struct Actor<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(borrow)]
    session_id: Cow<'a, str>,
    seq: u64,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    data: Option<Data<'a>>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    message: Option<MessageHead<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageHead<'a> {
    #[serde(borrow)]
    encrypted_content: Option<Envelope<'a>>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    ciphertext: Cow<'a, str>,
}

impl<'a> Frame<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        let frame: Kind<'a> = serde_json::from_str(text)?;
        if let ("typing", Some(session), Some(actor), Some(typing)) =
            (&*frame.kind, &frame.session_id, &frame.actor, frame.typing)
        {
            return Ok(Self::Typing { session: session.clone(), actor: actor.id.clone(), typing });
        }
        if let ("receipt", Some(session), Some(participant), Some(seq)) =
            (&*frame.kind, &frame.session_id, &frame.participant_id, frame.seq)
        {
            return Ok(Self::Receipt { session: session.clone(), participant: participant.clone(), seq });
        }
        Ok(match (&*frame.kind, frame.event, frame.seq) {
            ("event", Some(event), _) => event.into_frame(),
            ("hello", ..) => Self::Hello,
            ("subscribed", _, Some(seq)) => Self::Subscribed { seq, reset: frame.reset },
            ("pong", ..) => Self::Pong,
            ("error", ..) => Self::Error(frame.error.unwrap_or_default().to_string()),
            _ => Self::Other,
        })
    }

    /// The data of a Server-Sent Event.
    pub(crate) fn parse_event(text: &'a str) -> Result<Self, serde_json::Error> {
        Ok(serde_json::from_str::<Event<'a>>(text)?.into_frame())
    }
}

impl<'a> Event<'a> {
    fn into_frame(self) -> Frame<'a> {
        let message = (self.kind == "message.created").then(|| Message {
            index: self
                .data
                .and_then(|data| data.message?.encrypted_content)
                .and_then(|envelope| payload::index_of(&envelope.ciphertext)),
        });
        Frame::Event { session: self.session_id, seq: self.seq, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Payload;

    #[test]
    fn a_message_is_read_whatever_the_order_of_its_keys() {
        let body = Payload::new(400).body(17);
        let body = std::str::from_utf8(&body).expect("UTF-8").trim_start_matches('{');
        let text = format!(
            r#"{{"event":{{"data":{{"message":{{"id":"m","response":null,{body}}},"seq":5,
            "actor":{{"name":"a \"b\" \u00e9"}},"type":"message.created","sessionId":"s"}},
            "type":"event"}}"#
        );
        let frame = Frame::parse(&text).expect("a frame");
        let message = Some(Message { index: Some(17) });
        assert_eq!(frame, Frame::Event { session: "s".into(), seq: 5, message });
    }

    #[test]
    fn other_events_are_no_messages() {
        let text = r#"{"type":"event","event":{"sessionId":"s","seq":9,"type":"session.updated",
            "data":{"title":"x"}}}"#;
        let expected = Frame::Event { session: "s".into(), seq: 9, message: None };
        assert_eq!(Frame::parse(text).expect("a frame"), expected);
    }

    #[test]
    fn ephemeral_frames_and_events_of_a_stream() {
        let typing = r#"{"type":"typing","sessionId":"s","actor":{"type":"Human","id":"h","name":"n"},"typing":true,"expiresInMs":6000}"#;
        let expected = Frame::Typing { session: "s".into(), actor: "h".into(), typing: true };
        assert_eq!(Frame::parse(typing).expect("a frame"), expected);
        let receipt = r#"{"type":"receipt","sessionId":"s","participantId":"p","seq":7}"#;
        let expected = Frame::Receipt { session: "s".into(), participant: "p".into(), seq: 7 };
        assert_eq!(Frame::parse(receipt).expect("a frame"), expected);
        let event = r#"{"sessionId":"s","seq":9,"type":"session.updated","data":{"title":"x"}}"#;
        let expected = Frame::Event { session: "s".into(), seq: 9, message: None };
        assert_eq!(Frame::parse_event(event).expect("an event"), expected);
    }

    #[test]
    fn replies_and_strangers() {
        let parse = |text| Frame::parse(text).expect("a frame");
        assert_eq!(parse(r#"{"type":"hello","principal":{"type":"Agent"}}"#), Frame::Hello);
        assert_eq!(
            parse(r#"{"type":"subscribed","id":1,"sessionId":"s","seq":3,"replay":0,"firstSeq":1}"#),
            Frame::Subscribed { seq: 3, reset: false }
        );
        let reset = r#"{"type":"subscribed","id":1,"sessionId":"s","seq":3,"reset":true}"#;
        assert_eq!(parse(reset), Frame::Subscribed { seq: 3, reset: true });
        assert_eq!(parse(r#"{"type":"pong","id":2}"#), Frame::Pong);
        assert_eq!(parse(r#"{"type":"presence","online":true}"#), Frame::Other);
        assert!(matches!(
            parse(r#"{"type":"error","id":1,"error":{"code":"NOT_FOUND"}}"#),
            Frame::Error(text) if text.contains("NOT_FOUND")
        ));
        assert!(Frame::parse("not JSON").is_err());
    }
}
