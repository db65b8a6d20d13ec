//! API keys: look-up, and revocation together with everything that was created with a key.

use super::revocations::revocation;
use super::{SqlStore, audit, rows, sql};
use crate::domain::people::ApiKey;
use crate::domain::{
    AgentId, AuditEntry, AuditEvent, AuditSource, AuditTarget, AuditTargetType, Author, GuestId, KeyId, Permission,
    SessionId, SpaceId, Timestamp,
};
use crate::protocol::page::{Page, PageRequest};
use crate::store::engine::Engine;
use crate::store::pool::PooledConnection;
use crate::store::statement::{Fields, Statement, groups, large_groups};
use crate::store::{ApiKeys, GuestOf, KeyHolder, NotRevoked, Revoked, Revoker, SecretHash, StoreResult, Uses};
use async_trait::async_trait;
use std::collections::HashSet;
use uuid::Uuid;

/// The columns that `rows::api_key` reads.
macro_rules! select_key {
    ($rest:literal) => {
        concat!(
            "SELECT k.id, k.space_id, k.permission, k.agent_id, k.prefix, k.created_by, k.last_used_at, k.expires_at, \
             k.created_at ",
            $rest
        )
    };
}

#[async_trait]
impl<E: Engine> ApiKeys for SqlStore<E> {
    async fn key_by_secret(&self, hash: &SecretHash) -> StoreResult<Option<KeyHolder>> {
        sql::<E>(
            "SELECT k.id, k.space_id, k.permission, k.expires_at, a.id, a.name FROM api_keys k \
             JOIN spaces s ON s.id = k.space_id AND s.deactivated_at IS NULL \
             LEFT JOIN agents a ON a.id = k.agent_id \
             WHERE k.secret_hash = $1 AND k.revoked_at IS NULL AND a.deactivated_at IS NULL",
        )
        .bind(hash.to_vec())
        .first(&mut *self.reader().await?, |row| {
            let id = KeyId(row.read()?);
            let space = SpaceId(row.read()?);
            let permission = rows::permission(row)?;
            let expires_at = row.read::<Option<i64>>()?.map(Timestamp);
            let agent = row.read::<Option<Uuid>>()?.map(AgentId).zip(row.read::<Option<String>>()?);
            Ok(KeyHolder { id, space, permission, agent, expires_at })
        })
        .await
    }

    async fn keys(&self, space: SpaceId, page: PageRequest) -> StoreResult<Page<ApiKey>> {
        let count = sql("SELECT COUNT(*) FROM api_keys WHERE space_id = $1 AND revoked_at IS NULL");
        let list = sql(select_key!(
            "FROM api_keys k WHERE k.space_id = $1 AND k.revoked_at IS NULL ORDER BY k.id LIMIT $2 OFFSET $3"
        ));
        self.page(page, count.bind(space.0), list.bind(space.0), rows::api_key).await
    }

    async fn revoke_key(&self, by: &Revoker, id: KeyId, cascade: bool) -> StoreResult<Result<Revoked, NotRevoked>> {
        let mut tx = self.transaction().await?;
        let mut revoked = Revoked::default();
        let first = keys_of::<E>("k.space_id = $2 AND k.id = $1", id.0, by.space).all(&mut *tx, read_key::<E>).await?;
        let mut level: Vec<Key> = first;
        if level.is_empty() {
            return Ok(Err(NotRevoked::Missing));
        }
        let mut seen: HashSet<KeyId> = HashSet::new();
        while !level.is_empty() {
            if let Err(refused) = revoke_all::<E>(&mut tx, by, &level, &mut revoked).await? {
                return Ok(Err(refused));
            }
            if !cascade {
                break;
            }
            // Revoked keys are followed too, since what was created with them may still be active.
            seen.extend(level.iter().map(|key| key.id));
            let mut next = Vec::new();
            for parent in &level {
                revoke_guests::<E>(&mut tx, by, parent.id, &mut revoked).await?;
                let made = keys_of::<E>("k.created_by_key = $1", parent.id.0, by.space);
                next.extend(made.all(&mut *tx, read_key::<E>).await?.into_iter().filter(|key| !seen.contains(&key.id)));
            }
            level = next;
        }
        if revoked.keys.is_empty() && revoked.guests.is_empty() {
            return Ok(Err(NotRevoked::Missing));
        }
        tx.commit().await?;
        revoked.audited.iter().for_each(AuditEntry::log);
        Ok(Ok(revoked))
    }

