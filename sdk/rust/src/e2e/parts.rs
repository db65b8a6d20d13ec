//! An envelope of the scheme, taken apart and put together.

use super::content::{ContentKey, Derived};
use super::encoding::{Bytes, Digest, decode, encode, sha256};
use super::header::{Header, digest, signed_bytes};
use super::json;
use super::keys::PublicKeys;
use super::refusal::Refusal;
use crate::types::envelope::Envelope;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The name of the scheme.
pub(crate) const SCHEME: &str = "hiloop/v2";

/// The content key of an envelope, for one recipient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wrapping {
    pub(super) recipient_id: Uuid,
    pub(super) recipient_key_id: Bytes<16>,
    pub(super) wrapped_key: String,
}

/// The parts of an envelope.
pub(super) struct Parts {
    pub(super) header: Header,
    /// The header as it was signed.
    pub(super) bytes: Vec<u8>,
    pub(super) signature: Bytes<64>,
    pub(super) ciphertext: Vec<u8>,
    pub(super) wrappings: Vec<Wrapping>,
}

impl Parts {
    pub(super) fn read(envelope: &Envelope) -> Result<Self, Refusal> {
        if envelope.scheme.as_deref() != Some(SCHEME) {
            return Err(Refusal::Scheme);
        }
        let text = |name| envelope.rest.get(name).and_then(Value::as_str).ok_or(Refusal::Malformed(name));
        let bytes = decode(text("header")?).ok_or(Refusal::Malformed("header"))?;
        let wrappings = envelope.wrappings.iter().map(Wrapping::deserialize).collect::<Result<_, _>>();
        Ok(Self {
            header: Header::parse(&bytes)?,
            bytes,
            signature: text("signature")?.parse().map_err(|_| Refusal::Malformed("signature"))?,
            ciphertext: decode(&envelope.ciphertext).ok_or(Refusal::Malformed("ciphertext"))?,
            wrappings: wrappings.map_err(|_| Refusal::Malformed("wrappings"))?,
        })
    }

    pub(super) fn to_envelope(&self) -> Envelope {
        let rest = [("header", json!(encode(&self.bytes))), ("signature", json!(self.signature))];
        Envelope {
            scheme: Some(SCHEME.to_owned()),
            ciphertext: encode(&self.ciphertext),
            wrappings: self.wrappings.iter().map(|wrapping| json!(wrapping)).collect(),
            rest: Map::from_iter(rest.map(|(name, value)| (name.to_owned(), value))),
        }
    }

    pub(super) fn digest(&self) -> Digest {
        digest(&self.bytes)
    }

    /// Checks that the sender signed the header, and this ciphertext with it.
    pub(super) fn check_signed_by(&self, sender: &PublicKeys) -> Result<(), Refusal> {
        if !sender.has_signed(&signed_bytes(&self.bytes), &self.signature.0) {
            return Err(Refusal::Signature);
        }
        if sha256(&self.ciphertext) != self.header.ct.0 {
            return Err(Refusal::Ciphertext);
        }
        Ok(())
    }

    /// Whether the header commits to this content key.
    pub(super) fn is_committed_to(&self, key: &ContentKey) -> bool {
        Derived::of(key).commit() == self.header.commit.0
    }

    /// The content, under the content key that the header commits to.
    pub(super) fn content(&self, key: &ContentKey) -> Result<Value, Refusal> {
        let derived = Derived::of(key);
        if derived.commit() != self.header.commit.0 {
            return Err(Refusal::Commit);
        }
        json::parse(&derived.decrypt(&self.ciphertext)?).filter(Value::is_object).ok_or(Refusal::Content)
    }
}
