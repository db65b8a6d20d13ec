//! The caller that a credential authenticates: a principal, or a key that provisions agents.

use crate::domain::{KeyId, Principal, SpaceId, Timestamp};
use std::sync::Arc;
use uuid::Uuid;

/// A key that provisions agents.
#[derive(Clone, Debug)]
pub struct Provisioner {
    pub space: SpaceId,
    pub key: KeyId,
    pub expires_at: Option<Timestamp>,
}

/// The caller that a credential authenticates.
#[derive(Clone, Debug)]
pub enum Caller {
    Principal(Arc<Principal>),
    Provisioner(Provisioner),
}

impl Caller {
    /// The ids whose revocation ends the credential.
    pub(super) fn revocable(&self) -> [Option<Uuid>; 3] {
        match self {
            Self::Principal(principal) => principal.revocable(),
            Self::Provisioner(provisioner) => [Some(provisioner.key.0), Some(provisioner.space.0), None],
        }
    }
}
