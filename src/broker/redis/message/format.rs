//! The types of messages as JSON, and the limits of their size.

use crate::broker::Signal;
use crate::domain::{Actor, MessageId, ParticipantId, PrincipalId, SessionId, SpaceId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// Most bytes of event texts in one message. Of a larger event only the `seq` is sent.
pub(super) const MAX_TEXT: usize = 64 * 1024;
/// Most events in one message.
pub(super) const MAX_EVENTS: usize = 256;
/// Most revoked ids in one message.
pub(super) const MAX_REVOKED: usize = 1000;
/// Largest message that is decoded, in bytes: the event texts and the JSON around them.
pub(super) const MAX_MESSAGE: usize = MAX_TEXT + MAX_EVENTS * 512;
/// Longest name of an actor that is accepted, in bytes.
pub(super) const MAX_NAME: usize = 1024;

/// A decoded message: the sender's node and the body.
#[derive(Debug)]
pub(in crate::broker::redis) struct Message {
    pub(in crate::broker::redis) node: Uuid,
    pub(in crate::broker::redis) body: Body,
}

#[derive(Debug)]
pub(in crate::broker::redis) enum Body {
    /// Signals for the handler.
    Signals(Vec<Signal>),
    /// Whether a principal has a subscribed socket for the session on the sender's node.
    Presence { session: SessionId, principal: PrincipalId, participant: ParticipantId, online: bool },
}

/// Why a message was rejected, without any of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker::redis) struct Malformed(pub(in crate::broker::redis) &'static str);

#[derive(Serialize, Deserialize)]
pub(super) struct Envelope<B> {
    pub(super) v: u8,
    pub(super) node: Uuid,
    pub(super) body: B,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Small {
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
pub(super) struct Events<'a> {
    pub(super) space: SpaceId,
    #[serde(borrow)]
    pub(super) events: Vec<Event<'a>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Event<'a> {
    pub(super) session: SessionId,
    pub(super) seq: i64,
    #[serde(borrow)]
    pub(super) kind: &'a str,
    /// The type, if it is more specific than `kind`.
    #[serde(rename = "type", borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) precise: Option<&'a str>,
    /// Milliseconds since the epoch.
    pub(super) at: i64,
    pub(super) pending: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) settles: Option<MessageId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) removes: Option<PrincipalId>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<&'a RawValue>,
}
