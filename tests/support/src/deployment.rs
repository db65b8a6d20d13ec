//! A deployment of the hub: one or several base URLs and an owner key.
//!
//! Tests have no access to the running hub and may choose only its settings. Most tests share one
//! deployment of each kind and have a space of their own in it.

use super::client::Client;
use super::hub::{Engine, Hub, at_agent, text};
use super::postgres;
use super::redis::Redis;
use super::socket::Socket;
use hiloop::config::Config;
use hiloop::server::Server;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

/// The kind of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
    /// Two nodes over one PostgreSQL and one Redis; requests and sockets alternate between them.
    TwoNodes,
}

/// The secret with which people's tokens are signed, here as by any outside issuer.
const JWT_SECRET: &str = "a secret that the hub and its issuer share";

/// Outlives every test, as the shared deployments do.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
});
/// Of all deployments with several nodes: each has channels of its own.
static REDIS: OnceCell<Redis> = OnceCell::const_new();
static NAMES: AtomicU32 = AtomicU32::new(0);

/// Runs a test where the shared deployments live.
pub fn run(story: impl Future<Output = ()>) {
    RUNTIME.block_on(story);
}

/// A unique name.
pub fn name(prefix: &str) -> String {
    format!("{prefix}-{}", NAMES.fetch_add(1, Ordering::SeqCst))
}

impl Kind {
    /// The argument of a test of `on_every_deployment!` that starts its own deployment.
    pub async fn given(kind: Self) -> Self {
        kind.redis().await;
        kind
    }

    /// The Redis between the nodes, where there are several.
    async fn redis(self) -> Option<&'static Redis> {
        if self == Self::TwoNodes { Some(REDIS.get_or_init(Redis::start).await) } else { None }
    }

    /// The `REDIS_URL` for a hub of this kind that is started as a program.
    pub fn redis_url(self) -> Option<String> {
        REDIS.get().filter(|_| self == Self::TwoNodes).map(Redis::url)
    }

    /// The `DATABASE_URL` for a hub of this kind that is started as a program.
    pub fn database_url(self, folder: &Path) -> String {
        match self {
            Self::Sqlite => format!("sqlite://{}/hub.db", folder.display()),
            Self::Postgres | Self::TwoNodes => postgres::new_database(),
        }
    }

    fn engine(self) -> Engine {
        match self {
            Self::Sqlite => Engine::Sqlite,
            Self::Postgres | Self::TwoNodes => Engine::Postgres,
        }
    }

    async fn start(self, flags: &[&str], change: impl FnOnce(&mut Config)) -> Hub {
        let secret: &[&str] = if flags.contains(&"--jwt-secret") { &[] } else { &["--jwt-secret", JWT_SECRET] };
        let flags: Vec<&str> = flags.iter().chain(secret).copied().collect();
        if let Some(redis) = self.redis().await {
            let url = redis.url();
            let flags: Vec<&str> = flags.into_iter().chain(["--redis-url", &url]).collect();
            return Hub::start_two(&flags, change).await;
        }
        Hub::start_with(self.engine(), &flags, change).await
    }

    /// A deployment of this test alone, with these settings.
    pub async fn alone(self, flags: &[&str], change: impl FnOnce(&mut Config)) -> Deployment {
        let hub = self.start(flags, change).await;
        let mut deployment = Deployment::of(&hub).await;
        deployment.hub = Some(hub);
        deployment
    }
}

/// A deployment that runs, and a space in it.
pub struct Deployment {
    /// An owner key of the space `default`, which the tests share.
    pub owner: Client,
    /// A key with `manage` of a space of this test alone.
    pub manager: Client,
    /// Without a credential.
    pub anonymous: Client,
    /// The hub, if it is this test's own.
    hub: Option<Hub>,
}

