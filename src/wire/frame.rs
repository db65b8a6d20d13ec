//! The frames of a socket as types (contract section 8): what the hub sends, and the form of what it reads.

use super::event::Event;
use crate::domain::draft::MessageDraft;
use crate::domain::json::is_in_range;
use crate::domain::{Actor, ConnectionId, EventType, Message, ParticipantId, SessionId, Timestamp};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

/// The `id` of a client's frame, echoed in the reply: a string, a number (as the text that was sent), or null.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct FrameId(Box<RawValue>);

impl FrameId {
    /// The `id` of a frame that has none.
    pub fn null() -> Self {
        Self(RawValue::NULL.to_owned())
    }

    pub fn is_null(&self) -> bool {
        self.0.get() == RawValue::NULL.get()
    }

    /// Reads an `id`; `None` where it is neither a string, nor a number, nor null.
    pub fn from_sent(sent: &RawValue) -> Option<Self> {
        let text = sent.get();
        let is_id = text.starts_with(|first: char| matches!(first, '"' | '-' | 'n') || first.is_ascii_digit());
        // A string is only an id if it is text: without half of a surrogate pair.
        let is_text = !text.contains('\\') || serde_json::from_str::<Cow<'_, str>>(text).is_ok();
        let is_in_range = text.starts_with(['"', 'n']) || is_in_range(text);
        (is_id && is_text && is_in_range).then(|| Self(sent.to_owned()))
    }
}

impl fmt::Display for FrameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.get())
    }
}

/// A frame that the hub sends. Variants of the same `type` are the shapes that it may have.
#[derive(Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum HubFrame<'a> {
    /// Who the client is here: the first frame, once the credential is known to be good.
    #[serde(rename_all = "camelCase")]
    Hello {
        /// That of the `auth` frame that this answers, if it had one.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(schema_with = frame_id)]
        id: Option<&'a FrameId>,
        principal: Actor,
        connection_id: ConnectionId,
        /// Seconds of silence after which the hub pings.
        heartbeat_seconds: u64,
        /// When the credential ends; null for one that does not.
        #[schema(required = true)]
        expires_at: Option<Timestamp>,
    },
    /// The new credential counts from now on.
    #[serde(rename_all = "camelCase")]
    Refreshed {
        #[schema(schema_with = frame_id)]
        id: &'a FrameId,
        #[schema(required = true)]
        expires_at: Option<Timestamp>,
    },
    /// The session's events after the subscription's `after` follow, in order, then the live ones: none missing, none
    /// twice.
    #[serde(rename_all = "camelCase")]
    Subscribed {
        #[schema(schema_with = frame_id)]
        id: &'a FrameId,
        session_id: SessionId,
        /// The last event that the timeline has.
        #[schema(minimum = 0)]
        seq: i64,
        /// How many events follow that are there already.
        #[schema(minimum = 0)]
        replay: i64,
        /// The oldest event that retention has kept.
        #[schema(minimum = 1)]
        first_seq: i64,
        /// `true` where `after` was beyond the newest event: the store was restored to an earlier state. Everything
        /// that there is follows; the client drops what it has of the session. Absent otherwise.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        #[schema(required = false)]
        reset: bool,
    },
    /// Every event of every session that the principal takes part in follows as `feed`.
    #[serde(rename = "subscribed")]
    SubscribedFeed {
        #[schema(schema_with = frame_id)]
        id: &'a FrameId,
        #[schema(schema_with = always)]
        feed: bool,
    },
    /// The session's events have ended, as asked.
    #[serde(rename_all = "camelCase")]
    Unsubscribed {
        #[schema(schema_with = frame_id)]
        id: &'a FrameId,
        session_id: SessionId,
    },
    /// The feed has ended, as asked.
    #[serde(rename = "unsubscribed")]
    UnsubscribedFeed {
        #[schema(schema_with = frame_id)]
        id: &'a FrameId,
        #[schema(schema_with = always)]
        feed: bool,
    },
    /// Unasked: the subscription has ended.
    #[serde(rename = "unsubscribed", rename_all = "camelCase")]
    Evicted {
        session_id: SessionId,
        /// `removed`: no longer a participant. `retired`: the session is no more. `reset`: the store went back behind
        /// what was sent; subscribe again.
        #[schema(schema_with = end_reason)]
        reason: &'static str,
    },
    // Written by `ws/protocol.rs` around the message as it was stored.
    /// The message is durable.
    Sent {
        #[schema(schema_with = frame_id)]
        id: &'a FrameId,
        message: Box<Message>,
    },
    /// The answer to `ping`.
    Pong {
        #[schema(schema_with = frame_id)]
        id: &'a FrameId,
    },
    /// What was wrong with a frame; the socket lives on. `id` is null where the frame could not be read.
    Error {
        #[schema(schema_with = frame_id)]
        id: &'a FrameId,
        #[schema(schema_with = super::error_schema)]
        error: Value,
    },
    // Written by `hub/frame.rs` around the event as it was stored.
    /// An event of a session that the client subscribed to; durable, and in `seq` order for each session.
    Event { event: Box<Event> },
    /// An event of any session that the principal takes part in, without its data.
    #[serde(rename_all = "camelCase")]
    Feed {
        session_id: SessionId,
        #[schema(minimum = 1)]
        seq: i64,
        /// The event's type.
        #[schema(schema_with = event_type)]
        event: &'static str,
        /// The session's pending messages after this event.
        #[schema(minimum = 0)]
        pending_count: i64,
        at: Timestamp,
    },
    /// Somebody types, or has ended; ephemeral, and never sent to the one who types.
    #[serde(rename_all = "camelCase")]
    Typing {
        session_id: SessionId,
        actor: Actor,
        typing: bool,
        /// `typing: true` lapses after so long unless it is repeated; 0 with `typing: false`.
        expires_in_ms: u64,
    },
    /// A participant has come or gone; ephemeral.
    #[serde(rename_all = "camelCase")]
    Presence { session_id: SessionId, participant_id: ParticipantId, online: bool },
    /// Who has come or gone in a session of more than 20 people, at most once a second; ephemeral.
    #[serde(rename = "presence", rename_all = "camelCase")]
    PresenceOfMany {
        session_id: SessionId,
        #[schema(min_items = 1)]
        changes: &'a [PresenceChange],
    },
    /// A participant has read as far as this; ephemeral.
    #[serde(rename_all = "camelCase")]
    Receipt {
        session_id: SessionId,
        participant_id: ParticipantId,
        #[schema(minimum = 0)]
        seq: i64,
    },
    /// The node is draining, and closes with 1001: come back after a time between the two, so that not all come at
    /// once.
    #[serde(rename_all = "camelCase")]
    Goaway {
        /// The least and the most, in milliseconds.
        #[schema(min_items = 2, max_items = 2)]
        reconnect_after_ms: [u64; 2],
    },
}

