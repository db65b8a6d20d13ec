//! Sign-ins of humans with their refresh tokens, setup links, and passwords.

use async_trait::async_trait;
use crate::domain::people::SignIn;
use crate::domain::{HumanId, Page, PageRequest, Timestamp};
use crate::store::{SecretHash, StoreResult};
use uuid::Uuid;

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
