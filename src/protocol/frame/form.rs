//! The form of the frames that clients send, for the published document; [`super::client`] reads them.

use super::always;
use crate::domain::SessionId;
use crate::protocol::body::MessageDraft;
use utoipa::ToSchema;

/// The form of what a client may send, for the published document. Every frame may carry an `id` besides.
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
