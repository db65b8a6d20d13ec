//! JSON Web Tokens: those that the hub issues, and those of an external issuer, signed with a shared secret or with
//! published keys.
//!
//! The two kinds differ only in their key. The hub's own tokens are signed with a key that is derived from the configured
//! secret and the database's secret, so that other holders of the configured secret can't sign them.

use super::Secret;
use super::jwks::{Found, Jwks};
use crate::domain::{Refusal, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

/// The issuer of the hub's own tokens, unless one is configured.
const OWN_ISSUER: &str = "hiloop";
/// Longest `iss` and `sub`, in bytes. (OpenID Connect Core section 2 has at most 255 for `sub`.)
const MAX_ISSUER: usize = 1024;
const MAX_SUBJECT: usize = 255;
/// By how much an issuer's clock may be ahead where `nbf` is checked.
const LEEWAY_MILLIS: i64 = 60_000;

#[derive(Clone, Debug, Default)]
pub struct JwtConfig {
    pub issuer: Option<String>,
    pub audience: Option<String>,
}

/// The secrets of HS256.
pub struct JwtSecrets {
    own: Vec<u8>,
    /// The configured one, which others hold and sign with.
    shared: Option<String>,
}

impl JwtSecrets {
    /// `kept` is the store's own secret, which signs where none is configured.
    pub fn new(kept: &str, configured: Option<&str>) -> Self {
        let own = match configured {
            None => kept.as_bytes().to_vec(),
            Some(shared) => {
                let label = format!("access tokens beside the configured secret\0{shared}");
                Secret::derive("", kept.as_bytes(), &label).as_str().as_bytes().to_vec()
            }
        };
        Self { own, shared: configured.map(str::to_owned) }
    }
}

/// The claims of the hub's own tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OwnClaims {
    /// The human's id.
    pub sub: String,
    /// The sign-in of the token; none for a token of the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Seconds since the Unix epoch.
    #[serde(serialize_with = "whole_seconds", deserialize_with = "numeric_date")]
    pub exp: Timestamp,
    /// With milliseconds, so that a token issued right after a revocation differs from those before it.
    #[serde(serialize_with = "seconds", deserialize_with = "numeric_date")]
    pub iat: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
}

/// The claims of an external issuer's token that the hub uses. A claim of the wrong JSON type is an error.
#[derive(Clone, Debug, Deserialize)]
pub struct ExternalClaims {
    pub sub: String,
    #[serde(default)]
    pub iss: Option<String>,
    #[serde(default)]
    aud: Option<Audience>,
    #[serde(deserialize_with = "numeric_date")]
    pub exp: Timestamp,
    #[serde(deserialize_with = "numeric_date")]
    pub iat: Timestamp,
    #[serde(default, deserialize_with = "perhaps_numeric_date")]
    nbf: Option<Timestamp>,
    #[serde(default)]
    pub email: Option<String>,
    #[serde(default)]
    pub email_verified: Option<bool>,
    #[serde(default)]
    pub name: Option<String>,
}

/// `aud` is one text or several (RFC 7519 section 4.1.3).
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn has(&self, wanted: &str) -> bool {
        match self {
            Self::One(audience) => audience == wanted,
            Self::Several(audiences) => audiences.iter().any(|audience| audience == wanted),
        }
    }
}

impl ExternalClaims {
    /// The first claim that is invalid, if any.
    fn problem(&self, config: &JwtConfig, now: Timestamp) -> Option<&'static str> {
        if self.sub.is_empty() || self.sub.len() > MAX_SUBJECT || self.sub.contains('\0') {
            return Some("has an invalid 'sub'");
        }
        if self.iss.as_ref().is_some_and(|issuer| issuer.len() > MAX_ISSUER || issuer.contains('\0')) {
            return Some("has an invalid 'iss'");
        }
        if config.issuer.as_ref().is_some_and(|issuer| self.iss.as_ref() != Some(issuer)) {
            return Some("has another issuer");
        }
        if config.audience.as_ref().is_some_and(|wanted| !self.aud.as_ref().is_some_and(|aud| aud.has(wanted))) {
            return Some("has another audience");
        }
        if self.nbf.is_some_and(|from| from > now.plus_millis(LEEWAY_MILLIS)) {
            return Some("is not valid yet");
        }
        None
    }
}

/// A `NumericDate` (RFC 7519 section 2): seconds, possibly with a fraction.
fn numeric_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    perhaps_numeric_date(deserializer)?.ok_or_else(|| D::Error::custom("must be a number"))
}

fn perhaps_numeric_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    // Clamped, since the number may be too large.
    let seconds = Option::<f64>::deserialize(deserializer)?;
    Ok(seconds.map(|seconds| Timestamp((seconds * 1000.0).round() as i64).clamped()))
}

