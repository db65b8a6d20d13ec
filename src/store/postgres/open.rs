//! Opens a PostgreSQL database.

use super::faults::Faults;
use super::pool::ConnectionPool;
use super::pooler::{self, Pooling};
use crate::store::open::{ACQUIRE_TIMEOUT, OpenError};
use crate::store::sql::SqlStore;
use crate::store::{Store, migrations};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{Connection as _, Executor as _, Postgres, Row as _};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Settings of each connection. They are set by statements, since connection poolers reject or drop the start-up parameter
/// `options`; a pooler in session mode resets them.
///
/// With `synchronous_commit` a reply is sent after the commit is on disk, regardless of the server's default. After the three
/// timeouts callers get 503; they also make PostgreSQL release the locks of a node that hangs before others that wait for
/// them give up. By the keepalives PostgreSQL notices within half a minute that a node is gone.
const SESSION_SETTINGS: &str = "SET synchronous_commit = on; SET timezone = 'UTC'; \
    SET statement_timeout = '30s'; SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '4s'; \
    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; \
    SET tcp_user_timeout = '30s'";

/// Opens the store at a URL that begins with `postgres:` or `postgresql:`. The result of a statement may take as long as
/// `answer_timeout`.
pub(in crate::store) async fn open(
    url: &str,
    connections: u32,
    answer_timeout: Duration,
) -> Result<Arc<dyn Store>, OpenError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(OpenError::BadUrl)?
        .application_name("hiloop")
        .statement_cache_capacity(256)
        // No column is a float, and poolers refuse the parameter.
        .extra_float_digits(None);
    let failed = |error: sqlx::Error| OpenError::Connect(error.into());
    let mut connection = PgConnection::connect_with(&options).await.map_err(failed)?;
    let keeps_sessions = match pooler::detect(&mut connection, &options).await.map_err(failed)? {
        Pooling::Session => true,
        Pooling::Transaction => {
            is_durable(&mut connection).await.map_err(failed)?.then_some(()).ok_or(OpenError::NotDurable)?;
            tracing::warn!(
                "DATABASE_URL leads to a connection pooler in transaction mode, through which timeouts can't be set: \
                 set them for the role (ALTER ROLE … SET statement_timeout, lock_timeout, \
                 idle_in_transaction_session_timeout)"
            );
            false
        }
        Pooling::Unusable(error) => return Err(OpenError::Pooler(error)),
    };
    // Before the timeouts are set: a migration may take longer.
    migrations::postgres(&mut connection).await?;
    connection.close().await.map_err(failed)?;
    let faults = Arc::new(Faults::default());
    let known = Arc::clone(&faults);
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        // The pool would open connections in the background for as long as five minutes each: while a server is silent
        // they would hold connections, also when it responds again.
        .min_connections(0)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .before_acquire(move |_, connection| {
            let is_usable = Instant::now().checked_sub(connection.age).is_none_or(|made| known.is_usable(made));
            Box::pin(async move { Ok(is_usable) })
        })
        .after_connect(move |connection, _| {
            Box::pin(async move {
                if keeps_sessions {
                    connection.execute(SESSION_SETTINGS).await?;
                }
                Ok(())
            })
        })
        .connect_with(options)
        .await
        .map_err(failed)?;
    let pool = ConnectionPool::new(pool, answer_timeout, faults);
    Ok(Arc::new(SqlStore::<Postgres>::new(Arc::clone(&pool), pool)))
}

async fn is_durable(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let row = sqlx::raw_sql("SHOW synchronous_commit").fetch_one(connection).await?;
    Ok(row.try_get::<String, _>(0)? != "off")
}
