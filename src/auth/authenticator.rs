//! Resolves credentials to principals, with a short-lived cache so that frequent callers need no query for each request.

use super::acting::Acting;
use super::attempts::Attempts;
use super::caller::{Caller, Provisioner};
use super::credential::Credential;
use super::external::ExternalPeople;
use super::jwt::{Jwts, OwnClaims, Verified};
use super::revoked::RecentlyRevoked;
use super::secret;
use super::usage::Usage;
use crate::clock::Clock;
use crate::config::Quotas;
use crate::domain::people::Human;
use crate::domain::principal::{AgentPrincipal, GuestPrincipal, HumanPrincipal};
use crate::domain::{ClientNetwork, HumanId, Permission, Principal, Refusal, Timestamp};
use crate::store::{SecretHash, Store, StoreError};
use quick_cache::sync::Cache;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a resolved credential is cached. If the hint of a revocation on another node is lost, the revocation takes effect after this time.
const CACHE_TTL: Duration = Duration::from_secs(1);
const MAX_CACHED: usize = 50_000;
/// Most credentials that are known to be valid, as hashes, for rate limits.
const MAX_VALID: usize = 50_000;

pub struct Authenticator {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    jwts: Jwts,
    attempts: Arc<Attempts>,
    acting: Acting,
    usage: Usage,
    external: ExternalPeople,
    /// Resolved credentials, each with a moment before its look-up.
    cache: Cache<SecretHash, (Instant, Caller)>,
    revoked: Arc<RecentlyRevoked>,
    /// Credentials that were valid when they were last used.
    valid: Cache<SecretHash, ()>,
}

fn unauthorized(text: &str) -> Refusal {
    Refusal::Unauthorized(text.to_owned())
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(error) => {
                tracing::warn!(%error, "database unavailable");
                Self::Unavailable
            }
            StoreError::Busy(error) => {
                tracing::warn!(%error, "a request failed: lock conflict in the database");
                Self::Unavailable
            }
            StoreError::Raced => Self::IdempotencyInFlight,
            error => {
                tracing::error!(%error, "a request failed: database error");
                Self::Internal
            }
        }
    }
}

