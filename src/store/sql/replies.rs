//! Saved replies by `Idempotency-Key`. A row older than 24 hours counts as missing and is replaced by a new one.

use super::sql;
use crate::domain::{MessageId, SessionId, Timestamp};
use crate::store::batch::{SKIP_PADDING, StatementBatch};
use crate::store::engine::Engine;
use crate::store::pool::PooledConnection;
use crate::store::statement::{Fields, Statement};
use crate::store::{SavedReply, SavedReplyKind, SecretHash, StoreError, StoreResult};
use uuid::Uuid;

/// The columns that [`read`] reads.
macro_rules! reply_columns {
    () => {
        "SELECT r.scope, r.key, r.request_hash, r.status, r.kind, r.body, r.session_id, r.message_id, r.seq, \
         r.created_at FROM "
    };
}

/// `INSERT` the columns of a reply.
macro_rules! insert_reply {
    () => {
        "INSERT INTO replies (scope, key, request_hash, status, kind, body, session_id, message_id, seq, created_at) "
    };
}

pub(super) fn read<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<SavedReply> {
    let (scope, key) = (row.read()?, row.read()?);
    let hash: Vec<u8> = row.read()?;
    let request_hash = hash.try_into().map_err(|_| StoreError::damaged("a request hash"))?;
    let status = u16::try_from(row.read::<i64>()?).map_err(|_| StoreError::damaged("a status"))?;
    let kind: String = row.read()?;
    let body: Option<String> = row.read()?;
    let session = row.read::<Option<Uuid>>()?.map(SessionId);
    let message = row.read::<Option<Uuid>>()?.map(MessageId);
    let seq: Option<i64> = row.read()?;
    let kind = match (kind.as_str(), body, session, message, seq) {
        ("posted", _, Some(session), Some(message), _) => SavedReplyKind::Posted(session, message),
        ("settled", _, Some(session), Some(message), Some(_)) => SavedReplyKind::Acknowledged(session, message),
        ("settled", _, Some(session), Some(message), None) => SavedReplyKind::Settled(session, message),
        ("interaction", _, Some(session), _, Some(seq)) => SavedReplyKind::Interaction(session, seq),
        ("body", Some(body), ..) => SavedReplyKind::Body(body),
        _ => return Err(StoreError::damaged("a saved reply")),
    };
    Ok(SavedReply { scope, key, request_hash, status, kind, created_at: Timestamp(row.read()?) })
}

/// The reply that was saved under this key since `since`.
pub(super) async fn find<E: Engine>(
    db: &mut PooledConnection<E>,
    scope: &str,
    key: &str,
    since: Timestamp,
) -> StoreResult<Option<SavedReply>> {
    sql::<E>(concat!(reply_columns!(), "replies r WHERE r.scope = $1 AND r.key = $2 AND r.created_at >= $3"))
        .bind(scope.to_owned())
        .bind(key.to_owned())
        .bind(since.0)
        .first(db, read)
        .await
}

/// The replies that were saved under these (scope, key) pairs since `since`.
pub(super) fn find_all<E: Engine>(batch: &mut StatementBatch<E>, keys: &[(String, String)], since: Timestamp) {
    batch.add(
        concat!(reply_columns!(), "(VALUES"),
        ") AS v CROSS JOIN replies r WHERE r.scope = v.column1 AND r.key = v.column2 AND r.created_at >= v.column3",
        None,
        keys,
        |row, key| {
            row.push(key.map(|(scope, _)| scope.clone()));
            row.push(key.map(|(_, key)| key.clone()));
            row.push(key.map(|_| since.0));
        },
    );
}

