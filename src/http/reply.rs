//! Replies: JSON with its status, and `Idempotent-Replayed` where an earlier request had done the work.

use super::{ApiError, App};
use crate::domain::{Message, Participant, Refusal, Scope};
use crate::store::SavedReplyKind;
use crate::timeline::Outcome;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

pub type Reply = Result<Response, ApiError>;

/// A reply whose JSON is at hand.
pub fn raw_json(status: StatusCode, json: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], json).into_response()
}

pub fn json<T: Serialize + ?Sized>(status: StatusCode, value: &T) -> Reply {
    let text = serde_json::to_string(value).map_err(|_| ApiError(Refusal::Internal))?;
    Ok(raw_json(status, text))
}

pub fn ok<T: Serialize + ?Sized>(value: &T) -> Reply {
    json(StatusCode::OK, value)
}

pub fn created<T: Serialize + ?Sized>(value: &T) -> Reply {
    json(StatusCode::CREATED, value)
}

pub fn no_content() -> Reply {
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Marks a reply as the first one given again.
pub fn replayed(mut response: Response) -> Response {
    response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
    response
}

/// The reply to a command on a session.
pub async fn outcome(app: &App, scope: Scope, outcome: Outcome) -> Reply {
    match outcome {
        Outcome::Session(session) => ok(&session),
        Outcome::Settled(session, message) => {
            let message = app.store.message(scope, session, message).await?;
            ok(&message.ok_or(Refusal::NotFound("Message"))?)
        }
        Outcome::Acknowledged(session, message) => {
            let message = app.store.message(scope, session, message).await?;
            ok(&message.ok_or(Refusal::NotFound("Message"))?)
        }
        Outcome::Participant { participant, created } => {
            let status = if created { StatusCode::CREATED } else { StatusCode::OK };
            let online = app.hub.online(participant.session_id).await.contains(&participant.principal());
            json(status, &Participant { online, ..*participant })
        }
        Outcome::Removed(_) => no_content(),
        Outcome::Replayed { status, reply } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
            match reply {
                SavedReplyKind::Body(body) => Ok(replayed(raw_json(status, body))),
                SavedReplyKind::Settled(session, message) => {
                    let message =
                        app.store.message(scope, session, message).await?.ok_or(Refusal::NotFound("Message"))?;
                    // As it was then: its outcome may have been taken since.
                    Ok(replayed(json(status, &Message { acknowledged_at: None, ..message })?))
                }
                SavedReplyKind::Acknowledged(session, message) => {
                    let message = app.store.message(scope, session, message).await?;
                    Ok(replayed(json(status, &message.ok_or(Refusal::NotFound("Message"))?)?))
                }
                SavedReplyKind::Posted(..) | SavedReplyKind::Interaction(..) => Err(Refusal::Internal.into()),
            }
        }
        Outcome::Posted { json, .. } => Ok(raw_json(StatusCode::CREATED, json)),
        Outcome::Interaction { .. } => Err(Refusal::Internal.into()),
    }
}
