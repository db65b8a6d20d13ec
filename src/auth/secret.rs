//! Secrets that the hub issues: a prefix for the kind, and 32 random bytes in hex.

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

/// A secret in plain text: shown once, never stored. Its `Debug` output hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new secret of 256 random bits.
    pub fn generate(prefix: &str) -> Self {
        let mut bytes = [0_u8; 32];
        // Without random bytes no secret would be safe.
        #[allow(clippy::expect_used)]
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        Self::from_bytes(prefix, &bytes)
    }

    /// A secret derived from another one and a label: a retry with the same `Idempotency-Key` gets the same secret without
    /// its being stored. `from` is the other secret itself, not its hash, which is in the database: a reader of the database
    /// must not be able to derive secrets.
    pub fn derive(prefix: &str, from: &[u8], label: &str) -> Self {
        // Hashed with a label of its own, since HMAC would use the plain hash of a long key (RFC 2104 section 2), and the plain
        // hash of a secret is in the database.
        let key = Sha256::new().chain_update(b"hiloop derived secret\0").chain_update(from).finalize();
        // HMAC accepts a key of any length.
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

    /// The first characters, by which people distinguish keys.
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

/// The stored part of an API key, with the command line as its author.
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

/// A new API key: its secret and its stored part.
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
    fn secrets_have_their_form_and_are_unique() {
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
