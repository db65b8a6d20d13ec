//! The format of messages between nodes over Redis: versioned JSON of bounded size.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use crate::broker::Signal;
use crate::domain::{Actor, MessageId, ParticipantId, PrincipalId, SessionId, SpaceId};
pub(super) use decode::decode;
pub(super) use encode::{encode, size};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// The version of this format. It is part of every channel's name too.
pub(super) const VERSION: u8 = 1;
/// Most bytes of event texts in one message. Of a larger event only the `seq` is sent.
const MAX_TEXT: usize = 64 * 1024;
/// Most events in one message.
const MAX_EVENTS: usize = 256;
/// Most revoked ids in one message.
const MAX_REVOKED: usize = 1000;
/// Largest message that is decoded, in bytes: the event texts and the JSON around them.
const MAX_MESSAGE: usize = MAX_TEXT + MAX_EVENTS * 512;
/// Longest name of an actor that is accepted, in bytes.
const MAX_NAME: usize = 1024;

/// A decoded message: the sender's node and the body.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) node: Uuid,
    pub(super) body: Body,
}

#[derive(Debug)]
pub(super) enum Body {
    /// Signals for the handler.
    Signals(Vec<Signal>),
    /// Whether a principal has a subscribed socket for the session on the sender's node.
    Presence { session: SessionId, principal: PrincipalId, participant: ParticipantId, online: bool },
}

/// Why a message was rejected, without any of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

#[derive(Serialize, Deserialize)]
struct Envelope<B> {
    v: u8,
    node: Uuid,
    body: B,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Small {
    Typing {
        actor: Actor,
        typing: bool,
    },
    Receipt {
        participant: ParticipantId,
        seq: i64,
    },
    Presence {
        principal: PrincipalId,
        participant: ParticipantId,
        online: bool,
    },
    /// Nodes of the previous release read only `id`, and find the others in the store.
    Revoked {
        id: Uuid,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        more: Vec<Uuid>,
    },
}

/// Events of a session, or (without texts) of a space.
#[derive(Serialize, Deserialize)]
struct Events<'a> {
    space: SpaceId,
    #[serde(borrow)]
    events: Vec<Event<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Event<'a> {
    session: SessionId,
    seq: i64,
    #[serde(borrow)]
    kind: &'a str,
    /// The type, if it is more specific than `kind`.
    #[serde(rename = "type", borrow, default, skip_serializing_if = "Option::is_none")]
    precise: Option<&'a str>,
    /// Milliseconds since the epoch.
    at: i64,
    pending: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settles: Option<MessageId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    removes: Option<PrincipalId>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    text: Option<&'a RawValue>,
}