impl Authenticator {
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        jwts: Jwts,
        jwt_space: String,
        attempts: Arc<Attempts>,
        quotas: Quotas,
    ) -> Self {
        let external = ExternalPeople::new(Arc::clone(&store), Arc::clone(&clock), jwt_space, quotas);
        Self {
            acting: Acting::new(Arc::clone(&store), Arc::clone(&clock), quotas),
            usage: Usage::new(Arc::clone(&store), Arc::clone(&clock)),
            store,
            clock,
            jwts,
            attempts,
            external,
            cache: Cache::new(MAX_CACHED),
            revoked: Arc::default(),
            valid: Cache::new(MAX_VALID),
        }
    }

    pub fn jwts(&self) -> &Jwts {
        &self.jwts
    }

    /// The last use of keys and guest tokens.
    pub fn usage(&self) -> &Usage {
        &self.usage
    }

    /// Writes this node's recent uses now, so that lists show them.
    pub async fn show_uses(&self) {
        if let Err(error) = self.usage.flush().await {
            tracing::debug!(%error, "cannot record the use of keys");
        }
    }

    /// Recent revocations. Those that are added take effect for this authenticator at once.
    pub fn revoked(&self) -> &Arc<RecentlyRevoked> {
        &self.revoked
    }

    /// Clears the cache: the next use of each credential is looked up.
    pub fn clear_cache(&self) {
        self.cache.clear();
    }

    /// Whether a credential was valid when it was last used. It may be invalid by now.
    pub fn was_valid(&self, credential: &SecretHash) -> bool {
        self.valid.get(credential).is_some()
    }

    /// Records whether a credential was valid.
    fn record_outcome<T>(&self, credential: SecretHash, outcome: &Result<T, Refusal>) {
        match outcome {
            Ok(_) => self.valid.insert(credential, ()),
            Err(Refusal::Unauthorized(_) | Refusal::Expired(_)) => {
                self.valid.remove(&credential);
            }
            Err(_) => {}
        }
    }

    /// Resolves an API key that acts as `agent` (the `X-Hiloop` header: a name or an id), or as its own agent.
    pub async fn api_key(&self, token: &str, agent: Option<&str>, from: ClientNetwork) -> Result<Caller, Refusal> {
        let since = Instant::now();
        let credential = Credential::ApiKey(token);
        let cache_key = credential.hash_as(agent);
        if let Some(caller) = self.cached(&cache_key) {
            return Ok(caller);
        }
        // Boxed, here and below: otherwise the future of the whole request would reserve space for this one.
        let found = Box::pin(self.attempts.look_up(from, token, self.holder(token, agent, from))).await;
        self.record_outcome(credential.hash(), &found);
        let caller = found?;
        self.usage.note_caller(&caller);
        self.cache.insert(cache_key, (since, caller.clone()));
        Ok(caller)
    }

    async fn holder(&self, token: &str, agent: Option<&str>, from: ClientNetwork) -> Result<Caller, Refusal> {
        if !secret::has_form(token, secret::API_KEY) && !secret::has_form(token, secret::PROVISIONER_KEY) {
            return Err(unauthorized("The API key is not valid"));
        }
        let key = self.store.key_by_secret(&secret::hash(token)).await?;
        let key = key.ok_or_else(|| unauthorized("The API key is not valid"))?;
        if key.expires_at.is_some_and(|at| at <= self.clock.now()) {
            return Err(Refusal::Expired("The API key has expired".to_owned()));
        }
        Ok(if key.permission == Permission::Provision {
            Caller::Provisioner(Provisioner { space: key.space, key: key.id, expires_at: key.expires_at })
        } else {
            let (agent, name) = self.acting.agent(&key, agent, from).await?;
            let own = key.agent.as_ref().map(|(agent, _)| *agent);
            Caller::Principal(Arc::new(Principal::Agent(AgentPrincipal {
                space: key.space,
                agent,
                name,
                key: key.id,
                permission: key.permission,
                is_own: own == Some(agent),
                expires_at: key.expires_at,
            })))
        })
    }

    /// Resolves a bearer token: a guest's, or a JWT.
    pub async fn bearer(&self, token: &str, from: ClientNetwork) -> Result<Arc<Principal>, Refusal> {
        let since = Instant::now();
        let cache_key = Credential::Bearer(token).hash();
        if let Some(Caller::Principal(principal)) = self.cached(&cache_key) {
            return Ok(principal);
        }
        let found = if token.starts_with(secret::GUEST_TOKEN) {
            Box::pin(self.attempts.look_up(from, token, self.guest(token))).await
        } else {
            Box::pin(self.attempts.verify(from, self.human(token, from))).await
        };
        self.record_outcome(cache_key, &found);
        let principal = Arc::new(found?);
        self.usage.note(&principal);
        self.cache.insert(cache_key, (since, Caller::Principal(Arc::clone(&principal))));
        Ok(principal)
    }

    /// Resolves any credential of a socket: an API key, a guest token or a JWT.
    pub async fn any(&self, token: &str, agent: Option<&str>, from: ClientNetwork) -> Result<Arc<Principal>, Refusal> {
        if let Credential::Bearer(token) = Credential::any(token) {
            return self.bearer(token, from).await;
        }
        match self.api_key(token, agent, from).await? {
            Caller::Principal(principal) => Ok(principal),
            Caller::Provisioner(_) => Err(Refusal::Forbidden("A provisioner key cannot open sockets".to_owned())),
        }
    }

    async fn guest(&self, token: &str) -> Result<Principal, Refusal> {
        if !secret::has_form(token, secret::GUEST_TOKEN) {
            return Err(unauthorized("The guest token is not valid"));
        }
        let guest = self.store.guest_by_secret(&secret::hash(token)).await?;
        let guest = guest.ok_or_else(|| unauthorized("The guest token is not valid"))?;
        if guest.expires_at <= self.clock.now() {
            return Err(Refusal::Expired("The guest token has expired".to_owned()));
        }
        Ok(Principal::Guest(GuestPrincipal {
            id: guest.id,
            space: guest.space_id,
            session: guest.session_id,
            name: guest.name,
            expires_at: guest.expires_at,
        }))
    }

    async fn human(&self, token: &str, from: ClientNetwork) -> Result<Principal, Refusal> {
        let now = self.clock.now();
        let (human, sign_in, expires_at) = match self.jwts.verify(token, now).await? {
            Verified::Own(claims) => (self.own_human(&claims, now).await?, claims.sid, claims.exp),
            Verified::External(claims) => (self.external.human(&claims, from).await?, None, claims.exp),
        };
        Ok(Principal::Human(HumanPrincipal {
            id: human.id,
            space: human.space_id,
            name: human.name,
            email: human.email,
            role: human.role,
            sign_in,
            expires_at,
        }))
    }

    /// The human of a token that the hub issued, unless its sign-in has ended or the token was revoked.
    async fn own_human(&self, claims: &OwnClaims, now: Timestamp) -> Result<Human, Refusal> {
        let inactive = || unauthorized("The token's human is not active");
        let id = claims.sub.parse::<HumanId>().map_err(|_| inactive())?;
        let human = self.store.human(id).await?.ok_or_else(inactive)?;
        match claims.sid {
            Some(sign_in) if !self.store.has_sign_in(id, sign_in, now).await? => {
                Err(unauthorized("The token's sign-in has ended"))
            }
            None if human.has_voided(claims.iat) => Err(unauthorized("The token is no longer valid")),
            _ => Ok(human),
        }
    }

    /// The cached caller of a credential, unless it has expired or was revoked since its look-up.
    fn cached(&self, cache_key: &SecretHash) -> Option<Caller> {
        let (since, caller) = self.cache.get(cache_key)?;
        if since.elapsed() > CACHE_TTL || self.revoked.ends(caller.revocable().into_iter().flatten(), since) {
            return None;
        }
        let expires_at = match &caller {
            Caller::Principal(principal) => principal.expires_at(),
            Caller::Provisioner(provisioner) => provisioner.expires_at,
        };
        if expires_at.is_some_and(|at| at <= self.clock.now()) {
            return None;
        }
        Some(caller)
    }
}
