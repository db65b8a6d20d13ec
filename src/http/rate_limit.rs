//! Rate limits: so many requests a second for each credential; without one, for each address.
//!
//! Replies carry the fields of the IETF draft "RateLimit header fields for HTTP": `RateLimit-Policy` with the
//! quota, `RateLimit` with what is left of it. Failed sign-ins have a quota of their own, kept by `auth/attempts.rs`.

use super::error;
use crate::config::{Config, RateLimit};
use crate::store::SecretHash;
use crate::wire::origin;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use governor::RateLimiter;
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use ipnet::IpNet;
use sha2::{Digest, Sha256};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Callers that have fallen silent are forgotten after so many requests.
const SWEEP_EVERY: u64 = 10_000;

type Limiter = RateLimiter<SecretHash, DashMapStateStore<SecretHash>, DefaultClock, StateInformationMiddleware>;

/// A quota as replies show it.
pub(super) struct Quota {
    pub(super) name: &'static str,
    pub(super) amount: u32,
    pub(super) seconds: u32,
}

impl Quota {
    /// Adds the fields that say how much is `left`, and how many seconds to wait if nothing is. They are lists, in which
    /// several quotas may stand side by side.
    pub(super) fn show(&self, headers: &mut HeaderMap, left: u32, wait: u64) {
        let Self { name, amount, seconds } = self;
        let policy = format!(r#""{name}";q={amount};w={seconds}"#);
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

/// The quota of every caller and what each has used of it.
pub(super) struct RateLimits {
    limiter: Limiter,
    quota: RateLimit,
    clock: DefaultClock,
    requests: AtomicU64,
    trusted_proxies: Vec<IpNet>,
}

impl RateLimits {
    /// The limits that the settings ask for; none if they are off.
    pub(super) fn new(config: &Config) -> Option<Arc<Self>> {
        let quota = config.rate_limit?;
        let per_second = NonZeroU32::new(quota.per_second)?;
        let burst = NonZeroU32::new(quota.burst)?;
        let limiter = RateLimiter::dashmap_with_clock(
            governor::Quota::per_second(per_second).allow_burst(burst),
            DefaultClock::default(),
        );
        Some(Arc::new(Self {
            limiter: limiter.with_middleware::<StateInformationMiddleware>(),
            quota,
            clock: DefaultClock::default(),
            requests: AtomicU64::new(0),
            trusted_proxies: config.trusted_proxies.clone(),
        }))
    }

    /// Who a request counts for: its credential, or else its address. Each is kept as a hash.
    fn caller(&self, request: &Request) -> SecretHash {
        let headers = request.headers();
        let credential = headers.get("x-api-key").or_else(|| headers.get(header::AUTHORIZATION));
        match credential {
            Some(credential) => Sha256::digest(credential.as_bytes()).into(),
            None => {
                let origin = origin(request.extensions(), headers, &self.trusted_proxies);
                Sha256::digest(origin.to_string()).into()
            }
        }
    }
}

/// Lets a request through, or refuses it with 429.
pub(super) async fn middleware(State(limits): State<Arc<RateLimits>>, request: Request, next: Next) -> Response {
    if limits.requests.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
        limits.limiter.retain_recent();
        limits.limiter.shrink_to_fit();
    }
    let (mut response, left, wait) = match limits.limiter.check_key(&limits.caller(&request)) {
        Ok(state) => {
            let left = state.remaining_burst_capacity();
            (next.run(request).await, left, 0)
        }
        Err(until) => {
            let wait = until.wait_time_from(limits.clock.now()).as_secs_f64().ceil().max(1.0);
            let text = format!("More than {} requests a second; please wait", limits.quota.per_second);
            (error::reply(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", &text), 0, wait as u64)
        }
    };
    let quota = Quota { name: "default", amount: limits.quota.per_second, seconds: 1 };
    quota.show(response.headers_mut(), left, wait);
    response
}