fn whole_seconds<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(at.0.div_euclid(1000))
}

fn seconds<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(at.0 as f64 / 1000.0)
}

/// A verified token.
#[derive(Debug)]
pub enum Verified {
    Own(OwnClaims),
    External(ExternalClaims),
}

/// The human that a token is issued for.
pub struct Bearer<'a> {
    pub human: String,
    pub email: &'a str,
    pub name: &'a str,
    pub sign_in: Option<Uuid>,
}

pub struct Jwts {
    config: JwtConfig,
    signing: EncodingKey,
    own: DecodingKey,
    shared: Option<DecodingKey>,
    /// The secret that other secrets are derived from.
    seed: Vec<u8>,
    jwks: Option<Jwks>,
}

impl Jwts {
    pub fn new(secrets: JwtSecrets, config: JwtConfig, jwks: Option<Jwks>) -> Self {
        Self {
            config,
            signing: EncodingKey::from_secret(&secrets.own),
            own: DecodingKey::from_secret(&secrets.own),
            shared: secrets.shared.map(|shared| DecodingKey::from_secret(shared.as_bytes())),
            seed: secrets.own,
            jwks,
        }
    }

    /// A secret derived from the hub's secret and a label.
    pub fn derived_secret(&self, prefix: &str, label: &str) -> Secret {
        Secret::derive(prefix, &self.seed, label)
    }

    /// Issues a token of the hub.
    pub fn issue(&self, bearer: Bearer<'_>, now: Timestamp, exp: Timestamp) -> Result<String, Refusal> {
        let claims = OwnClaims {
            sub: bearer.human,
            sid: bearer.sign_in,
            email: Some(bearer.email.to_owned()),
            name: Some(bearer.name.to_owned()),
            exp,
            iat: now,
            iss: Some(self.config.issuer.clone().unwrap_or_else(|| OWN_ISSUER.to_owned())),
            aud: self.config.audience.clone(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing).map_err(|_| Refusal::Internal)
    }

    /// Verifies the signature and times, and the other claims of an external issuer's token.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Verified, Refusal> {
        let bad = |what: &str| Refusal::Unauthorized(format!("The token {what}"));
        let header = jsonwebtoken::decode_header(token).map_err(|_| bad("is not a supported JWT"))?;
        if names_critical(token) {
            // RFC 7515 section 4.1.11: unsupported extensions must be rejected.
            return Err(bad("has an unsupported header 'crit'"));
        }
        if header.alg == Algorithm::HS256
            && let Ok(claims) = decode::<OwnClaims>(token, &self.own, Algorithm::HS256)
        {
            return match claims.exp > now {
                true => Ok(Verified::Own(claims)),
                false => Err(expired()),
            };
        }
        let claims = match (&self.shared, &self.jwks, header.alg) {
            // The settings decide whether the issuer signs with published keys or with the shared secret, not the token. With
            // published keys, the secret signs only the hub's own tokens.
            (Some(shared), None, Algorithm::HS256) => decode::<ExternalClaims>(token, shared, Algorithm::HS256),
            (_, Some(jwks), alg) if alg != Algorithm::HS256 => match jwks.key(header.kid.as_deref()).await {
                Found::Key(key, algorithm) => decode(token, &key, algorithm),
                Found::Unknown => return Err(bad("is signed with an unknown key")),
            },
            (_, _, Algorithm::HS256) => return Err(bad("is not valid")),
            _ => return Err(bad("is signed with an algorithm that is not configured")),
        };
        let claims = claims.map_err(|_| bad("is not valid"))?;
        if claims.exp <= now {
            return Err(expired());
        }
        match claims.problem(&self.config, now) {
            Some(problem) => Err(bad(problem)),
            None => Ok(Verified::External(claims)),
        }
    }
}

fn expired() -> Refusal {
    Refusal::Expired("The token has expired".to_owned())
}

/// Whether the header has `crit`, which the library ignores.
fn names_critical(token: &str) -> bool {
    let header = token.split('.').next().unwrap_or_default();
    let header = URL_SAFE_NO_PAD.decode(header).ok();
    let header = header.and_then(|json| serde_json::from_slice::<serde_json::Value>(&json).ok());
    header.is_none_or(|header| header.get("crit").is_some())
}

/// Verifies the signature and reads the claims, which are checked by the caller.
fn decode<T: DeserializeOwned + Clone>(
    token: &str,
    key: &DecodingKey,
    algorithm: Algorithm,
) -> Result<T, jsonwebtoken::errors::Error> {
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    Ok(jsonwebtoken::decode::<T>(token, key, &validation)?.claims)
}
