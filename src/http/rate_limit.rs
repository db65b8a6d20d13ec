//! Rate limits: so many requests a second for each credential; without one, for each address.
//!
//! Replies carry the fields of the IETF draft "RateLimit header fields for HTTP": `RateLimit-Policy` with the
//! quota, `RateLimit` with what is left of it.

use super::error;
use crate::config::{Config, RateLimit};
use crate::store::SecretHash;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use sha2::{Digest, Sha256};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Callers that have fallen silent are forgotten after so many requests.
const SWEEP_EVERY: u64 = 10_000;

type Limiter = RateLimiter<SecretHash, DashMapStateStore<SecretHash>, DefaultClock, StateInformationMiddleware>;

/// The quota of every caller and what each has used of it.
pub(super) struct RateLimits {
    limiter: Limiter,
    quota: RateLimit,
    policy: HeaderValue,
    clock: DefaultClock,
    requests: AtomicU64,
    trusted_proxies: Vec<IpAddr>,
}

impl RateLimits {
    /// The limits that the settings ask for; none if they are off.
    pub(super) fn new(config: &Config) -> Option<Arc<Self>> {
        let quota = config.rate_limit?;
        let per_second = NonZeroU32::new(quota.per_second)?;
        let burst = NonZeroU32::new(quota.burst)?;
        let limiter =
            RateLimiter::dashmap_with_clock(Quota::per_second(per_second).allow_burst(burst), DefaultClock::default());
        let policy = format!(r#""default";q={};w=1"#, quota.per_second);
        Some(Arc::new(Self {
            limiter: limiter.with_middleware::<StateInformationMiddleware>(),
            quota,
            policy: HeaderValue::from_str(&policy).ok()?,
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
                let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
                let address = peer.map(|peer| client_address(peer, headers, &self.trusted_proxies));
                Sha256::digest(address.map_or_else(String::new, |address| address.to_string())).into()
            }
        }
    }
}

/// The address of the client: the peer's, or what the nearest proxy that is not trusted was told.
fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    if !trusted.contains(&peer) {
        return peer;
    }
    let hops = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<IpAddr> = hops.flat_map(|value| value.split(',')).filter_map(|hop| hop.trim().parse().ok()).collect();
    hops.into_iter().rev().find(|hop| !trusted.contains(hop)).unwrap_or(peer)
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
    let headers = response.headers_mut();
    headers.insert("ratelimit-policy", limits.policy.clone());
    if let Ok(value) = HeaderValue::from_str(&format!(r#""default";r={left};t={}"#, wait.max(1))) {
        headers.insert("ratelimit", value);
    }
    if wait > 0 {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let ip = |text: &str| -> IpAddr { text.parse().expect("an address") };
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", HeaderValue::from_static("1.1.1.1, 2.2.2.2, 10.0.0.2"));
        assert_eq!(client_address(ip("9.9.9.9"), &headers, &[ip("10.0.0.1")]), ip("9.9.9.9"));
        assert_eq!(client_address(ip("10.0.0.1"), &headers, &[ip("10.0.0.1"), ip("10.0.0.2")]), ip("2.2.2.2"));
        assert_eq!(client_address(ip("10.0.0.1"), &HeaderMap::new(), &[ip("10.0.0.1")]), ip("10.0.0.1"));
    }
}
