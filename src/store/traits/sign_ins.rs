//! Sign-ins of humans with their refresh tokens, setup links, and passwords.

use crate::domain::people::SignIn;
use crate::domain::{HumanId, Timestamp};
use crate::protocol::page::{Page, PageRequest};
use crate::store::{SecretHash, StoreResult};
use async_trait::async_trait;
use uuid::Uuid;

/// Sign-ins, setup links and passwords. Ending a sign-in revokes its id; ending the tokens without a sign-in revokes
/// [`HumanId::without_sign_in`].
#[async_trait]
pub trait SignIns: Send + Sync {
    /// Adds a sign-in with its first refresh token. Returns the sign-ins that were ended because there were too many, or
    /// `None` if the password was changed meanwhile.
    async fn add_sign_in(&self, new: &NewSignIn, now: Timestamp) -> StoreResult<Option<Vec<Uuid>>>;
    /// Uses up `old` and stores `next_hash` in its sign-in. Reusing a token ends its whole sign-in.
    async fn rotate_refresh_token(
        &self,
        old: &SecretHash,
        next_hash: &SecretHash,
        next_expires: Timestamp,
        now: Timestamp,
    ) -> StoreResult<RefreshOutcome>;
    /// The active sign-ins, the last used one first.
    async fn sign_ins(&self, human: HumanId, page: PageRequest, now: Timestamp) -> StoreResult<Page<SignIn>>;
    /// Whether this sign-in of the human is active.
    async fn has_sign_in(&self, human: HumanId, id: Uuid, now: Timestamp) -> StoreResult<bool>;
    /// Ends a sign-in; `false` if the human has none of this id.
    async fn end_sign_in(&self, human: HumanId, id: Uuid, now: Timestamp) -> StoreResult<bool>;
    /// Ends the sign-in of this refresh token, or with `everywhere` all sign-ins of its human; `None` if the token is
    /// unknown.
    async fn end_sign_in_of(
        &self,
        token: &SecretHash,
        everywhere: bool,
        now: Timestamp,
    ) -> StoreResult<Option<EndedSignIns>>;
    /// Ends all sign-ins of a human, and tokens without a sign-in. Returns the revoked ids.
    async fn end_all_sign_ins(&self, human: HumanId, now: Timestamp) -> StoreResult<Vec<Uuid>>;
    /// Replaces the password with the hash `before`, and ends all sign-ins except `keep`. Returns the revoked ids, or `None`
    /// if `before` is no longer the password.
    async fn change_password(
        &self,
        human: HumanId,
        before: &str,
        password_hash: &str,
        keep: Option<Uuid>,
        now: Timestamp,
    ) -> StoreResult<Option<Vec<Uuid>>>;
    /// The active human of a valid setup token.
    async fn human_of_setup_token(&self, token: &SecretHash, now: Timestamp) -> StoreResult<Option<HumanId>>;
    /// Uses up a setup token, sets the password of its human and ends their sign-ins, all or nothing; `None` if the token is
    /// unknown, used or expired, or the human is not active.
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
    /// The hash of the password that was verified. The sign-in fails if it was changed meanwhile.
    pub password_hash: Option<String>,
    /// The hash of the refresh token.
    pub hash: SecretHash,
    pub expires_at: Timestamp,
    /// When the sign-in ends, regardless of refreshes.
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
    /// The token was used before, so that a copy of it exists: the whole sign-in was ended.
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
    /// The sign-in of the token.
    pub sign_in: Uuid,
    /// The revoked ids.
    pub subjects: Vec<Uuid>,
}

/// A password that was chosen with a setup link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordChosen {
    pub human: HumanId,
    /// The revoked ids.
    pub subjects: Vec<Uuid>,
}
