//! Passwords: argon2id with the crate's defaults (OWASP's recommended parameters), off the async threads.

mod common;
mod permits;

use crate::domain::Refusal;
use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
pub(super) use permits::{HashPermit, HashPermits};
use std::sync::LazyLock;

/// Shortest password, in characters (NIST SP 800-63B section 3.1.1.2 asks for at least 8).
const MIN_LENGTH: usize = 8;
/// Longest, so that hashing stays bounded.
const MAX_LENGTH: usize = 256;

/// The hash that is verified if there is no such human, so that a reply takes as long either way.
static DUMMY_HASH: LazyLock<String> = LazyLock::new(|| hash_now("a password of no account").unwrap_or_default());

/// Checks a new password of the human with this e-mail address.
pub(super) fn check(field: &str, password: &str, email: &str) -> Result<(), Refusal> {
    check_without_email(field, password)?;
    if password.to_lowercase() == email.to_lowercase() {
        return Err(Refusal::invalid(field, "must not be the e-mail address"));
    }
    Ok(())
}

/// The same without the address.
pub(super) fn check_without_email(field: &str, password: &str) -> Result<(), Refusal> {
    let length = password.chars().count();
    if !(MIN_LENGTH..=MAX_LENGTH).contains(&length) {
        return Err(Refusal::invalid(field, &format!("must have {MIN_LENGTH} to {MAX_LENGTH} characters")));
    }
    if common::is_common(password) {
        return Err(Refusal::invalid(field, "is one of the most common passwords"));
    }
    Ok(())
}

fn hash_now(password: &str) -> Option<String> {
    Argon2::default().hash_password(password.as_bytes()).ok().map(|hash| hash.to_string())
}

pub(super) async fn hash(permit: &HashPermit, password: String) -> Result<String, Refusal> {
    let permit = permit.clone();
    let hashed = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        hash_now(&password)
    });
    hashed.await.ok().flatten().ok_or(Refusal::Internal)
}

/// Whether `password` matches `hash`. Without a hash it never does, and takes as long.
pub(super) async fn verify(permit: &HashPermit, password: String, hash: Option<String>) -> Result<bool, Refusal> {
    if password.len() > 4 * MAX_LENGTH {
        return Ok(false);
    }
    let permit = permit.clone();
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| DUMMY_HASH.clone());
        Argon2::default().verify_password(password.as_bytes(), hash.as_str()).is_ok() && known
    })
    .await
    .map_err(|_| Refusal::Internal)
}
