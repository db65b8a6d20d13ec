//! Commands: changes of one session that a caller, or the hub itself, requests.

use super::keys::KeyChange;
use super::message::AnswerOutcome;
use super::participant::Member;
use super::session::SessionPatch;
use super::{AgentId, Author, Envelope, GuestId, MessageId, ParticipantId, PrincipalId, Priority, Timestamp};

/// A change of one session that a caller requests.
#[derive(Clone, Debug)]
pub enum Command {
    Post(NewMessage),
    Cancel(MessageId),
    /// The hub's own: the deadline of a pending message has passed.
    Expire(MessageId),
    Update(SessionPatch),
    Close,
    Archive,
    AddParticipant {
        member: Member,
        role: String,
        /// Set when the participant is a guest who is made by this command.
        guest: Option<NewGuest>,
    },
    RemoveParticipant(WhichParticipant),
    /// The hub's own: a participant has another public key.
    AnnounceKey(Box<KeyChange>),
    /// The asking agent has taken the outcome of this message.
    Acknowledge(Acknowledgement),
    /// One more block for an interaction.
    PushBlocks(Envelope),
}

#[derive(Clone, Copy, Debug)]
pub struct Acknowledgement {
    pub message: MessageId,
    /// Refused unless it is the first.
    pub exclusive: bool,
    /// Whether it was asked for as an interaction, which is then the reply.
    pub of_interaction: bool,
}

/// How a participant is named.
#[derive(Clone, Copy, Debug)]
pub enum WhichParticipant {
    Id(ParticipantId),
    /// A guest, by their token.
    Guest(GuestId),
}

#[derive(Clone, Debug)]
pub struct NewMessage {
    pub id: MessageId,
    pub encrypted_content: Option<Envelope>,
    pub encrypted_components: Option<Envelope>,
    pub response_required: bool,
    pub priority: Priority,
    pub deadline_at: Option<Timestamp>,
    pub answerers: Option<Vec<PrincipalId>>,
    pub in_reply_to: Option<MessageId>,
    /// Of a person: whether it answers the message that it replies to, rather than being a remark on it.
    pub settles: bool,
    /// The outcome of that answer, which is not encrypted.
    pub outcome: Option<AnswerOutcome>,
}

impl NewMessage {
    /// The bytes of its envelopes.
    pub fn size(&self) -> usize {
        [&self.encrypted_content, &self.encrypted_components]
            .into_iter()
            .flatten()
            .map(|text| text.as_str().len())
            .sum()
    }
}

/// The stored side of a guest token that a command creates.
#[derive(Clone, Debug)]
pub struct NewGuest {
    pub token_hash: [u8; 32],
    pub expires_at: Timestamp,
    /// Who made the token; the key that was used must not be revoked meanwhile.
    pub created_by: Author,
    /// How many guests a session may have.
    pub limit: Option<u64>,
    /// The agent whose questions the guest may answer; none for those of every agent.
    pub answers_agent: Option<AgentId>,
    /// Whether the name is the default, which gets a number where it is taken.
    pub has_default_name: bool,
}
