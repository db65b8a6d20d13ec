//! The bodies of keys that the hub keeps for people.

use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

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
