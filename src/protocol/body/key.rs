//! The bodies of public keys, their attestations, and the backup of private keys.

use crate::domain::keys::{Attestation, ProvenKey, SentKey};
use crate::domain::{PrincipalId, Refusal, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// An entry to publish.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({
    "publicKey": "rzjEeExQbKcq0SjxSD-PugZjiso0Jgt7zFVmzPuvsTs",
    "signingKey": "ANe1eUWHygkDWi2syttqmqsTEtoXH6vmYl7jDFykdKw",
    "keyId": "9da0NdXb-Gdh4fYFZPEg4g",
    "proof": "MI2WwHKQYXuUzyyrZhuynk4dyjZIzM67v5ZXcbU7Au7RqnSmP9yo_d0-qgQlbWh7MGFMvBvpkfL_NqOspJf5DA",
})))]
pub struct PublicKeyDraft {
    #[schema(value_type = String, min_length = 43, max_length = 43, pattern = "^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$")]
    pub public_key: Option<String>,
    #[schema(value_type = String, min_length = 43, max_length = 43, pattern = "^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$")]
    pub signing_key: Option<String>,
    #[schema(value_type = String, min_length = 22, max_length = 22, pattern = "^[A-Za-z0-9_-]{21}[AQgw]$")]
    pub key_id: Option<String>,
    #[schema(value_type = String, min_length = 86, max_length = 86, pattern = "^[A-Za-z0-9_-]{85}[AQgw]$")]
    pub proof: Option<String>,
    /// Required to replace an entry without `replace`.
    pub previous: Option<PreviousDraft>,
    /// Replace the current entry although its key has not signed this one; other participants are warned.
    pub replace: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviousDraft {
    #[schema(value_type = String, min_length = 22, max_length = 22, pattern = "^[A-Za-z0-9_-]{21}[AQgw]$")]
    pub key_id: Option<String>,
    #[schema(value_type = String, min_length = 86, max_length = 86, pattern = "^[A-Za-z0-9_-]{85}[AQgw]$")]
    pub signature: Option<String>,
}

/// An attestation to store.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({
    "keyId": "9da0NdXb-Gdh4fYFZPEg4g",
    "notAfter": "2027-03-25T10:30:00.000Z",
    "signature": "MI2WwHKQYXuUzyyrZhuynk4dyjZIzM67v5ZXcbU7Au7RqnSmP9yo_d0-qgQlbWh7MGFMvBvpkfL_NqOspJf5DA",
})))]
pub struct AttestationDraft {
    /// The id of the attested entry, which must be the current one.
    #[schema(value_type = String, min_length = 22, max_length = 22, pattern = "^[A-Za-z0-9_-]{21}[AQgw]$")]
    pub key_id: Option<String>,
    #[schema(value_type = Timestamp)]
    pub not_after: Option<String>,
    #[schema(value_type = String, min_length = 86, max_length = 86, pattern = "^[A-Za-z0-9_-]{85}[AQgw]$")]
    pub signature: Option<String>,
}

impl PublicKeyDraft {
    /// Checks the entry for its principal; an error names the field.
    pub fn check(self, principal: PrincipalId) -> Result<ProvenKey, Refusal> {
        let sent = SentKey {
            public_key: self.public_key,
            signing_key: self.signing_key,
            key_id: self.key_id,
            proof: self.proof,
            previous: self.previous.map(|previous| (previous.key_id, previous.signature)),
            replace: self.replace.unwrap_or(false),
        };
        ProvenKey::check(sent, principal)
    }
}

impl AttestationDraft {
    /// Checks the format; returns the attestation and the `keyId` of the attested entry.
    pub fn check(self) -> Result<(String, Attestation), Refusal> {
        Attestation::check(self.key_id, self.not_after, self.signature)
    }
}

/// The encrypted backup of a human's private keys. Opaque to the hub, and at most 8 KiB; clients write
/// `{keyId, kdf, blob}`.
#[derive(Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object, examples(json!({
    "keyId": "9da0NdXb-Gdh4fYFZPEg4g",
    "kdf": { "name": "argon2id", "m": 65536, "t": 3, "p": 4, "salt": "c2l4dGVlbiBieXRlcy4u" },
    "blob": "bm9uY2UgYW5kIGNpcGhlcnRleHQ",
})))]
pub struct KeyBackup(pub Box<RawValue>);
