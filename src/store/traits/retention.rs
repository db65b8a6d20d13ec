//! Retention: deleting sessions that ended long ago, and expired rows.

use crate::domain::{GuestId, SessionId, SpaceId, Timestamp};
use crate::store::StoreResult;
use async_trait::async_trait;

/// Deletion of sessions that ended long ago: first everything by which they can be found, in one transaction, then their
/// events and messages in chunks.
#[async_trait]
pub trait Retention: Send + Sync {
    /// Removes the session that ended first, if that was before `ended_before`, and revokes its guests at `now`.
    async fn retire_session(&self, ended_before: Timestamp, now: Timestamp) -> StoreResult<Option<Retired>>;
    /// Deletes at most `limit` events, and as many messages, of a removed session. `false` if nothing is left, apart from
    /// rows that other nodes have locked.
    async fn sweep_retired(&self, limit: i64) -> StoreResult<bool>;
}

/// A session that was removed because it ended long ago, and its guests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retired {
    pub space: SpaceId,
    pub session: SessionId,
    pub guests: Vec<GuestId>,
}

/// Kinds of rows that are deleted once they have expired, in the order of deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiredRows {
    Replies,
    Revocations,
    /// Refresh tokens whose sign-in has ended, and then the sign-ins.
    RefreshTokens,
    SignIns,
    SetupTokens,
}

impl ExpiredRows {
    pub const ALL: &[Self] = &[Self::Replies, Self::Revocations, Self::RefreshTokens, Self::SignIns, Self::SetupTokens];

    /// Whether its time is that of its creation, a day before the deletion, rather than its own end.
    pub fn is_kept_for_a_day(self) -> bool {
        matches!(self, Self::Replies | Self::Revocations)
    }
}
