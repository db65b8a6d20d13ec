//! The keys of an external issuer, from its JWKS (RFC 7517), which is fetched again for an unknown key.
//!
//! A token with a known key never waits. Tokens with unknown keys share one fetch and its failure. The rate of fetches is
//! limited.

use crate::config::is_safe_for_keys;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use parking_lot::{Mutex, RwLock};
use serde::Deserialize;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Age at which keys are fetched again, so that a withdrawn key stops being accepted.
const MAX_AGE: Duration = Duration::from_secs(300);
/// Most fetches in the window.
const FETCHES: usize = 5;
const FETCH_WINDOW: Duration = Duration::from_secs(10);
/// Timeout of a fetch, and of a caller that waits for one or two fetches.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Time after a failure in which no new fetch is started.
const FAILURE_TTL: Duration = Duration::from_secs(1);
const MAX_BYTES: usize = 256 * 1024;
const MAX_REDIRECTS: usize = 3;

/// The result of a look-up.
pub(super) enum Found {
    /// The key and its algorithm.
    Key(DecodingKey, Algorithm),
    Unknown,
}

pub struct Jwks {
    source: Arc<Source>,
}

/// A key that verifies tokens.
struct Key {
    id: Option<String>,
    key: DecodingKey,
    algorithm: Algorithm,
}

struct Source {
    url: String,
    client: reqwest::Client,
    known: RwLock<Known>,
    fetches: Mutex<Fetches>,
}

#[derive(Default)]
struct Known {
    keys: Vec<Key>,
    fetched: Option<Instant>,
}

#[derive(Default)]
struct Fetches {
    /// The start times of recent fetches.
    begun: VecDeque<Instant>,
    under_way: Option<Fetch>,
    failed: Option<Instant>,
}

/// A fetch with any number of waiting callers.
type Fetch = Shared<BoxFuture<'static, ()>>;

impl Jwks {
    /// Keys at `url`. The first fetch is for the first token.
    pub fn new(url: String) -> Result<Self, reqwest::Error> {
        let redirects = reqwest::redirect::Policy::custom(|attempt| {
            if attempt.previous().len() > MAX_REDIRECTS || !is_safe_for_keys(attempt.url().as_str()) {
                attempt.stop()
            } else {
                attempt.follow()
            }
        });
        let client = reqwest::Client::builder().timeout(FETCH_TIMEOUT).redirect(redirects).build()?;
        let source = Source { url, client, known: RwLock::default(), fetches: Mutex::default() };
        Ok(Self { source: Arc::new(source) })
    }

    /// The key `kid`; without one, the only key.
    pub(super) async fn key(&self, kid: Option<&str>) -> Found {
        if let Some(found) = self.source.find(kid) {
            if self.source.is_stale() {
                // Refreshed in the background.
                drop(self.source.fetch());
            }
            return found;
        }
        let since = Instant::now();
        let looked = tokio::time::timeout(FETCH_TIMEOUT, async {
            // A fetch that began earlier may not have the key yet.
            for _ in 0..2 {
                let fetch = self.source.fetch()?;
                let began_before = self.source.began_before(since);
                fetch.await;
                let found = self.source.find(kid);
                if found.is_some() || !began_before {
                    return found;
                }
            }
            None
        });
        match looked.await {
            Ok(Some(found)) => found,
            _ => Found::Unknown,
        }
    }
}

impl Source {
    fn find(&self, kid: Option<&str>) -> Option<Found> {
        let known = self.known.read();
        let key = match kid {
            Some(kid) => known.keys.iter().find(|key| key.id.as_deref() == Some(kid))?,
            None => match known.keys.as_slice() {
                [only] => only,
                _ => return None,
            },
        };
        Some(Found::Key(key.key.clone(), key.algorithm))
    }

    fn is_stale(&self) -> bool {
        self.known.read().fetched.is_none_or(|at| at.elapsed() > MAX_AGE)
    }

    fn began_before(&self, moment: Instant) -> bool {
        self.fetches.lock().begun.back().is_some_and(|at| *at < moment)
    }

