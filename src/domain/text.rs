//! Rules for plain text that the hub itself shows: titles, names, roles.

use super::Refusal;
use super::hidden::has_hidden;

/// Longest title of a session, in characters (contract section 4).
pub const MAX_TITLE: usize = 200;
/// Longest name of a person, agent, guest or space, in characters.
pub const MAX_NAME: usize = 64;
/// Longest e-mail address (RFC 5321 section 4.5.3.1.3, less the angle brackets).
pub const MAX_EMAIL: usize = 254;
/// Largest `metadata`, in bytes of its JSON (contract section 4).
pub const MAX_METADATA: usize = 4096;

/// Checks that `value` has at most `max` characters and none that is hidden.
pub fn check_text(field: &str, value: &str, max: usize) -> Result<(), Refusal> {
    // Counted no further than needed: `value` may be as long as a body.
    if value.chars().nth(max).is_some() {
        return Err(Refusal::invalid(field, &format!("must have at most {max} characters")));
    }
    if has_hidden(value) {
        return Err(Refusal::invalid(field, "must not contain control, bidirectional or invisible characters"));
    }
    Ok(())
}

/// Checks a name that must not be empty.
pub fn check_name(field: &str, value: &str) -> Result<(), Refusal> {
    if value.trim().is_empty() {
        return Err(Refusal::invalid(field, "must not be empty"));
    }
    check_text(field, value, MAX_NAME)
}

/// Whether `name` may name an agent: 1 to 64 of letters, digits, `.`, `_`, `-` (contract section 2).
pub fn is_agent_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// Checks an e-mail address roughly (one `@`, something on both sides, no blanks) and puts its ASCII letters in lower
/// case. Other letters are compared as they are: some of them, such as the Kelvin sign, become ASCII ones in lower case,
/// and would then name another person.
pub fn normal_email(field: &str, email: &str) -> Result<String, Refusal> {
    check_text(field, email, MAX_EMAIL)?;
    let good = email
        .split_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains(['@', '#']))
        && !email.contains(char::is_whitespace);
    if good { Ok(email.to_ascii_lowercase()) } else { Err(Refusal::invalid(field, "must be an e-mail address")) }
}
