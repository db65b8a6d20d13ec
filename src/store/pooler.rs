//! Finds out whether `DATABASE_URL` leads to a connection pooler that hands each transaction to another server
//! connection, and whether prepared statements work there.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use std::time::Duration;
use tokio::time::timeout;

/// How often two connections are compared. One comparison is enough on a quiet pooler; other clients of a busy one may
/// take the server connection that would have given it away.
const ROUNDS: usize = 5;
/// A pooler in session mode with a single server connection would let the second connection wait.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// What lies between the hub and PostgreSQL, as far as the hub has to know.
#[derive(Debug)]
pub enum Pooling {
    /// Each connection of the hub's is a server process of its own: no pooler, or one in session mode.
    Session,
    /// Transactions of one connection run on different server processes, and prepared statements follow them.
    Transaction,
    /// The same, but prepared statements do not follow: this is how they failed.
    Unusable(sqlx::Error),
}

/// Compares `connection` with a second one: a server process that serves both, or a connection whose server process
/// changes, is seen behind a pooler in transaction mode alone.
pub async fn find(connection: &mut PgConnection, options: &PgConnectOptions) -> Result<Pooling, sqlx::Error> {
    let Ok(Ok(mut other)) = timeout(PROBE_TIMEOUT, PgConnection::connect_with(options)).await else {
        return Ok(Pooling::Session);
    };
    let pooling = match timeout(PROBE_TIMEOUT, compare(connection, &mut other)).await {
        Ok(pooling) => pooling?,
        Err(_) => Pooling::Session,
    };
    // A statement of the second connection may still be waiting for a server: it is not waited for.
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
    // Both give their statements the same names, which a pooler that does not tell them apart mixes up.
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

/// By a statement that needs no preparation.
async fn server_process(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    let row = sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(connection).await?;
    row.try_get(0)
}

/// A prepared statement exists already, or does not exist (`duplicate_prepared_statement`, `invalid_sql_statement_name`),
/// or the answer is that of another one.
fn is_mixed_up(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| ["42P05", "26000", "08P01"].contains(&&*code)),
        sqlx::Error::Protocol(_) => true,
        _ => false,
    }
}
