//! The store's conformance suite: every method of every storage trait (`src/store/traits/`), on SQLite and on PostgreSQL.

use crate::support::{Engine, database};
use hiloop::config::Database;
use hiloop::domain::people::{Agent, Human, Role, SignIn, Space};
use hiloop::domain::{AgentId, AuditSource, Author, HumanId, KeyId, Permission, SpaceId, Timestamp};
use hiloop::protocol::page::PageRequest;
use hiloop::store::open::open;
use hiloop::store::{NewHuman, NewKey, NewSignIn, Revoker, SavedReply, SavedReplyKind, Store};
use hiloop::testing::secret::hash;
use std::ops::Deref;
use std::sync::Arc;
use tempfile::TempDir;
use uuid::Uuid;

/// The reference time.
const NOW: Timestamp = Timestamp(1_774_434_600_000);

/// The settings of a store at this URL.
fn at(url: &str) -> Database {
    Database { url: url.to_owned(), connections: 16 }
}

/// An empty store.
struct Empty {
    store: Arc<dyn Store>,
    url: String,
    _folder: Option<TempDir>,
}

impl Deref for Empty {
    type Target = Arc<dyn Store>;

    fn deref(&self) -> &Arc<dyn Store> {
        &self.store
    }
}

impl Empty {
    async fn open(engine: Engine) -> Self {
        let (url, folder) = database::with_schema(engine).await;
        Self { store: open(&at(&url)).await.expect("the store opens"), url, _folder: folder }
    }

    async fn space(&self, name: &str) -> Space {
        self.ensure_space(name, NOW).await.expect("the store").expect("active").0
    }

    async fn agent_named(&self, space: &Space, name: &str) -> Agent {
        self.ensure_agent(space.id, name, None, NOW).await.expect("the store").expect("active").0
    }

    async fn human_named(&self, space: &Space, name: &str) -> Human {
        let email = format!("{name}@example.org");
        self.create(&new_human(space.id, &email, name)).await.expect("new")
    }

    async fn create(&self, new: &NewHuman<'_>) -> Option<Human> {
        self.create_human(new, NOW).await.expect("the store")
    }
}

fn new_human<'a>(space: SpaceId, email: &'a str, name: &'a str) -> NewHuman<'a> {
    NewHuman { space, email, name, role: Role::Member, password_hash: None }
}

/// The revoked ids, in order.
async fn subjects(store: &Empty) -> Vec<Uuid> {
    let revoked = store.revoked_since(Timestamp(0)).await.expect("the store");
    revoked.into_iter().map(|(_, subject)| subject).collect()
}

/// Writes one test for each engine out of `async fn name(store: Empty)`.
macro_rules! on_both_stores {
    ($($(#[$meta:meta])* async fn $name:ident($store:ident: Empty) $body:block)+) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn story($store: $crate::store::Empty) $body

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                story($crate::store::Empty::open($crate::support::Engine::Sqlite).await).await;
            }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                story($crate::store::Empty::open($crate::support::Engine::Postgres).await).await;
            }
        }
    )+};
}

mod coverage;
mod directory;
mod humans;
mod interactions;
mod keys;
mod lists;
mod locks;
mod messages;
mod opening;
mod participants;
mod postgres;
mod public_keys;
mod quotas;
mod replies;
mod retention;
mod scopes;
mod sessions;
mod sign_ins;
mod sqlite;
mod timeline_builder;
mod timelines;
mod transactions;

fn page(page: i64, size: i64) -> PageRequest {
    PageRequest { page, size }
}

fn key_of(space: &Space, agent: Option<AgentId>, secret: &str) -> NewKey {
    NewKey {
        id: KeyId::new(),
        space: space.id,
        hash: hash(secret),
        prefix: secret.chars().take(4).collect(),
        permission: Permission::Agent,
        agent,
        expires_at: None,
        created_by: Author::command_line(),
        created_by_key: None,
    }
}

/// A revoker of a space with this permission.
fn revoker(space: &Space, permission: Permission) -> Revoker {
    Revoker { space: space.id, permission, author: Author::command_line(), source: AuditSource::default(), at: NOW }
}

fn saved(scope: &str, key: &str, kind: SavedReplyKind, created_at: Timestamp) -> SavedReply {
    let request_hash = hash(&format!("{scope} {key}"));
    SavedReply { scope: scope.to_owned(), key: key.to_owned(), request_hash, status: 201, kind, created_at }
}

fn sign_in(token: &str, id: Uuid, human: HumanId, expires_at: Timestamp) -> NewSignIn {
    let ends_at = NOW.plus_millis(SignIn::LASTS_MILLIS);
    NewSignIn {
        id,
        human,
        password_hash: None,
        hash: hash(token),
        expires_at,
        ends_at,
        user_agent: Some("a browser".to_owned()),
    }
}
