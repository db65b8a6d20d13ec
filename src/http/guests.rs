//! Guest tokens: a link that opens one session.

use super::App;
use super::audience::Agent;
use super::body::Body;
use super::idempotency::IdempotencyKey;
use super::participants::remove_named;
use super::path::{Id, Ids};
use super::query::Query;
use super::reply::{self, Reply};
use crate::auth::secret::{GUEST_TOKEN, Secret};
use crate::domain::decide::{Command, NewGuest, WhichParticipant};
use crate::domain::participant::Member;
use crate::domain::text::check_name;
use crate::domain::{AuditEvent, AuditSource, AuditTarget, AuditTargetType, Author, GuestId, Participant, ParticipantType, Permission, Principal, Refusal, SessionId, Timestamp};
use crate::protocol::page::{Page, PageRequest};
use crate::store::SavedReplyKind;
use crate::timeline::Outcome;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const DEFAULT_SECONDS: i64 = 86_400;
const MIN_SECONDS: i64 = 60;
const MAX_SECONDS: i64 = 2_592_000;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({ "name": "Priya", "expiresInSeconds": 3600 })))]
pub struct GuestDraft {
    /// Nobody else's in the session, whatever their case; `Guest`, with a number where that is taken, unless given.
    #[schema(max_length = 64, pattern = "PLAIN_NAME")]
    name: Option<String>,
    /// A day unless given.
    #[schema(minimum = 60, maximum = 2592000)]
    expires_in_seconds: Option<i64>,
}

/// A guest's token, shown once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct GuestToken {
    id: GuestId,
    /// `hlg_` and 64 hex digits.
    token: String,
    /// Opens the chat; the token stands in its fragment.
    url: String,
    expires_at: Timestamp,
    participant: Participant,
}

/// Make a guest token
///
/// A link that opens this one session. The token is shown here and never again. 409 `CONFLICT` where another participant has the name. The guest may answer what the calling agent asks, and what every agent asks if the key has `space`.
#[utoipa::path(
    post, path = "/sessions/{id}/guest-tokens", operation_id = "createGuestToken",
    request_body = GuestDraft,
    params(IdempotencyKey),
    responses((status = 201, description = "The guest with their token", body = GuestToken)),
)]
pub async fn create(
    Agent(principal): Agent,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    source: AuditSource,
    key: IdempotencyKey,
    body: Body<GuestDraft>,
) -> Reply {
    let Principal::Agent(agent) = &*principal else { return Err(Refusal::Internal.into()) };
    let has_default_name = body.value.name.is_none();
    let name = body.value.name.unwrap_or_else(|| "Guest".to_owned());
    check_name("name", &name)?;
    let seconds = body.value.expires_in_seconds.unwrap_or(DEFAULT_SECONDS);
    if !(MIN_SECONDS..=MAX_SECONDS).contains(&seconds) {
        let problem = format!("must be from {MIN_SECONDS} to {MAX_SECONDS}");
        return Err(Refusal::invalid("expiresInSeconds", &problem).into());
    }
    let guest = GuestId::new();
    let token = key.secret(GUEST_TOKEN, &guest.to_string());
    let expires_at = app.clock.now().plus_seconds(seconds);
    let member = Member { kind: ParticipantType::Guest, id: guest.into(), name, key: None };
    let command = Command::AddParticipant {
        member,
        role: Participant::MEMBER.to_owned(),
        guest: Some(NewGuest {
            token_hash: token.hash(),
            expires_at,
            created_by: principal.author(),
            limit: app.config.quotas.session_guests,
            // A key with `space` speaks for the whole space, any other for its agent alone.
            answers_agent: (agent.permission < Permission::Space).then_some(agent.agent),
            has_default_name,
        }),
    };
    let base = app.config.public_url.as_deref().unwrap_or_default();
    let reply_of = |token: &Secret, participant: Participant, expires_at: Timestamp| -> Result<_, Refusal> {
        Ok(GuestToken {
            id: participant.guest_id.ok_or(Refusal::Internal)?,
            token: token.as_str().to_owned(),
            url: format!("{base}/#guest={}", token.as_str()),
            expires_at,
            participant,
        })
    };
    match app.command(&principal, session, command, key.of(&principal, body.digest)).await? {
        Outcome::Participant { participant, .. } => {
            let target = AuditTarget::new(AuditTargetType::GuestToken, guest, participant.name.clone());
            note(&app, &principal, &source, AuditEvent::GuestTokenCreated, target).await;
            reply::created(&reply_of(&token, *participant, expires_at)?)
        }
        // The token is found again, not stored: it follows from the caller's credential, the key and the guest's id.
        Outcome::Replayed { reply: SavedReplyKind::Body(body), .. } => {
            let participant: Participant = serde_json::from_str(&body).map_err(|_| Refusal::Internal)?;
            let guest = participant.guest_id.ok_or(Refusal::Internal)?;
            let token = key.secret(GUEST_TOKEN, &guest.to_string());
            let stored = app.store.guest_by_secret(&token.hash()).await?.ok_or(Refusal::NotFound("Guest token"))?;
            Ok(reply::replayed(reply::created(&reply_of(&token, participant, stored.expires_at)?)?))
        }
        _ => Err(Refusal::Internal.into()),
    }
}

/// A guest token without its secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct GuestTokenEntry {
    id: GuestId,
    name: String,
    /// Who made it; null for one of a version that did not note it.
    #[schema(required = true)]
    created_by: Option<Author>,
    created_at: Timestamp,
    expires_at: Timestamp,
    /// To the minute; null while it has not been used.
    #[schema(required = true)]
    last_used_at: Option<Timestamp>,
}

/// List the guest tokens of a session
///
/// Those that are not revoked, without their secrets.
#[utoipa::path(
    get, path = "/sessions/{id}/guest-tokens", operation_id = "listGuestTokens",
    params(PageRequest),
    responses((status = 200, description = "A page of guest tokens", body = Page<GuestTokenEntry>)),
)]
pub async fn list(Agent(principal): Agent, State(app): State<App>, Id(session): Id<SessionId>, query: Query) -> Reply {
    app.authenticator.show_uses().await;
    let page = app.store.guests(principal.scope(), session, query.page()?).await?;
    reply::ok(&page.ok_or(Refusal::NotFound("Session"))?.map(|guest| GuestTokenEntry {
        id: guest.id,
        name: guest.name,
        created_by: guest.created_by,
        created_at: guest.created_at,
        expires_at: guest.expires_at,
        last_used_at: guest.last_used_at,
    }))
}

/// Revoke a guest token
///
/// The guest leaves the session.
#[utoipa::path(
    delete, path = "/sessions/{id}/guest-tokens/{tokenId}", operation_id = "revokeGuestToken",
    responses((status = 204, description = "Revoked")),
)]
pub async fn revoke(
    Agent(principal): Agent,
    State(app): State<App>,
    Ids(session, guest): Ids<SessionId, GuestId>,
    source: AuditSource,
) -> Reply {
    remove_named(&app, &principal, session, WhichParticipant::Guest(guest), &source).await
}

/// Keeps an entry of the audit log about a guest token.
pub(super) async fn note(
    app: &App,
    principal: &Principal,
    source: &AuditSource,
    event: AuditEvent,
    target: AuditTarget,
) {
    let entry = app.audit.entry(event, Some(principal.space()), source);
    app.audit.record(entry.by(principal.author()).on(target)).await;
}
