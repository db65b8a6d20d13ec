//! The content of an envelope, under a fresh key; and that key, wrapped for each recipient.

use super::encoding::{decode, encode, labelled, sha256};
use super::header::Party;
use super::keys::{PublicKeys, SecretKeys};
use super::refusal::Refusal;
use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _};
use hkdf::Hkdf;
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, OpModeR, OpModeS, Serializable as _};
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

const CONTENT: &[u8] = b"hiloop/v2 content";
/// Bytes of an encapsulated key.
const ENCAPSULATED: usize = 32;

type Encapsulated = <X25519HkdfSha256 as hpke::Kem>::EncappedKey;
type Receiver = <X25519HkdfSha256 as hpke::Kem>::PublicKey;

/// The random key of one envelope, from which everything else is derived.
pub(crate) type ContentKey = Zeroizing<[u8; 32]>;

/// What follows from a content key: AES key, nonce and commitment.
pub(super) struct Derived(Zeroizing<[u8; 76]>);

impl Derived {
    pub(super) fn of(key: &ContentKey) -> Self {
        let mut bytes = Zeroizing::new([0; 76]);
        Hkdf::<Sha256>::new(None, key.as_ref())
            .expand(CONTENT, bytes.as_mut())
            .expect("76 bytes are fewer than HKDF can give");
        Self(bytes)
    }

    pub(super) fn commit(&self) -> &[u8] {
        &self.0[44..]
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new_from_slice(&self.0[..32]).expect("32 bytes")
    }

    fn nonce(&self) -> [u8; 12] {
        self.0[32..44].try_into().expect("12 bytes")
    }

    pub(super) fn encrypt(&self, plaintext: &[u8]) -> Vec<u8> {
        let payload = Payload { msg: plaintext, aad: CONTENT };
        self.cipher().encrypt(&self.nonce().into(), payload).expect("a message is shorter than AES-GCM's limit")
    }

    pub(super) fn decrypt(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let payload = Payload { msg: ciphertext, aad: CONTENT };
        let plaintext = self.cipher().decrypt(&self.nonce().into(), payload).map_err(|_| Refusal::Content)?;
        Ok(Zeroizing::new(plaintext))
    }
}

fn info(header: &[u8], recipient: &Party) -> Vec<u8> {
    let (id, key) = (recipient.id.to_string(), recipient.key_id.to_string());
    labelled("hiloop/v2 wrap", &[&sha256(header), id.as_bytes(), b"\0", key.as_bytes()])
}

/// The content key for one recipient; `None` where its public key is of low order.
pub(super) fn wrap(key: &ContentKey, header: &[u8], recipient: &Party, keys: &PublicKeys) -> Option<String> {
    let receiver = Receiver::from_bytes(&keys.receiving.0).ok()?;
    let (encapsulated, ciphertext) = hpke::single_shot_seal::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &receiver,
        &info(header, recipient),
        key.as_ref(),
        &[],
    )
    .ok()?;
    Some(encode([encapsulated.to_bytes().as_slice(), &ciphertext].concat()))
}

/// Whether something can be wrapped for these keys: a point of low order takes nothing.
pub(super) fn can_receive(keys: &PublicKeys) -> bool {
    let nobody = Party { id: Uuid::nil(), key_id: keys.key_id() };
    wrap(&Zeroizing::default(), b"", &nobody, keys).is_some()
}

/// The content key that was wrapped for `recipient`, which has these keys.
pub(super) fn unwrap(
    wrapped: &str,
    header: &[u8],
    recipient: &Party,
    keys: &SecretKeys,
) -> Result<ContentKey, Refusal> {
    let bytes = decode(wrapped).ok_or(Refusal::Malformed("wrappedKey"))?;
    let (encapsulated, ciphertext) = bytes.split_at_checked(ENCAPSULATED).ok_or(Refusal::Unwrap)?;
    let encapsulated = Encapsulated::from_bytes(encapsulated).map_err(|_| Refusal::Unwrap)?;
    let key = hpke::single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &keys.receiving(),
        &encapsulated,
        &info(header, recipient),
        ciphertext,
        &[],
    )
    .map_err(|_| Refusal::Unwrap)?;
    let key = Zeroizing::new(key);
    Ok(Zeroizing::new(key.as_slice().try_into().map_err(|_| Refusal::Unwrap)?))
}
