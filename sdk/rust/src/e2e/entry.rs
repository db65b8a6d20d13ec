//! Entries of the hub's directory of public keys.

use super::content::can_receive;
use super::encoding::{Bytes, KeyId, labelled};
use super::keys::{PublicKeys, SecretKeys, verify};
use crate::types::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An entry: the public keys of a principal, and proof that they are its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Entry {
    /// The X25519 key.
    pub public_key: Bytes<32>,
    /// The Ed25519 key.
    pub signing_key: Bytes<32>,
    /// The id of the pair.
    pub key_id: KeyId,
    /// The signature of the entry by its own key.
    pub proof: Bytes<64>,
    /// The signature by the key before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Previous>,
    /// What the owner of the space says of the entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attestation: Option<Attestation>,
}

/// The key that an entry replaces, and its signature of the entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Previous {
    /// The id of the key before.
    pub key_id: KeyId,
    /// Its signature.
    pub signature: Bytes<64>,
}

/// A statement by the owner of a space that an entry is genuine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Attestation {
    /// Until when it holds. The signature covers this text.
    pub not_after: String,
    /// The signature.
    pub signature: Bytes<64>,
}

/// Who attests the entries of a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attestor {
    pub(crate) space: Uuid,
    pub(crate) key: Bytes<32>,
}

impl Entry {
    /// The entry of `principal` for its keys; signed by the key before, if it replaces one.
    pub(crate) fn make(principal: Uuid, keys: &SecretKeys, before: Option<&SecretKeys>) -> Self {
        let public = keys.public();
        let bytes = signed_bytes(principal, public);
        let previous = before.map(|before| Previous { key_id: before.key_id(), signature: before.sign(&bytes) });
        Self {
            public_key: public.receiving,
            signing_key: public.signing,
            key_id: public.key_id(),
            proof: keys.sign(&bytes),
            previous,
            attestation: None,
        }
    }

    /// The keys, if the entry is one of `principal`: its id and its proof hold.
    #[must_use]
    pub fn verify(&self, principal: Uuid) -> Option<PublicKeys> {
        let keys = self.keys();
        let holds = keys.key_id() == self.key_id
            && keys.has_signed(&signed_bytes(principal, &keys), &self.proof.0)
            && can_receive(&keys);
        holds.then_some(keys)
    }

    /// Whether `before` signed the entry as the one that replaces it.
    pub(crate) fn is_signed_by(&self, principal: Uuid, before: &PublicKeys) -> bool {
        self.previous.as_ref().is_some_and(|previous| {
            let bytes = signed_bytes(principal, &self.keys());
            previous.key_id == before.key_id() && before.has_signed(&bytes, &previous.signature.0)
        })
    }

    fn keys(&self) -> PublicKeys {
        PublicKeys { signing: self.signing_key, receiving: self.public_key }
    }
}

impl Attestation {
    /// Whether the owner of the space vouches for a key of a principal now.
    pub(crate) fn holds(&self, principal: Uuid, key: KeyId, by: &Attestor, now: Timestamp) -> bool {
        let bytes = attested_bytes(by.space, principal, key, &self.not_after);
        self.ends().is_some_and(|end| now <= end) && verify(&by.key.0, &bytes, &self.signature.0)
    }

    /// Until when it holds.
    pub(crate) fn ends(&self) -> Option<Timestamp> {
        self.not_after.parse().ok()
    }
}

fn signed_bytes(principal: Uuid, keys: &PublicKeys) -> Vec<u8> {
    let principal = principal.to_string();
    labelled("hiloop/v2 entry", &[principal.as_bytes(), b"\0", &keys.signing.0, &keys.receiving.0])
}

/// What an attestation signs.
pub(crate) fn attested_bytes(space: Uuid, principal: Uuid, key: KeyId, not_after: &str) -> Vec<u8> {
    let text = format!("{space}\0{principal}\0{key}\0{not_after}");
    labelled("hiloop/v2 attest", &[text.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const ANN: Uuid = Uuid::from_u128(1);

    #[test]
    fn an_entry_is_of_one_principal() {
        let keys = SecretKeys::generate();
        let mut entry = Entry::make(ANN, &keys, None);
        assert_eq!(entry.verify(ANN), Some(*keys.public()));
        assert_eq!(entry.verify(Uuid::from_u128(2)), None);
        entry.public_key = SecretKeys::generate().public().receiving;
        assert_eq!(entry.verify(ANN), None);
    }

    #[test]
    fn a_rotation_is_signed_by_the_key_before() {
        let (old, new, other) = (SecretKeys::generate(), SecretKeys::generate(), SecretKeys::generate());
        let entry = Entry::make(ANN, &new, Some(&old));
        assert!(entry.is_signed_by(ANN, old.public()));
        assert!(!entry.is_signed_by(ANN, other.public()));
        assert!(!Entry::make(ANN, &new, None).is_signed_by(ANN, old.public()));
    }

    #[test]
    fn an_attestation_holds_until_its_end() {
        let (owner, space) = (SecretKeys::generate(), Uuid::from_u128(9));
        let by = Attestor { space, key: owner.public().signing };
        let entry = Entry::make(ANN, &SecretKeys::generate(), None);
        let not_after = Timestamp::after(Duration::from_secs(60)).to_string();
        let signature = owner.sign(&attested_bytes(space, ANN, entry.key_id, &not_after));
        let attestation = Attestation { not_after, signature };
        let (key, now) = (entry.key_id, Timestamp::now());
        assert!(attestation.holds(ANN, key, &by, now));
        assert!(!attestation.holds(ANN, key, &by, Timestamp::after(Duration::from_secs(120))));
        assert!(!attestation.holds(Uuid::from_u128(2), key, &by, now));
        assert!(!attestation.holds(ANN, Bytes([0; 16]), &by, now));
        assert!(!attestation.holds(ANN, key, &Attestor { space: ANN, ..by }, now));
    }
}