    async fn note_uses(&self, uses: &Uses) -> StoreResult<()> {
        let mut keys: Vec<_> = uses.keys.iter().map(|(id, at)| (id.0, *at)).collect();
        let mut guests: Vec<_> = uses.guests.iter().map(|(id, at)| (id.0, *at)).collect();
        for (list, head, tail) in [
            (
                &mut keys,
                "UPDATE api_keys SET last_used_at = v.column2 FROM (VALUES",
                ") AS v WHERE api_keys.id = v.column1 \
                 AND (api_keys.last_used_at IS NULL OR api_keys.last_used_at < v.column2)",
            ),
            (
                &mut guests,
                "UPDATE guests SET last_used_at = v.column2 FROM (VALUES",
                ") AS v WHERE guests.id = v.column1 \
                 AND (guests.last_used_at IS NULL OR guests.last_used_at < v.column2)",
            ),
        ] {
            // In a fixed order, so that two nodes can't deadlock.
            list.sort_unstable();
            for group in groups(list) {
                let mut statement = Statement::<E>::with_rows(head, tail, 1, group.len(), 2);
                for (id, at) in group {
                    statement.push(*id);
                    statement.push(at.0);
                }
                statement.execute(&mut *self.writer().await?).await?;
            }
        }
        Ok(())
    }
}

/// The columns of a key that its revocation needs.
pub(super) struct Key {
    id: KeyId,
    space: SpaceId,
    permission: Permission,
    is_revoked: bool,
}

/// The keys that match a condition on `$1`, and optionally on the space `$2`.
fn keys_of<E: Engine>(condition: &'static str, one: Uuid, space: SpaceId) -> Statement<E> {
    // `$2` is in every text, since every argument needs a placeholder.
    let tail = [condition, " AND ($2 = $2) ORDER BY k.id"].concat();
    Statement::<E>::joined("SELECT k.id, k.space_id, k.permission, k.revoked_at FROM api_keys k WHERE ", &tail)
        .bind(one)
        .bind(space.0)
}

fn read_key<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<Key> {
    Ok(Key {
        id: KeyId(row.read()?),
        space: SpaceId(row.read()?),
        permission: rows::permission(row)?,
        is_revoked: row.read::<Option<i64>>()?.is_some(),
    })
}

/// The keys that an agent owns.
pub(super) async fn keys_of_agent<E: Engine>(
    tx: &mut PooledConnection<E>,
    space: SpaceId,
    agent: AgentId,
) -> StoreResult<Vec<Key>> {
    keys_of::<E>("k.agent_id = $1 AND k.space_id = $2 AND k.revoked_at IS NULL", agent.0, space)
        .all(tx, read_key::<E>)
        .await
}

/// The keys of a space.
pub(super) async fn keys_of_space<E: Engine>(tx: &mut PooledConnection<E>, space: SpaceId) -> StoreResult<Vec<Key>> {
    keys_of::<E>("k.space_id = $1 AND k.revoked_at IS NULL", space.0, space).all(tx, read_key::<E>).await
}

