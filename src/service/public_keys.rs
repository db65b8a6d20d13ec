//! The directory of public keys, and the encrypted backup of a human's private ones.

use super::{audit, sessions};
use crate::context::Context;
use crate::domain::command::Command;
use crate::domain::keys::{KeyChange, Placement};
use crate::domain::principal::{HumanPrincipal, ManagerPrincipal};
use crate::domain::refusal::TooOften;
use crate::domain::{
    AuditEvent, AuditSource, AuditTarget, AuditTargetType, KeyEntry, ParticipantType, Principal, PrincipalId, Refusal,
    SessionId, SpaceId,
};
use crate::protocol::body::{AttestationDraft, PublicKeyDraft};
use crate::store::{Attested, KeyChangeLimit, NewEntry, Put};

/// Largest backup of keys, in bytes of its JSON (contract section 5).
const MAX_BACKUP: usize = 8 * 1024;
/// How often an entry is tried while others of the same principal are being published.
const TRIES: usize = 5;

/// Publishes an entry of the caller; returns the current one.
pub async fn publish(
    app: &Context,
    principal: &Principal,
    source: &AuditSource,
    draft: PublicKeyDraft,
) -> Result<KeyEntry, Refusal> {
    let kind = match principal {
        Principal::Agent(agent) if !agent.is_own => {
            let text = "The public keys of an agent are published with a key of its own".to_owned();
            return Err(Refusal::Forbidden(text));
        }
        Principal::Agent(_) => ParticipantType::Agent,
        Principal::Human(_) => ParticipantType::Human,
        Principal::Guest(_) => ParticipantType::Guest,
    };
    let proven = draft.check(principal.id())?;
    for _ in 0..TRIES {
        let current = app.store.current_key(principal.space(), principal.id()).await?;
        let (replaces, current) = current.unzip();
        let (chained, entry) = match (proven.against(current.as_ref(), app.clock.now())?, current) {
            (Placement::Current, Some(current)) => return Ok(current),
            (Placement::Current, None) => return Err(Refusal::Internal),
            (Placement::New { chained, entry }, _) => (chained.unwrap_or(false), *entry),
        };
        let new = NewEntry { space: principal.space(), kind, principal: principal.id(), entry, replaces, chained };
        match app.store.put_key(&new).await? {
            Put::Done => {
                if replaces.is_some() {
                    let target = AuditTarget::new(audited(kind), principal.id().0, principal.name());
                    audit::record(app, principal, source, AuditEvent::PublicKeyReplaced, target).await;
                }
                return Ok(new.entry);
            }
            Put::Raced => {}
            Put::Unannounced => {
                let text = "Too many changes of this key are still to be announced; try again later".to_owned();
                return Err(Refusal::Conflict(text));
            }
            Put::TooOften(limit) => return Err(Refusal::TooOften(too_often(&limit))),
        }
    }
    Err(Refusal::Conflict("Other entries are being published at the same time".to_owned()))
}

fn too_often(limit: &KeyChangeLimit) -> TooOften {
    TooOften {
        what: "Too many changes of this key",
        quota: "key-changes",
        amount: limit.changes,
        seconds: u32::try_from((limit.each * limit.changes).as_secs()).unwrap_or(u32::MAX),
        retry_after: u64::try_from(limit.wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1),
    }
}

fn audited(kind: ParticipantType) -> AuditTargetType {
    match kind {
        ParticipantType::Agent => AuditTargetType::Agent,
        ParticipantType::Human => AuditTargetType::Human,
        ParticipantType::Guest => AuditTargetType::Guest,
    }
}

/// Announces a change of key in a session of its principal.
pub async fn announce(app: &Context, space: SpaceId, session: SessionId, change: &KeyChange) -> Result<(), Refusal> {
    let command = Command::AnnounceKey(Box::new(change.clone()));
    sessions::system_command(app, space, session, command).await.map(drop)
}

/// Keeps a manager's attestation of the current entry of a principal.
pub async fn attest(
    app: &Context,
    manager: &ManagerPrincipal,
    source: &AuditSource,
    principal: PrincipalId,
    draft: AttestationDraft,
) -> Result<(), Refusal> {
    let (key_id, attestation) = draft.check()?;
    match app.store.attest_key(manager.space, principal, &key_id, &attestation).await? {
        Attested::Done(kind) => {
            let event = AuditEvent::AttestationSet;
            audit::record_by_id(app, manager, source, event, audited(kind), principal.0).await;
            Ok(())
        }
        Attested::OtherKey => Err(Refusal::Conflict("The current entry has another 'keyId'".to_owned())),
        Attested::Unknown => Err(Refusal::NotFound("Key entry")),
    }
}

/// Keeps the backup of a human's private keys, in the place of the one before.
pub async fn put_backup(app: &Context, human: &HumanPrincipal, backup: &str) -> Result<(), Refusal> {
    if backup.len() > MAX_BACKUP {
        return Err(Refusal::TooLarge(format!("A key backup must have at most {MAX_BACKUP} bytes")));
    }
    // An empty body counts as an empty object: by mistake it could replace the only copy.
    if backup.trim_start_matches(['{', '}', ' ', '\t', '\r', '\n']).is_empty() {
        return Err(Refusal::Invalid("The body must be an object with content".to_owned()));
    }
    Ok(app.store.set_key_backup(human.id, backup, app.clock.now()).await?)
}
