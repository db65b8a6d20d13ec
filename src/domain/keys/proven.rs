//! Checks of an entry that was sent, and whether it may replace the current one.

use super::points::{KEY, KEY_ID, SIGNATURE, check_receiving, check_signing, decoded, key_id_of, signed_by_proof};
use super::{Attestation, KeyEntry, PreviousKey};
use crate::domain::{PrincipalId, Refusal, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};

/// Longest spelling of a time that is accepted where its text is kept.
const MAX_TIME: usize = 40;

/// An entry as it was sent: texts that are not checked yet.
#[derive(Debug)]
pub struct SentKey {
    pub public_key: Option<String>,
    pub signing_key: Option<String>,
    pub key_id: Option<String>,
    pub proof: Option<String>,
    /// The `keyId` and the signature of the key before.
    pub previous: Option<(Option<String>, Option<String>)>,
    pub replace: bool,
}

/// An entry that holds by itself: its points, its `keyId` and its `proof` are good.
#[derive(Clone, Debug)]
pub struct ProvenKey {
    public_key: String,
    signing_key: String,
    pub(super) key_id: String,
    proof: String,
    previous: Option<(PreviousKey, Signature)>,
    replace: bool,
    /// The bytes that `proof` and `previous` sign.
    signed: Vec<u8>,
}

/// How a proven entry relates to the current entry of its principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// It is the current one already.
    Current,
    /// The first one, or one that replaces another; then with whether the other's key signed it.
    New { chained: Option<bool>, entry: Box<KeyEntry> },
}

impl ProvenKey {
    /// Checks the entry for its principal; an error names the field.
    pub fn check(sent: SentKey, principal: PrincipalId) -> Result<Self, Refusal> {
        let (public_key, receives) = decoded::<KEY>("publicKey", sent.public_key)?;
        let (signing_key, signs) = decoded::<KEY>("signingKey", sent.signing_key)?;
        let (key_id, id) = decoded::<KEY_ID>("keyId", sent.key_id)?;
        let (proof, signature) = decoded::<SIGNATURE>("proof", sent.proof)?;
        let previous = sent.previous.map(|(key_id, signature)| -> Result<_, Refusal> {
            let (key_id, _) = decoded::<KEY_ID>("previous.keyId", key_id)?;
            let (signature, bytes) = decoded::<SIGNATURE>("previous.signature", signature)?;
            Ok((PreviousKey { key_id, signature }, Signature::from_bytes(&bytes)))
        });
        let previous = previous.transpose()?;
        check_receiving("publicKey", receives)?;
        let verifier = check_signing("signingKey", signs)?;
        if key_id_of(&signs, &receives) != id {
            let problem = "must be the first 16 bytes of SHA-256(\"hiloop/v2 key\", 00, signingKey, publicKey)";
            return Err(Refusal::invalid("keyId", problem));
        }
        let signed = signed_by_proof(principal, &signs, &receives);
        if verifier.verify_strict(&signed, &Signature::from_bytes(&signature)).is_err() {
            let problem = "must be the signature of this entry for the principal that sends it, by its 'signingKey'";
            return Err(Refusal::invalid("proof", problem));
        }
        Ok(Self { public_key, signing_key, key_id, proof, previous, replace: sent.replace, signed })
    }

    /// How it relates to `current`, the entry that its principal has at `now`.
    ///
    /// A `previous` that is no good signature of the current key counts as none, and is not kept.
    pub fn against(&self, current: Option<&KeyEntry>, now: Timestamp) -> Result<Placement, Refusal> {
        if current.is_some_and(|current| current.key_id == self.key_id) {
            return Ok(Placement::Current);
        }
        let previous = current.and_then(|current| self.signed_by(current));
        let chained = current.map(|_| previous.is_some());
        if chained == Some(false) && !self.replace {
            return Err(Refusal::KeyExists);
        }
        // Entries of one principal are in the order of their times, whichever node's clock gave them.
        let created_at = current.map_or(now, |current| now.max(current.created_at.plus_millis(1)));
        let entry = KeyEntry {
            public_key: self.public_key.clone(),
            signing_key: self.signing_key.clone(),
            key_id: self.key_id.clone(),
            proof: self.proof.clone(),
            previous: previous.cloned(),
            attestation: None,
            created_at,
        };
        Ok(Placement::New { chained, entry: Box::new(entry) })
    }

    /// `previous`, if the key of `current` signed this entry.
    fn signed_by(&self, current: &KeyEntry) -> Option<&PreviousKey> {
        let (previous, signature) = self.previous.as_ref().filter(|(previous, _)| previous.key_id == current.key_id)?;
        let bytes: [u8; KEY] = URL_SAFE_NO_PAD.decode(&current.signing_key).ok()?.try_into().ok()?;
        let key = VerifyingKey::from_bytes(&bytes).ok()?;
        key.verify_strict(&self.signed, signature).is_ok().then_some(previous)
    }
}

impl Attestation {
    /// Checks the form of an attestation as it was sent; returns it with the `keyId` that it is for.
    pub fn check(
        key_id: Option<String>,
        not_after: Option<String>,
        signature: Option<String>,
    ) -> Result<(String, Self), Refusal> {
        let (key_id, _) = decoded::<KEY_ID>("keyId", key_id)?;
        let not_after = not_after.ok_or_else(|| Refusal::required("notAfter"))?;
        if not_after.len() > MAX_TIME || Timestamp::parse(&not_after).is_none() {
            return Err(Refusal::invalid("notAfter", "must be a time like 2026-03-25T10:30:00.000Z"));
        }
        let (signature, _) = decoded::<SIGNATURE>("signature", signature)?;
        Ok((key_id, Self { not_after, signature }))
    }
}