/// Inserts replies in the given order; fails with [`StoreError::Raced`] if a reply is saved under one of the keys.
pub(super) fn insert_all<E: Engine>(batch: &mut StatementBatch<E>, replies: &[SavedReply]) {
    batch.add(
        concat!(insert_reply!(), "SELECT * FROM (VALUES"),
        &[SKIP_PADDING, &unless_kept()].concat(),
        // A row that has not expired is left unchanged and not counted.
        Some(|| StoreError::Raced),
        replies,
        |row, reply| {
            let parts = reply.map(|reply| parts(reply.kind.clone()));
            let (kind, body, session, message, seq) = parts.map_or((None, None, None, None, None), |parts| {
                (Some(parts.0.to_owned()), parts.1, parts.2, parts.3, parts.4)
            });
            row.push(reply.map(|reply| reply.scope.clone()));
            row.push(reply.map(|reply| reply.key.clone()));
            row.push(reply.map(|reply| reply.request_hash.to_vec()));
            row.push(reply.map(|reply| i64::from(reply.status)));
            row.push(kind);
            row.push(body);
            row.push(session);
            row.push(message);
            row.push(seq);
            row.push(reply.map(|reply| reply.created_at.0));
        },
    );
}

/// Claims a key with a row that [`keep`] completes in the same transaction; `false` if a reply is saved under it. Waits for
/// another transaction that has claimed it.
pub(super) async fn claim<E: Engine>(
    db: &mut PooledConnection<E>,
    scope: &str,
    key: &str,
    request_hash: &SecretHash,
    now: Timestamp,
) -> StoreResult<bool> {
    const ROW: &str = concat!(insert_reply!(), "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
    let written = Statement::<E>::joined(ROW, &unless_kept())
        .bind(scope.to_owned())
        .bind(key.to_owned())
        .bind(request_hash.to_vec())
        .bind(0_i64)
        .bind("claimed".to_owned())
        .bind(None::<String>)
        .bind(None::<Uuid>)
        .bind(None::<Uuid>)
        .bind(None::<i64>)
        .bind(now.0)
        .execute(db)
        .await?;
    Ok(written == 1)
}

/// Writes the reply into the row that [`claim`] inserted.
pub(super) async fn keep<E: Engine>(db: &mut PooledConnection<E>, reply: SavedReply) -> StoreResult<()> {
    let (kind, body, session, message, seq) = parts(reply.kind);
    let written = sql::<E>(
        "UPDATE replies SET status = $1, kind = $2, body = $3, session_id = $4, message_id = $5, seq = $6 \
         WHERE scope = $7 AND key = $8 AND kind = 'claimed'",
    )
    .bind(i64::from(reply.status))
    .bind(kind.to_owned())
    .bind(body)
    .bind(session)
    .bind(message)
    .bind(seq)
    .bind(reply.scope)
    .bind(reply.key)
    .execute(db)
    .await?;
    if written == 1 { Ok(()) } else { Err(StoreError::damaged("a reply without a claim")) }
}

/// Ends the `INSERT` of replies: keeps an existing row unless it has expired.
fn unless_kept() -> String {
    format!(
        " ON CONFLICT (scope, key) DO UPDATE SET request_hash = excluded.request_hash, status = excluded.status, \
         kind = excluded.kind, body = excluded.body, session_id = excluded.session_id, \
         message_id = excluded.message_id, seq = excluded.seq, created_at = excluded.created_at \
         WHERE replies.created_at < excluded.created_at - {}",
        SavedReply::KEPT_MILLIS
    )
}

/// The columns `kind`, `body`, `session_id`, `message_id` and `seq`.
fn parts(kind: SavedReplyKind) -> (&'static str, Option<String>, Option<Uuid>, Option<Uuid>, Option<i64>) {
    match kind {
        SavedReplyKind::Posted(session, message) => ("posted", None, Some(session.0), Some(message.0), None),
        SavedReplyKind::Settled(session, message) => ("settled", None, Some(session.0), Some(message.0), None),
        // Marked by its `seq`, which the previous release ignores: there it counts as settled.
        SavedReplyKind::Acknowledged(session, message) => ("settled", None, Some(session.0), Some(message.0), Some(0)),
        SavedReplyKind::Interaction(session, seq) => ("interaction", None, Some(session.0), None, Some(seq)),
        SavedReplyKind::Body(body) => ("body", Some(body), None, None, None),
    }
}
