//! Identities of an external token issuer, and the humans that they belong to.

use async_trait::async_trait;
use crate::domain::people::Human;
use crate::domain::{HumanId, SpaceId, Timestamp};
use crate::store::StoreResult;

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
