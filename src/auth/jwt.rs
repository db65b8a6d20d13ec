//! JWTs: the hub's own (HS256), and those of a configured outside issuer (HS256 with a shared secret, or JWKS).
//!
//! The algorithm never comes from the token: HS256 is only ever checked with the configured secret, and a key of a
//! JWKS only with the algorithm that this key is for.

use super::Secret;
use super::jwks::Jwks;
use crate::domain::{Refusal, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// The issuer of the hub's own tokens, unless one is configured.
const OWN_ISSUER: &str = "hiloop";

#[derive(Clone, Debug, Default)]
pub struct JwtConfig {
    pub issuer: Option<String>,
    pub audience: Option<String>,
    /// Whether the secret was configured, so that others may hold it and sign with it.
    pub shared_secret: bool,
}

/// The claims that the hub uses.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    pub sub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Seconds since the Unix epoch.
    #[serde(deserialize_with = "numeric_date")]
    pub exp: i64,
    /// Nobody has to say when a token was issued, nor in a way that can be read.
    #[serde(default, deserialize_with = "perhaps_numeric_date")]
    pub iat: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aud: Option<serde_json::Value>,
    /// What an outside issuer says of `email`.
    #[serde(default, skip_serializing)]
    pub email_verified: Option<serde_json::Value>,
}

impl Claims {
    /// Whether the issuer itself says that the e-mail address may be somebody else's. (Some write it as text.)
    fn disowns_email(&self) -> bool {
        self.email_verified.as_ref().is_some_and(|verified| *verified == false || verified == "false")
    }
}

/// A time as JWTs have it (RFC 7519 section 2): seconds, perhaps with a fraction, which is cut off.
fn numeric_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    perhaps_numeric_date(deserializer)?.ok_or_else(|| D::Error::custom("is no time"))
}

fn perhaps_numeric_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64)))
}

/// A token that was checked.
#[derive(Debug)]
pub struct Verified {
    pub claims: Claims,
    /// Whether an outside issuer may have made it, whose unknown humans are to be created.
    pub outside: bool,
}

pub struct Jwts {
    config: JwtConfig,
    signing: EncodingKey,
    verifying: DecodingKey,
    /// What other secrets of the hub follow from.
    seed: Vec<u8>,
    jwks: Option<Jwks>,
}

impl Jwts {
    pub fn new(secret: &str, config: JwtConfig, jwks: Option<Jwks>) -> Self {
        Self {
            config,
            signing: EncodingKey::from_secret(secret.as_bytes()),
            verifying: DecodingKey::from_secret(secret.as_bytes()),
            seed: secret.as_bytes().to_vec(),
            jwks,
        }
    }

    /// A secret that follows from one of the hub's and a label.
    pub fn derived_secret(&self, prefix: &str, label: &str) -> Secret {
        Secret::derive(prefix, &self.seed, label)
    }

    /// Signs a token of the hub's own.
    pub fn issue(&self, sub: &str, email: &str, name: &str, now: Timestamp, exp: Timestamp) -> Result<String, Refusal> {
        let claims = Claims {
            sub: sub.to_owned(),
            email: Some(email.to_owned()),
            name: Some(name.to_owned()),
            exp: exp.0.div_euclid(1000),
            iat: Some(now.0.div_euclid(1000)),
            iss: Some(self.config.issuer.clone().unwrap_or_else(|| OWN_ISSUER.to_owned())),
            aud: self.config.audience.clone().map(Into::into),
            email_verified: None,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing).map_err(|_| Refusal::Internal)
    }

    /// Checks signature, `exp`, and `iss` and `aud` where configured.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Verified, Refusal> {
        let bad = |what: &str| Refusal::Unauthorized(format!("The token {what}"));
        let header = jsonwebtoken::decode_header(token).map_err(|_| bad("is not a JWT that the hub can check"))?;
        let own = header.alg == Algorithm::HS256;
        let (claims, outside) = match (&self.jwks, own) {
            (_, true) => (self.check(token, &self.verifying, Algorithm::HS256), self.config.shared_secret),
            (None, false) => return Err(bad("is signed with an algorithm that is not configured")),
            (Some(jwks), false) => {
                let (key, algorithm) =
                    jwks.key(header.kid.as_deref()).await.ok_or_else(|| bad("is signed with an unknown key"))?;
                (self.check(token, &key, algorithm), true)
            }
        };
        let claims = claims.map_err(|_| bad("is not valid"))?;
        if claims.exp.saturating_mul(1000) <= now.0 {
            return Err(Refusal::Expired("The token has expired".to_owned()));
        }
        if outside && claims.disowns_email() {
            return Err(bad("is of somebody whose e-mail address is not verified"));
        }
        Ok(Verified { claims, outside })
    }

    fn check(
        &self,
        token: &str,
        key: &DecodingKey,
        algorithm: Algorithm,
    ) -> Result<Claims, jsonwebtoken::errors::Error> {
        let mut validation = Validation::new(algorithm);
        // `exp` is required here and compared above, with the injected clock.
        validation.validate_exp = false;
        validation.validate_nbf = true;
        let mut required = vec!["exp", "sub"];
        if let Some(issuer) = &self.config.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        match &self.config.audience {
            Some(audience) => {
                validation.set_audience(&[audience]);
                required.push("aud");
            }
            None => validation.validate_aud = false,
        }
        validation.set_required_spec_claims(&required);
        Ok(jsonwebtoken::decode::<Claims>(token, key, &validation)?.claims)
    }
}
