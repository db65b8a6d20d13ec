//! What goes in and out of the store besides the domain's own types.

use super::SecretHash;
use crate::domain::decide::NewGuest;
use crate::domain::keys::KeyChange;
use crate::domain::message::{MessageState, Settlement};
use crate::domain::participant::Participation;
use crate::domain::people::{Human, Role};
use crate::domain::{
    AgentId, AuditEntry, AuditSource, Author, CommittedEvent, GuestId, HumanId, KeyEntry, KeyId, Message, MessageId,
    MessageStatus, Participant, ParticipantId, ParticipantType, Permission, PrincipalId, Priority, Refusal, Session,
    SessionId, SpaceId, Timestamp,
};
use std::time::Duration;
use uuid::Uuid;

/// A human to create.
#[derive(Clone, Copy, Debug)]
pub struct NewHuman<'a> {
    pub space: SpaceId,
    /// As `normal_email` gives it.
    pub email: &'a str,
    pub name: &'a str,
    pub role: Role,
    pub password_hash: Option<&'a str>,
}

/// Who revokes keys, or ends what has keys.
#[derive(Clone, Debug)]
pub struct Revoker {
    /// The space in which it is done.
    pub space: SpaceId,
    /// Nothing above it may be revoked.
    pub permission: Permission,
    pub author: Author,
    pub source: AuditSource,
    pub at: Timestamp,
}

/// Why a key was not revoked, or its agent or space not deactivated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRevoked {
    Missing,
    AbovePermission,
    /// No key with `owner` would be left in the hub, or none that does not expire.
    LastOwner,
}

impl NotRevoked {
    /// The same as a refusal, of what was to be ended.
    pub fn refusal(self, what: &'static str) -> Refusal {
        match self {
            Self::Missing => Refusal::NotFound(what),
            Self::AbovePermission => Refusal::Forbidden("Nobody revokes a key above their own permission".to_owned()),
            Self::LastOwner => Refusal::Conflict(
                "It is the last key of the hub with the permission 'owner', or the last that does not expire"
                    .to_owned(),
            ),
        }
    }
}

/// What was revoked at once.
#[derive(Debug, Default)]
pub struct Revoked {
    pub keys: Vec<KeyId>,
    pub guests: Vec<GuestOf>,
    /// Humans who were deactivated with it.
    pub humans: Vec<HumanId>,
    /// What the audit log says of it.
    pub audited: Vec<AuditEntry>,
}

/// A guest, and where they are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestOf {
    pub id: GuestId,
    pub space: SpaceId,
    pub session: SessionId,
}

/// When keys and guest tokens were used last, to the minute.
#[derive(Clone, Debug, Default)]
pub struct Uses {
    pub keys: Vec<(KeyId, Timestamp)>,
    pub guests: Vec<(GuestId, Timestamp)>,
}

/// A key to create.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub id: KeyId,
    pub space: SpaceId,
    pub hash: SecretHash,
    pub prefix: String,
    pub permission: Permission,
    pub agent: Option<AgentId>,
    pub expires_at: Option<Timestamp>,
    /// As lists show it.
    pub created_by: Author,
    /// The key that it is made with, and that must not be revoked meanwhile.
    pub created_by_key: Option<KeyId>,
}

impl NewKey {
    /// The same, made by somebody else than the command line.
    #[must_use]
    pub fn made_by(self, author: Author) -> Self {
        Self { created_by_key: author.key_id, created_by: author, ..self }
    }
}

/// Who a key speaks for.
#[derive(Clone, Debug)]
pub struct KeyHolder {
    pub id: KeyId,
    pub space: SpaceId,
    pub permission: Permission,
    /// The key's own agent with its name; none for one that provisions agents.
    pub agent: Option<(AgentId, String)>,
    pub expires_at: Option<Timestamp>,
}

/// A key entry to put in the place of another.
#[derive(Clone, Debug)]
pub struct NewEntry {
    pub space: SpaceId,
    pub kind: ParticipantType,
    pub principal: PrincipalId,
    pub entry: KeyEntry,
    /// The row that must be the current one; none if there must be no entry yet.
    pub replaces: Option<Uuid>,
    /// Whether the key of that one signed this one.
    pub chained: bool,
}

/// What came of a new key entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    Done,
    /// Another entry is the current one by now.
    Raced,
    /// So many changes of this principal are still to be announced that no further one is taken.
    Unannounced,
    /// The principal has changed its key too often lately.
    TooOften(KeyChangeLimit),
}

/// How often a principal may change its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyChangeLimit {
    /// So many times at once, and then one time more in the time of `each`.
    pub changes: u32,
    pub each: Duration,
    /// How long to wait for the next one.
    pub wait: Duration,
}

