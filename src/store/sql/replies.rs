//! First replies by `Idempotency-Key`. A row that is older than the 24 hours it is kept for counts as none and gives
//! way to a new one.

use super::sql;
use crate::domain::{MessageId, SessionId, Timestamp};
use crate::store::engine::{Engine, Statement};
use crate::store::{SavedReply, SavedReplyKind, SecretHash, StoreError, StoreResult};
use uuid::Uuid;

/// The reply that was saved under this key since `since`.
pub(super) async fn find<E: Engine>(
    db: &mut E::Connection,
    scope: &str,
    key: &str,
    since: Timestamp,
) -> StoreResult<Option<SavedReply>> {
    sql::<E>(
        "SELECT request_hash, status, kind, body, session_id, message_id, seq, created_at FROM replies \
         WHERE scope = $1 AND key = $2 AND created_at >= $3",
    )
    .bind(scope.to_owned())
    .bind(key.to_owned())
    .bind(since.0)
    .first(db, |row| {
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
            ("settled", _, Some(session), Some(message), _) => SavedReplyKind::Settled(session, message),
            ("interaction", _, Some(session), _, Some(seq)) => SavedReplyKind::Interaction(session, seq),
            ("body", Some(body), ..) => SavedReplyKind::Body(body),
            _ => return Err(StoreError::damaged("a saved reply")),
        };
        let created_at = Timestamp(row.read()?);
        Ok(SavedReply { scope: scope.to_owned(), key: key.to_owned(), request_hash, status, kind, created_at })
    })
    .await
}

/// Writes a whole reply, if none is kept under its key; [`StoreError::Raced`] if there is one.
pub(super) async fn insert<E: Engine>(db: &mut E::Connection, reply: SavedReply) -> StoreResult<()> {
    let (kind, body, session, message, seq) = parts(reply.kind);
    let written = upsert::<E>()
        .bind(reply.scope)
        .bind(reply.key)
        .bind(reply.request_hash.to_vec())
        .bind(i64::from(reply.status))
        .bind(kind.to_owned())
        .bind(body)
        .bind(session)
        .bind(message)
        .bind(seq)
        .bind(reply.created_at.0)
        .bind(SavedReply::kept_since(reply.created_at).0)
        .execute(db)
        .await?;
    if written == 1 { Ok(()) } else { Err(StoreError::Raced) }
}

/// Takes a key with a row that [`keep`] completes in the same transaction; `false` if a reply is kept under it. Another
/// transaction that has taken it is waited for.
pub(super) async fn claim<E: Engine>(
    db: &mut E::Connection,
    scope: &str,
    key: &str,
    request_hash: &SecretHash,
    now: Timestamp,
) -> StoreResult<bool> {
    let written = upsert::<E>()
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
        .bind(SavedReply::kept_since(now).0)
        .execute(db)
        .await?;
    Ok(written == 1)
}

/// Puts the reply into the row that [`claim`] made.
pub(super) async fn keep<E: Engine>(db: &mut E::Connection, reply: SavedReply) -> StoreResult<()> {
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

fn upsert<E: Engine>() -> Statement<E> {
    sql::<E>(
        "INSERT INTO replies (scope, key, request_hash, status, kind, body, session_id, message_id, seq, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (scope, key) DO UPDATE SET \
         request_hash = excluded.request_hash, status = excluded.status, kind = excluded.kind, body = excluded.body, \
         session_id = excluded.session_id, message_id = excluded.message_id, seq = excluded.seq, \
         created_at = excluded.created_at WHERE replies.created_at < $11",
    )
}

/// The columns `kind`, `body`, `session_id`, `message_id` and `seq`.
fn parts(kind: SavedReplyKind) -> (&'static str, Option<String>, Option<Uuid>, Option<Uuid>, Option<i64>) {
    match kind {
        SavedReplyKind::Posted(session, message) => ("posted", None, Some(session.0), Some(message.0), None),
        SavedReplyKind::Settled(session, message) => ("settled", None, Some(session.0), Some(message.0), None),
        SavedReplyKind::Interaction(session, seq) => ("interaction", None, Some(session.0), None, Some(seq)),
        SavedReplyKind::Body(body) => ("body", Some(body), None, None, None),
    }
}
