//! Entries of public keys (end-to-end encryption, scheme `hiloop/v2`): the checks of an entry, and which entry may replace
//! another. Only clients use the keys.

use super::{ParticipantId, PrincipalId, Refusal, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::montgomery::MontgomeryPoint;
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

const KEY: usize = 32;
const KEY_ID: usize = 16;
const SIGNATURE: usize = 64;
/// Longest spelling of a time that is accepted where its text is kept.
const MAX_TIME: usize = 40;

/// The public keys of an agent, human or guest, with the proof that whoever holds the private keys made this entry for
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

/// What the owner of a space says of an entry with a key that is kept offline. The hub does not verify it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attestation {
    /// When it ends; the text as it was signed.
    pub not_after: String,
    #[schema(min_length = 86, max_length = 86, pattern = "^[A-Za-z0-9_-]{85}[AQgw]$")]
    pub signature: String,
}

/// A key entry of somebody who takes part, or once took part, in a session.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionKey {
    /// Who they are in the session, or were when they last took part.
    pub participant_id: ParticipantId,
    /// The agent, human or guest.
    pub principal_id: PrincipalId,
    #[serde(flatten)]
    pub entry: KeyEntry,
    /// When the next entry took its place; null for the current one.
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
    key_id: String,
    proof: String,
    previous: Option<(PreviousKey, Signature)>,
    replace: bool,
    /// What `proof` signs, and `previous` too.
    signed: Vec<u8>,
}

