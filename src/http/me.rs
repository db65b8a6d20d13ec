//! Who the caller is, public keys, and whom one may talk to.

use super::audience::{Agent, Audience, Member, Person};
use super::body::Body;
use super::query::Query;
use super::reply::{self, Reply};
use super::{ApiError, App};
use crate::domain::participant::Member as Entrant;
use crate::domain::text::check_text;
use crate::domain::{ParticipantType, Principal, Refusal};
use axum::extract::State;
use base64::Engine as _;
use serde::Deserialize;
use serde_json::json;

/// Size of an X25519 public key.
const PUBLIC_KEY_BYTES: usize = 32;
const MAX_KEY_ID: usize = 128;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicKey {
    public_key: Option<String>,
    key_id: Option<String>,
}

pub async fn agent(Agent(principal): Agent, State(app): State<App>) -> Reply {
    let Principal::Agent(caller) = &*principal else { return Err(Refusal::Internal.into()) };
    let agent = app.store.agent(caller.space, caller.agent).await?.ok_or(Refusal::NotFound("Agent"))?;
    reply::ok(&json!({
        "type": "Agent",
        "id": agent.id,
        "name": agent.name,
        "description": agent.description,
        "spaceId": agent.space_id,
        "permission": caller.permission,
        "publicKey": agent.public_key,
        "keyId": agent.key_id,
        "expiresAt": caller.expires_at,
        "createdAt": agent.created_at,
    }))
}

pub async fn person(Person(principal): Person, State(app): State<App>) -> Reply {
    match &*principal {
        Principal::Human(caller) => {
            let human = app.store.human(caller.id).await?.ok_or(Refusal::NotFound("Human"))?;
            reply::ok(&json!({
                "type": "Human",
                "id": human.id,
                "name": human.name,
                "email": human.email,
                "sessionId": null,
                "publicKey": human.public_key,
                "keyId": human.key_id,
                "expiresAt": caller.expires_at,
                "createdAt": human.created_at,
            }))
        }
        _ => {
            let (kind, name, expires_at) = ("Guest", principal.name(), principal.expires_at());
            let Principal::Guest(guest) = &*principal else { return Err(Refusal::Internal.into()) };
            let stored = app.store.guest(guest.space, guest.id).await?.ok_or(Refusal::NotFound("Guest"))?;
            reply::ok(&json!({
                "type": kind,
                "id": guest.id,
                "name": name,
                "email": null,
                "sessionId": guest.session,
                "publicKey": stored.public_key,
                "keyId": stored.key_id,
                "expiresAt": expires_at,
                "createdAt": stored.created_at,
            }))
        }
    }
}

/// Takes the caller's public key into the directory: X25519, base64, 32 bytes.
pub async fn put_public_key<A: Audience>(caller: A, State(app): State<App>, body: Body<PublicKey>) -> Reply {
    let public_key = body.value.public_key.ok_or_else(|| Refusal::required("publicKey"))?;
    let key_id = body.value.key_id.ok_or_else(|| Refusal::required("keyId"))?;
    let decoded = base64::engine::general_purpose::STANDARD.decode(&public_key);
    if !decoded.is_ok_and(|bytes| bytes.len() == PUBLIC_KEY_BYTES) {
        return Err(Refusal::invalid("publicKey", "must be the base64 of 32 bytes").into());
    }
    if key_id.is_empty() {
        return Err(Refusal::invalid("keyId", "must not be empty").into());
    }
    check_text("keyId", &key_id, MAX_KEY_ID)?;
    let principal = caller.principal();
    let kind = match &**principal {
        Principal::Agent(_) => ParticipantType::Agent,
        Principal::Human(_) => ParticipantType::Human,
        Principal::Guest(_) => ParticipantType::Guest,
    };
    let member =
        Entrant { kind, id: principal.id(), name: principal.name().to_owned(), public_key: None, key_id: None };
    app.store.set_public_key(&member, &public_key, &key_id).await?;
    reply::ok(&json!({ "publicKey": public_key, "keyId": key_id }))
}

/// The people of the space, for those who seal for them.
pub async fn humans(Agent(principal): Agent, State(app): State<App>, query: Query) -> Reply {
    let Principal::Agent(agent) = &*principal else { return Err(Refusal::Internal.into()) };
    let page = app.store.humans(agent.space, query.page()?).await?;
    reply::ok(&page.map(
        |human| json!({ "id": human.id, "name": human.name, "publicKey": human.public_key, "keyId": human.key_id }),
    ))
}

/// The agents that a human may open a session with.
pub async fn agents(
    Member(_, human): Member,
    State(app): State<App>,
    query: Query,
) -> Result<axum::response::Response, ApiError> {
    let page = app.store.agents_of_human(human.id, query.page()?).await?;
    reply::ok(&page)
}
