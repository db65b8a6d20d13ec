//! The store: everything that must outlive a process, behind one object-safe trait for both engines.
//!
//! Look-ups of sessions take a [`Scope`] and apply it in the query; nothing fetches a session by its id alone.
//! To add a method: declare it here, write its SQL in `sql/`, and call it from the conformance suite
//! (`tests/it/store.rs`), which runs every method on SQLite and on PostgreSQL.

mod bench;
pub mod engine;
pub mod error;
mod lease;
mod listing;
pub mod open;
mod pooler;
pub mod records;
mod script;
mod sql;
mod sqlite_file;

use crate::domain::interaction::InteractionState;
use crate::domain::keys::{Attestation, SessionKey};
use crate::domain::message::MessageState;
use crate::domain::participant::{Member, MemberRef, TakenName};
use crate::domain::people::{Agent, ApiKey, Guest, Human, SignIn, Space};
use crate::domain::{
    AgentId, AuditEntry, CommittedEvent, GuestId, HumanId, Interaction, KeyEntry, KeyId, Message, MessageId,
    MessageStatus, Participant, ParticipantId, PrincipalId, Scope, Session, SessionId, SessionStatus, SpaceId,
    Timestamp,
};
use crate::protocol::page::{Page, PageRequest};
use async_trait::async_trait;
pub use error::StoreError;
pub use records::{
    Acknowledged, ActiveSession, Announcement, Attested, DueMessage, EndedSignIns, EventPage, FeedEntry, FormerHumans,
    GuestOf, Head, KeyChangeLimit, KeyHolder, Listed, Loaded, MessagePage, Moment, Named, NewEntry, NewHuman, NewKey,
    NewMark, NewSignIn, NotRevoked, Outlook, OutsideIdentity, Passing, PasswordChosen, Put, ReadMark, RefreshOutcome,
    Retired, Revoked, Revoker, Said, SavedReply, SavedReplyKind, SpaceSize, Standing, Taken, Uses, WriteSet,
};
pub use sql::{
    COUNTS, DUE_MESSAGES, ENDED_SESSION, FEW_SESSIONS, FIRST_ENTRIES, KNOWN, KNOWN_OF, LOOK_UPS, PENDING_MESSAGES,
    SESSIONS_TO_TELL, Scoped, TITLE_AT, UNACKNOWLEDGED, UNLISTED, UNLISTED_OF_SPACE, UNLISTED_TOTAL,
};
use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use uuid::Uuid;

pub type StoreResult<T> = Result<T, StoreError>;

/// SHA-256 of a secret.
pub type SecretHash = [u8; 32];

