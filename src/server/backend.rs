//! The store and what is built on it: the part of a hub that commands use which do not serve.

use super::StartError;
use crate::audit::Audit;
use crate::auth::{Accounts, Attempts, Authenticator, Jwks, JwtConfig, JwtSecrets, Jwts, Secret};
use crate::clock::Clock;
use crate::config::{Database, JwtSettings, Quotas, SignInLimit};
use crate::store::Store;
use crate::store::open::open;
use std::sync::Arc;

/// The store with the authenticator, the accounts and the audit log.
pub struct Backend {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub authenticator: Arc<Authenticator>,
    pub accounts: Accounts,
    pub audit: Arc<Audit>,
}

impl Backend {
    /// Opens the store and builds the rest on it.
    pub async fn open(
        database: &Database,
        jwt: &JwtSettings,
        sign_in_limit: Option<SignInLimit>,
        quotas: Quotas,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let store = open(database).await?;
        // The client that fetches an issuer's keys needs a provider. This fails only if one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let generated = store.setting_or("jwt_secret", Secret::generate("").as_str()).await?;
        let secrets = JwtSecrets::new(&generated, jwt.jwt_secret.as_deref());
        let jwks = jwt.jwks_url.clone().map(Jwks::new).transpose().map_err(StartError::Jwks)?;
        let config = JwtConfig { issuer: jwt.jwt_issuer.clone(), audience: jwt.jwt_audience.clone() };
        let jwts = Jwts::new(secrets, config, jwks);
        let attempts = Arc::new(Attempts::new(sign_in_limit, Arc::clone(&clock)));
        let authenticator = Arc::new(Authenticator::new(
            Arc::clone(&store),
            Arc::clone(&clock),
            jwts,
            jwt.jwt_space.clone(),
            Arc::clone(&attempts),
            quotas,
        ));
        let audit = Arc::new(Audit::new(Arc::clone(&store), Arc::clone(&clock)));
        let accounts = Accounts::new(
            Arc::clone(&store),
            Arc::clone(&clock),
            Arc::clone(&authenticator),
            attempts,
            Arc::clone(&audit),
        );
        Ok(Self { store, clock, authenticator, accounts, audit })
    }
}
