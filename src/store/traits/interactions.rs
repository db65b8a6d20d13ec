//! Sessions that are interactions.

use crate::domain::{Interaction, MessageId, MessageStatus, Scope, SessionId};
use crate::protocol::page::{Page, PageRequest};
use crate::store::{StoreResult, Taken};
use async_trait::async_trait;

/// Interactions. Any other session counts as not found.
#[async_trait]
pub trait Interactions: Send + Sync {
    /// The question.
    async fn interaction_message(&self, scope: Scope, session: SessionId) -> StoreResult<Option<MessageId>>;
    async fn interaction(&self, scope: Scope, session: SessionId, at: Moment) -> StoreResult<Option<Interaction>>;
    /// Newest activity first, with `status` only those whose question has it; without archived sessions.
    async fn interactions(
        &self,
        scope: Scope,
        status: Option<MessageStatus>,
        page: PageRequest,
    ) -> StoreResult<Page<SessionId>>;
    /// Those of these sessions, at most 100, that are interactions, in this order, up to `max_bytes`.
    async fn interactions_of(
        &self,
        scope: Scope,
        sessions: &[SessionId],
        max_bytes: i64,
    ) -> StoreResult<Taken<Interaction>>;
}

/// The moment as of which an interaction is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Now,
    /// When it settled; now, while it is pending.
    Settled,
    /// Right after the event of this `seq`.
    Seq(i64),
}
