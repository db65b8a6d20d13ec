//! Safety numbers: 60 digits that two principals compare to know that they have each other's keys.

use super::encoding::{labelled, sha256};
use super::keys::PublicKeys;
use std::fmt::Write as _;
use uuid::Uuid;

/// The safety number of two principals, the same on both sides.
#[must_use]
pub fn safety_number(one: (Uuid, &PublicKeys), other: (Uuid, &PublicKeys)) -> String {
    let mut halves = [half(one.0, one.1), half(other.0, other.1)];
    halves.sort();
    halves.concat()
}

/// The half of one principal: six groups of five digits.
fn half(principal: Uuid, keys: &PublicKeys) -> String {
    let principal = principal.to_string();
    let parts: [&[u8]; 4] = [principal.as_bytes(), b"\0", &keys.signing.0, &keys.receiving.0];
    let hash = sha256(labelled("hiloop/v2 safety", &parts));
    hash[..30].chunks(5).fold(String::new(), |mut digits, group| {
        let number = group.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        let _ = write!(digits, "{:05}", number % 100_000);
        digits
    })
}
