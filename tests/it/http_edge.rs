//! The edge of HTTP: requests that cannot be parsed, headers of replies, foreign origins, and output that cannot be
//! written.

use crate::support::hub::{SESSIONS, at_agent};
use crate::support::process::{Process, hiloop};
use crate::support::{Client, Engine, Hub, PATIENCE, Socket, timeout};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs::OpenOptions;
use std::process::Stdio;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What came back for these bytes, until the connection ended: status, headers, body.
async fn ask(base: &str, request: &[u8]) -> (u16, HashMap<String, String>, String) {
    let mut stream = TcpStream::connect(base.trim_start_matches("http://")).await.expect("a connection");
    // The request may be refused before it is sent completely.
    let _ = stream.write_all(request).await;
    let mut received = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut received)).await.expect("an end in time");
    read.unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&received)));
    let text = String::from_utf8_lossy(&received).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("a reply: {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
    let headers = lines.filter_map(|line| line.split_once(": "));
    (status, headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect(), body.to_owned())
}

fn is_error(body: &str) -> bool {
    serde_json::from_str::<Value>(body)
        .is_ok_and(|body| body["error"]["code"].is_string() && body["error"]["message"].is_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unparsable_request_gets_the_error_object() {
    let hub = Hub::start(Engine::Sqlite).await;
    let large = "y".repeat(100_000);
    let many: String = (0..500).map(|number| format!("X-{number}: y\r\n")).collect();
    for (what, request, wanted) in [
        ("an odd byte in the URI", b"GET /\xff HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".to_vec(), 400),
        ("no HTTP", b"hello\r\n\r\n".to_vec(), 400),
        ("a bad header", b"GET / HTTP/1.1\r\nHo st: h\r\n\r\n".to_vec(), 400),
        (
            "two lengths",
            b"POST /v1/auth/login HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}".to_vec(),
            400,
        ),
        ("a large header", format!("GET / HTTP/1.1\r\nHost: h\r\nX: {large}\r\n\r\n").into_bytes(), 431),
        ("many headers", format!("GET / HTTP/1.1\r\nHost: h\r\n{many}\r\n").into_bytes(), 431),
        ("a long URI", format!("GET /{large} HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes(), 414),
        ("a long query", format!("GET /v1/agent/sessions?q={large} HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes(), 414),
    ] {
        let (status, headers, body) = ask(&hub.base, &request).await;
        assert_eq!(status, wanted, "{what}: {body}");
        assert!(is_error(&body), "{what}: {body:?}");
        assert_eq!(headers["content-type"], "application/json", "{what}");
        assert_eq!(headers["content-length"], body.len().to_string(), "{what}");
        assert_eq!(
            (&*headers["cache-control"], &*headers["x-content-type-options"]),
            ("no-store", "nosniff"),
            "{what}"
        );
        assert!(headers.contains_key("x-request-id"), "{what}");
    }
    // An earlier request on the same connection is answered normally.
    let (status, _, rest) =
        ask(&hub.base, b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\nGET /\xff HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(status == 200 && rest.contains("HTTP/1.1 400 "), "{rest}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compressed_body_is_refused_with_415() {
    let hub = Hub::start(Engine::Sqlite).await;
    for (encoding, wanted) in [("gzip", 415), ("identity, br", 415), ("identity", 201), ("", 201)] {
        let agent = hub.owner.with("content-encoding", encoding);
        let reply = agent.post(SESSIONS, json!({})).await;
        assert_eq!(reply.status, wanted, "{encoding}: {}", reply.body);
        if wanted == 415 {
            let error = reply.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
            assert!(error["message"].as_str().is_some_and(|text| text.contains("Content-Encoding")), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_needs_http_1_1() {
    let hub = Hub::start(Engine::Sqlite).await;
    let request = "GET /v1/ws HTTP/1.0\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let (status, _, body) = ask(&hub.base, request.as_bytes()).await;
    assert!(status == 400 && is_error(&body), "{status} {body}");
}

/// A proxy in front may have checked the other one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_duplicated_credential_header_is_refused() {
    let hub = Hub::start(Engine::Sqlite).await;
    let (key, token) = (hub.owner.secret().to_owned(), format!("Bearer {}", hub.human().await.secret()));
    for (first, second, code) in [
        (("x-api-key", key.as_str()), ("x-api-key", key.as_str()), (401, "UNAUTHORIZED")),
        (("authorization", token.as_str()), ("authorization", token.as_str()), (401, "UNAUTHORIZED")),
        (("x-hiloop", "a"), ("x-hiloop", "b"), (400, "VALIDATION_ERROR")),
    ] {
        let client = if first.0 == "x-hiloop" { hub.owner.clone() } else { hub.anonymous() };
        let path = if first.0 == "authorization" { "/v1/human/sessions" } else { "/v1/agent/me" };
        let once = client.with(first.0, first.1);
        once.get(path).await.expect(200);
        once.with(second.0, second.1).get(path).await.expect_error(code.0, code.1);
    }
    let session = hub.session(&hub.owner).await;
    let keyed = hub.owner.with("idempotency-key", "one").with("idempotency-key", "two");
    let message = json!({ "encryptedContent": "once" });
    let refused = keyed.post(&at_agent(&session, "/messages"), message).await.expect_error(400, "VALIDATION_ERROR");
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("Idempotency-Key")), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api_replies_have_no_store_and_nosniff() {
    let hub = Hub::start(Engine::Sqlite).await;
    let session = hub.session(&hub.owner).await;
    let anonymous = hub.anonymous();
    for reply in [
        hub.owner.get("/v1/agent/me").await,
        hub.owner.post("/v1/manage/keys", json!({ "permission": "agent" })).await,
        hub.owner.post(&at_agent(&session, "/guest-tokens"), json!({})).await,
        hub.owner.post(&at_agent(&session, "/typing"), json!({})).await,
        anonymous.post("/v1/auth/login", json!({ "email": "a@b", "password": "wrong password" })).await,
        anonymous.get("/v1/agent/me").await,
        anonymous.get("/v1/nowhere").await,
        anonymous.delete("/v1/auth/login").await,
        anonymous.get("/nowhere").await,
        hub.owner.get("/v1/ws").await,
    ] {
        let headers = ["cache-control", "x-content-type-options"].map(|name| reply.header(name));
        assert_eq!(headers, [Some("no-store"), Some("nosniff")], "{}", reply.body);
    }
    let stream = hub.owner.stream(&at_agent(&session, "/events?after=0")).await;
    assert_eq!(
        (&stream.headers()["cache-control"], &stream.headers()["x-content-type-options"]),
        (&"no-store".parse().expect("a value"), &"nosniff".parse().expect("a value"))
    );
    // Pages and their files may be kept.
    assert_ne!(anonymous.get("/").await.header("cache-control"), Some("no-store"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_host_header_does_not_make_an_origin_trusted() {
    let hub = Hub::start(Engine::Sqlite).await;
    let port = hub.base.rsplit(':').next().expect("a port");
    for (host, origin, status) in [
        ("evil.example", "http://evil.example".to_owned(), Some(403)),
        ("evil.example", "null".to_owned(), Some(403)),
        ("127.0.0.1", format!("http://127.0.0.1:{port}"), None),
        ("evil.example", format!("http://localhost:{port}"), None),
        ("127.0.0.1", "http://127.0.0.1:1".to_owned(), Some(403)),
    ] {
        let client = hub.owner.with("host", host).with("origin", &origin);
        assert_eq!(Socket::try_open(&client).await.err(), status, "{host} {origin}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hub_continues_if_its_log_cannot_be_written() {
    for unwritable in ["a full disk", "a pipe without a reader"] {
        let folder = tempfile::tempdir().expect("a folder");
        let log = match unwritable {
            "a full disk" => Stdio::from(OpenOptions::new().write(true).open("/dev/full").expect("it is there")),
            _ => Stdio::from(std::io::pipe().expect("a pipe").1),
        };
        let mut command = hiloop(folder.path());
        command.env("HILOOP_LISTEN", "127.0.0.1:0").env("HILOOP_LOG", "debug").stderr(log);
        let mut hub = Process::spawn(&mut command);
        let owner = hub.owner();
        owner.post(SESSIONS, json!({})).await.expect(201);
        let anonymous = Client::anonymous(&hub.base);
        anonymous.get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");
        let mut socket = Socket::open(&owner).await;
        assert_eq!(hub.terminate(), Some(0), "with {unwritable} it drains");
        while socket.next_or_end().await.is_ok() {}
    }
}

#[test]
fn a_command_with_closed_output_does_not_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let arguments: &[&[&str]] = &[
        &["migrate"],
        &["keys", "create"],
        &["humans", "create", "--email", "ann@example.org", "--name", "Ann"],
        &["openapi"],
        &["keys", "create", "--permission", "nonsense"],
    ];
    for arguments in arguments {
        let closed = || Stdio::from(std::io::pipe().expect("a pipe").1);
        let output =
            hiloop(folder.path()).args(*arguments).stdout(closed()).stderr(Stdio::piped()).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
        assert_eq!(output.status.code(), Some(i32::from(arguments.contains(&"nonsense"))), "{arguments:?}: {said}");
        // A command whose standard error is closed as well.
        let status =
            hiloop(folder.path()).args(*arguments).stdout(closed()).stderr(closed()).status().expect("it runs");
        assert!(status.code().is_some_and(|code| code < 2), "{arguments:?}: {status}");
    }
    let full = OpenOptions::new().write(true).open("/dev/full").expect("it is there");
    let output =
        hiloop(folder.path()).args(["keys", "create"]).stdout(full).stderr(Stdio::piped()).output().expect("it runs");
    // A key that could not be printed is reported as an error.
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("hiloop: cannot print: "));
}