/// The directory: spaces, agents, humans.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Begins a transaction that makes things of the directory.
    async fn begin_directory(&self) -> StoreResult<Box<dyn DirectoryTx>>;

    /// As [`DirectoryTx::ensure_space`], by itself.
    async fn ensure_space(&self, name: &str, now: Timestamp) -> StoreResult<Option<(Space, bool)>> {
        let mut tx = self.begin_directory().await?;
        let made = tx.ensure_space(name, now).await?;
        tx.commit(None).await?;
        Ok(made)
    }
    async fn space_by_name(&self, name: &str) -> StoreResult<Option<Space>>;
    async fn spaces(&self, page: PageRequest) -> StoreResult<Page<Space>>;
    /// Deactivates a space with its keys, guests and humans.
    async fn deactivate_space(&self, by: &Revoker, space: SpaceId) -> StoreResult<Result<Revoked, NotRevoked>>;

    /// As [`DirectoryTx::ensure_agent`], by itself.
    async fn ensure_agent(
        &self,
        space: SpaceId,
        name: &str,
        description: Option<&str>,
        now: Timestamp,
    ) -> StoreResult<Option<(Agent, bool)>> {
        let mut tx = self.begin_directory().await?;
        let made = tx.ensure_agent(space, name, description, now).await?;
        tx.commit(None).await?;
        Ok(made)
    }
    async fn agent(&self, space: SpaceId, id: AgentId) -> StoreResult<Option<Agent>>;
    async fn agent_by_name(&self, space: SpaceId, name: &str) -> StoreResult<Option<Agent>>;
    async fn agents(&self, space: SpaceId, page: PageRequest) -> StoreResult<Page<Agent>>;
    /// Deactivates an agent and revokes its keys.
    async fn deactivate_agent(&self, by: &Revoker, id: AgentId) -> StoreResult<Result<Revoked, NotRevoked>>;

    /// As [`DirectoryTx::create_human`], by itself.
    async fn create_human(&self, new: &NewHuman<'_>, now: Timestamp) -> StoreResult<Option<Human>> {
        let mut tx = self.begin_directory().await?;
        let made = tx.create_human(new, now).await?;
        tx.commit(None).await?;
        Ok(made)
    }
    /// As [`DirectoryTx::create_key`], by itself.
    async fn create_key(&self, key: &NewKey, now: Timestamp) -> StoreResult<ApiKey> {
        let mut tx = self.begin_directory().await?;
        let made = tx.create_key(key, now).await?;
        tx.commit(None).await?;
        Ok(made)
    }
    /// An active human.
    async fn human(&self, id: HumanId) -> StoreResult<Option<Human>>;
    /// The active humans of this address in every space, the oldest first; at most `limit`. For signing in alone.
    async fn humans_by_address(&self, address: &str, limit: i64) -> StoreResult<Vec<Human>>;
    async fn human_by_address(&self, space: SpaceId, address: &str) -> StoreResult<Option<Human>>;
    async fn human_in_space(&self, space: SpaceId, id: HumanId) -> StoreResult<Option<Human>>;
    /// Who these are among the active agents and humans of the space, in a few statements however many they are; those
    /// that there are not are left out.
    async fn members_named(&self, space: SpaceId, named: &[MemberRef]) -> StoreResult<HashMap<MemberRef, Member>>;
    async fn humans(&self, space: SpaceId, page: PageRequest) -> StoreResult<Page<Human>>;
    /// Every human of the space, or `None` if there are more than `max`.
    async fn all_humans(&self, space: SpaceId, max: i64) -> StoreResult<Option<Vec<Human>>>;
    /// Deactivates a human: their address is free, their sign-ins and setup links end.
    async fn deactivate_human(&self, space: SpaceId, id: HumanId, now: Timestamp) -> StoreResult<bool>;
}

/// Entries of public keys, the announcement of their changes, and the encrypted backups of people's private keys.
#[async_trait]
pub trait PublicKeys: Send + Sync {
    /// The current entry of a principal of the space, with the id of its row.
    async fn current_key(&self, space: SpaceId, principal: PrincipalId) -> StoreResult<Option<(Uuid, KeyEntry)>>;
    /// Puts an entry in the place of the one that it names, and has the change announced; nothing is done unless that
    /// one is still the current one.
    async fn put_key(&self, new: &NewEntry) -> StoreResult<Put>;
    /// Keeps an attestation with the current entry of a principal of the space, if it has this `keyId`.
    async fn attest_key(
        &self,
        space: SpaceId,
        principal: PrincipalId,
        key_id: &str,
        attestation: &Attestation,
    ) -> StoreResult<Attested>;
    /// Every entry of everybody who takes part in the session or has, the oldest first.
    async fn session_keys(
        &self,
        scope: Scope,
        session: SessionId,
        page: PageRequest,
    ) -> StoreResult<Option<Page<SessionKey>>>;
    /// Changes that are still to be announced, those that have told nobody yet first: of each principal only the oldest,
    /// and those that rest if they were made at `settled` or before.
    async fn announcements(&self, settled: Timestamp, limit: i64) -> StoreResult<Vec<Announcement>>;
    /// The next active sessions, in the order of their ids, that have not been told of a change.
    async fn sessions_to_tell(&self, announcement: &Announcement, limit: i64) -> StoreResult<Vec<SessionId>>;
    /// Notes that every session up to `told` has been told; nothing if another node has noted more meanwhile.
    async fn note_told(&self, announcement: &Announcement, told: SessionId) -> StoreResult<()>;
    /// Notes that every session has been told. A session that was being made meanwhile may have begun with the key before:
    /// there is one more look when those are all there.
    async fn rest_announcement(&self, announcement: &Announcement) -> StoreResult<()>;
    async fn end_announcement(&self, announcement: &Announcement) -> StoreResult<()>;

    async fn key_backup(&self, human: HumanId) -> StoreResult<Option<String>>;
    async fn set_key_backup(&self, human: HumanId, body: &str, now: Timestamp) -> StoreResult<()>;
    /// `false` if there was none.
    async fn delete_key_backup(&self, human: HumanId) -> StoreResult<bool>;
}