/// Revokes those of `keys` that are not revoked yet. Refused if one has a higher permission than the caller, or if the hub
/// would be left without a key with `owner`.
pub(super) async fn revoke_all<E: Engine>(
    tx: &mut PooledConnection<E>,
    by: &Revoker,
    keys: &[Key],
    revoked: &mut Revoked,
) -> StoreResult<Result<(), NotRevoked>> {
    let active: Vec<&Key> = keys.iter().filter(|key| !key.is_revoked).collect();
    let is_above =
        |key: &Key| key.permission > by.permission || (key.space != by.space && by.permission < Permission::Owner);
    if active.iter().any(|key| is_above(key)) {
        return Ok(Err(NotRevoked::AbovePermission));
    }
    let has_owner = active.iter().any(|key| key.permission == Permission::Owner);
    if has_owner {
        // Serializes the revocations of keys with `owner`, so that each sees the result of the previous one.
        sql::<E>(
            "INSERT INTO settings (name, value) VALUES ('owner_keys', '') \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .execute(tx)
        .await?;
    }
    let (usable, lasting) = if has_owner { owners::<E>(tx, by.at).await? } else { (0, 0) };
    for group in large_groups(&active) {
        let mut statement = Statement::<E>::with_rows(
            "UPDATE api_keys SET revoked_at = $1 FROM (VALUES",
            ") AS v WHERE api_keys.id = v.column1 AND api_keys.revoked_at IS NULL",
            2,
            group.len(),
            1,
        );
        statement.push(by.at.0);
        group.iter().for_each(|key| statement.push(key.id.0));
        statement.execute(tx).await?;
    }
    // An expired key may always be revoked. A key that does not expire may be revoked only if another such key is left:
    // otherwise the hub would be without an owner once the others have expired.
    if has_owner {
        let (usable_left, lasting_left) = owners::<E>(tx, by.at).await?;
        if (usable > 0 && usable_left == 0) || (lasting > 0 && lasting_left == 0) {
            return Ok(Err(NotRevoked::LastOwner));
        }
    }
    for key in active {
        revocation::<E>(key.id.0, by.at).execute(tx).await?;
        let target = AuditTarget::new(AuditTargetType::Key, key.id, key.permission.as_str());
        note::<E>(tx, by, key.space, AuditEvent::KeyRevoked, target, revoked).await?;
        revoked.keys.push(key.id);
    }
    Ok(Ok(()))
}

/// The number of usable keys with `owner`, and how many of them do not expire.
async fn owners<E: Engine>(tx: &mut PooledConnection<E>, now: Timestamp) -> StoreResult<(i64, i64)> {
    let counts = sql::<E>(
        "SELECT COUNT(*), COUNT(*) - COUNT(k.expires_at) FROM api_keys k JOIN spaces s ON s.id = k.space_id AND s.deactivated_at IS NULL \
         LEFT JOIN agents a ON a.id = k.agent_id \
         WHERE k.permission = 'owner' AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $1) \
         AND a.deactivated_at IS NULL",
    )
    .bind(now.0)
    .first(tx, |row| Ok((row.read::<i64>()?, row.read::<i64>()?)))
    .await?;
    Ok(counts.unwrap_or_default())
}

/// Revokes the guest tokens that were created with a key.
async fn revoke_guests<E: Engine>(
    tx: &mut PooledConnection<E>,
    by: &Revoker,
    key: KeyId,
    revoked: &mut Revoked,
) -> StoreResult<()> {
    let guests = sql::<E>(
        "UPDATE guests SET revoked_at = $1 WHERE created_by_key = $2 AND revoked_at IS NULL \
         RETURNING id, space_id, session_id, name",
    )
    .bind(by.at.0)
    .bind(key.0)
    .all(tx, |row| {
        let guest = GuestOf { id: GuestId(row.read()?), space: SpaceId(row.read()?), session: SessionId(row.read()?) };
        Ok((guest, row.read::<String>()?))
    })
    .await?;
    for (guest, name) in guests {
        revocation::<E>(guest.id.0, by.at).execute(tx).await?;
        let target = AuditTarget::new(AuditTargetType::GuestToken, guest.id, name);
        note::<E>(tx, by, guest.space, AuditEvent::GuestTokenRevoked, target, revoked).await?;
        revoked.guests.push(guest);
    }
    Ok(())
}

/// Adds an entry to the audit log of a space.
pub(super) async fn note<E: Engine>(
    tx: &mut PooledConnection<E>,
    by: &Revoker,
    space: SpaceId,
    event: AuditEvent,
    target: AuditTarget,
    revoked: &mut Revoked,
) -> StoreResult<()> {
    let entry = if space == by.space {
        AuditEntry::new(event, Some(space), &by.source, by.at).by(by.author.clone())
    } else {
        // The entry does not name the key of another space that did it, nor its address.
        AuditEntry::new(event, Some(space), &AuditSource::default(), by.at).by(Author::hub_owner())
    };
    let entry = entry.on(target);
    audit::add::<E>(tx, &entry).await?;
    revoked.audited.push(entry);
    Ok(())
}

/// Locks the key that something is created with until the end of the transaction; `false` if it is revoked.
pub(super) async fn hold<E: Engine>(tx: &mut PooledConnection<E>, key: KeyId) -> StoreResult<bool> {
    // A concurrent revocation with `cascade` waits, and then finds what this transaction created.
    let held = sql::<E>("UPDATE api_keys SET prefix = prefix WHERE id = $1 AND revoked_at IS NULL")
        .bind(key.0)
        .execute(tx)
        .await?;
    Ok(held > 0)
}