    /// The current fetch, or a new one; none if the rate limit is reached or a fetch has just failed.
    fn fetch(self: &Arc<Self>) -> Option<Fetch> {
        let mut fetches = self.fetches.lock();
        if let Some(fetch) = &fetches.under_way {
            return Some(fetch.clone());
        }
        let now = Instant::now();
        while fetches.begun.front().is_some_and(|at| now.duration_since(*at) > FETCH_WINDOW) {
            fetches.begun.pop_front();
        }
        let has_failed = fetches.failed.is_some_and(|at| at.elapsed() < FAILURE_TTL);
        if has_failed || fetches.begun.len() >= FETCHES {
            return None;
        }
        fetches.begun.push_back(now);
        let source = Arc::clone(self);
        // A task of its own, which continues when its waiting callers disconnect.
        #[allow(clippy::disallowed_methods)] // one fetch, which ends by itself
        let task = tokio::spawn(async move {
            let failed = source.download().await;
            let mut fetches = source.fetches.lock();
            fetches.under_way = None;
            fetches.failed = failed.is_err().then(Instant::now);
        });
        let fetch = task.map(drop).boxed().shared();
        fetches.under_way = Some(fetch.clone());
        Some(fetch)
    }

    /// Fetches the keys. If the issuer is unavailable, the previous keys stay valid.
    async fn download(&self) -> Result<(), ()> {
        match self.body().await {
            Ok(body) => {
                let keys = keys(&body).ok_or_else(|| tracing::warn!("the JWKS is not a valid key set"))?;
                *self.known.write() = Known { keys, fetched: Some(Instant::now()) };
                Ok(())
            }
            Err(error) => {
                tracing::warn!(error, "cannot fetch the JWKS");
                Err(())
            }
        }
    }

    async fn body(&self) -> Result<Vec<u8>, String> {
        let mut response = self.client.get(&self.url).send().await.map_err(|error| error.without_url().to_string())?;
        if !response.status().is_success() {
            return Err(format!("status {}", response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| error.without_url().to_string())? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BYTES {
                return Err("the JWKS is too large".to_owned());
            }
        }
        Ok(body)
    }
}

/// The keys of a set that the hub supports (RFC 7517 section 5: others are ignored); none if it is not a key set.
fn keys(body: &[u8]) -> Option<Vec<Key>> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    let set: Set = serde_json::from_slice(body).ok()?;
    Some(set.keys.into_iter().filter_map(usable).collect())
}

fn usable(key: serde_json::Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(key).ok()?;
    if jwk.common.public_key_use.as_ref().is_some_and(|usage| *usage != PublicKeyUse::Signature) {
        return None;
    }
    let algorithm = algorithm(&jwk)?;
    Some(Key { key: DecodingKey::from_jwk(&jwk).ok()?, algorithm, id: jwk.common.key_id })
}

/// The algorithm of a key, by its `alg` or its type. Only the asymmetric algorithms of the contract.
fn algorithm(key: &Jwk) -> Option<Algorithm> {
    match (&key.algorithm, key.common.key_algorithm) {
        (AlgorithmParameters::RSA(_), None | Some(KeyAlgorithm::RS256)) => Some(Algorithm::RS256),
        (AlgorithmParameters::EllipticCurve(curve), None | Some(KeyAlgorithm::ES256))
            if curve.curve == EllipticCurve::P256 =>
        {
            Some(Algorithm::ES256)
        }
        (AlgorithmParameters::OctetKeyPair(_), None | Some(KeyAlgorithm::EdDSA)) => Some(Algorithm::EdDSA),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::keys;
    use serde_json::json;

    #[test]
    fn unsupported_keys_are_ignored() {
        let good =
            json!({ "kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        let set = json!({ "keys": [
            7, null, {}, { "kty": "new", "kid": "b" }, { "kty": "oct", "kid": "c", "k": "AAAA" },
            { "kty": "EC", "crv": "P-521", "kid": "d", "x": "AA", "y": "AA" },
            { "kty": "RSA", "kid": "e", "n": "not base64 !", "e": "AQAB" },
            { "kty": "OKP", "crv": "Ed25519", "kid": "f", "use": "enc", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" },
            { "kty": "RSA", "kid": "g", "alg": "PS256", "n": "AQAB", "e": "AQAB" },
            good,
        ] });
        let found = keys(set.to_string().as_bytes()).expect("a set");
        assert_eq!(found.iter().map(|key| key.id.as_deref()).collect::<Vec<_>>(), [Some("a")]);
        for none in ["[]", "{}", "", r#"{"keys":{}}"#] {
            assert!(keys(none.as_bytes()).is_none(), "{none}");
        }
    }
}
