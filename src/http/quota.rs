//! A quota in the headers of a reply, by the IETF draft "RateLimit header fields for HTTP": `RateLimit-Policy` with the
//! quota, `RateLimit` with the rest of it.

use axum::http::{HeaderMap, HeaderValue, header};

/// A quota as replies show it.
pub(super) struct Quota {
    pub(super) name: &'static str,
    pub(super) amount: u32,
    /// The window; 0 for a quota of what is open at the same time.
    pub(super) seconds: u32,
}

impl Quota {
    /// Adds the fields: how much is `left`, and how many seconds to wait if nothing is. They are lists, so a reply may carry
    /// several quotas.
    pub(super) fn show(&self, headers: &mut HeaderMap, left: u32, wait: u64) {
        let Self { name, amount, seconds } = self;
        let window = if *seconds > 0 { format!(";w={seconds}") } else { String::new() };
        let policy = format!(r#""{name}";q={amount}{window}"#);
        let state = format!(r#""{name}";r={left};t={}"#, wait.max(1));
        for (field, value) in [("ratelimit-policy", policy), ("ratelimit", state)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.append(field, value);
            }
        }
        if wait > 0 {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait));
        }
    }
}
