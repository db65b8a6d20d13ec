//! Messages and how they settle.

use super::words::words;
use super::{
    Actor, ActorType, AgentId, Envelope, GuestId, HumanId, MessageId, PrincipalId, Responder, SessionId, Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

words! {
    /// `Pending` settles exactly once as one of the other three.
    MessageStatus { Pending, Completed, Cancelled, Expired }
}

words! {
    /// In rising order, so that the greatest is the most urgent.
    Priority { Low, Medium, High, Urgent }
}

words! {
    /// The unencrypted outcome of an answer; clients rely on the encrypted answer, not on this.
    AnswerOutcome { Approved, Rejected, Answered }
}

impl AnswerOutcome {
    /// That of an answer without one, and of those stored before answers had one.
    pub fn unspecified() -> Self {
        Self::Answered
    }
}

words! {
    /// Who wrote a message; a guest counts as a `Human` with `senderGuestId`.
    SenderType { Agent, Human, System }
}

impl Priority {
    /// 0 (`Low`) to 3 (`Urgent`): how the store keeps and sorts it.
    pub fn rank(self) -> i64 {
        self as i64
    }

    pub fn from_rank(rank: i64) -> Self {
        usize::try_from(rank).ok().and_then(|i| Self::ALL.get(i).copied()).unwrap_or(Self::Medium)
    }
}

/// A message of a session. One that requires a response is `Pending` until it settles.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    pub id: MessageId,
    pub session_id: SessionId,
    /// Its position on the timeline.
    #[schema(minimum = 1)]
    pub seq: i64,
    /// A guest counts as a `Human`.
    pub sender_type: SenderType,
    pub sender_agent_id: Option<AgentId>,
    pub sender_human_id: Option<HumanId>,
    pub sender_guest_id: Option<GuestId>,
    pub sender_name: String,
    pub encrypted_content: Option<Envelope>,
    pub encrypted_components: Option<Envelope>,
    pub response_required: bool,
    pub status: MessageStatus,
    pub priority: Priority,
    pub deadline_at: Option<Timestamp>,
    /// Of a question: the ids of the humans and guests who may answer it; null for every human who takes part. A guest
    /// may answer only the questions of the agent that invited them, unless a human or a key with `space` did.
    pub answerers: Option<Vec<PrincipalId>>,
    pub in_reply_to: Option<MessageId>,
    /// Null until a question is `Completed`.
    pub outcome: Option<AnswerOutcome>,
    pub response: Option<Response>,
    /// When the asking agent acknowledged the outcome.
    pub acknowledged_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Message {
    /// Sets the sender's columns from `actor`.
    pub fn set_sender(&mut self, actor: &Actor) {
        self.sender_name.clone_from(&actor.name);
        self.sender_type = match actor.kind {
            ActorType::Agent => SenderType::Agent,
            ActorType::Human | ActorType::Guest => SenderType::Human,
            ActorType::System => SenderType::System,
        };
        self.sender_agent_id = (actor.kind == ActorType::Agent).then_some(actor.id).flatten().map(AgentId);
        self.sender_human_id = (actor.kind == ActorType::Human).then_some(actor.id).flatten().map(HumanId);
        self.sender_guest_id = (actor.kind == ActorType::Guest).then_some(actor.id).flatten().map(GuestId);
    }
}

/// The answer to a message that required one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    pub message_id: MessageId,
    pub responded_by: Responder,
    pub responded_at: Timestamp,
    #[serde(default = "AnswerOutcome::unspecified")]
    #[schema(required = true)]
    pub outcome: AnswerOutcome,
    pub encrypted_content: Option<Envelope>,
    pub encrypted_components: Option<Envelope>,
}

/// The fields of a stored message for rules and queries; its content stays in the event at `(session, seq)`.
#[derive(Clone, Debug)]
pub struct MessageState {
    pub id: MessageId,
    pub session_id: SessionId,
    pub seq: i64,
    pub sender: Option<PrincipalId>,
    pub response_required: bool,
    pub status: MessageStatus,
    pub priority: Priority,
    pub deadline_at: Option<Timestamp>,
    pub answerers: Option<Vec<PrincipalId>>,
    pub in_reply_to: Option<MessageId>,
    pub settlement: Option<Settlement>,
    pub acknowledged_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// How and when a message settled.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The `seq` of the event that settled it.
    pub seq: i64,
    pub at: Timestamp,
    pub by: Responder,
    /// The response and its unencrypted outcome, if it was answered.
    pub response: Option<(MessageId, AnswerOutcome)>,
}
