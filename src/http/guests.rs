//! Guest tokens: a link that opens one session.

use super::App;
use super::audience::Agent;
use super::body::Body;
use super::idempotency::IdempotencyKey;
use super::participants::remove_named;
use super::path::{Id, Ids};
use super::reply::{self, Reply};
use crate::auth::secret::{GUEST_TOKEN, Secret};
use crate::domain::decide::{Command, NewGuest, WhichParticipant};
use crate::domain::participant::Member;
use crate::domain::text::check_name;
use crate::domain::{GuestId, Participant, ParticipantType, Refusal, SessionId, Timestamp};
use crate::store::SavedReplyKind;
use crate::timeline::Outcome;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

const DEFAULT_SECONDS: i64 = 86_400;
const MIN_SECONDS: i64 = 60;
const MAX_SECONDS: i64 = 2_592_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GuestDraft {
    name: Option<String>,
    expires_in_seconds: Option<i64>,
}

pub async fn create(
    Agent(principal): Agent,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    key: IdempotencyKey,
    body: Body<GuestDraft>,
) -> Reply {
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
    let member = Member { kind: ParticipantType::Guest, id: guest.into(), name, public_key: None, key_id: None };
    let command = Command::AddParticipant {
        member,
        role: Participant::MEMBER.to_owned(),
        guest: Some(NewGuest { token_hash: token.hash(), expires_at }),
    };
    let base = app.config.public_url.as_deref().unwrap_or_default();
    let reply_of = |token: &Secret, participant: &Value, expires_at: Timestamp| {
        json!({
            "id": participant["guestId"],
            "token": token.as_str(),
            "url": format!("{base}/#guest={}", token.as_str()),
            "expiresAt": expires_at,
            "participant": participant,
        })
    };
    match app.command(&principal, session, command, key.of(&principal, body.digest)).await? {
        Outcome::Participant { participant, .. } => {
            let participant = serde_json::to_value(&participant).map_err(|_| Refusal::Internal)?;
            reply::json(StatusCode::CREATED, &reply_of(&token, &participant, expires_at))
        }
        // The token is found again, not stored: it follows from the caller's credential, the key and the guest's id.
        Outcome::Replayed { reply: SavedReplyKind::Body(body), .. } => {
            let participant: Value = serde_json::from_str(&body).map_err(|_| Refusal::Internal)?;
            let token = key.secret(GUEST_TOKEN, participant["guestId"].as_str().unwrap_or_default());
            let stored = app.store.guest_by_secret(&token.hash()).await?.ok_or(Refusal::NotFound("Guest token"))?;
            Ok(reply::replayed(reply::json(StatusCode::CREATED, &reply_of(&token, &participant, stored.expires_at))?))
        }
        _ => Err(Refusal::Internal.into()),
    }
}

pub async fn revoke(
    Agent(principal): Agent,
    State(app): State<App>,
    Ids(session, guest): Ids<SessionId, GuestId>,
) -> Reply {
    remove_named(&app, &principal, session, WhichParticipant::Principal(guest.into())).await
}
