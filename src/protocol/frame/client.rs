//! Parses the frames that clients send.

use super::FrameId;
use crate::domain::json::{is_too_deep, on_one_line};
use crate::domain::{Refusal, SessionId};
use crate::protocol::body::MessageDraft;
use crate::protocol::json::parse_object;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt;

/// SHA-256 of a `send` frame: a retry with the same `idempotencyKey` must have the same digest.
pub type FrameDigest = [u8; 32];

/// A valid frame of a client.
#[derive(Debug)]
pub enum ClientFrame {
    Auth { token: String, agent: Option<String> },
    Refresh { token: String },
    Subscribe { session: SessionId, after: Option<i64> },
    SubscribeFeed,
    Unsubscribe { session: SessionId },
    UnsubscribeFeed,
    Send { session: SessionId, draft: Box<MessageDraft>, key: Option<String>, digest: FrameDigest },
    Typing { session: SessionId, typing: bool },
    Read { session: SessionId, seq: i64 },
    Ping,
}

/// An invalid frame of a client.
#[derive(Debug)]
pub enum FrameError {
    /// Not JSON, or without a `type`; ten of these in a row close the connection. With the frame's `id`, if it is readable.
    Unreadable(FrameId, Refusal),
    /// A frame with a `type` and an invalid field.
    Bad(FrameId, Refusal),
}

#[derive(Deserialize)]
struct AuthFields {
    token: Option<String>,
    agent: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionFields {
    session_id: Option<SessionId>,
    after: Option<i64>,
    feed: Option<bool>,
    typing: Option<bool>,
    seq: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SendFields {
    session_id: Option<SessionId>,
    idempotency_key: Option<String>,
}

/// Parses a client's frame.
pub fn parse(text: &[u8]) -> Result<(FrameId, ClientFrame), FrameError> {
    let unreadable = |id: FrameId, text: &str| FrameError::Unreadable(id, Refusal::Invalid(text.to_owned()));
    let mut keys: Keys<'_> =
        serde_json::from_slice(text).map_err(|_| unreadable(FrameId::null(), "The frame is not a JSON object"))?;
    if keys.0.iter().any(|(_, value)| is_too_deep(value)) {
        return Err(unreadable(FrameId::null(), "The frame is nested too deep"));
    }
    let id = match keys.take("id").map(FrameId::from_sent) {
        None => FrameId::null(),
        Some(Some(id)) => id,
        Some(None) => {
            return Err(FrameError::Bad(FrameId::null(), Refusal::invalid("id", "must be a string or a number")));
        }
    };
    let kind = keys.get("type").and_then(|kind| serde_json::from_str::<Cow<'_, str>>(kind.get()).ok());
    let Some(kind) = kind else {
        return Err(unreadable(id, "The frame has no 'type'"));
    };
    match fields(&kind, text, keys) {
        Ok(frame) => Ok((id, frame)),
        Err(refusal) => Err(FrameError::Bad(id, refusal)),
    }
}

/// The keys of a frame, in order, with their unparsed values. Borrowed from the frame where possible.
struct Keys<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Keys<'a> {
    /// The index of a key; of its last occurrence, if it is duplicated.
    fn position(&self, key: &str) -> Option<usize> {
        self.0.iter().rposition(|(other, _)| other == key)
    }

    fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.position(key).map(|index| self.0[index].1)
    }

    /// Removes a key and moves the last key to its index. The order is part of stored digests and must not change.
    fn take(&mut self, key: &str) -> Option<&'a RawValue> {
        self.position(key).map(|index| self.0.swap_remove(index).1)
    }

    /// SHA-256 of the frame's remaining keys, serialised without whitespace.
    fn digest(&self) -> Result<FrameDigest, Refusal> {
        let mut digest = Sha256::new();
        let mut before = '{';
        for (key, value) in &self.0 {
            let key = serde_json::to_string(key).map_err(|_| Refusal::Internal)?;
            digest.update(format!("{before}{key}:"));
            digest.update(
                on_one_line(value, usize::MAX)
                    .map_err(|unfit| Refusal::invalid(key.trim_matches('"'), &unfit.problem()))?,
            );
            before = ',';
        }
        digest.update(if self.0.is_empty() { "{}" } else { "}" });
        Ok(digest.finalize().into())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Keys<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
                let mut keys = Vec::new();
                while let Some(Key(key)) = object.next_key()? {
                    keys.push((key, object.next_value()?));
                }
                Ok(keys)
            }
        }
        deserializer.deserialize_map(Reader).map(Self)
    }
}

/// A key, borrowed from the frame unless it has escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

fn fields(kind: &str, text: &[u8], mut keys: Keys<'_>) -> Result<ClientFrame, Refusal> {
    let need = |session: Option<SessionId>| session.ok_or_else(|| Refusal::required("sessionId"));
    match kind {
        "ping" => Ok(ClientFrame::Ping),
        "auth" | "refresh" => {
            let fields: AuthFields = parse_object(text)?;
            let token = fields.token.ok_or_else(|| Refusal::required("token"))?;
            Ok(if kind == "auth" {
                ClientFrame::Auth { token, agent: fields.agent }
            } else {
                ClientFrame::Refresh { token }
            })
        }
        "send" => {
            let fields: SendFields = parse_object(text)?;
            let draft: Box<MessageDraft> = parse_object(text)?;
            // The digest covers the frame without its `id` and its `idempotencyKey`.
            keys.take("idempotencyKey");
            let digest = if fields.idempotency_key.is_some() { keys.digest()? } else { FrameDigest::default() };
            Ok(ClientFrame::Send { session: need(fields.session_id)?, draft, key: fields.idempotency_key, digest })
        }
        "subscribe" | "unsubscribe" | "typing" | "read" => {
            let fields: SessionFields = parse_object(text)?;
            if fields.feed == Some(true) && fields.session_id.is_none() {
                match kind {
                    "subscribe" => return Ok(ClientFrame::SubscribeFeed),
                    "unsubscribe" => return Ok(ClientFrame::UnsubscribeFeed),
                    _ => {}
                }
            }
            let session = need(fields.session_id)?;
            match kind {
                "subscribe" => match fields.after {
                    Some(after) if after < 0 => Err(Refusal::invalid("after", "must not be negative")),
                    after => Ok(ClientFrame::Subscribe { session, after }),
                },
                "unsubscribe" => Ok(ClientFrame::Unsubscribe { session }),
                "typing" => Ok(ClientFrame::Typing { session, typing: fields.typing.unwrap_or(true) }),
                _ => Ok(ClientFrame::Read { session, seq: fields.seq.ok_or_else(|| Refusal::required("seq"))? }),
            }
        }
        _ => Err(Refusal::invalid("type", "is not a known frame type")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, Value};

    #[test]
    fn the_digest_of_a_frame_is_the_same_as_in_the_previous_release() {
        let text = r#"{"type":"send","id":1,"sessionId":"x","encryptedContent":{"ciphertext":"a\u0000b","wrappings":[{"x": 1}]},"idempotencyKey":"k","priority":"High"}"#;
        let mut keys: Keys<'_> = serde_json::from_str(text).expect("an object");
        let mut object: Map<String, Value> = serde_json::from_str(text).expect("an object");
        for key in ["id", "idempotencyKey"] {
            keys.take(key);
            object.remove(key);
        }
        let before: FrameDigest = Sha256::digest(Value::Object(object).to_string()).into();
        assert_eq!(keys.digest(), Ok(before));
    }
}
