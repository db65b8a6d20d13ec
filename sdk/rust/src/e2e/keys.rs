//! The two key pairs of a principal: Ed25519 to sign, X25519 to receive.

use super::encoding::{Bytes, KeyId, decode, encode, labelled, random, sha256};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem as _, Serializable as _};
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

type ReceivingKey = <X25519HkdfSha256 as hpke::Kem>::PrivateKey;

/// The public keys of a principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKeys {
    /// Ed25519.
    pub signing: Bytes<32>,
    /// X25519.
    pub receiving: Bytes<32>,
}

impl PublicKeys {
    /// The id of the pair.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        let hash = sha256(labelled("hiloop/v2 key", &[&self.signing.0, &self.receiving.0]));
        let mut id = [0; 16];
        id.copy_from_slice(&hash[..16]);
        Bytes(id)
    }

    /// Whether `signature` of `bytes` is good, strictly (RFC 8032).
    pub(crate) fn has_signed(&self, bytes: &[u8], signature: &[u8; 64]) -> bool {
        verify(&self.signing.0, bytes, signature)
    }
}

/// Verifies an Ed25519 signature strictly: no key or nonce of low order, one encoding only.
pub(crate) fn verify(key: &[u8; 32], bytes: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify_strict(bytes, &Signature::from_bytes(signature)).is_ok())
}

/// The private keys of a principal. They are erased from memory when they are dropped.
#[derive(Clone)]
pub struct SecretKeys {
    signing: SigningKey,
    receiving: Zeroizing<[u8; 32]>,
    public: PublicKeys,
}

impl SecretKeys {
    /// New keys.
    ///
    /// # Panics
    /// If the operating system gives no random bytes.
    #[must_use]
    pub fn generate() -> Self {
        let (seed, receiving) = (Zeroizing::new(random::<32>()), Zeroizing::new(random::<32>()));
        Self::of(&seed, receiving)
    }

    /// The keys in base64url of 64 bytes: Ed25519 seed, X25519 secret.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(decode(text.trim())?);
        let (seed, receiving) = bytes.split_at_checked(32)?;
        let receiving = Zeroizing::new(receiving.try_into().ok()?);
        Some(Self::of(seed.try_into().ok()?, receiving))
    }

    /// The keys as text. Keep it as you keep a password.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; 64]);
        bytes[..32].copy_from_slice(self.signing.as_bytes());
        bytes[32..].copy_from_slice(self.receiving.as_ref());
        Zeroizing::new(encode(bytes.as_ref()))
    }

    fn of(seed: &[u8; 32], receiving: Zeroizing<[u8; 32]>) -> Self {
        let signing = SigningKey::from_bytes(seed);
        let key = private(&receiving);
        let mut public = [0; 32];
        X25519HkdfSha256::sk_to_pk(&key).write_exact(&mut public);
        let public = PublicKeys { signing: Bytes(signing.verifying_key().to_bytes()), receiving: Bytes(public) };
        Self { signing, receiving, public }
    }

    /// The public halves.
    #[must_use]
    pub fn public(&self) -> &PublicKeys {
        &self.public
    }

    pub(crate) fn key_id(&self) -> KeyId {
        self.public.key_id()
    }

    pub(crate) fn sign(&self, bytes: &[u8]) -> Bytes<64> {
        Bytes(self.signing.sign(bytes).to_bytes())
    }

    /// HMAC-SHA256 under the Ed25519 seed: what only the holder of these keys can derive.
    pub(crate) fn derive(&self, input: &[u8]) -> [u8; 32] {
        let mac = Hmac::<Sha256>::new_from_slice(self.signing.as_bytes()).expect("any length is a key of HMAC");
        mac.chain_update(input).finalize().into_bytes().into()
    }

    pub(super) fn receiving(&self) -> ReceivingKey {
        private(&self.receiving)
    }
}

fn private(bytes: &[u8; 32]) -> ReceivingKey {
    ReceivingKey::from_bytes(bytes).expect("any 32 bytes are an X25519 secret")
}

impl fmt::Debug for SecretKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKeys").field("key_id", &self.key_id()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_same_as_text() {
        let keys = SecretKeys::generate();
        let same = SecretKeys::from_text(&keys.to_text()).expect("keys");
        assert_eq!(same.public(), keys.public());
        assert!(keys.public().has_signed(b"text", &same.sign(b"text").0));
        assert!(!keys.public().has_signed(b"other", &same.sign(b"text").0));
        for bad in ["", "AAAA", &keys.to_text()[1..]] {
            assert!(SecretKeys::from_text(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let keys = SecretKeys::generate();
        let shown = format!("{keys:?}");
        assert!(shown.contains(&keys.key_id().to_string()) && !shown.contains(&keys.to_text()[..8]), "{shown}");
    }
}
