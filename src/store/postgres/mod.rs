//! PostgreSQL, by sqlx.

mod connection;
mod error;
mod faults;
pub(super) mod open;
mod pool;
mod pooler;

use super::engine::{Column, Engine, Values};
use super::error::StoreResult;
use connection::PostgresConnection;
use pool::ConnectionPool;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments as _, Decode, Encode, Postgres, Row as _, Type};
use std::sync::Arc;

impl Values for Postgres {
    type Arguments = PgArguments;
    type Row = PgRow;
}

impl<T> Column<T> for Postgres
where
    T: for<'q> Encode<'q, Self> + Type<Self> + for<'r> Decode<'r, Self>,
{
    fn bind(arguments: &mut PgArguments, value: T) -> StoreResult<()> {
        arguments.add(value).map_err(|error| sqlx::Error::Encode(error).into())
    }

    fn read(row: &PgRow, index: usize) -> StoreResult<T> {
        Ok(row.try_get(index)?)
    }
}

impl Engine for Postgres {
    type Connection = PostgresConnection;
    type Pool = Arc<ConnectionPool>;

    const PLACEHOLDER: char = '$';
    const LOCK_SESSIONS: &'static str = ") AS v CROSS JOIN sessions s WHERE s.id = v.column2 AND s.space_id = v.column1 \
                                         ORDER BY s.id FOR UPDATE OF s";
    const SKIP_LOCKED: &'static str = " FOR UPDATE SKIP LOCKED";
    const CLOCK: Option<&'static str> = Some("SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT");
}
