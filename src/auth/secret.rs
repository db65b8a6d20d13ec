//! Secrets that the hub hands out: a prefix that says what it is, and 32 random bytes in hex.

use crate::domain::{AgentId, Author, KeyId, Permission, SpaceId, Timestamp};
use crate::store::{NewKey, SecretHash};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest, Sha256};
use std::fmt;

/// Prefixes by kind (contract section 2).
pub const API_KEY: &str = "hlp_";
pub const PROVISIONER_KEY: &str = "hlp_prov_";
pub const GUEST_TOKEN: &str = "hlg_";
pub const REFRESH_TOKEN: &str = "hlr_";
pub const SETUP_TOKEN: &str = "hls_";

/// A secret in the clear: shown once, never stored. Its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new secret of 256 random bits.
    pub fn generate(prefix: &str) -> Self {
        let mut bytes = [0_u8; 32];
        // Without randomness from the operating system nothing here is safe; there is no way to go on.
        #[allow(clippy::expect_used)]
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        Self::from_bytes(prefix, &bytes)
    }

    /// The secret that follows from another one and a label: a retry with the same `Idempotency-Key` finds the same
    /// secret again without its being stored. `from` is the other secret itself, not its hash: that one stands in the
    /// store, and nobody who reads the store may find a secret.
    pub fn derive(prefix: &str, from: &[u8], label: &str) -> Self {
        // HMAC hashes a key that is longer than a block (RFC 2104 section 2), and the plain hash of a secret stands in
        // the store: so the key is a hash that nothing else is.
        let key = Sha256::new().chain_update(b"hiloop derived secret\0").chain_update(from).finalize();
        // A key of any length will do.
        #[allow(clippy::expect_used)]
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key of any length");
        mac.update(label.as_bytes());
        Self::from_bytes(prefix, &mac.finalize().into_bytes())
    }

    fn from_bytes(prefix: &str, bytes: &[u8]) -> Self {
        use fmt::Write as _;
        let mut text = String::with_capacity(prefix.len() + 64);
        text.push_str(prefix);
        for byte in bytes {
            // Writing to a String can't fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn hash(&self) -> SecretHash {
        hash(&self.0)
    }

    /// Enough of it to tell keys apart, far too little to guess the rest.
    pub fn shown_prefix(&self) -> String {
        let random = self.0.len().saturating_sub(64);
        self.0.chars().take(random + 6).collect()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The prefix of a key's secret.
pub fn key_prefix(permission: Permission) -> &'static str {
    if permission == Permission::Provision { PROVISIONER_KEY } else { API_KEY }
}

/// What the store keeps of an API key, as if the command line made it.
pub fn api_key(
    id: KeyId,
    secret: &Secret,
    space: SpaceId,
    permission: Permission,
    agent: Option<AgentId>,
    expires_at: Option<Timestamp>,
) -> NewKey {
    NewKey {
        id,
        space,
        hash: secret.hash(),
        prefix: secret.shown_prefix(),
        permission,
        agent,
        expires_at,
        created_by: Author::command_line(),
        created_by_key: None,
    }
}

/// A new API key: its secret, and what the store keeps of it.
pub fn new_api_key(
    space: SpaceId,
    permission: Permission,
    agent: Option<AgentId>,
    expires_at: Option<Timestamp>,
) -> (Secret, NewKey) {
    let secret = Secret::generate(key_prefix(permission));
    let key = api_key(KeyId::new(), &secret, space, permission, agent, expires_at);
    (secret, key)
}

/// SHA-256: these secrets are random, so a fast hash is enough (unlike passwords).
pub fn hash(secret: &str) -> SecretHash {
    Sha256::digest(secret.as_bytes()).into()
}

/// Whether `text` is `prefix` and 64 lowercase hex digits.
pub fn has_form(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_their_form_and_don_t_repeat() {
        let (one, two) = (Secret::generate(API_KEY), Secret::generate(API_KEY));
        assert!(has_form(one.as_str(), API_KEY));
        assert_ne!(one, two);
        assert!(!has_form(&one.as_str().to_uppercase(), API_KEY));
        assert_eq!(one.shown_prefix().len(), 10);
        assert_eq!(format!("{one:?}"), "Secret(…)");
        let derived = |from: &Secret, label| Secret::derive(GUEST_TOKEN, from.as_str().as_bytes(), label);
        assert_eq!(derived(&one, "a"), derived(&one, "a"));
        assert_ne!(derived(&one, "a"), derived(&one, "b"));
        assert_ne!(derived(&one, "a"), derived(&two, "a"));
        assert_ne!(derived(&one, "a"), Secret::derive(GUEST_TOKEN, &one.hash(), "a"), "the store holds this hash");
    }
}