/// How a proven entry relates to the current entry of its principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is the current one already.
    Current,
    /// The first one, or one that takes the place of another; for that one, whether the other's key signed it.
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

    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// How it relates to `current`, the entry that its principal has at `now`.
    ///
    /// A `previous` that is no good signature of the current key counts as none, and is not kept.
    pub fn against(&self, current: Option<&KeyEntry>, now: Timestamp) -> Result<Standing, Refusal> {
        if current.is_some_and(|current| current.key_id == self.key_id) {
            return Ok(Standing::Current);
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
        Ok(Standing::New { chained, entry: Box::new(entry) })
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

/// The `keyId` of two public keys: Ed25519 and X25519.
fn key_id_of(signs: &[u8; KEY], receives: &[u8; KEY]) -> [u8; KEY_ID] {
    let digest = Sha256::new().chain_update(b"hiloop/v2 key\0").chain_update(signs).chain_update(receives).finalize();
    let mut id = [0; KEY_ID];
    id.copy_from_slice(&digest[..KEY_ID]);
    id
}

fn signed_by_proof(principal: PrincipalId, signs: &[u8; KEY], receives: &[u8; KEY]) -> Vec<u8> {
    let principal = principal.0.to_string();
    [b"hiloop/v2 entry\0", principal.as_bytes(), b"\0", signs, receives].concat()
}

/// The bytes of canonical base64url without padding, beside its text.
fn decoded<const N: usize>(field: &str, text: Option<String>) -> Result<(String, [u8; N]), Refusal> {
    let text = text.ok_or_else(|| Refusal::required(field))?;
    // The engine refuses padding, other characters, and bits behind the last byte.
    let bytes = (text.len() == (N * 8).div_ceil(6)).then(|| URL_SAFE_NO_PAD.decode(&text).ok()).flatten();
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    let problem = || Refusal::invalid(field, &format!("must be the base64url of {N} bytes, without padding"));
    bytes.map(|bytes| (text, bytes)).ok_or_else(problem)
}

/// Checks an X25519 public key: below 2^255 - 19, and with a shared secret that others can't know.
fn check_receiving(field: &str, bytes: [u8; KEY]) -> Result<(), Refusal> {
    let below_prime = bytes[31] < 0x7f || bytes[1..31].iter().any(|byte| *byte != 0xff) || bytes[0] < 0xed;
    if bytes[31] > 0x7f || !below_prime {
        return Err(Refusal::invalid(field, "must be an X25519 public key in its canonical encoding"));
    }
    // Any clamped scalar takes a point of low order, on the curve or its twist, to zero, and no other.
    if MontgomeryPoint(bytes).mul_clamped([0; KEY]).0 == [0; KEY] {
        return Err(Refusal::invalid(field, "must not be a point of low order"));
    }
    Ok(())
}

/// Checks an Ed25519 public key: canonical, and of the prime order, as every honestly made one is. On one with a
/// component of low order verifiers may disagree.
fn check_signing(field: &str, bytes: [u8; KEY]) -> Result<VerifyingKey, Refusal> {
    let point = CompressedEdwardsY(bytes).decompress().filter(|point| point.compress().0 == bytes);
    let Some(point) = point else {
        return Err(Refusal::invalid(field, "must be an Ed25519 public key in its canonical encoding"));
    };
    if point.is_small_order() || !point.is_torsion_free() {
        return Err(Refusal::invalid(field, "must not be a point of low order"));
    }
    Ok(VerifyingKey::from(point))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::body::PublicKeyDraft;
    use ed25519_dalek::{Signer as _, SigningKey};
    use serde_json::{Value, json};

    const NOW: Timestamp = Timestamp(1_774_434_600_000);

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../tests/vectors/e2e-v2.json")).expect("JSON")
    }

    fn draft(entry: &Value) -> PublicKeyDraft {
        serde_json::from_value(entry.clone()).expect("an entry")
    }

    fn id(text: &Value) -> PrincipalId {
        text.as_str().expect("a string").parse().expect("an id")
    }

    /// The entry that takes the place of `current`, and whether that one's key signed it.
    fn placed(proven: &ProvenKey, current: Option<&KeyEntry>) -> (KeyEntry, Option<bool>) {
        match proven.against(current, NOW).expect("taken") {
            Standing::New { chained, entry } => (*entry, chained),
            Standing::Current => panic!("it is the current one"),
        }
    }

    /// Checks that the entry is refused by this field.
    #[track_caller]
    fn refused(entry: &Value, principal: PrincipalId, field: &str) {
        let refusal = draft(entry).check(principal).expect_err("refused");
        let Refusal::Invalid(text) = &refusal else { panic!("{refusal:?}") };
        assert!(text.starts_with(&format!("Field '{field}'")), "{text}");
    }

    #[test]
    fn the_published_entries_hold_and_their_rotation_is_chained() {
        let vectors = vectors();
        for identity in vectors["identities"].as_object().expect("identities").values() {
            let proven = draft(&identity["entry"]).check(id(&identity["id"])).expect("it holds");
            assert_eq!(proven.key_id(), identity["keyId"]);
            let (entry, chained) = placed(&proven, None);
            let sent = &identity["entry"];
            let kept = json!(entry);
            assert_eq!(chained, None);
            for field in ["publicKey", "signingKey", "keyId", "proof"] {
                assert_eq!(kept[field], sent[field]);
            }
        }
        let ann = &vectors["identities"]["ann"];
        let principal = id(&vectors["rotation"]["principal"]);
        let (first, _) = placed(&draft(&ann["entry"]).check(principal).expect("it holds"), None);
        let next = draft(&vectors["rotation"]["entry"]).check(principal).expect("it holds");
        let (second, chained) = placed(&next, Some(&first));
        assert_eq!(chained, Some(true));
        assert_eq!(json!(second)["previous"], vectors["rotation"]["entry"]["previous"]);
        // Entries of one principal are in the order of their times, though the clock stands still.
        assert!(second.created_at > first.created_at);
        assert_eq!(next.against(Some(&second), NOW).expect("taken"), Standing::Current);
        // The older one again is a change that nobody signed.
        let replayed = draft(&ann["entry"]).check(principal).expect("it holds by itself");
        assert_eq!(replayed.against(Some(&second), NOW).expect_err("refused"), Refusal::KeyExists);
    }

    #[test]
    fn the_entry_of_somebody_else_is_no_proof() {
        let vectors = vectors();
        let (ann, guest) = (&vectors["identities"]["ann"], &vectors["identities"]["guest"]);
        refused(&ann["entry"], id(&guest["id"]), "proof");
        // Nor is one whose parts come of two.
        let mut mixed = ann["entry"].clone();
        mixed["publicKey"] = guest["entry"]["publicKey"].clone();
        refused(&mixed, id(&ann["id"]), "keyId");
        let mut mixed = ann["entry"].clone();
        mixed["keyId"] = guest["entry"]["keyId"].clone();
        refused(&mixed, id(&ann["id"]), "keyId");
        let mut mixed = ann["entry"].clone();
        mixed["proof"] = guest["entry"]["proof"].clone();
        refused(&mixed, id(&ann["id"]), "proof");
    }

    /// An entry of these public keys with a right `keyId`, signed by `signer`.
    fn entry_of(signs: [u8; KEY], receives: [u8; KEY], signer: &SigningKey, principal: PrincipalId) -> Value {
        let proof = signer.sign(&signed_by_proof(principal, &signs, &receives)).to_bytes();
        json!({
            "publicKey": URL_SAFE_NO_PAD.encode(receives),
            "signingKey": URL_SAFE_NO_PAD.encode(signs),
            "keyId": URL_SAFE_NO_PAD.encode(key_id_of(&signs, &receives)),
            "proof": URL_SAFE_NO_PAD.encode(proof),
        })
    }

    fn bytes(hex: &str) -> [u8; KEY] {
        let mut bytes = [0; KEY];
        for (byte, digits) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).expect("text"), 16).expect("hex");
        }
        bytes
    }

    #[test]
    fn points_that_are_weak_or_not_canonical_are_refused() {
        let signer = SigningKey::from_bytes(&[7; 32]);
        let (signs, receives) = (signer.verifying_key().to_bytes(), MontgomeryPoint::mul_base_clamped([9; 32]).0);
        let principal = PrincipalId(uuid::Uuid::now_v7());
        assert!(draft(&entry_of(signs, receives, &signer, principal)).check(principal).is_ok());
        // Of order 1, 2, 4 and 8, on the curve and on its twist, and what is above the prime or has a spare bit.
        for receives in [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0900000000000000000000000000000000000000000000000000000000000080",
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        ] {
            refused(&entry_of(signs, bytes(receives), &signer, principal), principal, "publicKey");
        }
        for low in curve25519_dalek::constants::EIGHT_TORSION {
            let weak = low.compress().0;
            refused(&entry_of(weak, receives, &signer, principal), principal, "signingKey");
            // A good key and a component of low order: verifiers may disagree on it.
            let good = CompressedEdwardsY(signs).decompress().expect("a point");
            let mixed = (good + low).compress().0;
            if mixed != signs {
                refused(&entry_of(mixed, receives, &signer, principal), principal, "signingKey");
            }
        }
        for signs in [
            // Above the prime, with and without the sign, and a negative zero.
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0100000000000000000000000000000000000000000000000000000000000080",
            // On no curve.
            "0200000000000000000000000000000000000000000000000000000000000000",
        ] {
            refused(&entry_of(bytes(signs), receives, &signer, principal), principal, "signingKey");
        }
    }

    #[test]
    fn only_canonical_base64url_is_read() {
        let vectors = vectors();
        let ann = &vectors["identities"]["ann"];
        for (field, length) in [("publicKey", 43), ("signingKey", 43), ("keyId", 22), ("proof", 86)] {
            let good = ann["entry"][field].as_str().expect("text");
            assert_eq!(good.len(), length);
            // The same bytes by another spelling: padded, of the other alphabet, or with bits behind the last byte.
            let last = good.chars().last().expect("one");
            let bits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let next = bits.chars().nth(bits.find(last).expect("a digit") + 1).expect("another");
            let spelled = format!("{}{next}", &good[..length - 1]);
            let wrong =
                [format!("{good}="), format!("{good}=="), good.replace(['-', '_'], "+") + "/", spelled, String::new()];
            for wrong in wrong {
                let mut entry = ann["entry"].clone();
                entry[field] = json!(wrong);
                refused(&entry, id(&ann["id"]), field);
            }
            let mut entry = ann["entry"].clone();
            entry.as_object_mut().expect("an object").remove(field);
            refused(&entry, id(&ann["id"]), field);
        }
        for field in ["keyId", "signature"] {
            let mut entry = vectors["rotation"]["entry"].clone();
            entry["previous"][field] = json!("AAAA");
            refused(&entry, id(&ann["id"]), &format!("previous.{field}"));
        }
    }

    #[test]
    fn a_change_needs_the_current_key_or_to_be_asked_for() {
        let principal = PrincipalId(uuid::Uuid::now_v7());
        let keys = |seed: u8| {
            let signer = SigningKey::from_bytes(&[seed; 32]);
            let receives = MontgomeryPoint::mul_base_clamped([seed; 32]).0;
            let entry = entry_of(signer.verifying_key().to_bytes(), receives, &signer, principal);
            let signed = signed_by_proof(principal, &signer.verifying_key().to_bytes(), &receives);
            (signer, entry, signed)
        };
        let ((first, one, _), (second, _, _), (_, three, signed)) = (keys(1), keys(2), keys(3));
        let (current, _) = placed(&draft(&one).check(principal).expect("it holds"), None);
        let with = |key_id: &str, signer: &SigningKey, replace: bool| {
            let mut entry = three.clone();
            let signature = URL_SAFE_NO_PAD.encode(signer.sign(&signed).to_bytes());
            entry["previous"] = json!({ "keyId": key_id, "signature": signature });
            entry["replace"] = json!(replace);
            draft(&entry).check(principal).expect("it holds by itself")
        };
        let (entry, chained) = placed(&with(&current.key_id, &first, false), Some(&current));
        assert_eq!((entry.previous.is_some(), chained), (true, Some(true)));
        let (other_id, _) = placed(&draft(&keys(4).1).check(principal).expect("it holds"), None);
        // The signature of another key, or of the right one under another name, is none, and is not kept.
        for (key_id, signer) in [(&current.key_id, &second), (&other_id.key_id, &first)] {
            let refusal = with(key_id, signer, false).against(Some(&current), NOW).expect_err("refused");
            assert_eq!(refusal, Refusal::KeyExists);
            let (entry, chained) = placed(&with(key_id, signer, true), Some(&current));
            assert_eq!((entry.previous, chained), (None, Some(false)));
        }
        let (entry, chained) = placed(&with(&current.key_id, &first, false), None);
        assert_eq!((entry.previous, chained), (None, None));
        // What one principal signed is nothing for another.
        let other = PrincipalId(uuid::Uuid::now_v7());
        refused(&three, other, "proof");
    }
}
