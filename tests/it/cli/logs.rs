//! The log: one line for each request, and no secret in it.

use super::{FREE_PORT, printed};
use crate::support::hub::{at_agent, at_human, text};
use crate::support::process::{Process, hiloop};
use crate::support::socket::End;
use crate::support::{Client, PATIENCE, Socket, Stopwatch, postgres};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::{TempDir, tempdir};

/// A hub whose whole output goes into files.
pub struct Recorded {
    pub(super) child: Child,
    pub(super) folder: TempDir,
}

impl Recorded {
    pub(super) fn path(&self, name: &str) -> PathBuf {
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

    pub(super) fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(name)).expect("a file")).into_owned()
    }

    /// Sends SIGTERM; returns its whole output.
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

/// Uses every kind of secret; returns the values that must not be in the output.
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
    // Not supported in the URL; still, a secret in a URL must not be logged.
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
            panic!("{what} was logged: {shown}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_not_logged_on_sqlite() {
    let folder = tempdir().expect("a folder");
    keeps_secrets(&format!("sqlite://{}/hub.db", folder.path().display()), folder.path(), "text").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_not_logged_on_postgres() {
    let folder = tempdir().expect("a folder");
    keeps_secrets(&postgres::new_database(), folder.path(), "json").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_request_is_logged_with_its_id() {
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
