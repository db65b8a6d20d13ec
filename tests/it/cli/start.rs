//! The first start, later starts, and starts that fail.

use super::logs::Recorded;
use super::{FREE_PORT, api_key, bearer, err, failed, is_secret, line, login, printed, run};
use crate::support::hub::{at_agent, at_human, text};
use crate::support::process::{Process, hiloop};
use crate::support::{Client, PATIENCE, Port, postgres, timeout};
use serde_json::json;
use std::fs;
use std::net::TcpListener;
use tempfile::tempdir;

#[tokio::test]
async fn only_the_first_start_prints_secrets() {
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
    assert!(password.len() >= 16, "a random password: {password}");
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
    // Earlier tokens are still valid: their secret is stored.
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
async fn a_restart_on_postgres_keeps_the_data() {
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
fn serve_is_the_default_command() {
    let folder = tempdir().expect("a folder");
    let hub = Process::spawn(hiloop(folder.path()).args(["serve", "--listen", FREE_PORT]));
    assert!(hub.output.contains("listening on"));
    // A flag counts more than the environment.
    let hub = Process::spawn(hiloop(folder.path()).env("HILOOP_LISTEN", "nowhere").args(["--listen", FREE_PORT]));
    assert!(hub.output.contains("listening on"));
}

#[tokio::test]
async fn the_space_of_an_external_issuer_is_created_at_start() {
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
    // The first start prints the secrets regardless of the space of the issuer.
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
async fn the_port_refuses_connections_until_the_hub_is_ready() {
    let folder = tempdir().expect("a folder");
    // A database that accepts connections and never replies.
    let silent = tokio::net::TcpListener::bind(FREE_PORT).await.expect("a port");
    let url = format!("postgres://hub@{}/hub", silent.local_addr().expect("an address"));
    let (listen, metrics) = (Port::reserve(), Port::reserve());
    let mut command = hiloop(folder.path());
    command.env("DATABASE_URL", url).env("HILOOP_LISTEN", listen.address());
    let mut hub = command.env("HILOOP_METRICS_LISTEN", metrics.address()).spawn().expect("the hub starts");
    let asked = timeout(PATIENCE, silent.accept()).await.expect("in time").expect("a connection");
    for port in [listen, metrics] {
        let refused = tokio::net::TcpStream::connect(port.address()).await.expect_err("the port is closed");
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    }
    hub.kill().expect("it ends");
    hub.wait().expect("it has ended");
    drop(asked);
}

#[test]
fn a_port_in_use_fails_the_start_before_the_store_is_opened() {
    let folder = tempdir().expect("a folder");
    let taken = TcpListener::bind(FREE_PORT).expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let output = run(hiloop(folder.path()).env("HILOOP_LISTEN", &address));
    failed(&output, "HILOOP_LISTEN");
    assert!(err(&output).contains(&address), "{output:?}");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing was made");
}

#[test]
fn a_metrics_port_in_use_fails_the_start() {
    let folder = tempdir().expect("a folder");
    let taken = TcpListener::bind(FREE_PORT).expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let output = run(hiloop(folder.path()).env("HILOOP_LISTEN", FREE_PORT).env("HILOOP_METRICS_LISTEN", &address));
    failed(&output, "HILOOP_METRICS_LISTEN");
    assert!(err(&output).contains(&address), "{output:?}");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing was made");
}

#[test]
fn an_unavailable_database_fails_the_start_with_one_line() {
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
async fn the_hub_starts_with_its_first_space_deactivated() {
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