/// A participant who has come or gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PresenceChange {
    pub participant_id: ParticipantId,
    pub online: bool,
}

impl HubFrame<'_> {
    /// The frame's JSON.
    pub fn text(&self) -> String {
        // Serialising can't fail: no maps with other keys than strings, no failing `Serialize`.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The form of what a client may send, for the published document; `ws/protocol.rs` reads it. Every frame may carry an
/// `id` besides.
#[derive(ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ClientForm {
    /// Who the client is, where no header said so: the first frame, within the time for it.
    #[serde(rename_all = "camelCase")]
    Auth {
        /// An API key, a guest token or a JWT.
        token: String,
        /// With a key: the name or id of the agent that it acts as.
        agent: Option<String>,
    },
    /// A new credential of the same principal, before the old one ends.
    #[serde(rename_all = "camelCase")]
    Refresh { token: String },
    /// Follow a session.
    #[serde(rename_all = "camelCase")]
    Subscribe {
        session_id: SessionId,
        /// The last `seq` that the client has: what came after it is replayed. Without it: live from now on.
        #[schema(minimum = 0)]
        after: Option<i64>,
    },
    /// Follow every session that the principal takes part in, those to come included.
    #[serde(rename = "subscribe")]
    SubscribeFeed {
        #[schema(schema_with = always)]
        feed: bool,
    },
    /// Follow the session no longer.
    #[serde(rename_all = "camelCase")]
    Unsubscribe { session_id: SessionId },
    /// Follow the feed no longer.
    #[serde(rename = "unsubscribe", rename_all = "camelCase")]
    UnsubscribeFeed {
        #[schema(schema_with = always)]
        feed: bool,
    },
    /// Post a message, as over HTTP.
    #[serde(rename_all = "camelCase")]
    Send {
        session_id: SessionId,
        /// The same key with the same frame posts once; kept for 24 hours.
        #[schema(min_length = 1, max_length = 255, pattern = "^[!-~]+$")]
        idempotency_key: Option<String>,
        #[serde(flatten)]
        message: MessageDraft,
    },
    /// The client types, or has ended.
    #[serde(rename_all = "camelCase")]
    Typing {
        session_id: SessionId,
        /// `true` unless given.
        typing: Option<bool>,
    },
    /// The client has read as far as this.
    #[serde(rename_all = "camelCase")]
    Read { session_id: SessionId, seq: i64 },
    /// Whether the hub is there.
    Ping {},
}

/// The schema of a [`FrameId`].
pub fn frame_id() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Array(vec![Type::String, Type::Number, Type::Null]))
}

fn end_reason() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["removed", "retired", "reset"]))
}

fn always() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([true]))
}

fn event_type() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(EventType::ALL.iter().map(|kind| kind.as_str())))
}
