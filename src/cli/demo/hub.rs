//! The demo's client of the hub, and its errors as lines for the terminal.

use super::super::CliError;
use super::progress::print_progress;
use hiloop_sdk::{Client, Encryption, Error};
use std::time::Duration;

/// Timeout of the first contact, after which the URL counts as wrong.
const FIRST_CONTACT: Duration = Duration::from_secs(30);
/// How long a request is retried afterwards; well below the 24 h for which the hub keeps an `Idempotency-Key`.
const PATIENCE: Duration = Duration::from_secs(12 * 3600);
/// Placeholder for the key of the first contact, which needs no credential.
const NO_KEY: &str = "hlp_";

/// Waits until the hub at `url` replies at all.
pub(super) async fn first_contact(url: &str, key: Option<&str>) -> Result<(), CliError> {
    let client = client(url, key.unwrap_or(NO_KEY), FIRST_CONTACT, Encryption::Off)?;
    client.reach().await.map_err(|error| failed(url, &error))
}

/// A client with this key whose calls are retried until the hub has restarted.
pub(super) fn patient(url: &str, key: &str, encryption: Encryption) -> Result<Client, CliError> {
    client(url, key, PATIENCE, encryption)
}

fn client(url: &str, key: &str, timeout: Duration, encryption: Encryption) -> Result<Client, CliError> {
    Client::builder()
        .base_url(url)
        .api_key(key)
        .encryption(encryption)
        .timeout(timeout)
        .on_retry(|line| print_progress(&format!("… {line}")))
        .build()
        .map_err(|error| failed(url, &error))
}

/// The error of a call as a line.
pub(super) fn failed(url: &str, error: &Error) -> CliError {
    let Error { status, code, message, what, .. } = error;
    let url = url.trim_end_matches('/');
    CliError::Other(match (*status, code.as_str()) {
        (0, Error::VALIDATION) if what == "base_url" => format!("--url: {message}"),
        (0, Error::VALIDATION) if what == "api_key" => format!("--key: {message}"),
        (0, Error::UNREACHABLE) => format!("cannot reach the hub at {url}: {message}"),
        (0, Error::VALIDATION | Error::KEY_CHANGED | Error::UNVERIFIED) => format!("{what}: {message}"),
        (0, Error::UNEXPECTED_REPLY) => format!("unexpected reply of the hub to {what}"),
        (0, _) => format!("the hub closed the connection: {message}"),
        (status, _) if error.is_transient() => format!("cannot reach the hub at {url}: status {status}"),
        (status, code) => format!("the hub refused {what}: {status} {code}: {message}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_settings_are_named() {
        let problem =
            |url, key| patient(url, key, Encryption::Required).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(problem("ftp://host", NO_KEY).starts_with("--url: "));
        assert!(problem("host", NO_KEY).starts_with("--url: "));
        assert!(problem("http://host", "hlp_\n").starts_with("--key: "));
        assert_eq!(problem("http://host/", "hlp_0"), "");
    }
}