/// A transaction that makes things of the directory, and keeps the reply of the request that asked for them; dropped
/// without `commit`, it never was.
#[async_trait]
pub trait DirectoryTx: Send {
    /// Takes this Idempotency-Key for the request with this digest, unless a reply is kept under it: that one.
    /// Whoever asks for the same key meanwhile waits until this transaction has ended.
    async fn claim_reply(
        &mut self,
        scope: &str,
        key: &str,
        request_hash: &SecretHash,
        now: Timestamp,
    ) -> StoreResult<Option<SavedReply>>;
    /// Creates a space, or returns the one of that name; `None` if that one is deactivated. `true` if it is new.
    async fn ensure_space(&mut self, name: &str, now: Timestamp) -> StoreResult<Option<(Space, bool)>>;
    /// Creates an agent, or returns the one of that name; `None` if that one is deactivated. `true` if it is new.
    async fn ensure_agent(
        &mut self,
        space: SpaceId,
        name: &str,
        description: Option<&str>,
        now: Timestamp,
    ) -> StoreResult<Option<(Agent, bool)>>;
    /// An active agent of the space.
    async fn agent(&mut self, space: SpaceId, id: AgentId) -> StoreResult<Option<Agent>>;
    /// Creates a human, or `None` if an active one of the space has the address.
    async fn create_human(&mut self, new: &NewHuman<'_>, now: Timestamp) -> StoreResult<Option<Human>>;
    /// How many active agents the space has, those of this transaction included. Those who count take turns.
    async fn count_agents(&mut self, space: SpaceId) -> StoreResult<i64>;
    /// The same for humans.
    async fn count_humans(&mut self, space: SpaceId) -> StoreResult<i64>;
    /// Holds a key that something is made with, so that it is not revoked before this transaction ends; `false` if it
    /// is revoked.
    async fn hold_key(&mut self, key: KeyId) -> StoreResult<bool>;
    async fn create_key(&mut self, key: &NewKey, now: Timestamp) -> StoreResult<ApiKey>;
    /// An active human of the space.
    async fn human(&mut self, space: SpaceId, id: HumanId) -> StoreResult<Option<Human>>;
    /// Notes that nobody has verified the address of a human whom this transaction has created: it is free again.
    async fn free_address(&mut self, human: &Human) -> StoreResult<()>;
    /// As [`OutsideIdentities::add_outside_identity`].
    async fn add_outside_identity(
        &mut self,
        issuer: &str,
        subject: &str,
        human: HumanId,
        now: Timestamp,
    ) -> StoreResult<bool>;
    /// Voids the setup links of a human that were not used.
    async fn void_setup_tokens(&mut self, human: HumanId) -> StoreResult<()>;
    async fn add_setup_token(&mut self, hash: &SecretHash, human: HumanId, expires_at: Timestamp) -> StoreResult<()>;
    /// Keeps an entry of the audit log, which is also written to the log once it is durable.
    async fn audit(&mut self, entry: AuditEntry) -> StoreResult<()>;
    /// Makes it durable, with the reply that is kept under the key that was claimed.
    async fn commit(self: Box<Self>, reply: Option<SavedReply>) -> StoreResult<()>;
}

/// Secrets, all hashed: guest tokens; and the hub's own settings.
#[async_trait]
pub trait Credentials: Send + Sync {
    async fn setting(&self, name: &str) -> StoreResult<Option<String>>;
    /// Sets `name` unless it is set already; returns the value that stands.
    async fn setting_or(&self, name: &str, value: &str) -> StoreResult<String>;

    /// What was revoked at `since` or later, by keys, agents, humans, guests and spaces: (the entry's own id, what was
    /// revoked). Kept for a day.
    async fn revoked_since(&self, since: Timestamp) -> StoreResult<Vec<(Uuid, Uuid)>>;
    /// The guest with this token, unless it is revoked. Expiry is the caller's to check.
    async fn guest_by_secret(&self, hash: &SecretHash) -> StoreResult<Option<Guest>>;

