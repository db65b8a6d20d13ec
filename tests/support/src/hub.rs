//! A hub inside the test process, on a store of its own, with people and agents.

use super::client::{Client, Nodes};
use super::database;
use super::socket::Socket;
use clap::Parser;
use hiloop::broker::{Connectivity, LocalBroker};
use hiloop::clock::ShiftedClock;
use hiloop::config::{Config, Settings};
use hiloop::domain::Permission;
use hiloop::server::{Server, start_at, start_with};
use hiloop::testing::secret::new_api_key;
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use tempfile::TempDir;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    /// What `on_both_engines!` gives to a test that starts its own hub.
    #[allow(clippy::unused_async)] // as that of `Hub`
    pub async fn given(engine: Self) -> Self {
        engine
    }
}

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    settings: Settings,
}

/// The settings of a test hub: a free port, no limits of rate and connections, and what `flags` say.
pub fn config(database_url: &str, flags: &[&str]) -> Config {
    let unless_given = |flag: &'static str| if flags.contains(&flag) { vec![] } else { vec![flag, "off"] };
    let limit = [unless_given("--rate-limit"), unless_given("--connection-limit")].concat();
    let base = ["test", "--listen", "127.0.0.1:0", "--database-url", database_url];
    let flags = Flags::parse_from(base.iter().chain(&limit).chain(flags));
    flags.settings.check().expect("good settings")
}

pub struct Hub {
    pub base: String,
    pub server: Option<Server>,
    /// The other node, where there are two.
    pub second: Option<Server>,
    nodes: Option<Arc<Nodes>>,
    pub clock: Arc<ShiftedClock>,
    pub owner: Client,
    pub database_url: String,
    names: AtomicU32,
    _folder: Option<TempDir>,
}

impl Hub {
    /// What `on_both_engines!` gives.
    pub async fn given(engine: Engine) -> Self {
        Self::start(engine).await
    }

    pub async fn start(engine: Engine) -> Self {
        Self::start_with(engine, &[], |_| {}).await
    }

    /// A hub with more flags, and a configuration changed in ways that no flag offers.
    pub async fn start_with(engine: Engine, flags: &[&str], change: impl FnOnce(&mut Config)) -> Self {
        let (database_url, folder) = database::with_schema(engine).await;
        let mut config = config(&database_url, flags);
        change(&mut config);
        let clock = ShiftedClock::new();
        let server = start_with(config, clock.clone(), Arc::new(LocalBroker)).await.expect("the hub starts");
        Self::of(vec![server], clock, database_url, folder).await
    }

    /// Two nodes on PostgreSQL and the Redis that `flags` name, between which clients alternate.
    pub async fn start_two(flags: &[&str], change: impl FnOnce(&mut Config)) -> Self {
        let database_url = database::in_postgres().await;
        let mut config = config(&database_url, flags);
        change(&mut config);
        let clock = ShiftedClock::new();
        let mut servers: Vec<Server> = Vec::new();
        for _ in 0..2 {
            let server = start_at(config.clone(), clock.clone()).await.expect("the node starts");
            // Both have one name towards people, as behind a proxy.
            config.public_url.get_or_insert_with(|| format!("http://{}", server.address));
            servers.push(server);
        }
        super::eventually("the nodes to be connected", async || {
            servers.iter().all(|node| node.context.broker.connectivity() == Connectivity::Connected).then_some(())
        })
        .await;
        Self::of(servers, clock, database_url, None).await
    }

    async fn of(servers: Vec<Server>, clock: Arc<ShiftedClock>, database_url: String, folder: Option<TempDir>) -> Self {
        let bases: Vec<String> = servers.iter().map(|server| format!("http://{}", server.address)).collect();
        let mut servers = servers.into_iter();
        let mut hub = Self {
            owner: Client::anonymous(&bases[0]),
            base: bases[0].clone(),
            server: servers.next(),
            second: servers.next(),
            nodes: (bases.len() > 1).then(|| Arc::new(Nodes { bases, turn: AtomicUsize::new(0) })),
            clock,
            database_url,
            names: AtomicU32::new(0),
            _folder: folder,
        };
        hub.owner = hub.first_key("default").await;
        hub
    }

    /// For a hub that is never dropped: its store goes when the test process has ended.
    pub fn sweep_up_at_exit(&mut self) {
        let Some(folder) = self._folder.take() else { return };
        let child = Command::new("/bin/sh")
            .args(["-c", "cat >/dev/null; rm -rf \"$0\""])
            .arg(folder.keep())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        // Its standard input stays open as long as this process lives.
        std::mem::forget(child);
    }

    pub fn context(&self) -> &Arc<hiloop::testing::Context> {
        &self.server.as_ref().expect("the hub runs").context
    }

    /// An owner key of a space, made as the command line makes it.
    async fn first_key(&self, space: &str) -> Client {
        let store = &self.context().store;
        let now = self.context().clock.now();
        let (space, _) = store.ensure_space(space, now).await.expect("the store").expect("active");
        let agent = store.ensure_agent(space.id, "default", None, now).await.expect("an agent").expect("active").0;
        let (secret, key) = new_api_key(space.id, Permission::Owner, Some(agent.id), None);
        store.create_key(&key, now).await.expect("a key");
        self.anonymous().with("x-api-key", secret.as_str())
    }

