//! Parses the values of settings. An error names the setting and says what is accepted.

use super::{ConfigError, RateLimit, Retention, SignInLimit, bad};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub(super) const DEFAULT_SIGN_IN_LIMIT: SignInLimit = SignInLimit { per_minute: 60, burst: 60 };

/// A value that is not empty: Compose and similar tools pass an unset variable on as an empty one.
pub(super) fn given(value: Option<String>) -> Option<String> {
    value.filter(|value| !value.trim().is_empty())
}

pub(super) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

pub(super) fn address(setting: &'static str, text: &str) -> Result<SocketAddr, ConfigError> {
    let text = text.replacen("localhost:", "127.0.0.1:", 1);
    text.parse().map_err(|_| bad(setting, format!("must be an address and port such as 127.0.0.1:8080 (got '{text}')")))
}

pub(super) fn number(setting: &'static str, text: &str, min: usize, max: usize) -> Result<usize, ConfigError> {
    let value = text.parse().ok().filter(|value| (min..=max).contains(value));
    value.ok_or_else(|| bad(setting, format!("must be {min} to {max} (got '{text}')")))
}

/// A URL of scheme and host, without a trailing slash; with `path`, it may have a path.
pub(super) fn origin_like(setting: &'static str, text: &str, path: bool) -> Result<String, ConfigError> {
    let text = text.trim_end_matches('/');
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    if host.is_empty() || host.contains(['?', '#', ' ']) || (!path && host.contains('/')) {
        return Err(bad(setting, format!("must be a URL such as https://hub.example.org (got '{text}')")));
    }
    Ok(text.to_owned())
}

/// Whether the keys of an issuer may be fetched from a URL: only where they can't be replaced in transit.
pub fn is_safe_for_keys(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback)
}

/// `off`, or a number of days.
pub(super) fn retention(text: &str) -> Result<Option<Retention>, ConfigError> {
    if text == "off" {
        return Ok(None);
    }
    let days = text.parse::<i64>().ok().filter(|days| (1..=36_500).contains(days));
    let problem = || format!("must be 1 to 36500 or \"off\" (got '{text}')");
    let days = days.ok_or_else(|| bad("HILOOP_RETENTION_DAYS", problem()))?;
    Ok(Some(Retention { keep_millis: days * 24 * 60 * 60 * 1000, every: Duration::from_secs(60) }))
}

/// `off`, or a number.
pub(super) fn quota(setting: &'static str, text: &str) -> Result<Option<u64>, ConfigError> {
    const MOST: u64 = 1 << 50;
    if text == "off" {
        return Ok(None);
    }
    let number = text.parse::<u64>().ok().filter(|number| (1..=MOST).contains(number));
    number.map(Some).ok_or_else(|| bad(setting, format!("must be 1 to {MOST} or \"off\" (got '{text}')")))
}

/// `off`, or `N/s`; the burst is twice the rate.
pub(super) fn rate_limit(text: &str) -> Result<Option<RateLimit>, ConfigError> {
    if text == "off" {
        return Ok(None);
    }
    let per_second =
        text.strip_suffix("/s").and_then(|n| n.parse::<u32>().ok()).filter(|n| (1..=1_000_000).contains(n));
    match per_second {
        Some(per_second) => Ok(Some(RateLimit { per_second, burst: per_second * 2 })),
        None => Err(bad("HILOOP_RATE_LIMIT", format!("must be a rate such as 100/s or \"off\" (got '{text}')"))),
    }
}

/// `off`, or a number.
pub(super) fn connection_limit(text: &str) -> Result<Option<u32>, ConfigError> {
    if text == "off" {
        return Ok(None);
    }
    let limit = text.parse::<u32>().ok().filter(|limit| (1..=1_000_000).contains(limit));
    let problem = || format!("must be 1 to 1000000 or \"off\" (got '{text}')");
    limit.map(Some).ok_or_else(|| bad("HILOOP_CONNECTION_LIMIT", problem()))
}

/// `off`, or `N/min`; the burst is as large.
pub(super) fn sign_in_limit(text: &str) -> Result<Option<SignInLimit>, ConfigError> {
    if text == "off" {
        return Ok(None);
    }
    let per_minute = text.strip_suffix("/min").and_then(|n| n.parse::<u32>().ok()).filter(|n| (1..=10_000).contains(n));
    match per_minute {
        Some(per_minute) => Ok(Some(SignInLimit { per_minute, burst: per_minute })),
        None => Err(bad("HILOOP_SIGN_IN_LIMIT", format!("must be a rate such as 60/min or \"off\" (got '{text}')"))),
    }
}

/// An address, or a network in CIDR notation.
pub(super) fn network(text: &str) -> Result<IpNet, ConfigError> {
    let network = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    network.ok_or_else(|| {
        bad("HILOOP_TRUSTED_PROXIES", format!("must be an IP address or a network such as 10.0.0.0/8 (got '{text}')"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_fetched_only_where_they_cannot_be_replaced() {
        for safe in ["https://idp.example/jwks", "http://127.0.0.1:9/k", "http://[::1]/k", "http://localhost:1/"] {
            assert!(is_safe_for_keys(safe), "{safe}");
        }
        for unsafe_url in
            ["http://idp.example/jwks", "http://localhost.example/", "http://10.0.0.1/", "ftp://a/", "x", ""]
        {
            assert!(!is_safe_for_keys(unsafe_url), "{unsafe_url}");
        }
    }

    #[test]
    fn bad_settings_are_named() {
        assert_eq!(rate_limit("100/s").expect("valid"), Some(RateLimit { per_second: 100, burst: 200 }));
        assert_eq!(rate_limit("off").expect("valid"), None);
        assert_eq!(sign_in_limit("60/min").expect("valid"), Some(DEFAULT_SIGN_IN_LIMIT));
        assert_eq!(sign_in_limit("off").expect("valid"), None);
        assert!(sign_in_limit("10/s").expect_err("refused").to_string().starts_with("HILOOP_SIGN_IN_LIMIT: "));
        assert_eq!(network("10.0.0.1").expect("valid"), network("10.0.0.1/32").expect("valid"));
        assert!(network("10.0.0.0/33").is_err() && network("proxy").is_err());
        assert!(rate_limit("many").expect_err("refused").to_string().starts_with("HILOOP_RATE_LIMIT: "));
        assert!(address("HILOOP_LISTEN", "nowhere").expect_err("refused").to_string().starts_with("HILOOP_LISTEN: "));
        assert!(origin_like("X", "ftp://a", false).is_err());
        assert_eq!(origin_like("X", "https://a.org/", false).expect("valid"), "https://a.org");
    }
}
