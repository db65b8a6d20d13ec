//! The directory: spaces, agents and humans.

use async_trait::async_trait;
use crate::domain::draft;
use crate::domain::participant::Member;
use crate::domain::people::{Agent, ApiKey, Human, Role, Space};
use crate::domain::{AgentId, AuditEntry, HumanId, KeyId, Page, PageRequest, SpaceId, Timestamp};
use crate::store::{NewKey, NotRevoked, Revoked, Revoker, SavedReply, SecretHash, StoreResult};
use std::collections::HashMap;

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
    async fn members_named(&self, space: SpaceId, named: &[draft::Named])
    -> StoreResult<HashMap<draft::Named, Member>>;
    async fn humans(&self, space: SpaceId, page: PageRequest) -> StoreResult<Page<Human>>;
    /// Every human of the space, or `None` if there are more than `max`.
    async fn all_humans(&self, space: SpaceId, max: i64) -> StoreResult<Option<Vec<Human>>>;
    /// Deactivates a human: their address is free, their sign-ins and setup links end.
    async fn deactivate_human(&self, space: SpaceId, id: HumanId, now: Timestamp) -> StoreResult<bool>;
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
    /// As [`crate::store::OutsideIdentities::add_outside_identity`].
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
