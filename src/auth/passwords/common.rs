//! The most common passwords, which are guessed first.
//!
//! `common.txt` holds those of 8 characters or more of two public lists of leaked passwords by frequency, the 20,000 of
//! Royce Williams (as Django ships it) and the 30,000 of Mark Burnett's ten million (as zxcvbn ships it): the 10,000
//! most common of either and some more, sorted, in lower case.

use std::collections::HashSet;
use std::sync::LazyLock;

static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| include_str!("common.txt").lines().collect());

/// Whether a password is one of them, ignoring case.
pub(super) fn is_common(password: &str) -> bool {
    COMMON.contains(password.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_passwords_are_known_in_any_case() {
        assert!(COMMON.len() > 10_000, "{}", COMMON.len());
        for common in ["password", "12345678", "PassWord1", "qwertyuiop", "1q2w3e4r", "iloveyou", "football"] {
            assert!(is_common(common), "{common}");
        }
        for other in ["correct horse", "correct horse battery", "Lief-die-Birke-7"] {
            assert!(!is_common(other), "{other}");
        }
    }
}
