//! Direct access to the database of a hub.

use sqlx::{AssertSqlSafe, PgPool, Postgres, Row as _, SqlitePool, Transaction};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

pub enum Database {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Database {
    pub async fn open(url: &str) -> Self {
        if url.starts_with("sqlite:") {
            Self::Sqlite(SqlitePool::connect(url).await.expect("the database opens"))
        } else {
            Self::Postgres(PgPool::connect(url).await.expect("the database opens"))
        }
    }

    /// An id as a literal of this engine.
    pub fn id(&self, id: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("x'{}'", id.replace('-', "")),
            Self::Postgres(_) => format!("'{id}'::uuid"),
        }
    }

    /// The numbers from 1 to `count` as a table `n(i)` to select from, and an expression for a new id.
    pub fn many(&self, count: i64) -> (String, &'static str) {
        match self {
            Self::Sqlite(_) => (
                format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"),
                "randomblob(16)",
            ),
            Self::Postgres(_) => (format!("WITH n(i) AS (SELECT generate_series(1, {count}))"), "gen_random_uuid()"),
        }
    }

    pub async fn execute(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(pool) => drop(sqlx::raw_sql(sql).execute(pool).await.expect("it works")),
            Self::Postgres(pool) => drop(sqlx::raw_sql(sql).execute(pool).await.expect("it works")),
        }
    }

    /// Locks a table exclusively, against readers too, until the transaction ends; on PostgreSQL only.
    pub async fn bar(&self, table: &str) -> Transaction<'static, Postgres> {
        let Self::Postgres(pool) = self else { panic!("on PostgreSQL alone") };
        let mut tx = PgPool::begin(pool).await.expect("a transaction");
        let lock = AssertSqlSafe(format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"));
        sqlx::raw_sql(lock).execute(&mut *tx).await.expect("the lock");
        tx
    }

    /// How many of the hub's queries with these words wait for a lock; on PostgreSQL alone.
    pub async fn waiting(&self, words: &str) -> i64 {
        let query = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
                     AND application_name = 'hiloop' AND wait_event_type = 'Lock'";
        self.number(&format!("{query} AND query LIKE '%{words}%'")).await
    }

    /// The one number that a query gives.
    pub async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(pool) => sqlx::query_scalar(sql).fetch_one(pool).await.expect("a number"),
            Self::Postgres(pool) => sqlx::query_scalar(sql).fetch_one(pool).await.expect("a number"),
        }
    }

    /// How a query would be carried out, a step a line. Its placeholders must have been filled in.
    pub async fn plan(&self, sql: &str) -> String {
        let steps: Vec<String> = match self {
            Self::Sqlite(pool) => {
                let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
                let rows = sqlx::query(sql).fetch_all(pool).await.expect("a plan");
                rows.iter().map(|row| row.get("detail")).collect()
            }
            Self::Postgres(pool) => {
                let sql = AssertSqlSafe(format!("EXPLAIN {sql}"));
                let rows = sqlx::query(sql).fetch_all(pool).await.expect("a plan");
                rows.iter().map(|row| row.get(0)).collect()
            }
        };
        steps.join("\n")
    }

    /// The cost of a query, independent of the machine: steps of SQLite's virtual machine, or rows that PostgreSQL reads
    /// at. Its placeholders must have been filled in.
    pub async fn work(&self, sql: &str) -> i64 {
        match self {
            Self::Sqlite(pool) => {
                let steps = Arc::new(AtomicI64::new(0));
                let mut connection = pool.acquire().await.expect("a connection");
                // The first statement of a connection reads the schema, some hundred steps.
                sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut *connection).await.expect("it works");
                let mut handle = connection.lock_handle().await.expect("it");
                let count = Arc::clone(&steps);
                handle.set_progress_handler(1, move || count.fetch_add(1, Ordering::Relaxed) >= 0);
                drop(handle);
                let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut *connection).await;
                rows.expect("it works");
                connection.lock_handle().await.expect("it").remove_progress_handler();
                steps.load(Ordering::Relaxed)
            }
            Self::Postgres(pool) => {
                let sql = AssertSqlSafe(format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) {sql}"));
                let rows = sqlx::query(sql).fetch_all(pool).await.expect("a plan");
                rows.iter().map(|row| looked_at(row.get(0))).sum()
            }
        }
    }

    /// Checks that a query finds its rows by this index and reads no whole table.
    #[track_caller]
    pub fn uses_index(plan: &str, index: &str) {
        assert!(plan.contains(index), "{plan}");
        let scans = plan.lines().filter(|line| line.contains("Seq Scan") || line.trim_start().starts_with("SCAN"));
        // SQLite says SCAN of reading a whole index too: that is what counting does.
        let tables: Vec<_> = scans.filter(|line| !line.contains("INDEX")).collect();
        assert!(tables.is_empty(), "{plan}");
    }
}

/// How many rows a line of PostgreSQL's plan has looked at: those that a step gave, or left out, each time it was run.
/// (What was left out is given for one run on average.)
fn looked_at(line: &str) -> i64 {
    let number = |name: &str| -> Option<f64> {
        let rest = line.split_once(name)?.1;
        rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?.parse().ok()
    };
    #[allow(clippy::cast_possible_truncation)] // few
    let whole = |rows: f64| rows.ceil() as i64;
    if let Some(removed) = number("Rows Removed by Filter: ") {
        return whole(removed);
    }
    number("actual rows=").zip(number("loops=")).map_or(0, |(rows, loops)| whole(rows * loops))
}
