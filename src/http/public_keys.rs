//! The directory of public keys, and the encrypted backup of a human's private ones.

use super::App;
use super::audience::{Audience, Manager, Member};
use super::body::Body;
use super::path::Id;
use super::query::Query;
use super::reply::{self, Reply};
use crate::domain::keys::{AttestationDraft, PublicKeyDraft, SessionKey, Standing};
use crate::domain::refusal::TooOften;
use crate::domain::{AuditEvent, AuditSource, AuditTarget, AuditTargetType, KeyEntry, ParticipantType, Principal, PrincipalId, Refusal, SessionId};
use crate::protocol::page::{Page, PageRequest};
use crate::store::{Attested, NewEntry, Put};
use crate::protocol::openapi::errors::{Conflict, NotFound};
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Largest backup of keys, in bytes of its JSON (contract section 5).
const MAX_BACKUP: usize = 8 * 1024;
/// How often an entry is tried that others of the same principal race with.
const TRIES: usize = 5;

/// Publish public keys
///
/// An entry for the caller itself: its `proof` binds it to the caller's id, so that nobody can publish the keys of
/// somebody else. Others find it as `key` in lists of participants. A further entry takes the place of the current one
/// if that one's key signed it (`previous`) or with `"replace": true`; each open session is then told of it by
/// `participant.key_changed`. The first entry is announced by nothing, and the current one again changes nothing.
/// Of an agent only a key of its own may publish. 144 changes are taken at once, and then one every ten minutes.
#[utoipa::path(
    put, path = "/public-key", operation_id = "putPublicKey",
    request_body = PublicKeyDraft,
    responses((status = 200, description = "The current entry", body = KeyEntry), Conflict),
)]
pub async fn put<A: Audience>(
    caller: A,
    State(app): State<App>,
    source: AuditSource,
    body: Body<PublicKeyDraft>,
) -> Reply {
    let principal = caller.principal();
    let kind = match &**principal {
        Principal::Agent(agent) if !agent.is_own => {
            let text = "The public keys of an agent are published with a key of its own".to_owned();
            return Err(Refusal::Forbidden(text).into());
        }
        Principal::Agent(_) => ParticipantType::Agent,
        Principal::Human(_) => ParticipantType::Human,
        Principal::Guest(_) => ParticipantType::Guest,
    };
    let proven = body.value.check(principal.id())?;
    for _ in 0..TRIES {
        let current = app.store.current_key(principal.space(), principal.id()).await?;
        let (replaces, current) = current.unzip();
        let (chained, entry) = match (proven.against(current.as_ref(), app.clock.now())?, current) {
            (Standing::Current, Some(current)) => return reply::ok(&current),
            (Standing::Current, None) => return Err(Refusal::Internal.into()),
            (Standing::New { chained, entry }, _) => (chained.unwrap_or(false), *entry),
        };
        let new = NewEntry { space: principal.space(), kind, principal: principal.id(), entry, replaces, chained };
        match app.store.put_key(&new).await? {
            Put::Done => {
                if replaces.is_some() {
                    let target = AuditTarget::new(audited(kind), principal.id().0, principal.name());
                    let entry = app.audit.entry(AuditEvent::PublicKeyReplaced, Some(principal.space()), &source);
                    app.audit.record(entry.by(principal.author()).on(target)).await;
                }
                return reply::ok(&new.entry);
            }
            Put::Raced => {}
            Put::Unannounced => {
                let text = "Too many changes of this key are still to be announced; try again later".to_owned();
                return Err(Refusal::Conflict(text).into());
            }
            Put::TooOften(limit) => {
                let often = TooOften {
                    what: "Too many changes of this key",
                    quota: "key-changes",
                    amount: limit.changes,
                    seconds: u32::try_from((limit.each * limit.changes).as_secs()).unwrap_or(u32::MAX),
                    retry_after: u64::try_from(limit.wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1),
                };
                return Err(Refusal::TooOften(often).into());
            }
        }
    }
    Err(Refusal::Conflict("Other entries are being published at the same time".to_owned()).into())
}

fn audited(kind: ParticipantType) -> AuditTargetType {
    match kind {
        ParticipantType::Agent => AuditTargetType::Agent,
        ParticipantType::Human => AuditTargetType::Human,
        ParticipantType::Guest => AuditTargetType::Guest,
    }
}