/// What came of an attestation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attested {
    /// What the principal is.
    Done(ParticipantType),
    /// The current entry has another `keyId`.
    OtherKey,
    /// The space has no such principal, or that one has no entry.
    Unknown,
}

/// A change of key that sessions are still to be told of.
#[derive(Clone, Debug)]
pub struct Announcement {
    pub id: Uuid,
    pub space: SpaceId,
    pub change: KeyChange,
    /// The sessions up to this one have been told.
    pub after: Option<SessionId>,
    /// Whether all have been told before, and this is the last look for those that came about with an older key.
    pub is_last_look: bool,
}

/// A sign-in to store, with its first refresh token.
#[derive(Clone, Debug)]
pub struct NewSignIn {
    pub id: Uuid,
    pub human: HumanId,
    /// That of the human's password which was verified or chosen: a sign-in with one that has been changed is none.
    pub password_hash: Option<String>,
    /// Of the refresh token.
    pub hash: SecretHash,
    pub expires_at: Timestamp,
    /// When the sign-in ends, however often its token is refreshed.
    pub ends_at: Timestamp,
    pub user_agent: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshOutcome {
    Rotated {
        human: HumanId,
        sign_in: Uuid,
        ends_at: Timestamp,
    },
    /// It was used before: a copy is about, so the whole sign-in has ended.
    Reused {
        human: HumanId,
        sign_in: Uuid,
    },
    Expired,
    Unknown,
}

/// Sign-ins that were ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedSignIns {
    pub human: HumanId,
    /// The one whose token was given.
    pub sign_in: Uuid,
    /// What was revoked.
    pub subjects: Vec<Uuid>,
}

/// A password that was chosen by a setup link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordChosen {
    pub human: HumanId,
    /// What was revoked.
    pub subjects: Vec<Uuid>,
}

/// Who (issuer, subject) is.
#[derive(Clone, Debug)]
pub struct OutsideIdentity {
    pub human: HumanId,
    /// The human, unless they are deactivated.
    pub active: Option<Human>,
}

/// Deactivated humans who had an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FormerHumans {
    pub any: bool,
    /// Whether one of them has no identity of the issuer, so that an unknown one of its may be theirs.
    pub unknown_to_issuer: bool,
}

/// A session that has moved lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveSession {
    pub space: SpaceId,
    pub id: SessionId,
    pub last_seq: i64,
    /// When its last event came.
    pub at: Timestamp,
}

/// How many bytes of events a space holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceSize {
    pub space: SpaceId,
    pub bytes: i64,
    /// Whether there are sessions whose bytes are not known, and not among these.
    pub is_partial: bool,
}

/// Where a timeline stands, and who somebody is on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub head: Head,
    /// The caller's own participation; none for a key that sees the whole space without taking part.
    pub participant: Option<ParticipantId>,
    /// Whether more than 20 people take part, so that presence is told in batches (contract section 8).
    pub is_crowd: bool,
}

/// Where a timeline stands, and one of its messages on it: all that whoever waits for the message has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    pub head: Head,
    pub status: MessageStatus,
}

/// What is deleted once it has served its time, in the order in which it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passing {
    Replies,
    Revocations,
    /// Refresh tokens whose sign-in has ended, and then the sign-ins.
    RefreshTokens,
    SignIns,
    SetupTokens,
}

impl Passing {
    pub const ALL: &[Self] = &[Self::Replies, Self::Revocations, Self::RefreshTokens, Self::SignIns, Self::SetupTokens];

    /// Whether its time is when it was made, a day before it goes, and not its own end.
    pub fn is_kept_for_a_day(self) -> bool {
        matches!(self, Self::Replies | Self::Revocations)
    }
}

/// Where a timeline stands, and the first message that a person wrote after some event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    pub head: Head,
    pub message: Option<MessageId>,
}

/// Where a timeline stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub space: SpaceId,
    pub last_seq: i64,
    pub first_seq: i64,
    /// The time of the event at `last_seq`.
    pub at: Timestamp,
}

/// A stretch of a timeline.
#[derive(Clone, Debug)]
pub struct EventPage {
    pub events: Vec<CommittedEvent>,
    pub head: Head,
}

/// A session of a list, less an encrypted title that is large.
#[derive(Clone, Debug)]
pub struct Listed {
    pub session: Session,
    /// How many bytes of title were left out; 0 if the session is whole.
    pub left_out: i64,
}

/// One entry of a human's feed.
#[derive(Clone, Debug)]
pub struct FeedEntry {
    pub listed: Listed,
    pub unread_count: i64,
    pub highest_priority: Option<Priority>,
    pub next_deadline_at: Option<Timestamp>,
}

/// A stretch of a session's messages, and how many there are in all.
#[derive(Clone, Debug)]
pub struct MessagePage {
    pub total: i64,
    pub messages: Vec<Message>,
}

