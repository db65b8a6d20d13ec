//! Deletion of expired rows, a limited number at a time.

use crate::store::ExpiredRows;
use crate::store::engine::Engine;
use crate::store::statement::Statement;

/// The selection of rows, oldest first, and their deletion. `$1` is the time before which they expired, `$2` the limit. The
/// selection is materialized: as a part of the deletion PostgreSQL might repeat it.
const fn texts(what: ExpiredRows) -> (&'static str, &'static str) {
    match what {
        ExpiredRows::Replies => (
            "WITH old AS MATERIALIZED (SELECT r.scope, r.key FROM replies r \
             WHERE r.created_at < $1 ORDER BY r.created_at LIMIT $2",
            ") DELETE FROM replies WHERE (scope, key) IN (SELECT old.scope, old.key FROM old)",
        ),
        ExpiredRows::Revocations => (
            "WITH old AS MATERIALIZED (SELECT r.id FROM revocations r WHERE r.at < $1 ORDER BY r.at LIMIT $2",
            ") DELETE FROM revocations WHERE id IN (SELECT old.id FROM old)",
        ),
        ExpiredRows::RefreshTokens => (
            "WITH old AS MATERIALIZED (SELECT t.secret_hash FROM refresh_families f CROSS JOIN refresh_tokens t \
             WHERE f.expires_at < $1 AND t.family_id = f.id LIMIT $2",
            ") DELETE FROM refresh_tokens WHERE secret_hash IN (SELECT old.secret_hash FROM old)",
        ),
        // Only without tokens, since deleting a sign-in deletes all its tokens too.
        ExpiredRows::SignIns => (
            "WITH old AS MATERIALIZED (SELECT f.id FROM refresh_families f WHERE f.expires_at < $1 \
             AND NOT EXISTS (SELECT 1 FROM refresh_tokens t WHERE t.family_id = f.id) ORDER BY f.expires_at LIMIT $2",
            ") DELETE FROM refresh_families WHERE id IN (SELECT old.id FROM old)",
        ),
        ExpiredRows::SetupTokens => (
            "WITH old AS MATERIALIZED (SELECT s.secret_hash FROM setup_tokens s \
             WHERE s.expires_at < $1 ORDER BY s.expires_at LIMIT $2",
            ") DELETE FROM setup_tokens WHERE secret_hash IN (SELECT old.secret_hash FROM old)",
        ),
    }
}

pub(super) fn statement<E: Engine>(what: ExpiredRows) -> Statement<E> {
    let (find, delete) = texts(what);
    Statement::joined(find, &[E::SKIP_LOCKED, delete].concat())
}
