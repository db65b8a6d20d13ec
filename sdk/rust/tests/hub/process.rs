//! A hub on an empty store, with its owner's key.

use hiloop_sdk::testing::Person;
use hiloop_sdk::{Client, ClientBuilder};
use reqwest::Method;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;

pub const PATIENCE: Duration = Duration::from_secs(120);
const PASSWORD: &str = "correct horse battery";

pub struct Hub {
    child: Child,
    pub url: String,
    owner: String,
    /// The database, and the keys of agents.
    pub folder: TempDir,
    people: AtomicU32,
}

impl Hub {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // Free a moment ago, and the same after a restart.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
        let (child, owner) = spawn(folder.path(), port);
        let url = format!("http://127.0.0.1:{port}");
        Self { child, url, owner: owner.expect("a key"), folder, people: AtomicU32::new(0) }
    }

    /// SIGKILL, and a new start on the same store.
    pub fn kill_and_restart(&mut self) {
        self.child.kill().and_then(|()| self.child.wait()).expect("it has ended");
        let port = self.url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        self.child = spawn(self.folder.path(), port).0;
    }

    /// A call as the owner of the hub.
    pub async fn manage(&self, method: Method, path: &str, body: &Value) -> Value {
        call(&self.url, method, path, ("x-api-key", &self.owner), body).await
    }

    /// The API key of a new agent.
    pub async fn key(&self, permission: &str) -> String {
        let body = json!({ "permission": permission, "agent": self.name("agent") });
        let key = self.manage(Method::POST, "/v1/manage/keys", &body).await;
        key["apiKey"].as_str().expect("a key").to_owned()
    }

    /// A client of an agent, with its keys in the hub's folder.
    pub fn client(&self, key: &str) -> Client {
        self.builder(key).build().expect("a client")
    }

    pub fn builder(&self, key: &str) -> ClientBuilder {
        Client::builder().base_url(&self.url).api_key(key).config_folder(self.folder.path().join("config"))
    }

    /// A new human; the e-mail address and an access token.
    pub async fn human(&self) -> (String, String) {
        let email = format!("{}@example.org", self.name("human"));
        let human = json!({ "email": email, "name": email.split('@').next(), "password": PASSWORD });
        self.manage(Method::POST, "/v1/manage/humans", &human).await;
        let sign_in = json!({ "email": email, "password": PASSWORD });
        let tokens = call(&self.url, Method::POST, "/v1/auth/login", ("accept", "*/*"), &sign_in).await;
        (email, tokens["accessToken"].as_str().expect("a token").to_owned())
    }

    /// A new human with keys.
    pub async fn person(&self) -> Person {
        Person::with_token(&self.url, &self.human().await.1).await.expect("a person")
    }

    fn name(&self, prefix: &str) -> String {
        format!("{prefix}-{}", self.people.fetch_add(1, Ordering::SeqCst))
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A call; the reply, which must be a success.
pub async fn call(url: &str, method: Method, path: &str, credential: (&str, &str), body: &Value) -> Value {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().tls_certs_only([]).build().expect("a client");
    let mut request = client.request(method.clone(), format!("{url}{path}")).header(credential.0, credential.1);
    if method != Method::GET {
        request = request.json(body);
    }
    let reply = request.send().await.expect("a reply");
    let status = reply.status();
    let text = reply.text().await.expect("a text");
    assert!(status.is_success(), "{path}: {status} {text}");
    serde_json::from_str(&text).unwrap_or_default()
}

/// Starts the program, and waits until it listens; the owner's key, on an empty store.
fn spawn(folder: &Path, port: u16) -> (Child, Option<String>) {
    let program = std::env::var("HUB_BIN").expect("HUB_BIN is the path of the hub's program");
    let mut child = Command::new(program)
        .arg("serve")
        .env_clear()
        .env("DATABASE_URL", format!("sqlite://{}/hub.db", folder.display()))
        .env("HILOOP_LISTEN", format!("127.0.0.1:{port}"))
        .env("HILOOP_RATE_LIMIT", "off")
        .env("HILOOP_LOG", "warn")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the hub starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut key = None;
    for line in lines.by_ref() {
        let line = line.expect("a text");
        if line.trim_start().starts_with("API key") {
            key = line.split_whitespace().last().map(str::to_owned);
        }
        if key.is_some() || line.starts_with("chat at ") {
            break;
        }
    }
    // A full pipe would stop it.
    std::thread::spawn(move || lines.for_each(drop));
    (child, key)
}