    /// The guests of a session who are not revoked, the oldest first; `None` if the session is out of scope.
    async fn guests(&self, scope: Scope, session: SessionId, page: PageRequest) -> StoreResult<Option<Page<Guest>>>;
    /// A guest who is not revoked.
    async fn guest(&self, space: SpaceId, id: GuestId) -> StoreResult<Option<Guest>>;
}

/// Sign-ins of humans with their refresh tokens, setup links, and passwords. What ends a sign-in revokes its id, and
/// what voids tokens without a sign-in revokes [`HumanId::without_sign_in`].
#[async_trait]
pub trait SignIns: Send + Sync {
    /// Adds a sign-in with its first refresh token. Returns those that had to end because there were too many.
    async fn add_sign_in(&self, new: &NewSignIn, now: Timestamp) -> StoreResult<Option<Vec<Uuid>>>;
    /// Uses up `old` and stores `next_hash` in its sign-in. A token that was used before ends its whole sign-in.
    async fn rotate_refresh_token(
        &self,
        old: &SecretHash,
        next_hash: &SecretHash,
        next_expires: Timestamp,
        now: Timestamp,
    ) -> StoreResult<RefreshOutcome>;
    /// The sign-ins that have not ended, the one that was used last first.
    async fn sign_ins(&self, human: HumanId, page: PageRequest, now: Timestamp) -> StoreResult<Page<SignIn>>;
    /// Whether this sign-in of the human has not ended.
    async fn has_sign_in(&self, human: HumanId, id: Uuid, now: Timestamp) -> StoreResult<bool>;
    /// Ends a sign-in; `false` if the human has none of this id.
    async fn end_sign_in(&self, human: HumanId, id: Uuid, now: Timestamp) -> StoreResult<bool>;
    /// Ends the sign-in of this refresh token, if it is one; `everywhere`, every sign-in of its human.
    async fn end_sign_in_of(
        &self,
        token: &SecretHash,
        everywhere: bool,
        now: Timestamp,
    ) -> StoreResult<Option<EndedSignIns>>;
    /// Ends every sign-in of a human, and their tokens without one. Returns what was revoked.
    async fn end_all_sign_ins(&self, human: HumanId, now: Timestamp) -> StoreResult<Vec<Uuid>>;
    /// Sets a password in the place of the one with the hash `before`, and ends every sign-in but the one to keep.
    /// Returns what was revoked, or `None` if `before` is not the password any more.
    async fn change_password(
        &self,
        human: HumanId,
        before: &str,
        password_hash: &str,
        keep: Option<Uuid>,
        now: Timestamp,
    ) -> StoreResult<Option<Vec<Uuid>>>;
    /// The active human whom a setup token that is good is for.
    async fn human_of_setup_token(&self, token: &SecretHash, now: Timestamp) -> StoreResult<Option<HumanId>>;
    /// Uses up a setup token, sets its human's password and ends their sign-ins, all or nothing; `None` if the token is
    /// unknown, used or expired, or its human is not active.
    async fn choose_password(
        &self,
        token: &SecretHash,
        password_hash: &str,
        now: Timestamp,
    ) -> StoreResult<Option<PasswordChosen>>;
}

/// Who an outside issuer's (iss, sub) is. `issuer` is empty where tokens name none.
#[async_trait]
pub trait OutsideIdentities: Send + Sync {
    async fn outside_identity(&self, issuer: &str, subject: &str) -> StoreResult<Option<OutsideIdentity>>;
    /// `false` if (issuer, subject) is somebody already, or the human somebody else of the issuer, or not active.
    async fn add_outside_identity(
        &self,
        issuer: &str,
        subject: &str,
        human: HumanId,
        now: Timestamp,
    ) -> StoreResult<bool>;
    /// `false` if (issuer, subject) is not `from` any more, or `to` is somebody else of the issuer, or not active.
    async fn move_outside_identity(&self, issuer: &str, subject: &str, from: HumanId, to: HumanId)
    -> StoreResult<bool>;
    /// Gives a human whose address is not verified this one, which is; `false` if an active human of the space has it.
    async fn verify_address(&self, human: &Human, address: &str) -> StoreResult<bool>;
    /// The deactivated humans of a space who had this address.
    async fn former_humans(&self, space: SpaceId, address: &str, issuer: &str) -> StoreResult<FormerHumans>;
}

/// API keys.
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// The key with this secret, unless it is revoked or its agent or space is deactivated. Expiry is the caller's to
    /// check.
    async fn key_by_secret(&self, hash: &SecretHash) -> StoreResult<Option<KeyHolder>>;
    async fn keys(&self, space: SpaceId, page: PageRequest) -> StoreResult<Page<ApiKey>>;
    /// Revokes a key of the space; with `cascade` also the keys and guest tokens that it made, those that these made,
    /// and so on, for which the key itself may be revoked already. All of it or nothing.
    async fn revoke_key(&self, by: &Revoker, id: KeyId, cascade: bool) -> StoreResult<Result<Revoked, NotRevoked>>;
    /// Notes when keys and guest tokens were used last, never backwards.
    async fn note_uses(&self, uses: &Uses) -> StoreResult<()>;
}