/// The one of each kind that tests share.
async fn shared(kind: Kind) -> &'static Hub {
    static SQLITE: OnceCell<Hub> = OnceCell::const_new();
    static POSTGRES: OnceCell<Hub> = OnceCell::const_new();
    static TWO_NODES: OnceCell<Hub> = OnceCell::const_new();
    let cell = match kind {
        Kind::Sqlite => &SQLITE,
        Kind::Postgres => &POSTGRES,
        Kind::TwoNodes => &TWO_NODES,
    };
    cell.get_or_init(async || {
        let mut hub = kind.start(&[], |_| {}).await;
        hub.sweep_up_at_exit();
        hub
    })
    .await
}

impl Deployment {
    /// The shared deployment of a kind, and a new space in it.
    pub async fn given(kind: Kind) -> Self {
        Self::of(shared(kind).await).await
    }

    async fn of(hub: &Hub) -> Self {
        let anonymous = hub.anonymous();
        let mut deployment = Self { owner: hub.owner.clone(), manager: anonymous.clone(), anonymous, hub: None };
        deployment.manager = deployment.other_space().await;
        deployment
    }

    /// The hub drains and ends, as on SIGTERM.
    pub async fn stop(&mut self) {
        let hub = self.hub.as_mut().expect("a hub of this test alone");
        let second = hub.second.take().map(Server::stop);
        let first = hub.server.take().expect("it runs").stop();
        futures::future::join(first, futures::future::OptionFuture::from(second)).await;
    }

    /// Where the store of a deployment of this test alone is, for faults from outside.
    pub fn database_url(&self) -> &str {
        &self.hub.as_ref().expect("a hub of this test alone").database_url
    }

    /// A key with `manage` of a new space.
    pub async fn other_space(&self) -> Client {
        let space = self.owner.post("/v1/manage/spaces", json!({ "name": name("space") })).await.expect(201);
        self.with_key(text(&space["apiKey"]))
    }

    pub fn with_key(&self, key: &str) -> Client {
        self.anonymous.with("x-api-key", key)
    }

    pub fn with_token(&self, token: &str) -> Client {
        self.anonymous.with("authorization", &format!("Bearer {token}"))
    }

    /// A key of this test's space with this permission, for an agent of its own.
    pub async fn agent(&self, permission: &str) -> Client {
        let body = json!({ "permission": permission, "agent": name("agent") });
        let key = self.manager.post("/v1/manage/keys", body).await.expect(201);
        self.with_key(text(&key["apiKey"]))
    }

    /// A human of this test's space.
    pub async fn human(&self) -> Client {
        self.human_of(&self.manager).await
    }

    pub async fn human_of(&self, manager: &Client) -> Client {
        let name = name("human");
        let body = json!({ "email": format!("{name}@example.org"), "name": name });
        let human = manager.post("/v1/manage/humans", body).await.expect(201);
        let (_, setup) = text(&human["setupUrl"]).split_once("#setup=").expect("a link");
        let body = json!({ "token": setup, "password": "correct horse battery" });
        let tokens = self.anonymous.post("/v1/auth/setup", body).await.expect(200);
        self.with_token(text(&tokens["accessToken"]))
    }

    /// A guest of a session.
    pub async fn guest(&self, agent: &Client, session: &str) -> Client {
        let guest = agent.post(&at_agent(session, "/guest-tokens"), json!({ "name": name("guest") })).await.expect(201);
        self.with_token(text(&guest["token"]))
    }

    /// A session; its id.
    pub async fn session(&self, agent: &Client) -> String {
        let session = agent.post("/v1/agent/sessions", json!({})).await.expect(201);
        text(&session["id"]).to_owned()
    }

    /// A socket of this client, past its `hello`.
    pub async fn socket(&self, client: &Client) -> Socket {
        Socket::open(client).await
    }
}

/// Seconds since the Unix epoch.
#[allow(clippy::disallowed_methods)] // a client has no other clock than its own
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// A token of a human of the first space, good for so many seconds, signed as an outside issuer signs.
pub fn token(human: &Value, seconds: u64) -> String {
    signed(&json!({
        "sub": human["id"], "email": human["email"], "email_verified": true, "name": human["name"], "iat": now(),
        "exp": now() + seconds,
    }))
}

/// A token with these claims.
pub fn signed(claims: &Value) -> String {
    let key = EncodingKey::from_secret(JWT_SECRET.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).expect("a token")
}
