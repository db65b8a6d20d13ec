//! Deleting what has served its time: sessions that ended long ago, and expired rows.

use async_trait::async_trait;
use crate::domain::{GuestId, SessionId, SpaceId, Timestamp};
use crate::store::{SignIns, StoreResult};

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

/// A session that was deleted because it ended long ago, and the guests whom it had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retired {
    pub space: SpaceId,
    pub session: SessionId,
    pub guests: Vec<GuestId>,
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