/// Sessions, who takes part in them, and how far they have read.
#[async_trait]
pub trait Sessions: Send + Sync {
    async fn session(&self, scope: Scope, id: SessionId) -> StoreResult<Option<Session>>;
    /// Newest activity first; archived ones only when asked for by `status`.
    async fn sessions(
        &self,
        scope: Scope,
        status: Option<SessionStatus>,
        page: PageRequest,
    ) -> StoreResult<Page<Listed>>;
    /// These sessions of a list with the titles that were left out; no more once `max_bytes` of titles are passed.
    async fn sessions_of(&self, scope: Scope, listed: &[&Listed], max_bytes: i64) -> StoreResult<Taken<Session>>;
    /// What needs this participant (contract section 6): pending first, archived left out.
    async fn feed(&self, scope: Scope, principal: PrincipalId, page: PageRequest) -> StoreResult<Page<FeedEntry>>;
    /// How many sessions have changed since their list entries were written, at most `limit`.
    async fn unlisted(&self, limit: i64) -> StoreResult<i64>;
    /// Writes the list entries of at most `limit` sessions in which nothing has happened since `quiet_since`, of the
    /// first spaces after this one. Returns the last one's space; `None` if there is none, or others have them in hand.
    async fn list_sessions(
        &self,
        quiet_since: Timestamp,
        after: Option<SpaceId>,
        limit: i64,
    ) -> StoreResult<Option<SpaceId>>;
    /// Those who see the session: a human who is deactivated is none of them.
    async fn participants(
        &self,
        scope: Scope,
        session: SessionId,
        page: PageRequest,
    ) -> StoreResult<Option<Page<Participant>>>;
    /// The ids of everyone who takes part, as `participants` has them.
    async fn member_ids(&self, space: SpaceId, session: SessionId) -> StoreResult<Vec<PrincipalId>>;
    /// How many bytes of events the sessions of each of these spaces hold; a space without sessions is left out.
    async fn space_bytes(&self, spaces: &[SpaceId]) -> StoreResult<Vec<SpaceSize>>;
    /// Counts the bytes of at most `limit` sessions of the space of which they are not known; `false` if none is left.
    async fn count_session_bytes(&self, space: SpaceId, limit: i64) -> StoreResult<bool>;
    /// Notes how far a participant has read, never backwards and never past the end. `None` if they don't take part.
    async fn mark_read(
        &self,
        scope: Scope,
        session: SessionId,
        principal: PrincipalId,
        seq: i64,
    ) -> StoreResult<Option<ReadMark>>;
}

