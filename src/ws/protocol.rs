//! The frames of the contract, section 8, as types: what clients may say, and what the hub replies.

use crate::domain::draft::MessageDraft;
use crate::domain::{ConnectionId, Principal, Refusal, SessionId, Timestamp};
use crate::hub::subscriber::EndReason;
use crate::store::SecretHash;
use crate::wire::frame::HubFrame;
use crate::wire::{error_object, parse_object};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::time::Duration;

pub use crate::wire::frame::FrameId;

/// A client's frame that could be read.
#[derive(Debug)]
pub enum ClientFrame {
    Auth { token: String, agent: Option<String> },
    Refresh { token: String },
    Subscribe { session: SessionId, after: Option<i64> },
    SubscribeFeed,
    Unsubscribe { session: SessionId },
    UnsubscribeFeed,
    Send { session: SessionId, draft: Box<MessageDraft>, key: Option<String>, digest: SecretHash },
    Typing { session: SessionId, typing: bool },
    Read { session: SessionId, seq: i64 },
    Ping,
}

/// A frame that could not be read.
#[derive(Debug)]
pub enum FrameError {
    /// Not JSON, or without a `type`: ten of these in a row end the connection. With its `id`, if that could be read.
    Unreadable(FrameId, Refusal),
    /// A known shape with something wrong in it.
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

/// Reads a client's frame.
pub fn parse(text: &[u8]) -> Result<(FrameId, ClientFrame), FrameError> {
    let unreadable = |id: FrameId, text: &str| FrameError::Unreadable(id, Refusal::Invalid(text.to_owned()));
    let mut object: Map<String, Value> =
        serde_json::from_slice(text).map_err(|_| unreadable(Value::Null, "The frame is not a JSON object"))?;
    let id = match object.remove("id") {
        None => Value::Null,
        Some(id @ (Value::String(_) | Value::Number(_) | Value::Null)) => id,
        Some(_) => return Err(FrameError::Bad(Value::Null, Refusal::invalid("id", "must be a string or a number"))),
    };
    let Some(Value::String(kind)) = object.get("type") else {
        return Err(unreadable(id, "The frame has no 'type'"));
    };
    let kind = kind.clone();
    match fields(&kind, text, object) {
        Ok(frame) => Ok((id, frame)),
        Err(refusal) => Err(FrameError::Bad(id, refusal)),
    }
}

fn fields(kind: &str, text: &[u8], mut object: Map<String, Value>) -> Result<ClientFrame, Refusal> {
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
            // What a key stands for: the frame without its id and the key itself.
            object.remove("idempotencyKey");
            let digest = Sha256::digest(Value::Object(object).to_string().as_bytes()).into();
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
        _ => Err(Refusal::invalid("type", "is not one that the hub knows")),
    }
}

/// The hub's replies.
pub mod reply {
    use super::*;

    pub fn hello(
        id: Option<&FrameId>,
        principal: &Principal,
        connection_id: ConnectionId,
        heartbeat: Duration,
    ) -> String {
        let heartbeat_seconds = heartbeat.as_secs();
        let (principal, expires_at) = (principal.actor(), principal.expires_at());
        HubFrame::Hello { id, principal, connection_id, heartbeat_seconds, expires_at }.text()
    }

    pub fn refreshed(id: &FrameId, expires_at: Option<Timestamp>) -> String {
        HubFrame::Refreshed { id, expires_at }.text()
    }

    /// With `reset` where the client has seen what the store does not have.
    pub fn subscribed(
        id: &FrameId,
        session_id: SessionId,
        seq: i64,
        replay: i64,
        first_seq: i64,
        reset: bool,
    ) -> String {
        HubFrame::Subscribed { id, session_id, seq, replay, first_seq, reset }.text()
    }

    pub fn subscribed_feed(id: &FrameId) -> String {
        HubFrame::SubscribedFeed { id, feed: true }.text()
    }

    pub fn unsubscribed(id: &FrameId, session_id: SessionId) -> String {
        HubFrame::Unsubscribed { id, session_id }.text()
    }

    pub fn unsubscribed_feed(id: &FrameId) -> String {
        HubFrame::UnsubscribedFeed { id, feed: true }.text()
    }

    /// A subscription has ended unasked.
    pub fn evicted(session_id: SessionId, reason: EndReason) -> String {
        HubFrame::Evicted { session_id, reason: reason.as_str() }.text()
    }

    /// A [`HubFrame::Sent`] around the message as it was stored.
    pub fn sent(id: &FrameId, message: &str) -> String {
        format!(r#"{{"type":"sent","id":{id},"message":{message}}}"#)
    }

    pub fn pong(id: &FrameId) -> String {
        HubFrame::Pong { id }.text()
    }

    pub fn error(id: &FrameId, refusal: &Refusal) -> String {
        HubFrame::Error { id, error: error_object(refusal) }.text()
    }

    /// The node is draining: come back after a time between the two, so that not all come at once.
    pub fn go_away(min_millis: u64, max_millis: u64) -> String {
        HubFrame::Goaway { reconnect_after_ms: [min_millis, max_millis] }.text()
    }
}
