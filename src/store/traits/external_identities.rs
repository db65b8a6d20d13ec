//! Identities of an external token issuer, and the humans that they belong to.

use crate::domain::people::Human;
use crate::domain::{HumanId, SpaceId, Timestamp};
use crate::store::StoreResult;
use async_trait::async_trait;

/// The humans behind (`iss`, `sub`) of an external issuer. `issuer` is empty if tokens have no `iss`.
#[async_trait]
pub trait ExternalIdentities: Send + Sync {
    async fn external_identity(&self, issuer: &str, subject: &str) -> StoreResult<Option<ExternalIdentity>>;
    /// `false` if the identity exists, or the human has another identity of the issuer, or is not active.
    async fn add_external_identity(
        &self,
        issuer: &str,
        subject: &str,
        human: HumanId,
        now: Timestamp,
    ) -> StoreResult<bool>;
    /// `false` if the identity no longer belongs to `from`, or `to` has another identity of the issuer, or is not active.
    async fn move_external_identity(
        &self,
        issuer: &str,
        subject: &str,
        from: HumanId,
        to: HumanId,
    ) -> StoreResult<bool>;
    /// Sets the verified address of a human without one; `false` if an active human of the space has it.
    async fn verify_address(&self, human: &Human, address: &str) -> StoreResult<bool>;
    /// The deactivated humans of a space that had this address.
    async fn former_humans(&self, space: SpaceId, address: &str, issuer: &str) -> StoreResult<FormerHumans>;
}

/// The human of an identity.
#[derive(Clone, Debug)]
pub struct ExternalIdentity {
    pub human: HumanId,
    /// The human, unless they are deactivated.
    pub active: Option<Human>,
}

/// Deactivated humans that had an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FormerHumans {
    pub any: bool,
    /// Whether one of them has no identity of the issuer, so that an unknown identity may be theirs.
    pub unknown_to_issuer: bool,
}