/// Reading timelines and the messages on them.
#[async_trait]
pub trait Timelines: Send + Sync {
    /// The messages after the first `after` ones, in order: at most `limit`, and no more once `max_bytes` are passed.
    async fn messages_after(
        &self,
        scope: Scope,
        session: SessionId,
        after: i64,
        limit: i64,
        max_bytes: i64,
    ) -> StoreResult<Option<MessagePage>>;
    /// The last message of each of these sessions, given with how many it has; no more once `max_bytes` are passed.
    async fn last_messages(
        &self,
        scope: Scope,
        sessions: &[(SessionId, i64)],
        max_bytes: i64,
    ) -> StoreResult<Taken<Message>>;
    async fn message(&self, scope: Scope, session: SessionId, id: MessageId) -> StoreResult<Option<Message>>;
    /// Where the timeline stands, or `None` if it is out of scope.
    async fn head(&self, scope: Scope, session: SessionId) -> StoreResult<Option<Head>>;
    /// As `head`, with the caller's own participation.
    async fn standing(&self, scope: Scope, session: SessionId, principal: PrincipalId)
    -> StoreResult<Option<Standing>>;
    /// The `seq` of the last message that `sender` wrote, 0 if there is none; `None` if the session is out of scope.
    async fn last_said_by(&self, scope: Scope, session: SessionId, sender: PrincipalId) -> StoreResult<Option<i64>>;
    /// As `head`, with the first message after `after` of a human or guest, at the same moment.
    async fn first_said(&self, scope: Scope, session: SessionId, after: i64) -> StoreResult<Option<Said>>;
    /// The settled questions of `agent` whose outcome nobody has taken, in the order in which they settled.
    async fn unacknowledged(
        &self,
        scope: Scope,
        agent: AgentId,
        page: PageRequest,
    ) -> StoreResult<Page<(SessionId, MessageId)>>;
    /// Those of these messages that are there, in their order; no more once `max_bytes` are passed.
    async fn messages_of(
        &self,
        scope: Scope,
        messages: &[(SessionId, MessageId)],
        max_bytes: i64,
    ) -> StoreResult<Taken<Message>>;
    /// As `head`, with the status of a message at the same moment. `None` if either is out of scope.
    async fn outlook(&self, scope: Scope, session: SessionId, id: MessageId) -> StoreResult<Option<Outlook>>;
    /// The events after `after`, in order: at most `limit`, and no more once `max_bytes` are passed.
    async fn events_after(
        &self,
        scope: Scope,
        session: SessionId,
        after: i64,
        limit: i64,
        max_bytes: i64,
    ) -> StoreResult<Option<EventPage>>;
    /// The `seq` of the last event before `seq` that is older than `floor`, without what it says: the place before the
    /// first event that is kept if there is none. `None` if the session is out of scope.
    async fn last_older(
        &self,
        scope: Scope,
        session: SessionId,
        seq: i64,
        floor: Timestamp,
    ) -> StoreResult<Option<i64>>;
    /// Where the timeline of each of these sessions stands: one query for a node's reconcile tick.
    async fn last_seqs(&self, sessions: &[(SpaceId, SessionId)]) -> StoreResult<Vec<(SessionId, Head)>>;
    /// Where the sessions of these spaces stand that have had an event at or after `since`.
    async fn active_since(&self, spaces: &[SpaceId], since: Timestamp) -> StoreResult<Vec<ActiveSession>>;
    /// Pending messages whose deadline is at or before `now`, the most overdue first.
    async fn due_messages(&self, now: Timestamp, limit: i64) -> StoreResult<Vec<DueMessage>>;
}

/// Sessions that are interactions; to others they are not there.
#[async_trait]
pub trait Interactions: Send + Sync {
    /// The message that asks.
    async fn interaction_message(&self, scope: Scope, session: SessionId) -> StoreResult<Option<MessageId>>;
    async fn interaction(&self, scope: Scope, session: SessionId, at: Moment) -> StoreResult<Option<Interaction>>;
    /// Newest activity first, with `status` those whose message has it; those of archived sessions are left out.
    async fn interactions(
        &self,
        scope: Scope,
        status: Option<MessageStatus>,
        page: PageRequest,
    ) -> StoreResult<Page<SessionId>>;
    /// Those of these sessions, at most 100, that are interactions, in their order; no more once `max_bytes` are
    /// passed.
    async fn interactions_of(
        &self,
        scope: Scope,
        sessions: &[SessionId],
        max_bytes: i64,
    ) -> StoreResult<Taken<Interaction>>;
}

/// Deleting sessions that ended long ago, whole: a first step by which nobody finds them any more, then piece by piece
/// what they leave behind.
#[async_trait]
pub trait Retention: Send + Sync {
    /// Takes away the session that ended first, if that was before `ended_before`; its guests are revoked at `now`.
    async fn retire_session(&self, ended_before: Timestamp, now: Timestamp) -> StoreResult<Option<Retired>>;
    /// Deletes at most `limit` events, and as many messages, of a session that was taken away. `false` if nothing is
    /// left to do, except what other nodes have in hand.
    async fn sweep_retired(&self, limit: i64) -> StoreResult<bool>;
}

/// The audit log: security-relevant events of each space.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Keeps entries; of one that is there already the target is replaced.
    async fn add_audit_entries(&self, entries: &[AuditEntry]) -> StoreResult<()>;
    /// The entries of a space whose ids lie above `after`, oldest first; `with_hub` also those of no space.
    async fn audit_entries(
        &self,
        space: SpaceId,
        with_hub: bool,
        after: Option<Uuid>,
        page: PageRequest,
    ) -> StoreResult<Page<AuditEntry>>;
    /// Deletes at most `limit` entries made before `before`, the oldest first. Returns how many.
    async fn prune_audit(&self, before: Timestamp, limit: i64) -> StoreResult<u64>;
}