    pub fn anonymous(&self) -> Client {
        Client { nodes: self.nodes.clone(), ..Client::anonymous(&self.base) }
    }

    /// A name that no other call gives.
    pub fn name(&self, prefix: &str) -> String {
        format!("{prefix}-{}", self.names.fetch_add(1, Ordering::SeqCst))
    }

    /// A key of the owner's space with this permission, for an agent of its own.
    pub async fn agent(&self, permission: &str) -> Client {
        self.agent_of(&self.owner, permission).await
    }

    /// The same in the space of another key.
    pub async fn agent_of(&self, manager: &Client, permission: &str) -> Client {
        let body = json!({ "permission": permission, "agent": self.name("agent") });
        let key = manager.post("/v1/manage/keys", body).await.expect(201);
        self.anonymous().with("x-api-key", text(&key["apiKey"]))
    }

    /// A second tenant: a key with `manage` in a space of its own.
    pub async fn other_space(&self) -> Client {
        let space = self.owner.post("/v1/manage/spaces", json!({ "name": self.name("space") })).await.expect(201);
        self.anonymous().with("x-api-key", text(&space["apiKey"]))
    }

    /// A human of the owner's space, with an access token as `hiloop token` prints it.
    pub async fn human(&self) -> Client {
        self.human_of(&self.owner).await
    }

    pub async fn human_of(&self, manager: &Client) -> Client {
        self.human_with_token(manager, 3600).await
    }

    /// A human whose token holds for so many seconds (less than zero: it has ended).
    pub async fn human_with_token(&self, manager: &Client, seconds: i64) -> Client {
        let name = self.name("human");
        let body = json!({ "email": format!("{name}@example.org"), "name": name });
        let human = manager.post("/v1/manage/humans", body).await.expect(201);
        self.anonymous().with("authorization", &format!("Bearer {}", self.token(&human, seconds).await))
    }

    /// An access token of a human.
    pub async fn token(&self, human: &Value, seconds: i64) -> String {
        let id = text(&human["id"]).parse().expect("an id");
        let human = self.context().store.human(id).await.expect("the store").expect("a human");
        self.context().accounts.access_token(&human, seconds).expect("a token").0
    }

    /// A guest of a session.
    pub async fn guest(&self, agent: &Client, session: &str) -> Client {
        let path = format!("/v1/agent/sessions/{session}/guest-tokens");
        let guest = agent.post(&path, json!({ "name": self.name("guest") })).await.expect(201);
        self.anonymous().with("authorization", &format!("Bearer {}", text(&guest["token"])))
    }

    /// A session; its id.
    pub async fn session(&self, agent: &Client) -> String {
        let session = agent.post("/v1/agent/sessions", json!({})).await.expect(201);
        text(&session["id"]).to_owned()
    }

    /// A session that is an interaction; its id, which is that of both.
    pub async fn interaction(&self, agent: &Client) -> String {
        let asked = json!({ "encryptedContent": "?" });
        let interaction = agent.post("/v1/agent/interactions", asked).await.expect(201);
        text(&interaction["id"]).to_owned()
    }

    /// A socket of this client, past its `hello`.
    pub async fn socket(&self, client: &Client) -> Socket {
        Socket::open(client).await
    }
}

/// Where an agent's sessions are.
pub const SESSIONS: &str = "/v1/agent/sessions";
/// An id of nothing.
pub const UNKNOWN: &str = "0198f7b2-0000-7000-8000-000000000000";

/// A new session.
pub async fn open(agent: &Client, body: Value) -> Value {
    agent.post(SESSIONS, body).await.expect(201)
}

/// A message that asks nothing.
pub async fn say(agent: &Client, session: &str, words: &str) -> Value {
    agent.post(&at_agent(session, "/messages"), json!({ "encryptedContent": words })).await.expect(201)
}

/// A message that requires a response.
pub async fn ask(agent: &Client, session: &str) -> Value {
    let body = json!({ "encryptedContent": "?", "responseRequired": true });
    agent.post(&at_agent(session, "/messages"), body).await.expect(201)
}

/// A person's response to it.
pub async fn answer(person: &Client, session: &str, question: &Value) -> Value {
    let body = json!({ "encryptedContent": "!", "inReplyTo": question["id"] });
    person.post(&at_human(session, "/messages"), body).await.expect(201)
}

/// The path of something under an agent's message.
pub fn at_message(session: &str, message: &Value, rest: &str) -> String {
    at_agent(session, &format!("/messages/{}{rest}", text(&message["id"])))
}

/// A JSON string.
#[track_caller]
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a string, not {value}"))
}

/// The path of something under an agent's session.
pub fn at_agent(session: &str, rest: &str) -> String {
    format!("/v1/agent/sessions/{session}{rest}")
}

/// The path of something under a person's session.
pub fn at_human(session: &str, rest: &str) -> String {
    format!("/v1/human/sessions/{session}{rest}")
}
