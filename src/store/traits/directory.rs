//! The directory: spaces, agents and humans.

use crate::domain::participant::{Member, MemberRef};
use crate::domain::people::{Agent, ApiKey, Human, Role, Space};
use crate::domain::{AgentId, AuditEntry, HumanId, KeyId, SpaceId, Timestamp};
use crate::protocol::page::{Page, PageRequest};
use crate::store::{NewKey, NotRevoked, Revoked, Revoker, SavedReply, SecretHash, StoreResult};
use async_trait::async_trait;
use std::collections::HashMap;

/// Reads and changes of the directory.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Begins a transaction that creates spaces, agents, humans and keys.
    async fn begin_directory(&self) -> StoreResult<Box<dyn DirectoryTx>>;

    /// As [`DirectoryTx::ensure_space`], in a transaction of its own.
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

    /// As [`DirectoryTx::ensure_agent`], in a transaction of its own.
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

    /// As [`DirectoryTx::create_human`], in a transaction of its own.
    async fn create_human(&self, new: &NewHuman<'_>, now: Timestamp) -> StoreResult<Option<Human>> {
        let mut tx = self.begin_directory().await?;
        let made = tx.create_human(new, now).await?;
        tx.commit(None).await?;
        Ok(made)
    }
    /// As [`DirectoryTx::create_key`], in a transaction of its own.
    async fn create_key(&self, key: &NewKey, now: Timestamp) -> StoreResult<ApiKey> {
        let mut tx = self.begin_directory().await?;
        let made = tx.create_key(key, now).await?;
        tx.commit(None).await?;
        Ok(made)
    }
    /// An active human.
    async fn human(&self, id: HumanId) -> StoreResult<Option<Human>>;
    /// The active humans with this address in all spaces, oldest first, at most `limit`. Only for signing in.
    async fn humans_by_address(&self, address: &str, limit: i64) -> StoreResult<Vec<Human>>;
    async fn human_by_address(&self, space: SpaceId, address: &str) -> StoreResult<Option<Human>>;
    async fn human_in_space(&self, space: SpaceId, id: HumanId) -> StoreResult<Option<Human>>;
    /// Resolves names to active agents and humans of the space, with a few statements for any number of names. Unknown
    /// names are left out.
    async fn members_named(&self, space: SpaceId, named: &[MemberRef]) -> StoreResult<HashMap<MemberRef, Member>>;
    async fn humans(&self, space: SpaceId, page: PageRequest) -> StoreResult<Page<Human>>;
    /// All humans of the space, or `None` if there are more than `max`.
    async fn all_humans(&self, space: SpaceId, max: i64) -> StoreResult<Option<Vec<Human>>>;
    /// Deactivates a human: the address becomes free, sign-ins and setup links end.
    async fn deactivate_human(&self, space: SpaceId, id: HumanId, now: Timestamp) -> StoreResult<bool>;
}

/// A transaction that creates spaces, agents, humans and keys, and saves the reply of the request. It is rolled back when
/// it is dropped before `commit`.
#[async_trait]
pub trait DirectoryTx: Send {
    /// Claims this Idempotency-Key for the request with this digest, or returns the reply that is saved under it. Other
    /// requests with the same key wait until this transaction has ended.
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
    /// The number of active agents of the space, including those of this transaction. Transactions that count the same
    /// space run one after the other.
    async fn count_agents(&mut self, space: SpaceId) -> StoreResult<i64>;
    /// The same for humans.
    async fn count_humans(&mut self, space: SpaceId) -> StoreResult<i64>;
    /// Locks the key that something is created with, so that it can't be revoked before this transaction ends; `false` if
    /// it is revoked.
    async fn hold_key(&mut self, key: KeyId) -> StoreResult<bool>;
    async fn create_key(&mut self, key: &NewKey, now: Timestamp) -> StoreResult<ApiKey>;
    /// An active human of the space.
    async fn human(&mut self, space: SpaceId, id: HumanId) -> StoreResult<Option<Human>>;
    /// Marks the address of a human that this transaction has created as not verified, which leaves it free for others.
    async fn free_address(&mut self, human: &Human) -> StoreResult<()>;
    /// As [`crate::store::ExternalIdentities::add_external_identity`].
    async fn add_external_identity(
        &mut self,
        issuer: &str,
        subject: &str,
        human: HumanId,
        now: Timestamp,
    ) -> StoreResult<bool>;
    /// Revokes the unused setup links of a human.
    async fn void_setup_tokens(&mut self, human: HumanId) -> StoreResult<()>;
    async fn add_setup_token(&mut self, hash: &SecretHash, human: HumanId, expires_at: Timestamp) -> StoreResult<()>;
    /// Adds an entry to the audit log, which is also logged after the commit.
    async fn audit(&mut self, entry: AuditEntry) -> StoreResult<()>;
    /// Commits, and saves the reply under the key that was claimed.
    async fn commit(self: Box<Self>, reply: Option<SavedReply>) -> StoreResult<()>;
}

/// A human to create.
#[derive(Clone, Copy, Debug)]
pub struct NewHuman<'a> {
    pub space: SpaceId,
    /// As returned by `normal_email`.
    pub email: &'a str,
    pub name: &'a str,
    pub role: Role,
    pub password_hash: Option<&'a str>,
}
