//! Database migrations, and the tables that record them.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, SqliteConnection};

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// The last migration of the first release, which refuses to start on a store with a later one.
const LAST_OF_FIRST_RELEASE: i64 = 3;
/// The table that records later migrations, which the first release does not read.
const LATER_MIGRATIONS_TABLE: &str = "schema_migrations";

/// The migrations to run, in order, each set with the table that records it. Recorded migrations that are unknown are
/// ignored: a node of a newer release may have applied them.
fn migrators(all: &'static Migrator) -> [Migrator; 2] {
    let (first, later): (Vec<_>, Vec<_>) =
        all.iter().cloned().partition(|migration| migration.version <= LAST_OF_FIRST_RELEASE);
    let mut first = Migrator::with_migrations(first);
    first.set_ignore_missing(true);
    let mut later = Migrator::with_migrations(later);
    later.set_ignore_missing(true);
    later.dangerous_set_table_name(LATER_MIGRATIONS_TABLE);
    [first, later]
}

/// Runs the migrations of a SQLite database.
pub(super) async fn sqlite(connection: &mut SqliteConnection) -> Result<(), MigrateError> {
    for migrator in migrators(&SQLITE_MIGRATIONS) {
        migrator.run(&mut *connection).await?;
    }
    Ok(())
}

/// Runs the migrations in one transaction with an advisory lock, so that several nodes can start at once. The lock is that
/// of a transaction: one of a session would stay on a pooler's server connection.
pub(super) async fn postgres(connection: &mut PgConnection) -> Result<(), MigrateError> {
    let mut transaction = connection.begin().await?;
    let database: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&mut *transaction).await?;
    let lock = migration_lock(&database);
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(lock).execute(&mut *transaction).await?;
    for mut migrator in migrators(&POSTGRES_MIGRATIONS) {
        migrator.set_locking(false);
        migrator.run(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// The key of the advisory lock that the previous release uses for migrations (sqlx's `generate_lock_id`), so that nodes of
/// both releases can start at once on an empty database.
fn migration_lock(database: &str) -> i64 {
    0x3d32_ad9e * i64::from(crc32(database.as_bytes()))
}

/// CRC-32/ISO-HDLC, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::crc32;

    #[test]
    fn crc32_gives_its_check_value() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
