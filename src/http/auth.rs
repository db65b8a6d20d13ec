//! Auth extractors: each authenticates the caller of a route and checks its permission (contract section 2).

use super::request_id::REQUEST_ID;
use super::{ApiError, App};
use crate::auth::credential::{api_key_of, bearer_of};
use crate::auth::{Caller, Provisioner, Visit};
use crate::domain::principal::{AgentPrincipal, HumanPrincipal, ManagerPrincipal};
use crate::domain::{AuditSource, ClientNetwork, Permission, Principal, Refusal};
use crate::limits::Payer;
use crate::net::client_address::client_network;
use crate::protocol::openapi::errors::documented;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use utoipa::IntoResponses;
use utoipa::openapi::{RefOr, Response};

/// A kind of caller that may see sessions.
pub trait SessionCaller: FromRequestParts<App, Rejection = ApiError> + Send + 'static {
    fn principal(&self) -> &Arc<Principal>;
}

/// An API key of any permission, acting as an agent.
pub struct Agent(pub Arc<Principal>);

impl Agent {
    pub fn agent(&self) -> Result<&AgentPrincipal, Refusal> {
        match &*self.0 {
            Principal::Agent(agent) => Ok(agent),
            Principal::Human(_) | Principal::Guest(_) => Err(Refusal::Internal),
        }
    }
}

/// A human or a guest.
pub struct Person(pub Arc<Principal>);

/// A human, not a guest.
pub struct HumanOnly(pub Arc<Principal>, pub HumanPrincipal);

/// A key with `manage` or more, or a human who is an admin.
pub struct Manager(pub ManagerPrincipal);

/// A key with `manage` or more.
pub struct ManagerKey;

/// A key with `owner`.
pub struct Owner(pub AgentPrincipal);

impl SessionCaller for Agent {
    fn principal(&self) -> &Arc<Principal> {
        &self.0
    }
}

impl SessionCaller for Person {
    fn principal(&self) -> &Arc<Principal> {
        &self.0
    }
}

impl SessionCaller for HumanOnly {
    fn principal(&self) -> &Arc<Principal> {
        &self.0
    }
}

/// A guest is refused.
impl IntoResponses for HumanOnly {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        documented(StatusCode::FORBIDDEN)
    }
}

fn unauthorized(text: &str) -> ApiError {
    ApiError(Refusal::Unauthorized(text.to_owned()))
}

fn forbidden(text: &str) -> ApiError {
    ApiError(Refusal::Forbidden(text.to_owned()))
}

fn from(parts: &Parts, app: &App) -> ClientNetwork {
    client_network(&parts.extensions, &parts.headers, &app.config.trusted_proxies)
}

impl FromRequestParts<App> for ClientNetwork {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(from(parts, app))
    }
}

/// Where a request comes from, for the audit log.
impl FromRequestParts<App> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let source = AuditSource::from_request_parts(parts, app).await?;
        let agent = parts.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        Ok(Self { from: from(parts, app), source, user_agent: agent.map(str::to_owned) })
    }
}

impl FromRequestParts<App> for AuditSource {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let id = parts.headers.get(&REQUEST_ID).and_then(|id| id.to_str().ok());
        Ok(Self { origin: Some(from(parts, app).to_string()), request_id: id.map(str::to_owned) })
    }
}

/// Verifies the credential of a request again whose body took long to arrive: it may have been revoked meanwhile.
pub(super) async fn verify_again(parts: &Parts, app: &App) -> Result<(), ApiError> {
    if let Some((key, agent)) = api_key_of(&parts.headers)? {
        app.authenticator.api_key(key, agent, from(parts, app)).await?;
    }
    if let Some(token) = bearer_of(&parts.headers)? {
        app.authenticator.bearer(token, from(parts, app)).await?;
    }
    Ok(())
}

async fn caller(parts: &mut Parts, app: &App) -> Result<Caller, ApiError> {
    match api_key_of(&parts.headers)? {
        Some((key, agent)) => Ok(app.authenticator.api_key(key, agent, from(parts, app)).await?),
        None => Err(unauthorized("Header 'X-API-Key' is required")),
    }
}

async fn agent(parts: &mut Parts, app: &App) -> Result<Arc<Principal>, ApiError> {
    match caller(parts, app).await? {
        Caller::Principal(principal) => {
            parts.extensions.insert(Payer::of(&principal));
            Ok(principal)
        }
        Caller::Provisioner(_) => Err(forbidden("A provisioner key can only provision agents")),
    }
}

async fn person(parts: &mut Parts, app: &App) -> Result<Arc<Principal>, ApiError> {
    match bearer_of(&parts.headers)? {
        Some(token) => {
            let principal = app.authenticator.bearer(token, from(parts, app)).await?;
            parts.extensions.insert(Payer::of(&principal));
            Ok(principal)
        }
        None => Err(unauthorized("Header 'Authorization: Bearer TOKEN' is required")),
    }
}

async fn key_with(parts: &mut Parts, app: &App, needed: Permission) -> Result<AgentPrincipal, ApiError> {
    // The token of an admin opens the other routes of `/v1/manage`: it is valid here too, and not enough.
    let principal = match (api_key_of(&parts.headers)?, bearer_of(&parts.headers)?) {
        (None, Some(_)) => person(parts, app).await?,
        _ => agent(parts, app).await?,
    };
    match &*principal {
        Principal::Agent(agent) if agent.permission >= needed => Ok(agent.clone()),
        _ => Err(forbidden(&format!("This needs a key with the permission '{}'", needed.as_str()))),
    }
}

impl FromRequestParts<App> for Agent {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        agent(parts, app).await.map(Self)
    }
}

impl FromRequestParts<App> for Person {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        person(parts, app).await.map(Self)
    }
}

impl FromRequestParts<App> for HumanOnly {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let principal = person(parts, app).await?;
        match &*principal {
            Principal::Human(human) => Ok(Self(Arc::clone(&principal), human.clone())),
            _ => Err(forbidden("A guest may not do this")),
        }
    }
}

impl FromRequestParts<App> for Manager {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let principal = match (api_key_of(&parts.headers)?, bearer_of(&parts.headers)?) {
            (Some(_), _) => agent(parts, app).await?,
            (None, Some(_)) => person(parts, app).await?,
            (None, None) => {
                return Err(unauthorized("Header 'X-API-Key' or 'Authorization: Bearer TOKEN' is required"));
            }
        };
        ManagerPrincipal::of(&principal)
            .map(Self)
            .ok_or_else(|| forbidden("This needs a key with the permission 'manage' or an admin of the space"))
    }
}

impl FromRequestParts<App> for ManagerKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        key_with(parts, app, Permission::Manage).await.map(|_| Self)
    }
}

impl FromRequestParts<App> for Owner {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        key_with(parts, app, Permission::Owner).await.map(Self)
    }
}

impl FromRequestParts<App> for Provisioner {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        match caller(parts, app).await? {
            Caller::Provisioner(provisioner) => {
                parts.extensions.insert(Payer::Space(provisioner.space.0));
                Ok(provisioner)
            }
            Caller::Principal(_) => Err(forbidden("This needs a provisioner key")),
        }
    }
}
