//! Records of revocations, by which every node voids what it has cached.

use super::sql;
use crate::domain::Timestamp;
use crate::store::engine::Engine;
use crate::store::statement::Statement;
use uuid::Uuid;

/// Records a revocation for all nodes, in the transaction that makes it.
pub(super) fn revocation<E: Engine>(subject: Uuid, at: Timestamp) -> Statement<E> {
    sql::<E>("INSERT INTO revocations (id, subject, at) VALUES ($1, $2, $3)")
        .bind(Uuid::now_v7())
        .bind(subject)
        .bind(at.0)
}
