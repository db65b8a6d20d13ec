//! The schemas of the frames that clients send, only for the published document; [`super::client`] parses them.

use super::always;
use crate::domain::SessionId;
use crate::protocol::body::MessageDraft;
use utoipa::ToSchema;

/// A frame of a client. Every frame may also have an `id`.
#[derive(ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ClientForm {
    /// Authenticates the client. Must be the first frame if the handshake had no credential, within 10 seconds.
    #[serde(rename_all = "camelCase")]
    Auth {
        /// An API key, a guest token or a JWT.
        token: String,
        /// With an API key: the name or id of the agent that the key acts as.
        agent: Option<String>,
    },
    /// Replaces the credential by another one of the same principal, before it expires.
    #[serde(rename_all = "camelCase")]
    Refresh { token: String },
    /// Subscribes to a session.
    #[serde(rename_all = "camelCase")]
    Subscribe {
        session_id: SessionId,
        /// The last `seq` that the client has received: later events are replayed. Only new events unless given.
        #[schema(minimum = 0)]
        after: Option<i64>,
    },
    /// Subscribes to the feed of all current and future sessions of the principal.
    #[serde(rename = "subscribe")]
    SubscribeFeed {
        #[schema(schema_with = always)]
        feed: bool,
    },
    /// Ends the subscription to a session.
    #[serde(rename_all = "camelCase")]
    Unsubscribe { session_id: SessionId },
    /// Ends the subscription to the feed.
    #[serde(rename = "unsubscribe", rename_all = "camelCase")]
    UnsubscribeFeed {
        #[schema(schema_with = always)]
        feed: bool,
    },
    /// Posts a message, as over HTTP.
    #[serde(rename_all = "camelCase")]
    Send {
        session_id: SessionId,
        /// A retry with the same key and the same frame does not post again; kept for 24 hours.
        #[schema(min_length = 1, max_length = 255, pattern = "^[!-~]+$")]
        idempotency_key: Option<String>,
        #[serde(flatten)]
        message: MessageDraft,
    },
    /// The client has started or stopped typing.
    #[serde(rename_all = "camelCase")]
    Typing {
        session_id: SessionId,
        /// `true` unless given.
        typing: Option<bool>,
    },
    /// The client has read the events up to this one.
    #[serde(rename_all = "camelCase")]
    Read { session_id: SessionId, seq: i64 },
    /// Requests a `pong`.
    Ping {},
}
