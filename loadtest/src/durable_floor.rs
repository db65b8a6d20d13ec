//! The durable floor: the cost of committing rows of the size of the messages to SQLite, by a bare loop.

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use rusqlite::{Connection, Statement};
use tempfile::TempDir;

use crate::{payload::Payload, proc_stat};

/// Clustered by session and `seq`, with one index by id: the least that a hub needs to find a message again.
const SCHEMA: &str = "
    CREATE TABLE messages (
        session_id BLOB NOT NULL,
        seq INTEGER NOT NULL,
        id BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        content TEXT NOT NULL,
        PRIMARY KEY (session_id, seq)
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX messages_by_id ON messages (id);";
const INSERT: &str = "INSERT INTO messages (session_id, seq, id, created_at, content) VALUES (?1, ?2, ?3, ?4, ?5)";

/// The rows to write.
#[derive(Debug, Clone)]
pub(crate) struct DurablePlan {
    /// Written to in turn.
    pub(crate) sessions: usize,
    /// Length of a message's ciphertext.
    pub(crate) size: usize,
    pub(crate) rows_per_commit: usize,
    /// Commits a second; none for as many as there can be.
    pub(crate) rate: Option<f64>,
    pub(crate) time: Duration,
    /// The folder for the database, which is removed afterwards.
    pub(crate) directory: PathBuf,
}

/// CPU time of the writing thread, and the time that passed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DurableFloor {
    pub(crate) rows: u64,
    cpu: Duration,
    elapsed: Duration,
}

impl DurableFloor {
    pub(crate) fn micros_per_row(self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.rows.max(1) as f64
    }

    pub(crate) fn rows_per_second(self) -> f64 {
        self.rows as f64 / self.elapsed.as_secs_f64()
    }
}

/// Measures on the calling thread, which it blocks.
pub(crate) fn measure(plan: &DurablePlan) -> Result<DurableFloor> {
    let folder = TempDir::with_prefix_in("loadtest-floor-", &plan.directory)
        .with_context(|| format!("a folder for the durable floor in {}", plan.directory.display()))?;
    let connection = open(&folder.path().join("floor.db")).context("opening the database of the durable floor")?;
    write(&connection, plan).context("writing for the durable floor")
}

/// Durable as the hub's own database: a commit returns once its rows are on the disk.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(SCHEMA)?;
    Ok(connection)
}

fn write(connection: &Connection, plan: &DurablePlan) -> Result<DurableFloor> {
    let payload = Payload::new(plan.size);
    let mut insert = connection.prepare(INSERT)?;
    let mut rows = 0;
    let mut commit = || -> Result<u64> {
        let transaction = connection.unchecked_transaction()?;
        for _ in 0..plan.rows_per_commit {
            insert_row(&mut insert, &payload, rows, plan.sessions.max(1) as u64)?;
            rows += 1;
        }
        transaction.commit()?;
        Ok(rows)
    };
    let first = commit()?;
    let interval = plan.rate.map(|rate| Duration::from_secs_f64(1.0 / rate)).unwrap_or_default();
    let start = Instant::now();
    let before = proc_stat::thread_cpu()?;
    let mut due = start;
    let mut last = first;
    while start.elapsed() < plan.time || last == first {
        last = commit()?;
        due += interval;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    let cpu = proc_stat::thread_cpu()?.saturating_sub(before);
    Ok(DurableFloor { rows: last - first, cpu, elapsed: start.elapsed() })
}

/// Ids ascend, as those of version 7 do.
fn insert_row(insert: &mut Statement<'_>, payload: &Payload, row: u64, sessions: u64) -> Result<()> {
    let session = u128::from(row % sessions).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).to_be_bytes();
    let id = ((u128::from(row) << 64) | u128::from(row)).to_be_bytes();
    let seq = i64::try_from(row / sessions)?;
    let content = payload.body(row);
    let content = std::str::from_utf8(&content)?;
    insert.execute((&session[..], seq, &id[..], i64::try_from(row)?, content))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::types::Value;

    use super::*;

    fn plan(directory: &Path, rows_per_commit: usize, rate: Option<f64>) -> DurablePlan {
        let (time, directory) = (Duration::from_millis(20), directory.to_owned());
        DurablePlan { sessions: 3, size: 400, rows_per_commit, rate, time, directory }
    }

    #[test]
    fn whole_groups_are_committed_and_nothing_stays_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        for rows_per_commit in [1, 8] {
            let floor = measure(&plan(folder.path(), rows_per_commit, None)).expect("measured");
            assert!(floor.rows >= 1 && floor.rows.is_multiple_of(rows_per_commit as u64), "{floor:?}");
            assert!(floor.micros_per_row() > 0.0 && floor.rows_per_second() > 0.0, "{floor:?}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0);
    }

    #[test]
    fn a_rate_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let floor = measure(&plan(folder.path(), 1, Some(200.0))).expect("measured");
        // One at the start, and one each 5 ms.
        assert!(floor.rows <= 5, "{floor:?}");
    }

    #[test]
    fn commits_are_durable_and_every_row_is_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let connection = open(&folder.path().join("floor.db")).expect("a database");
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, Value>(0));
        assert_eq!(pragma("journal_mode").expect("a mode"), Value::Text("wal".to_owned()));
        assert_eq!(pragma("synchronous").expect("a level"), Value::Integer(2));
        let floor = write(&connection, &plan(folder.path(), 5, None)).expect("written");
        let count = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a count");
        // One group is written before the measurement.
        assert_eq!(count("SELECT count(*) FROM messages"), i64::try_from(floor.rows).expect("a number") + 5);
        assert_eq!(count("SELECT count(DISTINCT session_id) FROM messages"), 3);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = measure(&plan(Path::new("/nowhere"), 1, None)).expect_err("no folder");
        assert!(format!("{error:#}").contains("/nowhere"), "{error:#}");
    }
}
