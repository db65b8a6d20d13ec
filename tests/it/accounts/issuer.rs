//! An external issuer: the tokens that it signs, and the keys that it publishes.

use super::ISSUER;
use crate::support::hub::Engine;
use crate::support::{Hub, Port};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use hiloop::clock::{Clock as _, SystemClock};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub const SECRET: &str = "a secret of at least thirty-two characters";

/// The claims of an external issuer's token, valid for an hour.
pub fn claims(sub: &str, email: &str) -> Value {
    let now = SystemClock.now().0 / 1000;
    json!({
        "sub": sub, "email": email, "email_verified": true, "name": "Outside", "iat": now, "exp": now + 3600,
        "iss": ISSUER, "aud": "hub",
    })
}

/// The claims with one of them set to something else; null takes it out.
pub fn with(mut claims: Value, name: &str, value: Value) -> Value {
    let object = claims.as_object_mut().expect("an object");
    if value.is_null() {
        object.remove(name);
    } else {
        object.insert(name.to_owned(), value);
    }
    claims
}

pub fn hs256(secret: &[u8], kid: Option<&str>, claims: &Value) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::HS256) };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret)).expect("a token")
}

/// A token with the given header and an invalid signature.
pub(super) fn unsigned(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

pub(super) fn ago(seconds: i64) -> Value {
    json!(SystemClock.now().plus_seconds(-seconds).0 / 1000)
}

pub(super) static RSA: LazyLock<RsaPrivateKey> =
    LazyLock::new(|| RsaPrivateKey::new(&mut rand::thread_rng(), 2048).expect("an RSA key"));

pub(super) fn rs256(kid: Option<&str>, claims: &Value) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::RS256) };
    let der = RSA.to_pkcs1_der().expect("DER");
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_rsa_der(der.as_bytes())).expect("a token")
}

pub fn ed_jwk(kid: &str, key: &SigningKey) -> Value {
    let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
    json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "use": "sig", "x": x })
}

pub fn eddsa(kid: Option<&str>, key: &SigningKey, claims: &Value) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::EdDSA) };
    let der = key.to_pkcs8_der().expect("DER");
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(der.as_bytes())).expect("a token")
}

pub fn new_ed_key() -> SigningKey {
    SigningKey::generate(&mut rand::thread_rng())
}

/// An external issuer: a server whose keys a test can change, and which it can stop.
pub struct Issuer {
    pub url: String,
    pub(super) keys: Arc<Mutex<Value>>,
    pub(super) fetches: Arc<AtomicUsize>,
    pub(super) serving: JoinHandle<()>,
    pub(super) port: Port,
}

type IssuerState = (Arc<Mutex<Value>>, Arc<AtomicUsize>);

impl Issuer {
    pub async fn start(keys: &[Value]) -> Self {
        let port = Port::reserve();
        let listener = TcpListener::bind(port.address()).await.expect("its port");
        let url = format!("http://{}/jwks.json", port.address());
        let state: IssuerState = (Arc::new(Mutex::new(json!({ "keys": keys }))), Arc::default());
        let (keys, fetches) = state.clone();
        let router = axum::Router::new().route("/jwks.json", get(Self::serve)).with_state(state);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { url, keys, fetches, serving, port }
    }

    /// Each connection serves one request, so that a stopped issuer is unreachable immediately.
    pub(super) async fn serve(State((keys, fetches)): State<IssuerState>) -> impl IntoResponse {
        fetches.fetch_add(1, Ordering::SeqCst);
        let keys = keys.lock().expect("no panic").clone();
        let status = if keys.is_null() { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
        (status, [("connection", "close")], keys.to_string())
    }

    pub(super) fn publish(&self, keys: &[Value]) {
        *self.keys.lock().expect("no panic") = json!({ "keys": keys });
    }

    /// Makes it reply with an error from now on.
    pub(super) fn fail(&self) {
        *self.keys.lock().expect("no panic") = Value::Null;
    }

    /// Stops it; returns its port, where nothing listens any more.
    pub async fn stop(self) -> Port {
        self.serving.abort();
        let _ = self.serving.await;
        self.port
    }
}

/// A hub that trusts this issuer.
pub async fn trusting(issuer: &Issuer, flags: &[&str]) -> Hub {
    let trust = ["--jwks-url", &issuer.url, "--jwt-issuer", ISSUER, "--jwt-audience", "hub"];
    let flags: Vec<_> = trust.iter().chain(flags).copied().collect();
    Hub::start_with(Engine::Sqlite, &flags, |_| {}).await
}