/// How long a transaction waits for a row that somebody else holds before it ends as [`StoreError::Busy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockWait {
    /// Longer than any healthy writer takes.
    Brief,
    /// So long that one that has died is let go by the database.
    Long,
}

/// The whole store.
#[async_trait]
pub trait Store:
    Directory
    + PublicKeys
    + Credentials
    + ApiKeys
    + SignIns
    + OutsideIdentities
    + Sessions
    + Timelines
    + Retention
    + Interactions
    + AuditLog
{
    /// Fails unless the store answers.
    async fn ping(&self) -> StoreResult<()>;
    /// Whether the last transaction failed because the store can't take it: it is full, or another program holds it.
    fn writes_fail(&self) -> bool;
    /// Writes something of no meaning; fails unless that is durable.
    async fn try_write(&self) -> StoreResult<()>;
    /// How often a connection to the store has broken: it may lead to another server since.
    fn breaks(&self) -> u64;
    /// What the store's own clock says; `None` if it has none but this machine's.
    async fn time(&self) -> StoreResult<Option<Timestamp>>;
    /// How many messages wait for an answer, in all spaces: a figure for operators.
    async fn pending_responses(&self) -> StoreResult<i64>;
    /// Deletes at most `limit` rows of what served its time before `before`, passing over those that others have in
    /// hand. Returns how many went.
    async fn prune(&self, what: Passing, before: Timestamp, limit: i64) -> StoreResult<u64>;
    /// Makes the log of writes small again, if there is one that has grown and nobody reads what it holds.
    async fn shrink_log(&self) -> StoreResult<()>;
    /// How many writers of timelines it can do with: each has one transaction under way at a time.
    fn writers(&self) -> NonZeroUsize;
    /// Which of these sessions somebody else is writing to at the moment.
    async fn held_elsewhere(&self, sessions: &[SessionId]) -> StoreResult<HashSet<SessionId>>;
    /// Begins the transaction of one batch of a timeline writer, which waits so long for sessions that others hold.
    async fn begin(&self, wait: LockWait) -> StoreResult<Box<dyn WriteTx>>;
    /// Waits for what is under way and closes every connection.
    async fn close(&self);
}

/// One write transaction: what is loaded is locked until it ends; dropped without `commit`, it never was.
#[async_trait]
pub trait WriteTx: Send {
    /// Loads and locks the sessions that are named, in the order of their ids, and reads the rest: of replies those
    /// that were saved since `since`.
    async fn load(&mut self, named: &Named, since: Timestamp) -> StoreResult<Loaded>;
    async fn pending_messages(&mut self, session: SessionId) -> StoreResult<Vec<MessageState>>;
    async fn participant(&mut self, session: SessionId, id: ParticipantId) -> StoreResult<Option<Participant>>;
    async fn participant_of(&mut self, session: SessionId, principal: PrincipalId) -> StoreResult<Option<Participant>>;
    /// How many guests take part in the session.
    async fn count_guests(&mut self, session: SessionId) -> StoreResult<i64>;
    /// As [`DirectoryTx::hold_key`].
    async fn hold_key(&mut self, key: KeyId) -> StoreResult<bool>;
    /// The names of those who take part: of everybody, or of guests alone.
    async fn participant_names(&mut self, session: SessionId, of_everybody: bool) -> StoreResult<Vec<TakenName>>;
    /// When the newest key was made of which the session's timeline tells for this participant, if it does.
    async fn told_key(&mut self, session: SessionId, principal: PrincipalId) -> StoreResult<Option<Timestamp>>;
    /// What the session is as an interaction, if it is one.
    async fn interaction(&mut self, session: SessionId) -> StoreResult<Option<InteractionState>>;
    /// Writes what a batch has done so far.
    async fn apply(&mut self, writes: WriteSet) -> StoreResult<()>;
    /// Writes the rest and makes all of it durable.
    async fn commit(self: Box<Self>, writes: WriteSet) -> StoreResult<()>;
}

/// The id column of an event's subject: the message that it settled or the principal that it removed.
pub(crate) fn subject_of(event: &CommittedEvent) -> Option<Uuid> {
    event.settles.map(Into::into).or(event.removes.map(|id| id.0))
}
