//! Detects whether `DATABASE_URL` leads to a connection pooler in transaction mode, and whether prepared statements work
//! through it.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use std::time::Duration;
use tokio::time::timeout;

/// Number of comparisons of the two connections. One is enough on an idle pooler; other clients of a busy one may use the
/// server connection that would reveal it.
const ROUNDS: usize = 5;
/// A pooler in session mode with a single server connection makes the second connection wait.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// The kind of pooler between the hub and PostgreSQL.
#[derive(Debug)]
pub enum Pooling {
    /// Each connection has a server process of its own: no pooler, or one in session mode.
    Session,
    /// Transactions of one connection run on different server processes, and prepared statements work.
    Transaction,
    /// The same, but prepared statements fail with this error.
    Unusable(sqlx::Error),
}

/// Compares `connection` with a second one. Only with a pooler in transaction mode does one server process serve both, or
/// the server process of a connection change.
pub async fn detect(connection: &mut PgConnection, options: &PgConnectOptions) -> Result<Pooling, sqlx::Error> {
    let Ok(Ok(mut other)) = timeout(PROBE_TIMEOUT, PgConnection::connect_with(options)).await else {
        return Ok(Pooling::Session);
    };
    let pooling = match timeout(PROBE_TIMEOUT, compare(connection, &mut other)).await {
        Ok(pooling) => pooling?,
        Err(_) => Pooling::Session,
    };
    // Not closed gracefully, since a statement of it may still wait for a server process.
    drop(other);
    Ok(pooling)
}

async fn compare(one: &mut PgConnection, other: &mut PgConnection) -> Result<Pooling, sqlx::Error> {
    let mut known = [None, None];
    let mut is_shared = false;
    for _ in 0..ROUNDS {
        for (index, connection) in [&mut *one, &mut *other].into_iter().enumerate() {
            let process = server_process(connection).await?;
            is_shared |= known[index].is_some_and(|before| before != process);
            is_shared |= known[1 - index] == Some(process);
            known[index] = Some(process);
        }
    }
    if !is_shared {
        return Ok(Pooling::Session);
    }
    // Both connections use the same names for their statements, which a pooler without support for them mixes up.
    for round in 0..ROUNDS {
        for (name, connection) in [("one", &mut *one), ("other", &mut *other)] {
            let sql = AssertSqlSafe(format!("SELECT '{name} {round}'"));
            if let Err(error) = sqlx::query(sql).fetch_one(connection).await {
                return if is_mixed_up(&error) { Ok(Pooling::Unusable(error)) } else { Err(error) };
            }
        }
    }
    Ok(Pooling::Transaction)
}

/// The server process, by a statement that is not prepared.
async fn server_process(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    let row = sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(connection).await?;
    row.try_get(0)
}

/// Whether a prepared statement exists already or is missing (`duplicate_prepared_statement`,
/// `invalid_sql_statement_name`), or the result is that of another one.
fn is_mixed_up(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| ["42P05", "26000", "08P01"].contains(&&*code)),
        sqlx::Error::Protocol(_) => true,
        _ => false,
    }
}
