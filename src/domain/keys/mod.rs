//! Entries of public keys (end-to-end encryption, scheme `hiloop/v2`): the checks of an entry, and which entry may replace
//! another. Only clients use the keys.

mod points;
mod proven;
#[cfg(test)]
mod tests;

use super::{ParticipantId, PrincipalId, Timestamp};
pub use proven::{Placement, ProvenKey, SentKey};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The public keys of an agent, human or guest, with the proof that the holder of the private keys made this entry for
/// exactly this principal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyEntry {
    /// X25519, to receive: the base64url of 32 bytes, without padding.
    #[schema(min_length = 43, max_length = 43, pattern = "^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$")]
    pub public_key: String,
    /// Ed25519, to sign.
    #[schema(min_length = 43, max_length = 43, pattern = "^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$")]
    pub signing_key: String,
    /// The first 16 bytes of SHA-256("hiloop/v2 key" ‖ 00 ‖ signingKey ‖ publicKey).
    #[schema(min_length = 22, max_length = 22, pattern = "^[A-Za-z0-9_-]{21}[AQgw]$")]
    pub key_id: String,
    /// Ed25519("hiloop/v2 entry" ‖ 00 ‖ principalId ‖ 00 ‖ signingKey ‖ publicKey).
    #[schema(min_length = 86, max_length = 86, pattern = "^[A-Za-z0-9_-]{85}[AQgw]$")]
    pub proof: String,
    /// The signature of the key before this one, where the hub has found it good.
    pub previous: Option<PreviousKey>,
    pub attestation: Option<Attestation>,
    pub created_at: Timestamp,
}

/// The same bytes as those of `proof`, signed by the key that the entry replaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviousKey {
    /// The `keyId` of the entry that is replaced.
    #[schema(min_length = 22, max_length = 22, pattern = "^[A-Za-z0-9_-]{21}[AQgw]$")]
    pub key_id: String,
    #[schema(min_length = 86, max_length = 86, pattern = "^[A-Za-z0-9_-]{85}[AQgw]$")]
    pub signature: String,
}

/// A statement of the owner of a space about an entry, signed with a key that is kept offline. The hub does not verify it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attestation {
    /// When it ends; the text as it was signed.
    pub not_after: String,
    #[schema(min_length = 86, max_length = 86, pattern = "^[A-Za-z0-9_-]{85}[AQgw]$")]
    pub signature: String,
}

/// A key entry of a current or former participant of a session.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionKey {
    /// Who they are in the session, or were when they last took part.
    pub participant_id: ParticipantId,
    /// The agent, human or guest.
    pub principal_id: PrincipalId,
    #[serde(flatten)]
    pub entry: KeyEntry,
    /// When the next entry replaced it; null for the current one.
    pub replaced_at: Option<Timestamp>,
}

/// A change of key that is still to be announced in the sessions of its principal.
#[derive(Clone, Debug)]
pub struct KeyChange {
    pub principal: PrincipalId,
    pub entry: KeyEntry,
    /// Whether the key before it signed it.
    pub chained: bool,
}
