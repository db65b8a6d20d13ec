//! Rate limits: so many requests a second for each credential; without one, for each address.
//!
//! A credential has a quota of its own once this node has verified it. Before that a request counts for its address too,
//! because otherwise a client with a made-up key for each request would have no limit. The address gets its token back
//! when the credential turns out to be valid, so that other clients behind the same address are not slowed down.
//!
//! Replies carry the quota (`quota.rs`). Failed sign-ins have a quota of their own, kept by `auth/attempts/`.

use super::buckets::Buckets;
use super::quota::Quota;
use super::{App, error};
use crate::auth::Authenticator;
use crate::auth::credential::Credential;
use crate::domain::ClientNetwork;
use crate::net::client_address::client_network;
use crate::protocol::error::ErrorCode;
use crate::store::SecretHash;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use ipnet::IpNet;
use std::sync::Arc;
use std::time::Instant;

/// The address or credential that a request counts for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum BucketKey {
    Address(ClientNetwork),
    Credential(SecretHash),
}

/// The quota of every caller, and how much of it each has used.
pub(super) struct RateLimits {
    buckets: Buckets<BucketKey>,
    quota: Quota,
    refusal: String,
    authenticator: Arc<Authenticator>,
    trusted_proxies: Vec<IpNet>,
}

impl RateLimits {
    /// The configured limits; none if they are off.
    pub(super) fn new(app: &App) -> Option<Arc<Self>> {
        let limit = app.config.rate_limit?;
        Some(Arc::new(Self {
            buckets: Buckets::new(limit),
            quota: Quota { name: "default", amount: limit.burst, seconds: limit.burst.div_ceil(limit.per_second) },
            refusal: format!("More than {} requests a second; please wait", limit.per_second),
            authenticator: Arc::clone(&app.authenticator),
            trusted_proxies: app.config.trusted_proxies.clone(),
        }))
    }

    /// Takes a token from each of these, or from none of them if one has none left.
    fn take(&self, keys: &[BucketKey]) -> Result<u32, u64> {
        let now = Instant::now();
        let mut least = u32::MAX;
        for (number, key) in keys.iter().enumerate() {
            match self.buckets.take(*key, now) {
                Ok(left) => least = least.min(left),
                Err(wait) => {
                    keys[..number].iter().for_each(|key| self.buckets.put_back(key));
                    return Err(wait.as_millis().div_ceil(1000).max(1).try_into().unwrap_or(u64::MAX));
                }
            }
        }
        Ok(least)
    }
}

/// The credential that a route reads; `/v1/auth` has none.
fn credential(request: &Request) -> Option<Credential<'_>> {
    let (path, headers) = (request.uri().path(), request.headers());
    if path.starts_with("/v1/auth/") {
        None
    } else if path.starts_with("/v1/human/") {
        Credential::bearer(headers)
    } else if path == "/v1/ws" {
        Credential::of_socket(headers)
    } else {
        Credential::api_key(headers)
    }
}

/// Lets a request through, or refuses it with 429.
pub(super) async fn middleware(State(limits): State<Arc<RateLimits>>, request: Request, next: Next) -> Response {
    let address = BucketKey::Address(client_network(request.extensions(), request.headers(), &limits.trusted_proxies));
    let credential = credential(&request).map(|credential| credential.hash());
    let unproved = credential.filter(|credential| !limits.authenticator.was_valid(credential));
    let taken = match (credential, unproved) {
        (None, _) => limits.take(&[address]),
        (Some(credential), None) => limits.take(&[BucketKey::Credential(credential)]),
        // The address first: made-up credentials get no bucket once its quota is used up.
        (Some(credential), Some(_)) => limits.take(&[address, BucketKey::Credential(credential)]),
    };
    let (mut response, left, wait) = match taken {
        Ok(left) => {
            let response = next.run(request).await;
            if unproved.is_some_and(|credential| limits.authenticator.was_valid(&credential)) {
                limits.buckets.put_back(&address);
            }
            (response, left, 0)
        }
        Err(wait) => (error::reply(ErrorCode::RATE_LIMITED, &limits.refusal), 0, wait),
    };
    limits.quota.show(response.headers_mut(), left, wait);
    response
}
