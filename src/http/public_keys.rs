//! The directory of public keys, and the encrypted backup of a human's private ones.

use super::App;
use super::auth::{HumanOnly, Manager, SessionCaller};
use super::body::Body;
use super::path::Id;
use super::query::Query;
use super::reply::{self, HandlerResult};
use crate::domain::keys::SessionKey;
use crate::domain::{AuditSource, KeyEntry, PrincipalId, Refusal, SessionId};
use crate::protocol::body::{AttestationDraft, KeyBackup, PublicKeyDraft};
use crate::protocol::openapi::errors::{Conflict, NotFound};
use crate::protocol::page::{Page, PageRequest};
use crate::service::public_keys;
use axum::extract::State;
use axum::http::StatusCode;

/// Publish public keys
///
/// Publishes an entry for the caller. Its `proof` binds it to the caller's id, so that keys can't be published for another
/// principal. Other participants read it as `key` in lists of participants. A new entry replaces the current one if the
/// current key has signed it (`previous`), or with `"replace": true`; a `participant.key_changed` event is then appended
/// to each open session of the caller. The first entry adds no event, and publishing the current entry again changes
/// nothing. For an agent, the API key must be one of the agent itself. At most 144 changes at once, then one every ten
/// minutes.
#[utoipa::path(
    put, path = "/public-key", operation_id = "putPublicKey",
    request_body = PublicKeyDraft,
    responses((status = 200, description = "The current entry", body = KeyEntry), Conflict),
)]
pub async fn put<C: SessionCaller>(
    caller: C,
    State(app): State<App>,
    source: AuditSource,
    body: Body<PublicKeyDraft>,
) -> HandlerResult {
    reply::ok(&public_keys::publish(&app, caller.principal(), &source, body.value).await?)
}

/// List the public keys of a session
///
/// All entries, current and replaced, of all current and former participants, oldest first. Clients verify old messages with them.
#[utoipa::path(
    get, path = "/sessions/{id}/keys", operation_id = "listSessionKeys",
    params(PageRequest),
    responses((status = 200, description = "A page of entries", body = Page<SessionKey>)),
)]
pub async fn of_session<C: SessionCaller>(
    caller: C,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    query: Query,
) -> HandlerResult {
    let page = app.store.session_keys(caller.principal().scope(), session, query.page()?).await?;
    reply::ok(&page.ok_or(Refusal::NotFound("Session"))?)
}

/// Attest a public key
///
/// Stores an attestation of the current entry of an agent, human or guest, signed by the owner of the space with a key
/// that the hub does not have. It is returned in the entry, and clients verify it. It replaces an earlier attestation.
#[utoipa::path(
    put, path = "/attestations/{principalId}", operation_id = "putAttestation",
    request_body = AttestationDraft,
    responses((status = 204, description = "Stored"), Conflict),
)]
pub async fn attest(
    Manager(manager): Manager,
    State(app): State<App>,
    source: AuditSource,
    Id(principal): Id<PrincipalId>,
    body: Body<AttestationDraft>,
) -> HandlerResult {
    public_keys::attest(&app, &manager, &source, principal, body.value).await?;
    reply::no_content()
}

/// Get the backup of the private keys
#[utoipa::path(
    get, path = "/key-backup", operation_id = "getKeyBackup",
    responses((status = 200, description = "The stored object, byte for byte", body = KeyBackup), HumanOnly, NotFound),
)]
pub async fn get_backup(HumanOnly(_, human): HumanOnly, State(app): State<App>) -> HandlerResult {
    let backup = app.store.key_backup(human.id).await?.ok_or(Refusal::NotFound("Key backup"))?;
    Ok(reply::raw_json(StatusCode::OK, backup))
}

/// Put a backup of the private keys
///
/// One opaque object of the human, which only they can read. It replaces an earlier backup.
#[utoipa::path(
    put, path = "/key-backup", operation_id = "putKeyBackup",
    request_body = KeyBackup,
    responses((status = 204, description = "Stored"), HumanOnly),
)]
pub async fn put_backup(
    HumanOnly(_, human): HumanOnly,
    State(app): State<App>,
    body: Body<KeyBackup>,
) -> HandlerResult {
    public_keys::put_backup(&app, &human, body.value.0.get()).await?;
    reply::no_content()
}

/// Delete the backup of the private keys
#[utoipa::path(
    delete, path = "/key-backup", operation_id = "deleteKeyBackup",
    responses((status = 204, description = "Deleted"), HumanOnly, NotFound),
)]
pub async fn delete_backup(HumanOnly(_, human): HumanOnly, State(app): State<App>) -> HandlerResult {
    if app.store.delete_key_backup(human.id).await? {
        return reply::no_content();
    }
    Err(Refusal::NotFound("Key backup").into())
}
