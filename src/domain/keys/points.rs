//! Decoding keys and signatures, and checks of their points.

use crate::domain::{PrincipalId, Refusal};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::montgomery::MontgomeryPoint;
use ed25519_dalek::VerifyingKey;
use sha2::{Digest as _, Sha256};

pub(super) const KEY: usize = 32;
pub(super) const KEY_ID: usize = 16;
pub(super) const SIGNATURE: usize = 64;

/// The `keyId` of two public keys: Ed25519 and X25519.
pub(super) fn key_id_of(signs: &[u8; KEY], receives: &[u8; KEY]) -> [u8; KEY_ID] {
    let digest = Sha256::new().chain_update(b"hiloop/v2 key\0").chain_update(signs).chain_update(receives).finalize();
    let mut id = [0; KEY_ID];
    id.copy_from_slice(&digest[..KEY_ID]);
    id
}

pub(super) fn signed_by_proof(principal: PrincipalId, signs: &[u8; KEY], receives: &[u8; KEY]) -> Vec<u8> {
    let principal = principal.0.to_string();
    [b"hiloop/v2 entry\0", principal.as_bytes(), b"\0", signs, receives].concat()
}

/// The bytes of canonical base64url without padding, beside its text.
pub(super) fn decoded<const N: usize>(field: &str, text: Option<String>) -> Result<(String, [u8; N]), Refusal> {
    let text = text.ok_or_else(|| Refusal::required(field))?;
    // The engine refuses padding, other characters, and bits behind the last byte.
    let bytes = (text.len() == (N * 8).div_ceil(6)).then(|| URL_SAFE_NO_PAD.decode(&text).ok()).flatten();
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    let problem = || Refusal::invalid(field, &format!("must be the base64url of {N} bytes, without padding"));
    bytes.map(|bytes| (text, bytes)).ok_or_else(problem)
}

/// Checks an X25519 public key: below 2^255 - 19, and with a shared secret that others can't compute.
pub(super) fn check_receiving(field: &str, bytes: [u8; KEY]) -> Result<(), Refusal> {
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
pub(super) fn check_signing(field: &str, bytes: [u8; KEY]) -> Result<VerifyingKey, Refusal> {
    let point = CompressedEdwardsY(bytes).decompress().filter(|point| point.compress().0 == bytes);
    let Some(point) = point else {
        return Err(Refusal::invalid(field, "must be an Ed25519 public key in its canonical encoding"));
    };
    if point.is_small_order() || !point.is_torsion_free() {
        return Err(Refusal::invalid(field, "must not be a point of low order"));
    }
    Ok(VerifyingKey::from(point))
}