/// List the public keys of a session
///
/// Every entry of everybody who takes part or has, the oldest first: with them old messages can be verified.
#[utoipa::path(
    get, path = "/sessions/{id}/keys", operation_id = "listSessionKeys",
    params(PageRequest),
    responses((status = 200, description = "A page of entries", body = Page<SessionKey>)),
)]
pub async fn of_session<A: Audience>(
    caller: A,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    query: Query,
) -> Reply {
    let page = app.store.session_keys(caller.principal().scope(), session, query.page()?).await?;
    reply::ok(&page.ok_or(Refusal::NotFound("Session"))?)
}

/// Attest a public key
///
/// Keeps what the owner of the space says of the current entry of an agent, human or guest, signed with a key that the
/// hub does not know: it is returned in the entry, and clients verify it. It takes the place of the one before.
#[utoipa::path(
    put, path = "/attestations/{principalId}", operation_id = "putAttestation",
    request_body = AttestationDraft,
    responses((status = 204, description = "Kept"), Conflict),
)]
pub async fn attest(
    Manager(manager): Manager,
    State(app): State<App>,
    source: AuditSource,
    Id(principal): Id<PrincipalId>,
    body: Body<AttestationDraft>,
) -> Reply {
    let (key_id, attestation) = body.value.check()?;
    match app.store.attest_key(manager.space, principal, &key_id, &attestation).await? {
        Attested::Done(kind) => {
            let target = AuditTarget { kind: audited(kind), id: Some(principal.0), name: None, attempts: None };
            let entry = app.audit.entry(AuditEvent::AttestationSet, Some(manager.space), &source);
            app.audit.record(entry.by(manager.author()).on(target)).await;
            reply::no_content()
        }
        Attested::OtherKey => Err(Refusal::Conflict("The current entry has another 'keyId'".to_owned()).into()),
        Attested::Unknown => Err(Refusal::NotFound("Key entry").into()),
    }
}

/// The encrypted backup of a human's private keys. Opaque to the hub, and at most 8 KiB; clients write
/// `{keyId, kdf, blob}`.
#[derive(Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object, examples(json!({
    "keyId": "9da0NdXb-Gdh4fYFZPEg4g",
    "kdf": { "name": "argon2id", "m": 65536, "t": 3, "p": 4, "salt": "c2l4dGVlbiBieXRlcy4u" },
    "blob": "bm9uY2UgYW5kIGNpcGhlcnRleHQ",
})))]
pub struct KeyBackup(Box<RawValue>);

/// Get the backup of the private keys
#[utoipa::path(
    get, path = "/key-backup", operation_id = "getKeyBackup",
    responses((status = 200, description = "The object as it was put, byte for byte", body = KeyBackup), Member, NotFound),
)]
pub async fn get_backup(Member(_, human): Member, State(app): State<App>) -> Reply {
    let backup = app.store.key_backup(human.id).await?.ok_or(Refusal::NotFound("Key backup"))?;
    Ok(reply::raw_json(StatusCode::OK, backup))
}

/// Put a backup of the private keys
///
/// One opaque object for the human alone, which takes the place of the one before.
#[utoipa::path(
    put, path = "/key-backup", operation_id = "putKeyBackup",
    request_body = KeyBackup,
    responses((status = 204, description = "Kept"), Member),
)]
pub async fn put_backup(Member(_, human): Member, State(app): State<App>, body: Body<KeyBackup>) -> Reply {
    let text = body.value.0.get();
    if text.len() > MAX_BACKUP {
        return Err(Refusal::TooLarge(format!("A key backup must have at most {MAX_BACKUP} bytes")).into());
    }
    // As an empty body would be, by which the only copy might get lost.
    if text.trim_start_matches(['{', '}', ' ', '\t', '\r', '\n']).is_empty() {
        return Err(Refusal::Invalid("The body must be an object with content".to_owned()).into());
    }
    app.store.set_key_backup(human.id, text, app.clock.now()).await?;
    reply::no_content()
}

/// Delete the backup of the private keys
#[utoipa::path(
    delete, path = "/key-backup", operation_id = "deleteKeyBackup",
    responses((status = 204, description = "Deleted"), Member, NotFound),
)]
pub async fn delete_backup(Member(_, human): Member, State(app): State<App>) -> Reply {
    if app.store.delete_key_backup(human.id).await? {
        return reply::no_content();
    }
    Err(Refusal::NotFound("Key backup").into())
}
