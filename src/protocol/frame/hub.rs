//! The frames that the hub sends: their shapes and their encoders.

use super::{FrameId, always, frame_id};
use crate::domain::{
    Actor, CommittedEvent, ConnectionId, EventHint, EventType, Message, ParticipantId, SessionId, Timestamp,
};
use crate::protocol::event::Event;
use crate::protocol::rfc6455::encode::text_frame;
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Type};

/// A frame that the hub sends. A `type` with several shapes has several variants.
#[derive(Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum HubFrame<'a> {
    /// The principal of the connection. The first frame after authentication.
    #[serde(rename_all = "camelCase")]
    Hello {
        /// The `id` of the `auth` frame, if it had one.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(schema_with = frame_id)]
        id: Option<&'a FrameId>,
        principal: Actor,
        connection_id: ConnectionId,
        /// Idle seconds after which the hub sends a ping.
        heartbeat_seconds: u64,
        /// When the credential expires; null if it does not.
        #[schema(required = true)]
        expires_at: Option<Timestamp>,
    },
    /// The credential was replaced.
    #[serde(rename_all = "camelCase")]
    Refreshed {
        #[schema(schema_with = frame_id)]
        id: &'a FrameId,
        #[schema(required = true)]
        expires_at: Option<Timestamp>,
    },
    /// The subscription has started. The events after `after` follow, then live events, in order and each exactly once.
    #[serde(rename_all = "camelCase")]
    Subscribed {
        #[schema(schema_with = frame_id)]
        id: &'a FrameId,
        session_id: SessionId,
        /// The `seq` of the newest event of the timeline.
        #[schema(minimum = 0)]
        seq: i64,
        /// Number of stored events that follow.
        #[schema(minimum = 0)]
        replay: i64,
        /// The `seq` of the oldest stored event.
        #[schema(minimum = 1)]
        first_seq: i64,
        /// `true` if `after` was beyond the newest event, because the store was restored to an earlier state: all stored
        /// events follow, and the client must discard its copy of the session. Absent otherwise.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        #[schema(required = false)]
        reset: bool,
    },
    /// The feed subscription has started. A `feed` frame follows for each new event of the principal's sessions.
    #[serde(rename = "subscribed")]
    SubscribedFeed {
        #[schema(schema_with = frame_id)]
        id: &'a FrameId,
        #[schema(schema_with = always)]
        feed: bool,
    },
    /// The subscription to the session has ended, as requested.
    #[serde(rename_all = "camelCase")]
    Unsubscribed {
        #[schema(schema_with = frame_id)]
        id: &'a FrameId,
        session_id: SessionId,
    },
    /// The feed subscription has ended, as requested.
    #[serde(rename = "unsubscribed")]
    UnsubscribedFeed {
        #[schema(schema_with = frame_id)]
        id: &'a FrameId,
        #[schema(schema_with = always)]
        feed: bool,
    },
    /// The hub has ended the subscription.
    #[serde(rename = "unsubscribed", rename_all = "camelCase")]
    Evicted {
        session_id: SessionId,
        /// `removed`: no longer a participant. `retired`: the session was deleted. `reset`: the store was restored to a
        /// state before the sent events; subscribe again.
        #[schema(schema_with = end_reason)]
        reason: &'static str,
    },
    // Written by [`reply::sent`] around the stored message.
    /// The message is durable.
    Sent {
        #[schema(schema_with = frame_id)]
        id: &'a FrameId,
        message: Box<Message>,
    },
    /// The reply to `ping`.
    Pong {
        #[schema(schema_with = frame_id)]
        id: &'a FrameId,
    },
    /// A frame was rejected; the connection stays open. `id` is null if the frame was unreadable.
    Error {
        #[schema(schema_with = frame_id)]
        id: &'a FrameId,
        #[schema(schema_with = crate::protocol::error::error_schema)]
        error: Value,
    },
    // Written by [`event_frame`] around the stored event.
    /// A durable event of a subscribed session, in `seq` order for each session.
    Event { event: Box<Event> },
    /// An event of any of the principal's sessions, without its data.
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
    /// A participant has started or stopped typing. Ephemeral; not sent to that participant.
    #[serde(rename_all = "camelCase")]
    Typing {
        session_id: SessionId,
        actor: Actor,
        typing: bool,
        /// Milliseconds after which `typing: true` expires unless it is repeated; 0 with `typing: false`.
        expires_in_ms: u64,
    },
    /// A participant went online or offline. Ephemeral.
    #[serde(rename_all = "camelCase")]
    Presence { session_id: SessionId, participant_id: ParticipantId, online: bool },
    /// Changes of presence in a session of more than 20 people, at most once a second. Ephemeral.
    #[serde(rename = "presence", rename_all = "camelCase")]
    PresenceOfMany {
        session_id: SessionId,
        #[schema(min_items = 1)]
        changes: &'a [PresenceChange],
    },
    /// A participant has read the events up to this one. Ephemeral.
    #[serde(rename_all = "camelCase")]
    Receipt {
        session_id: SessionId,
        participant_id: ParticipantId,
        #[schema(minimum = 0)]
        seq: i64,
    },
    /// The node is draining and will close the connection with 1001. The client should reconnect after a random delay
    /// within the given range.
    #[serde(rename_all = "camelCase")]
    Goaway {
        /// Minimum and maximum delay, in milliseconds.
        #[schema(min_items = 2, max_items = 2)]
        reconnect_after_ms: [u64; 2],
    },
}

/// A participant who went online or offline.
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

fn end_reason() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["removed", "retired", "reset"]))
}

fn event_type() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(EventType::ALL.iter().map(|kind| kind.as_str())))
}

/// A [`HubFrame::Event`] around the stored event.
pub fn event_frame(event: &CommittedEvent) -> Bytes {
    text_frame(&[r#"{"type":"event","event":"#, &event.text, "}"])
}

/// A [`HubFrame::Feed`].
pub fn feed_frame(event: &EventHint) -> Bytes {
    let frame = HubFrame::Feed {
        session_id: event.session,
        seq: event.seq,
        event: event.kind.as_str(),
        pending_count: event.pending,
        at: event.at,
    };
    text_frame(&[&frame.text()])
}

/// A [`HubFrame::PresenceOfMany`].
pub fn presence_batch_frame(session_id: SessionId, changes: &[PresenceChange]) -> Bytes {
    text_frame(&[&HubFrame::PresenceOfMany { session_id, changes }.text()])
}

/// The hub's replies.
pub mod reply {
    use super::{FrameId, HubFrame};
    use crate::domain::{ConnectionId, Principal, Refusal, SessionId, Timestamp};
    use crate::protocol::error::error_object;
    use std::time::Duration;

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

    /// With `reset` if the client has received events that the store does not have.
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

    /// The hub has ended a subscription.
    pub fn evicted(session_id: SessionId, reason: &'static str) -> String {
        HubFrame::Evicted { session_id, reason }.text()
    }

    /// A [`HubFrame::Sent`] around the stored message.
    pub fn sent(id: &FrameId, message: &str) -> String {
        format!(r#"{{"type":"sent","id":{id},"message":{message}}}"#)
    }

    pub fn pong(id: &FrameId) -> String {
        HubFrame::Pong { id }.text()
    }

    pub fn error(id: &FrameId, refusal: &Refusal) -> String {
        HubFrame::Error { id, error: error_object(refusal) }.text()
    }

    /// The node is draining: the client should reconnect after a random delay within the range, in milliseconds.
    pub fn go_away(min_millis: u64, max_millis: u64) -> String {
        HubFrame::Goaway { reconnect_after_ms: [min_millis, max_millis] }.text()
    }
}
