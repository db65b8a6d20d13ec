//! Key pairs of scheme `hiloop/v2`, and the entries that publish them.

use super::client::Client;
use super::hub::text;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use curve25519_dalek::montgomery::MontgomeryPoint;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What a principal signs and receives with.
#[derive(Clone)]
pub struct Keys {
    signing: SigningKey,
    /// X25519.
    pub receiving: [u8; 32],
}

impl Keys {
    pub fn generate() -> Self {
        let receiving = MontgomeryPoint::mul_base_clamped(rand::random()).to_bytes();
        Self { signing: SigningKey::from_bytes(&rand::random()), receiving }
    }

    /// Keys with a given public encryption key.
    pub fn with_receiving(&self, receiving: [u8; 32]) -> Self {
        Self { receiving, ..self.clone() }
    }

    pub fn signing_key(&self) -> [u8; 32] {
        self.signing.verifying_key().to_bytes()
    }

    pub fn id(&self) -> String {
        id_of(self.signing_key(), self.receiving)
    }

    pub fn sign(&self, message: &[u8]) -> String {
        base64url(&self.signing.sign(message).to_bytes())
    }

    /// The bytes that the proof of an entry of these keys signs.
    pub fn claim(&self, principal: &str) -> Vec<u8> {
        [b"hiloop/v2 entry\0", principal.as_bytes(), b"\0", &self.signing_key(), &self.receiving].concat()
    }

    /// An entry of these keys for a principal.
    pub fn entry(&self, principal: &str) -> Value {
        json!({
            "publicKey": base64url(&self.receiving),
            "signingKey": base64url(&self.signing_key()),
            "keyId": self.id(),
            "proof": self.sign(&self.claim(principal)),
        })
    }

    /// The same, signed by the keys that these replace.
    pub fn entry_after(&self, before: &Self, principal: &str) -> Value {
        let mut entry = self.entry(principal);
        entry["previous"] = json!({ "keyId": before.id(), "signature": before.sign(&self.claim(principal)) });
        entry
    }

    /// The same, with `replace`.
    pub fn entry_instead(&self, principal: &str) -> Value {
        let mut entry = self.entry(principal);
        entry["replace"] = json!(true);
        entry
    }
}

/// The `keyId` of two public keys.
pub fn id_of(signing: [u8; 32], receiving: [u8; 32]) -> String {
    let digest = Sha256::new().chain_update(b"hiloop/v2 key\0").chain_update(signing).chain_update(receiving);
    base64url(&digest.finalize()[..16])
}

/// The id of a client, and the path where it publishes its keys.
pub async fn publisher(client: &Client) -> (String, &'static str) {
    let is_agent = client.headers.iter().any(|(name, _)| *name == "x-api-key");
    let (me, path) =
        if is_agent { ("/v1/agent/me", "/v1/agent/public-key") } else { ("/v1/human/me", "/v1/human/public-key") };
    (text(&client.get(me).await.expect(200)["id"]).to_owned(), path)
}

/// Publishes the first keys of a client; these, and its id.
pub async fn publish(client: &Client) -> (Keys, String) {
    let keys = Keys::generate();
    let (id, path) = publisher(client).await;
    client.put(path, keys.entry(&id)).await.expect(200);
    (keys, id)
}
