//! SQLite, by rusqlite: each connection has a thread of its own, to which a caller hands whole pieces of work.
//!
//! sqlx's driver for SQLite sends each row and the end of each statement to the caller by itself, which wakes a thread
//! every time. A message that is stored alone takes a dozen statements, and the wake-ups cost more than the statements.

mod connection;
mod error;
mod file;
pub(super) mod open;
mod pool;
mod thread;

use super::engine::{Column, Engine, Values};
use super::error::StoreResult;
use connection::SqliteConnection;
use pool::ConnectionPool;
use rusqlite::types::{FromSql, Value, ValueRef};
use std::sync::Arc;

/// The engine.
#[derive(Debug)]
pub enum Sqlite {}

impl Values for Sqlite {
    type Arguments = Vec<Value>;
    type Row = Vec<Value>;
}

impl<T: Into<Value> + FromSql> Column<T> for Sqlite {
    fn bind(arguments: &mut Vec<Value>, value: T) -> StoreResult<()> {
        arguments.push(value.into());
        Ok(())
    }

    fn read(row: &Vec<Value>, index: usize) -> StoreResult<T> {
        let value = row.get(index).ok_or(rusqlite::Error::InvalidColumnIndex(index))?;
        let value = ValueRef::from(value);
        T::column_result(value).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(index, value.data_type(), Box::new(error)).into()
        })
    }
}

impl Engine for Sqlite {
    type Connection = SqliteConnection;
    type Pool = Arc<ConnectionPool>;

    const PLACEHOLDER: char = '?';
    const LOCK_SESSIONS: &'static str =
        ") AS v CROSS JOIN sessions s WHERE s.id = v.column2 AND s.space_id = v.column1";
    const SKIP_LOCKED: &'static str = "";
    const CLOCK: Option<&'static str> = None;
}
