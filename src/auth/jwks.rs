//! The keys of an outside issuer, fetched from its JWKS (RFC 7517) and fetched again when an unknown key turns up.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use std::collections::VecDeque;
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
    url: String,
    client: reqwest::Client,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    keys: Vec<Jwk>,
    fetched: Option<Instant>,
    attempts: VecDeque<Instant>,
}

impl Jwks {
    /// Keys at `url`. Nothing is fetched before the first token needs it.
    pub fn new(url: String) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().timeout(FETCH_TIMEOUT).build()?;
        Ok(Self { url, client, state: Mutex::default() })
    }

    /// The key `kid` (without one: the only key) and the algorithm that it is for.
    pub(super) async fn key(&self, kid: Option<&str>) -> Option<(DecodingKey, Algorithm)> {
        let mut state = self.state.lock().await;
        let stale = state.fetched.is_none_or(|at| at.elapsed() > MAX_AGE);
        if stale || find(&state.keys, kid).is_none() {
            self.fetch(&mut state).await;
        }
        let jwk = find(&state.keys, kid)?;
        Some((DecodingKey::from_jwk(jwk).ok()?, algorithm(jwk)?))
    }

    async fn fetch(&self, state: &mut State) {
        let now = Instant::now();
        while state.attempts.front().is_some_and(|at| now.duration_since(*at) > FETCH_WINDOW) {
            state.attempts.pop_front();
        }
        if state.attempts.len() >= FETCHES {
            return;
        }
        state.attempts.push_back(now);
        match self.download().await {
            Ok(set) => {
                state.keys = set.keys;
                state.fetched = Some(now);
            }
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