/// What was found of the first `count` that were asked for: the others did not fit.
#[derive(Clone, Debug)]
pub struct Taken<T> {
    pub count: usize,
    pub data: Vec<T>,
}

/// A pending message whose deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueMessage {
    pub space: SpaceId,
    pub session: SessionId,
    pub message: MessageId,
}

/// The moment as of which an interaction is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Now,
    /// When it settled; now, while it is pending.
    Settled,
    /// Right after the event of this `seq`.
    Seq(i64),
}

/// A session that was deleted because it ended long ago, and the guests whom it had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retired {
    pub space: SpaceId,
    pub session: SessionId,
    pub guests: Vec<GuestId>,
}

/// How far a participant has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadMark {
    pub participant: ParticipantId,
    pub seq: i64,
    /// Whether this call moved it.
    pub moved: bool,
}

/// The first reply to a request with an Idempotency-Key.
#[derive(Clone, Debug)]
pub struct SavedReply {
    pub scope: String,
    pub key: String,
    pub request_hash: SecretHash,
    /// The HTTP status of the reply.
    pub status: u16,
    pub kind: SavedReplyKind,
    pub created_at: Timestamp,
}

impl SavedReply {
    /// How long a first reply is kept (contract section 1): 24 hours.
    pub const KEPT_MILLIS: i64 = 24 * 60 * 60 * 1000;

    /// A reply that was saved before this is kept no more.
    pub fn kept_since(now: Timestamp) -> Timestamp {
        now.plus_millis(-Self::KEPT_MILLIS)
    }
}

/// How to give a saved reply again. Messages are found again on the timeline, so their content is stored once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SavedReplyKind {
    /// The message as it was created.
    Posted(SessionId, MessageId),
    /// The message as it is since it settled.
    Settled(SessionId, MessageId),
    /// The message as it is since its outcome was taken.
    Acknowledged(SessionId, MessageId),
    /// The interaction as it stood at this `seq`.
    Interaction(SessionId, i64),
    /// The JSON of the reply.
    Body(String),
}

/// What a batch names, and so has to know before it begins.
#[derive(Debug, Default)]
pub struct Named {
    pub sessions: Vec<(SpaceId, SessionId)>,
    /// Who has to take part in which session.
    pub members: Vec<(SessionId, PrincipalId)>,
    /// Who is to be a human or guest of which session.
    pub answerers: Vec<(SessionId, PrincipalId)>,
    /// Ids of sessions to create that clients have chosen.
    pub new_sessions: Vec<SessionId>,
    pub messages: Vec<(SessionId, MessageId)>,
    /// The scopes and keys under which replies may be kept.
    pub replies: Vec<(String, String)>,
}

/// What there is of what a batch names.
#[derive(Debug, Default)]
pub struct Loaded {
    /// In the order of their ids.
    pub sessions: Vec<Session>,
    pub members: Vec<(SessionId, PrincipalId, Participation)>,
    /// Those who are, and see the session.
    pub answerers: Vec<(SessionId, PrincipalId)>,
    /// Those that are taken, in whichever space.
    pub taken: Vec<SessionId>,
    pub messages: Vec<MessageState>,
    pub replies: Vec<SavedReply>,
}

/// How far somebody has read who has just written: once for each, never backwards.
#[derive(Clone, Copy, Debug)]
pub struct NewMark {
    pub session: SessionId,
    pub principal: PrincipalId,
    pub seq: i64,
    /// How many messages stand at or below `seq`.
    pub count: i64,
}

/// A question whose outcome was taken, and the event that says so.
#[derive(Clone, Copy, Debug)]
pub struct Acknowledged {
    pub session: SessionId,
    pub message: MessageId,
    pub seq: i64,
    pub at: Timestamp,
}

/// Everything that one batch writes.
#[derive(Debug, Default)]
pub struct WriteSet {
    pub new_sessions: Vec<Session>,
    pub changed_sessions: Vec<Session>,
    pub events: Vec<CommittedEvent>,
    /// New messages with their ordinal in the session, from 1.
    pub new_messages: Vec<(MessageState, i64)>,
    pub settled: Vec<(MessageId, MessageStatus, Settlement)>,
    pub new_participants: Vec<Participant>,
    pub gone_participants: Vec<(Participant, Timestamp)>,
    pub new_guests: Vec<(SpaceId, Participant, NewGuest)>,
    /// Of whose key, made when, a session was told.
    pub told_keys: Vec<(SessionId, PrincipalId, Timestamp)>,
    pub read_marks: Vec<NewMark>,
    /// Which sessions are interactions, with the message that asks and what they are called.
    pub new_interactions: Vec<(SessionId, MessageId, String)>,
    pub acknowledged: Vec<Acknowledged>,
    pub replies: Vec<SavedReply>,
}
