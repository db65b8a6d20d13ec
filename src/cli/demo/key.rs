//! A key that the demo makes itself in the hub's store, for as long as it runs.

use super::super::{CliError, DEFAULT_SPACE};
use crate::auth::Secret;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Database, DatabaseSettings};
use crate::domain::{AuditSource, Author, KeyId, Permission, SpaceId};
use crate::service::audit::AuditTrail;
use crate::service::directory::keys;
use crate::store::Revoker;
use crate::store::open::open;
use std::path::Path;

/// The agent that the demo acts as.
const AGENT: &str = "demo";

pub(super) struct OwnKey {
    secret: Secret,
    id: KeyId,
    space: SpaceId,
    database: Database,
}

impl OwnKey {
    /// Creates the key like `hiloop keys create --agent demo`, but does not create a store: only the hub does that.
    pub(super) async fn create(database: &DatabaseSettings) -> Result<Self, CliError> {
        let database = database.check()?;
        let no_store = || {
            CliError::Other(
                "--key: the hub's store is not here to make a key in; pass a key (hiloop keys create --agent demo), or \
                 run the demo in the hub's folder or with its DATABASE_URL"
                    .to_owned(),
            )
        };
        if sqlite_file(&database.url).is_some_and(|file| !Path::new(file).exists()) {
            return Err(no_store());
        }
        let store = open(&database).await?;
        let now = SystemClock.now();
        let space = store.space_by_name(DEFAULT_SPACE).await?.ok_or_else(no_store)?;
        let mut tx = store.begin_directory().await?;
        let trail = AuditTrail::command_line(space.id);
        let made = keys::create_in(&mut *tx, &trail, Permission::Agent, AGENT, now).await?;
        let (secret, id) = made.ok_or_else(|| CliError::Other(format!("the agent '{AGENT}' is deactivated")))?;
        tx.commit(None).await?;
        store.close().await;
        Ok(Self { secret, id, space: space.id, database })
    }

    pub(super) fn secret(&self) -> &str {
        self.secret.as_str()
    }

    /// Revokes the key, if the store is available.
    pub(super) async fn revoke(self) {
        let revoked = async {
            let store = open(&self.database).await?;
            let by = Revoker {
                space: self.space,
                permission: Permission::Agent,
                author: Author::command_line(),
                source: AuditSource::default(),
                at: SystemClock.now(),
            };
            // The key may be revoked already.
            let _ = store.revoke_key(&by, self.id, false).await?;
            store.close().await;
            Ok::<(), CliError>(())
        };
        if let Err(problem) = revoked.await {
            tracing::warn!(%problem, prefix = self.secret.shown_prefix(), "the demo's key is left in the store");
        }
    }
}

/// The file of a SQLite URL.
fn sqlite_file(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("sqlite:")?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let file = rest.split('?').next().unwrap_or(rest);
    Some(file).filter(|file| !file.starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_sqlite_urls() {
        assert_eq!(sqlite_file("sqlite://hiloop-data/hiloop.db"), Some("hiloop-data/hiloop.db"));
        assert_eq!(sqlite_file("sqlite:///var/hub.db?mode=rw"), Some("/var/hub.db"));
        assert_eq!(sqlite_file("sqlite::memory:"), None);
        assert_eq!(sqlite_file("postgres://host/hub"), None);
    }
}
