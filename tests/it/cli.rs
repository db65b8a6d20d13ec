//! The program as its operators meet it: the command line, its settings, what it prints and what it never does.

use crate::support::hub::{at_agent, at_human, text};
use crate::support::process::{Process, hiloop};
use crate::support::socket::End;
use crate::support::{Client, PATIENCE, Port, Socket, Stopwatch, postgres, timeout};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::{TempDir, tempdir};

const FREE_PORT: &str = "127.0.0.1:0";

/// Runs a command to its end, which must come by itself.
pub fn run(command: &mut Command) -> Output {
    run_with_input(command, Stdio::null())
}

/// The same of a program that reads standard input.
pub fn run_with_input(command: &mut Command, input: impl Into<Stdio>) -> Output {
    let command = command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the program runs");
    let pid = child.id().to_string();
    // A full pipe would hold it up: it is read while it runs.
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    match ended.recv_timeout(PATIENCE) {
        Ok(output) => output.expect("its output"),
        Err(_) => {
            let killed = Command::new("kill").args(["-KILL", &pid]).status().expect("kill runs");
            panic!("it goes on and on until it is killed ({killed})");
        }
    }
}

pub fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("text")
}

pub fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("text")
}

/// The one line that a command prints, if it ended well.
#[track_caller]
pub fn line(output: &Output) -> &str {
    assert!(output.status.success(), "{output:?}");
    let printed = out(output);
    let line = printed.strip_suffix('\n').expect("a line");
    assert!(!line.is_empty() && !line.contains(char::is_whitespace), "alone on its line: {printed:?}");
    line
}

/// Checks that a command failed with exactly one line that names `what`, and printed nothing else.
#[track_caller]
pub fn failed(output: &Output, what: &str) {
    assert!(!output.status.success() && output.status.code().is_some(), "{what}: {output:?}");
    let lines: Vec<_> = err(output).lines().collect();
    assert_eq!(lines.len(), 1, "{what}: {lines:#?}");
    assert!(lines[0].contains(what), "{what} in {lines:?}");
    assert_eq!(out(output), "", "{what}");
}

/// What stands behind a label in what a first start prints.
pub fn printed<'a>(hub: &'a Process, label: &str) -> &'a str {
    let line = hub.output.lines().find(|line| line.trim_start().starts_with(label));
    line.and_then(|line| line.split_whitespace().last()).unwrap_or_else(|| panic!("{label} in {:?}", hub.output))
}

fn anonymous(hub: &Process) -> Client {
    Client::anonymous(&hub.base)
}

pub async fn login(hub: &Process, email: &str, password: &str) -> Value {
    let body = json!({ "email": email, "password": password });
    anonymous(hub).post("/v1/auth/login", body).await.expect(200)
}

pub fn bearer(hub: &Process, token: &str) -> Client {
    anonymous(hub).with("authorization", &format!("Bearer {token}"))
}

pub fn api_key(hub: &Process, key: &str) -> Client {
    anonymous(hub).with("x-api-key", key)
}

pub fn is_secret(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
}

#[tokio::test]
async fn a_first_start_prints_secrets_that_work_and_a_second_none() {
    let folder = tempdir().expect("a folder");
    let mut hub = Process::start(folder.path(), FREE_PORT);
    let chat = printed(&hub, "chat").to_owned();
    assert_eq!(chat.trim_end_matches('/'), hub.base);
    let page = Client::anonymous(chat.trim_end_matches('/')).get("/").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{page:?}");

    let key = printed(&hub, "API key").to_owned();
    assert!(is_secret(&key, "hlp_"), "{key}");
    let owner = hub.owner();
    assert_eq!(owner.get("/v1/agent/me").await.expect(200)["permission"], "owner");
    let spaces = owner.get("/v1/manage/spaces").await.expect(200);
    assert_eq!((&spaces["total"], &spaces["data"][0]["name"]), (&json!(1), &json!("default")));
    let (email, password) = (printed(&hub, "e-mail").to_owned(), printed(&hub, "password").to_owned());
    assert!(password.len() >= 16, "a password that nobody guesses: {password}");
    let tokens = login(&hub, &email, &password).await;
    let human = bearer(&hub, text(&tokens["accessToken"]));
    let me = human.get("/v1/human/me").await.expect(200);
    assert_eq!(me["email"], json!(email));
    let session = owner.post("/v1/agent/sessions", json!({ "title": "kept" })).await.expect(201);
    let said = json!({ "encryptedContent": "kept" });
    let said = owner.post(&at_agent(text(&session["id"]), "/messages"), said).await.expect(201);
    assert_eq!(hub.terminate(), Some(0));

    let hub = Process::start(folder.path(), FREE_PORT);
    for secret in [&key, &password] {
        assert!(!hub.output.contains(secret.as_str()), "{}", hub.output);
    }
    assert!(!hub.output.contains("hlp_") && !hub.output.to_lowercase().contains("password"), "{}", hub.output);
    let found = api_key(&hub, &key).get(&at_agent(text(&session["id"]), "/messages")).await.expect(200);
    assert_eq!(found["data"], json!([said]));
    login(&hub, &email, &password).await;
    // Tokens of before still hold: the secret behind them is kept.
    let human = bearer(&hub, text(&tokens["accessToken"]));
    assert_eq!(human.get("/v1/human/me").await.expect(200)["id"], me["id"]);
    let kept = human.get(&at_human(text(&session["id"]), "")).await.expect(200);
    assert_eq!(kept["title"], "kept");
}

