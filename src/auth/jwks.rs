//! The keys of an outside issuer, fetched from its JWKS (RFC 7517) and fetched again when an unknown key turns up.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use parking_lot::RwLock;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Keys are fetched again after so long, so that one that was withdrawn stops to count.
const MAX_AGE: Duration = Duration::from_secs(300);
/// Tokens with unknown keys may cause so many fetches in this time, not more.
const FETCHES: usize = 5;
const FETCH_WINDOW: Duration = Duration::from_secs(10);
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_BYTES: usize = 256 * 1024;

pub struct Jwks {
    source: Arc<Source>,
}

struct Source {
    url: String,
    client: reqwest::Client,
    known: RwLock<Known>,
    /// Held while fetching, so that one fetch serves everyone who waits for it.
    fetching: Mutex<VecDeque<Instant>>,
}

#[derive(Default)]
struct Known {
    keys: Vec<Jwk>,
    fetched: Option<Instant>,
}

impl Jwks {
    /// Keys at `url`. Nothing is fetched before the first token needs it.
    pub fn new(url: String) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().timeout(FETCH_TIMEOUT).build()?;
        let source = Source { url, client, known: RwLock::default(), fetching: Mutex::default() };
        Ok(Self { source: Arc::new(source) })
    }

    /// The key `kid` (without one: the only key) and the algorithm that it is for.
    ///
    /// Only whoever brings an unknown key waits for the issuer.
    pub(super) async fn key(&self, kid: Option<&str>) -> Option<(DecodingKey, Algorithm)> {
        let since = Instant::now();
        let found = self.source.find(kid);
        if found.is_some() {
            if self.source.is_stale() {
                let source = Arc::clone(&self.source);
                #[allow(clippy::disallowed_methods)] // one fetch, which ends by itself
                tokio::spawn(async move { source.fetch(since).await });
            }
            return found;
        }
        self.source.fetch(since).await;
        self.source.find(kid)
    }
}

impl Source {
    fn find(&self, kid: Option<&str>) -> Option<(DecodingKey, Algorithm)> {
        let known = self.known.read();
        let jwk = find(&known.keys, kid)?;
        Some((DecodingKey::from_jwk(jwk).ok()?, algorithm(jwk)?))
    }

    fn is_stale(&self) -> bool {
        self.known.read().fetched.is_none_or(|at| at.elapsed() > MAX_AGE)
    }

    /// Fetches the keys, unless somebody has since `since`.
    async fn fetch(&self, since: Instant) {
        let mut attempts = self.fetching.lock().await;
        if self.known.read().fetched.is_some_and(|at| at > since) {
            return;
        }
        let now = Instant::now();
        while attempts.front().is_some_and(|at| now.duration_since(*at) > FETCH_WINDOW) {
            attempts.pop_front();
        }
        if attempts.len() >= FETCHES {
            return;
        }
        attempts.push_back(now);
        match self.download().await {
            Ok(set) => *self.known.write() = Known { keys: set.keys, fetched: Some(Instant::now()) },
            // The keys at hand stay good while the issuer can't be reached.
            Err(error) => tracing::warn!(%error, "cannot fetch the JWKS"),
        }
    }

    async fn download(&self) -> Result<JwkSet, String> {
        let mut response = self.client.get(&self.url).send().await.map_err(|error| error.without_url().to_string())?;
        if !response.status().is_success() {
            return Err(format!("status {}", response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| error.without_url().to_string())? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BYTES {
                return Err("it is too large".to_owned());
            }
        }
        serde_json::from_slice(&body).map_err(|error| error.to_string())
    }
}

fn find<'a>(keys: &'a [Jwk], kid: Option<&str>) -> Option<&'a Jwk> {
    let mut usable = keys.iter().filter(|key| {
        key.common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature)
            && algorithm(key).is_some()
    });
    match kid {
        Some(kid) => usable.find(|key| key.common.key_id.as_deref() == Some(kid)),
        None => {
            let only = usable.next()?;
            usable.next().is_none().then_some(only)
        }
    }
}

/// What a key is for: its `alg`, else what its type says. Only asymmetric algorithms that the contract names.
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