#[tokio::test]
async fn two_stores_have_different_secrets() {
    let folders = [tempdir().expect("a folder"), tempdir().expect("a folder")];
    let hubs = folders.each_ref().map(|folder| Process::start(folder.path(), FREE_PORT));
    for label in ["password", "API key"] {
        assert_ne!(printed(&hubs[0], label), printed(&hubs[1], label));
    }
    let token = login(&hubs[0], printed(&hubs[0], "e-mail"), printed(&hubs[0], "password")).await;
    let elsewhere = bearer(&hubs[1], text(&token["accessToken"]));
    elsewhere.get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn it_starts_on_postgres_and_finds_everything_again() {
    let folder = tempdir().expect("a folder");
    let url = postgres::new_database();
    let start = || Process::spawn(hiloop(folder.path()).env("DATABASE_URL", &url).env("HILOOP_LISTEN", FREE_PORT));
    let mut hub = start();
    let key = printed(&hub, "API key").to_owned();
    let session = hub.owner().post("/v1/agent/sessions", json!({})).await.expect(201);
    assert_eq!(hub.terminate(), Some(0));
    let hub = start();
    assert!(!hub.output.contains("hlp_"), "{}", hub.output);
    api_key(&hub, &key).get(&at_agent(text(&session["id"]), "")).await.expect(200);
}

#[test]
fn serve_is_what_it_does_unless_told_otherwise() {
    let folder = tempdir().expect("a folder");
    let hub = Process::spawn(hiloop(folder.path()).args(["serve", "--listen", FREE_PORT]));
    assert!(hub.output.contains("listening on"));
    // A flag counts more than the environment.
    let hub = Process::spawn(hiloop(folder.path()).env("HILOOP_LISTEN", "nowhere").args(["--listen", FREE_PORT]));
    assert!(hub.output.contains("listening on"));
}

#[test]
fn every_setting_is_a_flag_that_help_lists_without_secrets() {
    let folder = tempdir().expect("a folder");
    let (secret, password) = ("s3cr3t-".repeat(6), "pa55w0rd");
    let output = run(hiloop(folder.path())
        .args(["serve", "--help"])
        .env("HILOOP_JWT_SECRET", &secret)
        .env("DATABASE_URL", format!("postgres://hub:{password}@localhost/hub"))
        .env("REDIS_URL", format!("redis://:{password}@localhost")));
    assert!(output.status.success());
    let help = out(&output);
    for (setting, flag) in [
        ("HILOOP_LISTEN", "--listen"),
        ("DATABASE_URL", "--database-url"),
        ("REDIS_URL", "--redis-url"),
        ("HILOOP_JWT_SECRET", "--jwt-secret"),
        ("HILOOP_JWKS_URL", "--jwks-url"),
        ("HILOOP_JWT_ISSUER", "--jwt-issuer"),
        ("HILOOP_JWT_AUDIENCE", "--jwt-audience"),
        ("HILOOP_JWT_SPACE", "--jwt-space"),
        ("HILOOP_TRUSTED_PROXIES", "--trusted-proxies"),
        ("HILOOP_METRICS_LISTEN", "--metrics-listen"),
        ("HILOOP_PUBLIC_URL", "--public-url"),
        ("HILOOP_CORS_ORIGINS", "--cors-origins"),
        ("HILOOP_RATE_LIMIT", "--rate-limit"),
        ("HILOOP_CONNECTION_LIMIT", "--connection-limit"),
        ("HILOOP_SIGN_IN_LIMIT", "--sign-in-limit"),
        ("HILOOP_RETENTION_DAYS", "--retention-days"),
        ("HILOOP_LOG", "--log"),
        ("HILOOP_LOG_FORMAT", "--log-format"),
    ] {
        assert!(help.contains(setting) && help.contains(flag), "{setting} and {flag} in {help}");
    }
    assert!(!help.contains(&secret) && !help.contains(password), "{help}");
}

#[test]
fn a_bad_setting_is_named_in_one_line_before_anything_listens() {
    let folder = tempdir().expect("a folder");
    for (setting, value) in [
        ("HILOOP_LISTEN", "nowhere"),
        ("HILOOP_LISTEN", "127.0.0.1"),
        ("HILOOP_LISTEN", "127.0.0.1:99999"),
        ("DATABASE_URL", "mysql://localhost/hub"),
        ("DATABASE_URL", "hub.db"),
        ("DATABASE_URL", "sqlite:///dev/null/x/hub.db"),
        ("DATABASE_URL", "postgres://localhost:port/hub"),
        ("REDIS_URL", "http://localhost"),
        ("REDIS_URL", "redis://localhost:port"),
        ("REDIS_URL", "redis+cluster://"),
        ("HILOOP_JWT_SECRET", "too short"),
        ("HILOOP_JWT_SPACE", "a\nb"),
        ("HILOOP_JWKS_URL", "ftp://issuer.example/keys"),
        ("HILOOP_TRUSTED_PROXIES", "127.0.0.1, proxy"),
        ("HILOOP_METRICS_LISTEN", "9090"),
        ("HILOOP_PUBLIC_URL", "hub.example.org"),
        ("HILOOP_CORS_ORIGINS", "https://a.example, b.example"),
        ("HILOOP_CORS_ORIGINS", "https://a.example/path"),
        ("HILOOP_RATE_LIMIT", "many"),
        ("HILOOP_RATE_LIMIT", "0/s"),
        ("HILOOP_RATE_LIMIT", "100"),
        ("HILOOP_CONNECTION_LIMIT", "0"),
        ("HILOOP_CONNECTION_LIMIT", "some"),
        ("HILOOP_SIGN_IN_LIMIT", "60/s"),
        ("HILOOP_SIGN_IN_LIMIT", "0/min"),
        ("HILOOP_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("HILOOP_LOG", "hiloop=loud"),
        ("HILOOP_LOG_FORMAT", "xml"),
        ("HILOOP_MAX_BODY_BYTES", "1 MiB"),
        ("HILOOP_MAX_FIELD_BYTES", "-1"),
        ("HILOOP_GRACE_SECONDS", "0"),
        ("HILOOP_RETENTION_DAYS", "0"),
        ("HILOOP_RETENTION_DAYS", "a month"),
    ] {
        let output = run(hiloop(folder.path()).env("HILOOP_LISTEN", FREE_PORT).env(setting, value));
        failed(&output, setting);
    }
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing was made");
}

/// Composing tools pass on what is not set as an empty value.
#[tokio::test]
async fn an_empty_value_is_none() {
    let folder = tempdir().expect("a folder");
    let mut command = hiloop(folder.path());
    for setting in [
        "REDIS_URL",
        "HILOOP_JWT_SECRET",
        "HILOOP_JWKS_URL",
        "HILOOP_JWT_ISSUER",
        "HILOOP_JWT_AUDIENCE",
        "HILOOP_JWT_SPACE",
        "HILOOP_METRICS_LISTEN",
        "HILOOP_PUBLIC_URL",
        "HILOOP_SIGN_IN_LIMIT",
        "HILOOP_TRUSTED_PROXIES",
        "HILOOP_CORS_ORIGINS",
    ] {
        command.env(setting, "");
    }
    let hub = Process::spawn(command.env("HILOOP_LISTEN", FREE_PORT));
    assert!(!hub.output.contains("metrics at"), "{}", hub.output);
    assert_eq!(printed(&hub, "chat").trim_end_matches('/'), hub.base);
    let email = printed(&hub, "e-mail").to_owned();
    let token = run(hiloop(folder.path()).env("HILOOP_JWT_ISSUER", "").args(["token", "--email", &email]));
    let token = format!("Bearer {}", line(&token));
    Client::anonymous(&hub.base).with("authorization", &token).get("/v1/human/me").await.expect(200);
}

#[tokio::test]
async fn the_space_of_an_outside_issuer_is_made_at_the_start() {
    let folder = tempdir().expect("a folder");
    let secret = "a secret that is long enough for both sides";
    let start = |space: &str| {
        let mut command = hiloop(folder.path());
        command.env("HILOOP_LISTEN", FREE_PORT).env("HILOOP_JWT_SECRET", secret).env("HILOOP_JWT_SPACE", space);
        command
    };
    let come_in = async |hub: &Process, email: &str| {
        let claims = json!({
            "sub": email, "email": email, "email_verified": true, "name": "N", "iat": 1, "exp": 4_000_000_000_i64,
        });
        let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
        let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).expect("a token");
        let token = format!("Bearer {token}");
        Client::anonymous(&hub.base).with("authorization", &token).get("/v1/human/me").await.expect(200);
    };
    // The first start still shows its secrets, whichever space it is.
    let mut hub = Process::spawn(&mut start("default"));
    let key = printed(&hub, "API key").to_owned();
    come_in(&hub, "one@example.org").await;
    assert_eq!(hub.terminate(), Some(0));
    let mut hub = Process::spawn(&mut start("theirs"));
    come_in(&hub, "two@example.org").await;
    let owner = api_key(&hub, &key);
    let spaces = owner.get("/v1/manage/spaces").await.expect(200);
    let theirs = spaces["data"].as_array().expect("a list").iter().find(|space| space["name"] == "theirs");
    let id = text(&theirs.expect("the space")["id"]).to_owned();
    owner.delete(&format!("/v1/manage/spaces/{id}")).await.expect(204);
    assert_eq!(hub.terminate(), Some(0));
    failed(&run(&mut start("theirs")), "HILOOP_JWT_SPACE");

    let other = tempdir().expect("a folder");
    let hub = Process::spawn(
        hiloop(other.path())
            .env("HILOOP_LISTEN", FREE_PORT)
            .env("HILOOP_JWT_SECRET", secret)
            .env("HILOOP_JWT_SPACE", "theirs"),
    );
    assert!(hub.output.contains("API key"), "{}", hub.output);
    come_in(&hub, "three@example.org").await;
}

#[tokio::test]
async fn nobody_can_connect_before_there_is_somebody_to_answer() {
    let folder = tempdir().expect("a folder");
    // A database that takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind(FREE_PORT).await.expect("a port");
    let url = format!("postgres://hub@{}/hub", silent.local_addr().expect("an address"));
    let (listen, metrics) = (Port::reserve(), Port::reserve());
    let mut command = hiloop(folder.path());
    command.env("DATABASE_URL", url).env("HILOOP_LISTEN", listen.address());
    let mut hub = command.env("HILOOP_METRICS_LISTEN", metrics.address()).spawn().expect("the hub starts");
    let asked = timeout(PATIENCE, silent.accept()).await.expect("in time").expect("a connection");
    for port in [listen, metrics] {
        let refused = tokio::net::TcpStream::connect(port.address()).await.expect_err("nobody listens");
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    }
    hub.kill().expect("it ends");
    hub.wait().expect("it has ended");
    drop(asked);
}

#[test]
fn a_port_that_is_taken_is_named_before_the_store_is_touched() {
    let folder = tempdir().expect("a folder");
    let taken = TcpListener::bind(FREE_PORT).expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let output = run(hiloop(folder.path()).env("HILOOP_LISTEN", &address));
    failed(&output, "HILOOP_LISTEN");
    assert!(err(&output).contains(&address), "{output:?}");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing was made");
}

#[test]
fn a_metrics_port_that_is_taken_is_named_too() {
    let folder = tempdir().expect("a folder");
    let taken = TcpListener::bind(FREE_PORT).expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let output = run(hiloop(folder.path()).env("HILOOP_LISTEN", FREE_PORT).env("HILOOP_METRICS_LISTEN", &address));
    failed(&output, "HILOOP_METRICS_LISTEN");
    assert!(err(&output).contains(&address), "{output:?}");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing was made");
}

#[test]
fn a_database_that_is_not_there_is_named_in_one_line() {
    let folder = tempdir().expect("a folder");
    let free = Port::reserve();
    let url = format!("postgres://hub:pa55w0rd@{}/hub", free.address());
    let damaged = folder.path().join("damaged.db");
    fs::write(&damaged, "this is no database ".repeat(500)).expect("a file");
    for url in [url, format!("sqlite://{}", damaged.display()), format!("sqlite://{}", folder.path().display())] {
        let output = run(hiloop(folder.path()).env("HILOOP_LISTEN", FREE_PORT).env("DATABASE_URL", &url));
        failed(&output, "DATABASE_URL");
        assert!(!err(&output).contains("pa55w0rd"), "{output:?}");
    }
}

#[tokio::test]
async fn what_is_made_beside_the_api_stands_in_the_audit_log() {
    let folder = tempdir().expect("a folder");
    let hub = Process::start(folder.path(), FREE_PORT);
    let entries = async |key: &str| {
        let entries = api_key(&hub, key).get("/v1/manage/audit?pageSize=100").await.expect(200);
        let entry = |entry: &Value| {
            let actor = text(&entry["actor"]["name"]).to_owned();
            (text(&entry["event"]).to_owned(), text(&entry["target"]["name"]).to_owned(), actor)
        };
        entries["data"].as_array().expect("a list").iter().map(entry).collect::<Vec<_>>()
    };
    let by_command = |event: &str, name: &str| (event.to_owned(), name.to_owned(), "Command line".to_owned());
    let first = [
        by_command("space.created", "default"),
        by_command("agent.created", "default"),
        by_command("key.created", "owner"),
        by_command("human.created", "Owner"),
    ];
    let owner = printed(&hub, "API key").to_owned();
    assert_eq!(entries(&owner).await, first);
    run(hiloop(folder.path()).args(["humans", "create", "--email", "ada@example.org", "--name", "Ada"]));
    run(hiloop(folder.path()).args(["keys", "create", "--agent", "bot"]));
    run(hiloop(folder.path()).args(["keys", "create", "--agent", "bot"]));
    let made = [
        by_command("human.created", "Ada"),
        by_command("agent.created", "bot"),
        by_command("key.created", "agent"),
        by_command("key.created", "agent"),
    ];
    assert_eq!(entries(&owner).await[first.len()..], made);
    let elsewhere = run(hiloop(folder.path()).args(["keys", "create", "--space", "second", "--permission", "manage"]));
    let there = [
        by_command("space.created", "second"),
        by_command("agent.created", "default"),
        by_command("key.created", "manage"),
    ];
    assert_eq!(entries(line(&elsewhere)).await, there);
}

#[tokio::test]
async fn keys_are_printed_alone_and_work() {
    let folder = tempdir().expect("a folder");
    let hub = Process::start(folder.path(), FREE_PORT);
    let create = |args: &[&str]| run(hiloop(folder.path()).args(["keys", "create"]).args(args));
    let plain = create(&[]);
    let plain = line(&plain);
    assert!(is_secret(plain, "hlp_"), "{plain}");
    let me = api_key(&hub, plain).get("/v1/agent/me").await.expect(200);
    assert_eq!((&me["permission"], &me["name"]), (&json!("agent"), &json!("default")));
    api_key(&hub, plain).get("/v1/manage/keys").await.expect_error(403, "FORBIDDEN");

    for (permission, manages, owns) in
        [("agent", 403, 403), ("space", 403, 403), ("manage", 200, 403), ("owner", 200, 200)]
    {
        let key = create(&["--permission", permission, "--agent", "worker"]);
        let client = api_key(&hub, line(&key));
        let me = client.get("/v1/agent/me").await.expect(200);
        assert_eq!((&me["permission"], &me["name"]), (&json!(permission), &json!("worker")));
        assert_eq!(client.get("/v1/manage/keys").await.status, manages, "{permission}");
        assert_eq!(client.get("/v1/manage/spaces").await.status, owns, "{permission}");
    }
    let provision = create(&["--permission", "provision"]);
    assert!(is_secret(line(&provision), "hlp_prov_"), "{provision:?}");
    let provisioner = api_key(&hub, line(&provision));
    let made = provisioner.post("/v1/provision/agents", json!({ "name": "made" })).await.expect(201);
    assert_eq!(api_key(&hub, text(&made["apiKey"])).get("/v1/agent/me").await.expect(200)["name"], "made");
    provisioner.get("/v1/agent/me").await.expect_error(403, "FORBIDDEN");

    let elsewhere = create(&["--space", "second", "--permission", "manage"]);
    let there = api_key(&hub, line(&elsewhere)).get("/v1/agent/me").await.expect(200);
    assert_ne!(there["spaceId"], me["spaceId"]);
    let again = create(&["--space", "second"]);
    assert_eq!(api_key(&hub, line(&again)).get("/v1/agent/me").await.expect(200)["spaceId"], there["spaceId"]);

    failed(&create(&["--permission", "root"]), "--permission");
    failed(&create(&["--agent", "no spaces"]), "--agent");
    failed(&create(&["--space", ""]), "--space");
    failed(&run(hiloop(folder.path()).args(["keys", "create"]).env("DATABASE_URL", "mysql://x")), "DATABASE_URL");
}

#[tokio::test]
async fn a_key_made_before_the_first_start_works_after_it() {
    let folder = tempdir().expect("a folder");
    let key = run(hiloop(folder.path()).args(["keys", "create", "--permission", "manage"]));
    let key = line(&key).to_owned();
    let hub = Process::start(folder.path(), FREE_PORT);
    api_key(&hub, &key).get("/v1/manage/keys").await.expect(200);
}

#[tokio::test]
async fn it_starts_again_when_its_first_space_is_deactivated() {
    let folder = tempdir().expect("a folder");
    let mut hub = Process::start(folder.path(), FREE_PORT);
    let first = hub.owner().get("/v1/agent/me").await.expect(200);
    let key = run(hiloop(folder.path()).args(["keys", "create", "--space", "second", "--permission", "owner"]));
    let key = line(&key).to_owned();
    let path = format!("/v1/manage/spaces/{}", text(&first["spaceId"]));
    api_key(&hub, &key).delete(&path).await.expect(204);
    assert_eq!(hub.terminate(), Some(0));
    let (hub, base) = Recorded::start(hiloop(folder.path()).env("HILOOP_LISTEN", FREE_PORT)).await;
    Client::anonymous(&base).with("x-api-key", &key).get("/v1/agent/me").await.expect(200);
    hub.end();
}

#[tokio::test]
async fn humans_are_made_with_a_password_or_a_link() {
    let folder = tempdir().expect("a folder");
    let hub = Process::start(folder.path(), FREE_PORT);
    let create = |args: &[&str]| {
        run(hiloop(folder.path()).args(["humans", "create"]).args(args).env("HILOOP_PUBLIC_URL", "https://hub.example"))
    };
    let ada = create(&["--email", "Ada@Example.org", "--name", "Ada", "--password", "a long password"]);
    assert!(ada.status.success(), "{ada:?}");
    assert!(!out(&ada).contains("a long password") && !err(&ada).contains("a long password"));
    let tokens = login(&hub, "ada@example.org", "a long password").await;
    let me = bearer(&hub, text(&tokens["accessToken"])).get("/v1/human/me").await.expect(200);
    assert_eq!(me["name"], "Ada");

    let bob = create(&["--email", "bob@example.org", "--name", "Bob"]);
    let link = line(&bob);
    let (address, token) = link.split_once("#setup=").expect("a link");
    assert_eq!(address, "https://hub.example/");
    let body = json!({ "token": token, "password": "another password" });
    anonymous(&hub).post("/v1/auth/setup", body).await.expect(200);
    login(&hub, "bob@example.org", "another password").await;

    failed(&create(&["--email", "bob@example.org", "--name", "Bob"]), "email");
    failed(&create(&["--email", "nobody", "--name", "N"]), "email");
    failed(&create(&["--email", "c@example.org", "--name", ""]), "name");
    failed(&create(&["--email", "c@example.org", "--name", "C", "--password", "short"]), "password");
    failed(&create(&["--email", "c@example.org", "--name", "C", "--space", "nowhere"]), "--space");
}

#[tokio::test]
async fn a_token_is_printed_alone_and_holds_as_long_as_asked() {
    let folder = tempdir().expect("a folder");
    let hub = Process::start(folder.path(), FREE_PORT);
    let email = printed(&hub, "e-mail").to_owned();
    let claims = |token: &str| -> Value {
        let payload = token.split('.').nth(1).expect("a payload");
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64")).expect("JSON")
    };
    for (args, seconds) in [(&[][..], 3600), (&["--ttl", "60"], 60), (&["--ttl", "86400"], 86_400)] {
        let output = run(hiloop(folder.path()).args(["token", "--email", &email]).args(args));
        let token = line(&output);
        let me = bearer(&hub, token).get("/v1/human/me").await.expect(200);
        assert_eq!(me["email"], json!(email));
        let claims = claims(token);
        let holds = claims["exp"].as_f64().expect("exp") - claims["iat"].as_f64().expect("iat");
        assert!((holds - f64::from(seconds)).abs() <= 1.0, "{claims}");
    }
    // One second, and it is over.
    let output = run(hiloop(folder.path()).args(["token", "--email", &email, "--ttl", "1"]));
    let brief = bearer(&hub, line(&output));
    crate::support::eventually("the end of a short token", async || {
        (brief.get("/v1/human/me").await.status == 401).then_some(())
    })
    .await;
    let upper = run(hiloop(folder.path()).args(["token", "--email", &email.to_uppercase()]));
    bearer(&hub, line(&upper)).get("/v1/human/me").await.expect(200);
    failed(&run(hiloop(folder.path()).args(["token", "--email", "nobody@example.org"])), "--email");
    for ttl in ["0", "-1", "soon"] {
        let output = run(hiloop(folder.path()).args(["token", "--email", &email, &format!("--ttl={ttl}")]));
        assert!(!output.status.success() && err(&output).contains("--ttl"), "{output:?}");
        assert_eq!(out(&output), "");
    }
}

#[test]
fn a_bad_jwt_secret_is_refused_by_every_command_that_would_use_it() {
    let folder = tempdir().expect("a folder");
    assert!(run(hiloop(folder.path()).args(["humans", "create", "--email", "a@b.c", "--name", "A"])).status.success());
    let output = run(hiloop(folder.path()).args(["token", "--email", "a@b.c"]).env("HILOOP_JWT_SECRET", "short"));
    failed(&output, "HILOOP_JWT_SECRET");
}

#[test]
fn migrate_makes_the_store_and_may_be_repeated() {
    let folder = tempdir().expect("a folder");
    for url in [format!("sqlite://{}/new/deep/hub.db", folder.path().display()), postgres::new_database()] {
        for _ in 0..2 {
            let output = run(hiloop(folder.path()).arg("migrate").env("DATABASE_URL", &url));
            assert!(output.status.success(), "{output:?}");
            assert_eq!(err(&output), "");
        }
        // It makes no secrets: the first start does.
        let hub = Process::spawn(hiloop(folder.path()).env("DATABASE_URL", &url).env("HILOOP_LISTEN", FREE_PORT));
        assert!(is_secret(printed(&hub, "API key"), "hlp_"));
    }
    assert!(folder.path().join("new/deep/hub.db").exists());
    failed(&run(hiloop(folder.path()).arg("migrate").env("DATABASE_URL", "oracle://x")), "DATABASE_URL");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_ends_everything_within_the_grace_time() {
    let folder = tempdir().expect("a folder");
    let mut hub = Process::start(folder.path(), FREE_PORT);
    let owner = hub.owner();
    let session = owner.post("/v1/agent/sessions", json!({})).await.expect(201);
    let session = text(&session["id"]).to_owned();
    let body = json!({ "encryptedContent": "?", "responseRequired": true });
    let asked = owner.post(&at_agent(&session, "/messages"), body).await.expect(201);
    let mut socket = Socket::open(&owner).await;
    socket.subscribe(&session, None).await;
    // A long-poll that is under way; one more message tells that the hub has taken what came before it.
    let path = at_agent(&session, &format!("/messages/{}/await?timeout=55", text(&asked["id"])));
    let waiter = {
        let owner = owner.clone();
        tokio::spawn(async move { owner.get(&path).await })
    };
    let mut stream = owner.stream(&at_agent(&session, "/events?after=0")).await;
    assert!(stream.chunk().await.expect("a chunk").is_some());
    let started = Stopwatch::start();
    let code = tokio::task::spawn_blocking(move || hub.terminate()).await.expect("no panic");
    assert_eq!(code, Some(0));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(waiter.await.expect("no panic").expect(200)["status"], "Pending");
    socket.find("goaway").await;
    assert_eq!(socket.end().await, End::Code(1001));
    while let Ok(Some(_)) = stream.chunk().await {}
    // What was acknowledged is there after it.
    let hub = Process::start(folder.path(), FREE_PORT);
    let client = Client { base: hub.base.clone(), ..owner };
    assert_eq!(client.get(&at_agent(&session, "/messages")).await.expect(200)["data"], json!([asked]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_finishes_does_not_hold_up_the_end() {
    use tokio::io::AsyncWriteExt as _;
    let folder = tempdir().expect("a folder");
    let mut hub =
        Process::spawn(hiloop(folder.path()).env("HILOOP_LISTEN", FREE_PORT).env("HILOOP_GRACE_SECONDS", "1"));
    let owner = hub.owner();
    owner.get("/v1/agent/me").await.expect(200);
    let mut raw = tokio::net::TcpStream::connect(hub.address()).await.expect("a connection");
    let head = format!(
        "POST /v1/agent/sessions HTTP/1.1\r\nHost: {}\r\nX-API-Key: {}\r\nContent-Type: application/json\r\n\
         Content-Length: 100\r\n\r\n{{",
        hub.address(),
        owner.secret()
    );
    raw.write_all(head.as_bytes()).await.expect("it goes out");
    owner.get("/v1/agent/me").await.expect(200);
    let started = Stopwatch::start();
    let code = tokio::task::spawn_blocking(move || hub.terminate()).await.expect("no panic");
    assert_eq!(code, Some(0));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    drop(raw);
}

/// A hub whose whole output goes into files.
pub struct Recorded {
    child: Child,
    folder: TempDir,
}

impl Recorded {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a prepared command and waits until it listens; the hub and its address.
    pub async fn start(command: &mut Command) -> (Self, String) {
        let folder = tempdir().expect("a folder");
        let file = |name: &str| File::create(folder.path().join(name)).expect("a file");
        let child = command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err")).spawn();
        let mut recorded = Self { child: child.expect("the hub starts"), folder };
        let base = crate::support::eventually("the hub to listen", async || {
            let ended = recorded.child.try_wait().expect("its state");
            assert!(ended.is_none(), "{ended:?}: {}", recorded.read("err"));
            let printed = recorded.read("out");
            let line = printed.lines().find(|line| line.contains("listening on"))?;
            line.find("http://").map(|at| line[at..].trim().to_owned())
        })
        .await;
        (recorded, base)
    }

    fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(name)).expect("a file")).into_owned()
    }

    /// SIGTERM; everything that it ever printed.
    pub fn end(mut self) -> String {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
        let ending = Stopwatch::start();
        loop {
            if let Some(status) = self.child.try_wait().expect("its state") {
                assert_eq!(status.code(), Some(0));
                return format!("{}{}", self.read("out"), self.read("err"));
            }
            assert!(!ending.is_past(PATIENCE), "it ends in time");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everything that a hub is told in confidence, in one long story; what must not be found in its output.
async fn tell_secrets(base: &str, key: &str, email: &str, password: &str) -> Vec<(&'static str, String)> {
    let anonymous = Client::anonymous(base);
    let owner = anonymous.with("x-api-key", key);
    let mut secrets = vec![("the API key", key.to_owned()), ("the password", password.to_owned())];
    let tokens = anonymous.post("/v1/auth/login", json!({ "email": email, "password": password })).await.expect(200);
    let wrong = json!({ "email": email, "password": "wrong-password-4711" });
    anonymous.post("/v1/auth/login", wrong).await.expect_error(401, "UNAUTHORIZED");
    secrets.push(("a wrong password", "wrong-password-4711".to_owned()));
    let next = json!({ "refreshToken": tokens["refreshToken"] });
    let next = anonymous.post("/v1/auth/refresh", next).await.expect(200);
    for (what, token) in [("a JWT", &tokens["accessToken"]), ("a JWT", &next["accessToken"])] {
        secrets.push((what, text(token).to_owned()));
        secrets.push(("a JWT's signature", text(token).rsplit('.').next().expect("a signature").to_owned()));
    }
    for token in [&tokens["refreshToken"], &next["refreshToken"]] {
        secrets.push(("a refresh token", text(token).to_owned()));
    }
    let human = anonymous.with("authorization", &format!("Bearer {}", text(&next["accessToken"])));

    let made = owner.post("/v1/manage/keys", json!({ "permission": "agent" })).await.expect(201);
    secrets.push(("a new key", text(&made["apiKey"]).to_owned()));
    let invited = json!({ "email": "invited@example.org", "name": "Invited" });
    let invited = owner.post("/v1/manage/humans", invited).await.expect(201);
    let setup = text(&invited["setupUrl"]).split_once("#setup=").expect("a token").1.to_owned();
    let body = json!({ "token": setup, "password": "chosen-password-0815" });
    anonymous.post("/v1/auth/setup", body).await.expect(200);
    secrets.push(("a setup token", setup));
    secrets.push(("a chosen password", "chosen-password-0815".to_owned()));

    let body = json!({ "title": "t", "encryptedTitle": "ciphertext-of-a-title" });
    let session = owner.post("/v1/agent/sessions", body).await.expect(201);
    let session = text(&session["id"]).to_owned();
    let body = json!({ "encryptedContent": "ciphertext-by-post", "encryptedComponents": "components-by-post" });
    owner.with("idempotency-key", "k").post(&at_agent(&session, "/messages"), body).await.expect(201);
    let body = json!({ "encryptedContent": { "ciphertext": "ciphertext-refused" } });
    owner.post(&at_agent(&session, "/messages"), body).await.expect_error(400, "VALIDATION_ERROR");
    let broken = br#"{"encryptedContent": "ciphertext-broken"#.to_vec();
    let reply = owner.raw("POST", &at_agent(&session, "/messages"), Some("application/json"), broken).await;
    reply.expect_error(400, "VALIDATION_ERROR");
    let guest = owner.post(&at_agent(&session, "/guest-tokens"), json!({})).await.expect(201);
    secrets.push(("a guest token", text(&guest["token"]).to_owned()));
    let guest = anonymous.with("authorization", &format!("Bearer {}", text(&guest["token"])));
    guest.get(&at_human(&session, "/messages")).await.expect(200);

    let mut by_header = Socket::open(&owner).await;
    by_header.subscribe(&session, Some(0)).await;
    let send = json!({ "type": "send", "sessionId": session, "encryptedContent": "ciphertext-by-socket" });
    assert_eq!(by_header.ask(send).await["type"], "sent");
    by_header.send(json!({ "type": "nonsense", "encryptedContent": "ciphertext-nonsense" })).await;
    by_header.find("error").await;
    let offer = format!("hiloop.v1, hiloop.bearer.{}", human.secret());
    Socket::open(&anonymous.with("sec-websocket-protocol", &offer)).await;
    let mut by_frame = Socket::try_open(&anonymous).await.expect("the socket opens");
    by_frame.send(json!({ "type": "auth", "token": made["apiKey"] })).await;
    by_frame.expect("hello").await;
    let unknown = format!("hlp_{}", "0123456789abcdef".repeat(4));
    anonymous.with("x-api-key", &unknown).get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");
    secrets.push(("an unknown key", unknown));
    // Never by the URL; but who puts one there must not find it in a log either.
    let careless = format!("/v1/agent/me?token={}", text(&made["apiKey"]));
    anonymous.get(&careless).await.expect_error(401, "UNAUTHORIZED");
    for path in [
        format!("/v1/ws?token={}", human.secret()),
        format!("/v1/agent/sessions/{}", text(&made["apiKey"])),
        format!("/v1/agent/sessions/{session}/events?after=0&key={}", guest.secret()),
        format!("/no/such/page/{}?password={password}", human.secret()),
    ] {
        assert!((400..500).contains(&anonymous.get(&path).await.status), "{path}");
    }
    let odd = "odd-credential-0123456789";
    for (header, value) in [
        ("authorization", format!("Basic {odd}")),
        ("authorization", format!("Bearer {odd}")),
        ("authorization", format!("Bearer {odd}.{odd}.{odd}")),
        ("authorization", format!("Bearer hlg_{odd}")),
        ("x-api-key", odd.to_owned()),
        ("x-api-key", format!("hlp_{odd}")),
        ("x-api-key", format!("hlp_prov_{odd}")),
        ("cookie", format!("session={odd}")),
        ("sec-websocket-protocol", format!("hiloop.v1, hiloop.bearer.{odd}")),
    ] {
        let client = anonymous.with(header, &value);
        for path in ["/v1/agent/me", "/v1/human/me", "/metrics"] {
            client.get(path).await.expect_error(401, "UNAUTHORIZED");
        }
        if header != "cookie" {
            assert_eq!(Socket::try_open(&client).await.err(), Some(401), "{header}");
        }
    }
    for (path, body) in [
        ("/v1/auth/login", json!({ "email": email, "password": [odd] })),
        ("/v1/auth/login", json!({ "email": odd, "password": odd })),
        ("/v1/auth/refresh", json!({ "refreshToken": odd })),
        ("/v1/auth/logout", json!({ "refreshToken": odd })),
        ("/v1/auth/setup", json!({ "token": odd, "password": odd })),
        ("/v1/agent/sessions", json!({ "title": odd, "priority": odd })),
    ] {
        anonymous.post(path, body.clone()).await;
        owner.post(path, body).await;
    }
    owner.raw("POST", &at_agent(&session, "/messages"), Some("text/plain"), odd.into()).await.expect(415);
    by_header.ask(json!({ "type": "refresh", "token": odd })).await;
    by_header.ask(json!({ "type": "send", "sessionId": session, "encryptedContent": [odd] })).await;
    let mut refused = Socket::try_open(&anonymous).await.expect("the socket opens");
    refused.send(json!({ "type": "auth", "id": 1, "token": odd })).await;
    assert_eq!(refused.end().await, End::Code(4401));
    secrets.push(("an odd credential", odd.to_owned()));
    owner.delete(&format!("/v1/manage/keys/{}", text(&made["id"]))).await.expect(204);
    for what in [
        "ciphertext-of-a-title",
        "ciphertext-by-post",
        "components-by-post",
        "ciphertext-refused",
        "ciphertext-broken",
        "ciphertext-by-socket",
        "ciphertext-nonsense",
    ] {
        secrets.push(("a ciphertext", what.to_owned()));
    }
    secrets
}

async fn keeps_secrets(url: &str, folder: &Path, format: &str) {
    let prepared = || {
        let mut command = hiloop(folder);
        command.env("DATABASE_URL", url).env("HILOOP_LISTEN", FREE_PORT);
        command
    };
    // The first start prints secrets, as it must; the second one has nothing to print.
    let mut first = Process::spawn(&mut prepared());
    let owned = ["API key", "e-mail", "password"].map(|label| printed(&first, label).to_owned());
    assert_eq!(first.terminate(), Some(0));
    let secret = "the-secret-of-hs256-tokens-0123456789";
    let (hub, base) = Recorded::start(
        prepared().env("HILOOP_LOG", "trace").env("HILOOP_LOG_FORMAT", format).env("HILOOP_JWT_SECRET", secret),
    )
    .await;
    let mut secrets = tell_secrets(&base, &owned[0], &owned[1], &owned[2]).await;
    secrets.push(("the JWT secret", secret.to_owned()));
    let output = hub.end();
    assert!(output.contains("TRACE"), "it logs at this level: {output}");
    for (what, secret) in secrets {
        if let Some(at) = output.find(&secret) {
            let line = output[..at].rfind('\n').map_or(0, |at| at + 1);
            let shown: String = output[line..].chars().take(400).collect();
            panic!("{what} stands in the log: {shown}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_stands_in_the_log_on_sqlite() {
    let folder = tempdir().expect("a folder");
    keeps_secrets(&format!("sqlite://{}/hub.db", folder.path().display()), folder.path(), "text").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_stands_in_the_log_on_postgres() {
    let folder = tempdir().expect("a folder");
    keeps_secrets(&postgres::new_database(), folder.path(), "json").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_request_has_its_line_with_its_id() {
    let folder = tempdir().expect("a folder");
    let url = format!("sqlite://{}/hub.db", folder.path().display());
    let (hub, base) = Recorded::start(
        hiloop(folder.path())
            .env("DATABASE_URL", url)
            .env("HILOOP_LISTEN", FREE_PORT)
            .env("HILOOP_LOG", "info,hiloop::access=debug")
            .env("HILOOP_LOG_FORMAT", "json"),
    )
    .await;
    let anonymous = Client::anonymous(&base);
    let id = "0198b7a4-0000-7000-8000-000000000001";
    let refused = anonymous.get(&format!("/v1/agent/sessions/{id}")).await;
    let made = refused.header("x-request-id").expect("an id").to_owned();
    refused.expect(401);
    let own = anonymous.with("x-request-id", "my-own-id");
    assert_eq!(own.get("/livez").await.header("x-request-id"), Some("my-own-id"));
    let log = hub.end();
    let lines: Vec<Value> = log
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    for (request, route, status) in [(made.as_str(), "/v1/agent/sessions/{id}", 401), ("my-own-id", "/livez", 200)] {
        let own: Vec<_> = lines.iter().filter(|line| line["span"]["id"] == json!(request)).collect();
        assert_eq!(own.len(), 1, "{own:?}");
        assert_eq!((&own[0]["target"], &own[0]["level"]), (&json!("hiloop::access"), &json!("DEBUG")));
        let fields = &own[0]["fields"];
        assert_eq!(
            (&fields["method"], &fields["route"], &fields["status"]),
            (&json!("GET"), &json!(route), &json!(status))
        );
        assert!(fields["millis"].is_number() || fields["millis"].is_string(), "{fields}");
    }
    assert!(!log.contains(id), "a path is not logged, only its route");
}

#[test]
fn people_are_made_on_the_command_line_beside_an_outside_issuer() {
    let folder = tempfile::tempdir().expect("a folder");
    let command = |args: &[&str]| {
        let mut command = hiloop(folder.path());
        command.env("HILOOP_JWKS_URL", "https://idp.example/keys").args(args);
        run(&mut command)
    };
    let made = command(&["humans", "create", "--email", "ada@example.org", "--name", "Ada"]);
    assert!(line(&made).contains("#setup="), "{made:?}");
    let token = command(&["token", "--email", "ada@example.org"]);
    assert_eq!(line(&token).split('.').count(), 3, "{token:?}");
}
