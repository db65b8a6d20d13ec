//! Whatever comes in, the hub answers with the contract's error, names what is wrong, and goes on.

use crate::permissions::{House, ROUTES, Route, Who};
use crate::support::hub::{at_agent, at_human, text};
use crate::support::socket::End;
use crate::support::{Client, Hub, PATIENCE, Socket, on_both_engines, timeout};
use hiloop::domain::SessionId;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

const MIB: usize = 1024 * 1024;
const KIB: usize = 1024;
const DEEP: usize = 10_000;

/// What a field of a body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Text,
    Whole,
    Flag,
    Word,
    Time,
    Id,
    Object,
    List,
    Envelope,
}
use Holds::{Envelope, Flag, Id, List, Object, Text, Time, Whole, Word};

/// The fields of a route's body; the first so many are required.
struct Form {
    route: &'static str,
    required: usize,
    fields: &'static [(&'static str, Holds)],
}

const fn form(route: &'static str, required: usize, fields: &'static [(&'static str, Holds)]) -> Form {
    Form { route, required, fields }
}

const SESSION: &[(&str, Holds)] = &[
    ("id", Id),
    ("title", Text),
    ("encryptedTitle", Envelope),
    ("priority", Word),
    ("metadata", Object),
    ("participants", List),
];
const PUBLIC_KEY: &[(&str, Holds)] = &[
    ("publicKey", Text),
    ("signingKey", Text),
    ("keyId", Text),
    ("proof", Text),
    ("previous", Object),
    ("replace", Flag),
];
const AGENT: &[(&str, Holds)] = &[("name", Text), ("description", Text)];

/// Every body that the hub reads.
const FORMS: &[Form] = &[
    form("PUT /v1/agent/public-key", 4, PUBLIC_KEY),
    form("POST /v1/agent/sessions", 0, SESSION),
    form(
        "PATCH /v1/agent/sessions/{id}",
        0,
        &[("title", Text), ("encryptedTitle", Envelope), ("priority", Word), ("metadata", Object)],
    ),
    form(
        "POST /v1/agent/sessions/{id}/messages",
        1,
        &[
            ("encryptedContent", Envelope),
            ("encryptedComponents", Envelope),
            ("responseRequired", Flag),
            ("priority", Word),
            ("deadlineAt", Time),
            ("answerers", List),
            ("inReplyTo", Id),
        ],
    ),
    form("POST /v1/agent/sessions/{id}/messages/{messageId}/cancel", 0, &[]),
    form("POST /v1/agent/sessions/{id}/messages/{messageId}/acknowledge", 0, &[("exclusive", Flag)]),
    form("POST /v1/agent/sessions/{id}/close", 0, &[]),
    form("POST /v1/agent/sessions/{id}/archive", 0, &[]),
    form(
        "POST /v1/agent/sessions/{id}/participants",
        1,
        &[("type", Word), ("agentId", Id), ("humanId", Id), ("email", Text), ("name", Text), ("role", Text)],
    ),
    form("POST /v1/agent/sessions/{id}/guest-tokens", 0, &[("name", Text), ("expiresInSeconds", Whole)]),
    form("POST /v1/agent/sessions/{id}/typing", 0, &[("typing", Flag)]),
    form(
        "POST /v1/agent/interactions",
        1,
        &[
            ("encryptedContent", Envelope),
            ("encryptedComponents", Envelope),
            ("type", Text),
            ("title", Text),
            ("priority", Word),
            ("deadlineAt", Time),
            ("id", Id),
            ("answerers", List),
            ("participants", List),
        ],
    ),
    form(
        "POST /v1/agent/interactions/{id}/messages",
        1,
        &[
            ("encryptedContent", Envelope),
            ("encryptedComponents", Envelope),
            ("responseRequired", Flag),
            ("priority", Word),
            ("deadlineAt", Time),
            ("answerers", List),
            ("inReplyTo", Id),
        ],
    ),
    form("POST /v1/agent/interactions/{id}/blocks", 1, &[("encryptedBlocks", Envelope)]),
    form("POST /v1/agent/interactions/{id}/cancel", 0, &[]),
    form("POST /v1/agent/interactions/{id}/acknowledge", 0, &[]),
    form("PUT /v1/human/public-key", 4, PUBLIC_KEY),
    form("PUT /v1/human/key-backup", 0, &[]),
    form("PUT /v1/manage/attestations/{principalId}", 3, &[("keyId", Text), ("notAfter", Time), ("signature", Text)]),
    form(
        "POST /v1/human/sessions",
        1,
        &[
            ("participants", List),
            ("id", Id),
            ("title", Text),
            ("encryptedTitle", Envelope),
            ("priority", Word),
            ("metadata", Object),
        ],
    ),
    form(
        "POST /v1/human/sessions/{id}/messages",
        1,
        &[
            ("encryptedContent", Envelope),
            ("encryptedComponents", Envelope),
            ("priority", Word),
            ("inReplyTo", Id),
            ("settles", Flag),
            ("outcome", Word),
        ],
    ),
    form("POST /v1/human/sessions/{id}/close", 0, &[]),
    form("POST /v1/human/sessions/{id}/typing", 0, &[("typing", Flag)]),
    form("POST /v1/human/sessions/{id}/read", 1, &[("seq", Whole)]),
    form(
        "POST /v1/human/interactions/{id}/respond",
        1,
        &[("encryptedContent", Envelope), ("encryptedComponents", Envelope), ("outcome", Word)],
    ),
    form("POST /v1/auth/login", 2, &[("email", Text), ("password", Text), ("space", Text)]),
    form("POST /v1/auth/refresh", 1, &[("refreshToken", Text)]),
    form("POST /v1/auth/logout", 1, &[("refreshToken", Text), ("everywhere", Flag)]),
    form("POST /v1/auth/setup", 2, &[("token", Text), ("password", Text)]),
    form("POST /v1/manage/keys", 1, &[("permission", Word), ("agent", Text), ("expiresInSeconds", Whole)]),
    form("POST /v1/manage/agents", 1, AGENT),
    form("POST /v1/manage/humans", 2, &[("email", Text), ("name", Text), ("role", Word), ("password", Text)]),
    form("POST /v1/manage/humans/{id}/setup-link", 0, &[]),
    form("POST /v1/human/password", 2, &[("current", Text), ("new", Text)]),
    form("POST /v1/manage/spaces", 1, &[("name", Text)]),
    form("POST /v1/provision/agents", 1, AGENT),
];

/// Plain text that people read, by the route that takes it.
const PLAIN_TEXT: &[(&str, &str)] = &[
    ("POST /v1/agent/sessions", "title"),
    ("PATCH /v1/agent/sessions/{id}", "title"),
    ("POST /v1/human/sessions", "title"),
    ("POST /v1/agent/interactions", "title"),
    ("POST /v1/agent/interactions", "type"),
    ("POST /v1/agent/sessions/{id}/participants", "role"),
    ("POST /v1/agent/sessions/{id}/guest-tokens", "name"),
    ("PUT /v1/agent/public-key", "keyId"),
    ("PUT /v1/human/public-key", "keyId"),
    ("POST /v1/manage/keys", "agent"),
    ("POST /v1/manage/agents", "name"),
    ("POST /v1/manage/agents", "description"),
    ("POST /v1/manage/humans", "email"),
    ("POST /v1/manage/humans", "name"),
    ("POST /v1/manage/spaces", "name"),
    ("POST /v1/provision/agents", "name"),
    ("POST /v1/provision/agents", "description"),
];

fn is_form(row: &Route) -> bool {
    matches!(row.method, "POST" | "PUT" | "PATCH")
}

fn find(route: &str) -> &'static Route {
    let found = ROUTES.iter().find(|row| format!("{} {}", row.method, row.path) == route);
    found.unwrap_or_else(|| panic!("a row for {route}"))
}

/// JSON texts that no such field may hold.
fn wrong_values(holds: Holds) -> &'static [&'static str] {
    match holds {
        Text => &["1", "true", "[]", "{}", r#""\ud800""#],
        Whole => &[
            "\"1\"",
            "1.5",
            "true",
            "[]",
            "{}",
            "-1",
            "1e400",
            "-1e400",
            "1e30",
            "1000000000000000000000000000000",
            "9223372036854775808",
            "\"\"",
        ],
        Flag => &["\"true\"", "1", "0", "[]", "{}", "\"\""],
        Word => &["\"Nope\"", "\"\"", "1", "[]", "{}", "true", "\"high\\u0000\""],
        Time => {
            &["1", "\"yesterday\"", "\"\"", "\"2026-13-45T00:00:00Z\"", "\"2026-03-25\"", "[]", "{}", "true", "1e400"]
        }
        Id => &[
            "1",
            "\"x\"",
            "\"\"",
            "[]",
            "{}",
            "\"0198f7b200007000800000000000abcd\"",
            "\"0198f7b2-0000-7000-8000-000000000000\\u0000\"",
        ],
        Object => &["1", "\"x\"", "\"{}\"", "true", "[]", "[{}]"],
        List => &["1", "\"x\"", "{}", "true", "[1]", "[null]", "[[]]", "[{}]", "[{\"type\":\"Agent\"}]"],
        Envelope => &[
            "1",
            "true",
            "[]",
            "{}",
            r#"{"ciphertext":1,"wrappings":[]}"#,
            r#"{"ciphertext":"x"}"#,
            r#"{"wrappings":[]}"#,
            r#"{"ciphertext":"x","wrappings":{}}"#,
            r#"{"ciphertext":"x","wrappings":[1]}"#,
            r#"{"ciphertext":"x","wrappings":[[]]}"#,
            r#"{"ciphertext":null,"wrappings":[]}"#,
            r#"{"ciphertext":"\ud800","wrappings":[]}"#,
            r#"{"ciphertext":"\udc00\ud800","wrappings":[]}"#,
            r#"{"ciphertext":"x","wrappings":[],"n":1e400}"#,
        ],
    }
}

/// `body` with one field put in or replaced by this JSON text.
fn with_field(body: &str, field: &str, value: &str) -> String {
    let mut rest: serde_json::Map<String, Value> = serde_json::from_str(body).expect("an object");
    rest.remove(field);
    let rest = Value::Object(rest).to_string();
    let separator = if rest == "{}" { "" } else { "," };
    format!("{{\"{field}\":{value}{separator}{}", &rest[1..])
}

fn nested(levels: usize, open: &str, close: &str) -> String {
    open.repeat(levels) + &close.repeat(levels)
}

/// What was not as it should be, all of it at once.
#[derive(Default)]
struct Findings {
    asked: usize,
    wrong: Vec<String>,
}

impl Findings {
    /// Checks that a reply is one of these errors of the contract, and names `named` (if that is not empty).
    fn check(&mut self, what: &str, reply: &crate::support::client::Reply, allowed: &[(u16, &str)], named: &str) {
        self.asked += 1;
        let error = &reply.body["error"];
        let good = allowed.iter().any(|(status, code)| reply.status == *status && error["code"] == **code)
            && error["message"].as_str().is_some_and(|message| !message.is_empty() && message.contains(named))
            && reply.header("content-type") == Some("application/json");
        if !good {
            self.wrong
                .push(format!("{what}: {allowed:?} naming '{named}' expected, got {} {}", reply.status, reply.body));
        }
    }

    fn expect(&mut self, what: &str, reply: &crate::support::client::Reply, status: u16) {
        self.asked += 1;
        if reply.status != status {
            self.wrong.push(format!("{what}: {status} expected, got {} {}", reply.status, reply.body));
        }
    }

    #[track_caller]
    fn none(self) {
        assert!(self.asked > 0, "nothing was asked");
        assert!(self.wrong.is_empty(), "{} of {}:\n{}", self.wrong.len(), self.asked, self.wrong.join("\n"));
    }
}

const INVALID: &[(u16, &str)] = &[(400, "VALIDATION_ERROR")];
const TOO_LARGE: &[(u16, &str)] = &[(413, "PAYLOAD_TOO_LARGE")];
const NOT_JSON: &[(u16, &str)] = &[(415, "UNSUPPORTED_MEDIA_TYPE")];
const NOT_FOUND: &[(u16, &str)] = &[(404, "NOT_FOUND")];

/// Who may call a row, or anybody where everyone may.
fn caller(hub: &Hub, house: &House, row: &Route) -> Client {
    house.callers(row).first().map_or_else(|| hub.anonymous(), |client| (*client).clone())
}

async fn send(client: &Client, row: &Route, path: &str, body: impl Into<Vec<u8>>) -> crate::support::client::Reply {
    client.raw(row.method, path, Some("application/json"), body.into()).await
}

/// The hub lives and takes a message, and nobody has closed or changed the session meanwhile.
async fn still_works(hub: &Hub, house: &House) {
    hub.anonymous().get("/livez").await.expect(200);
    let message = json!({ "encryptedContent": "still here" });
    house.host.post(&at_agent(&house.session, "/messages"), message).await.expect(201);
}

/// A connection that speaks bytes.
struct Raw {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Raw {
    async fn connect(hub: &Hub) -> Self {
        let address = hub.base.trim_start_matches("http://");
        Self { stream: TcpStream::connect(address).await.expect("a connection"), received: Vec::new() }
    }

    /// A socket of this client, past its handshake.
    async fn socket(hub: &Hub, client: &Client) -> Self {
        let mut raw = Self::connect(hub).await;
        let request = format!(
            "GET /v1/ws HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-API-Key: {}\r\n\r\n",
            client.secret()
        );
        raw.send(request.as_bytes()).await;
        let end = loop {
            if let Some(at) = raw.received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(raw.more().await, "the handshake is answered");
        };
        assert!(raw.received.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&raw.received));
        raw.received.drain(..end);
        assert_eq!(raw.text().await["type"], "hello");
        raw
    }

    /// The other side may have closed already; what it said is what counts.
    async fn send(&mut self, bytes: &[u8]) {
        let _ = timeout(PATIENCE, self.stream.write_all(bytes)).await.expect("room in time");
    }

    async fn more(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.received)).await.expect("bytes in time");
        read.is_ok_and(|count| count > 0)
    }

    /// The next frame: its first byte and its payload.
    async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let [first, second, rest @ ..] = self.received.as_slice() {
                let (start, length) = match (*second, rest) {
                    (126, [high, low, ..]) => (4, usize::from(u16::from_be_bytes([*high, *low]))),
                    (short @ 0..126, _) => (2, usize::from(short)),
                    _ => (2, usize::MAX / 2),
                };
                if self.received.len() >= start + length {
                    let first = *first;
                    let payload = self.received[start..start + length].to_vec();
                    self.received.drain(..start + length);
                    return Some((first, payload));
                }
            }
            if !self.more().await {
                return None;
            }
        }
    }

    async fn text(&mut self) -> Value {
        let (first, payload) = self.frame().await.expect("a frame");
        assert_eq!(first, 0x81, "a whole text frame");
        serde_json::from_slice(&payload).expect("JSON")
    }

    /// The code with which the hub closes.
    async fn close_code(&mut self) -> Option<u16> {
        while let Some((first, payload)) = self.frame().await {
            if first == 0x88 {
                return payload.first_chunk::<2>().map(|code| u16::from_be_bytes(*code));
            }
        }
        None
    }
}

/// A masked frame with these first byte and payload.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [7, 0, 255, 42];
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | u8::try_from(short).expect("short")),
        long => match u16::try_from(long) {
            Ok(long) => {
                frame.push(0x80 | 126);
                frame.extend(long.to_be_bytes());
            }
            Err(_) => {
                frame.push(0x80 | 127);
                frame.extend((long as u64).to_be_bytes());
            }
        },
    }
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// Every Unicode scalar value there is, in strings of at most so many bytes.
fn all_of_unicode(max: usize) -> Vec<String> {
    let mut texts = vec![String::new()];
    for c in '\0'..=char::MAX {
        let text = texts.last_mut().expect("one");
        // A control character is written with six.
        if text.len() + 6 > max {
            texts.push(c.to_string());
        } else {
            text.push(c);
        }
    }
    texts
}

#[test]
fn every_body_has_its_form() {
    let forms: Vec<_> = FORMS.iter().map(|form| form.route.to_owned()).collect();
    for row in ROUTES.iter().filter(|row| is_form(row)) {
        let route = format!("{} {}", row.method, row.path);
        assert_eq!(forms.iter().filter(|form| **form == route).count(), 1, "{route}");
    }
    for (route, field) in PLAIN_TEXT {
        let form = FORMS.iter().find(|form| form.route == *route).expect("a form");
        assert!(form.fields.contains(&(field, Text)), "{route} {field}");
    }
}

on_both_engines! {
    async fn bodies_that_are_no_json_objects_are_refused(hub: Hub) {
        let house = House::of(&hub).await;
        let mut findings = Findings::default();
        let deep_list = format!("{{\"title\":{}}}", nested(DEEP, "[", "]"));
        let deep_object = format!("{}1{}", "{\"title\":".repeat(DEEP), "}".repeat(DEEP));
        for row in ROUTES.iter().filter(|row| is_form(row)) {
            let (client, path) = (caller(&hub, &house, row), house.path(row));
            let name = format!("{} {}", row.method, row.path);
            for bad in [
                "{", "}", "{\"title\":", "{\"title\":}", "{\"title\":\"x\"", "{\"title\":\"x\",}", "{'title':'x'}", "{title:1}",
                "nonsense", "{} {}", "{}x", "\u{feff}{}", "{\"title\":01}", "{\"title\":+1}", "{\"title\":NaN}", "{\"title\":\"\t\"}",
                "[]", "[{}]", "[1,2,3]", "\"x\"", "\"{}\"", "5", "null", "true", " ", "\0",
                "{\"title\":\"\\x\"}", "{\"title\":\"\\u12\"}",
            ] {
                findings.check(&format!("{name} {bad}"), &send(&client, row, &path, bad).await, INVALID, "");
            }
            for (what, bad) in [
                ("invalid UTF-8 in a value", &b"{\"title\":\"\xff\xfe\"}"[..]),
                ("invalid UTF-8 in a key", b"{\"\xc3\x28\":1}"),
                ("an encoded surrogate", b"{\"title\":\"\xed\xa0\x80\"}"),
                ("an overlong NUL", b"{\"title\":\"\xc0\x80\"}"),
                ("UTF-16", b"\xff\xfe{\0}\0"),
            ] {
                findings.check(&format!("{name} with {what}"), &send(&client, row, &path, bad).await, INVALID, "");
            }
            // Where a key is unknown its value is ignored, however deep it is; the hub bears it either way.
            for (what, deep) in [("lists", &deep_list), ("objects", &deep_object)] {
                let known = FORMS.iter().any(|form| form.route == name && form.fields.iter().any(|(field, _)| *field == "title"));
                let open = format!("{}{}", nested(DEEP, "[", ""), nested(DEEP, "{\"title\":", ""));
                // More than some routes take.
                let refused = [INVALID, TOO_LARGE].concat();
                findings.check(&format!("{name} with endless {what}"), &send(&client, row, &path, open).await, &refused, "");
                if known {
                    findings.check(&format!("{name} with deep {what}"), &send(&client, row, &path, deep.as_str()).await, INVALID, "");
                } else if !row.path.ends_with("/close") && !row.path.ends_with("/archive") && !row.path.ends_with("/cancel") {
                    let reply = send(&client, row, &path, deep.as_str()).await;
                    findings.asked += 1;
                    if reply.status >= 500 {
                        findings.wrong.push(format!("{name} with deep {what}: {} {}", reply.status, reply.body));
                    }
                }
            }
            hub.anonymous().get("/livez").await.expect(200);
        }
        findings.none();
        still_works(&hub, &house).await;
    }

    async fn fields_of_the_wrong_type_are_named(hub: Hub) {
        let house = House::of(&hub).await;
        let mut findings = Findings::default();
        for Form { route, required, fields } in FORMS {
            let row = find(route);
            let (client, path) = (caller(&hub, &house, row), house.path(row));
            for (index, (field, holds)) in fields.iter().enumerate() {
                for value in wrong_values(*holds) {
                    let body = with_field(&house.body(&hub, row), field, value);
                    findings.check(&format!("{route} {body}"), &send(&client, row, &path, body).await, INVALID, field);
                }
                // As many as a body of this route has room for.
                let levels = if path.starts_with("/v1/auth/") { DEEP / 2 } else { DEEP };
                let deep = with_field(&house.body(&hub, row), field, &nested(levels, "[", "]"));
                findings.check(&format!("{route} with {field} of {levels} levels"), &send(&client, row, &path, deep).await, INVALID, "");
                let twice = with_field(&house.body(&hub, row), field, &format!("null,\"{field}\":null"));
                findings.check(&format!("{route} {twice}"), &send(&client, row, &path, twice).await, INVALID, field);
                if index < *required {
                    let null = with_field(&house.body(&hub, row), field, "null");
                    findings.check(&format!("{route} {null}"), &send(&client, row, &path, null).await, INVALID, field);
                    let mut without: Value = serde_json::from_str(&house.body(&hub, row)).expect("JSON");
                    without.as_object_mut().expect("an object").remove(*field);
                    let without = without.to_string();
                    findings.check(&format!("{route} {without}"), &send(&client, row, &path, without).await, INVALID, field);
                }
            }
            if *required > 0 {
                for (what, kind, body) in [("no body", None, ""), ("an empty body", Some("application/json"), ""), ("{}", Some("application/json"), "{}")] {
                    let reply = client.raw(row.method, &path, kind, body.into()).await;
                    findings.check(&format!("{route} with {what}"), &reply, INVALID, fields[0].0);
                }
            }
        }
        for (named, field) in [
            (json!([{ "type": "Agent", "name": "no-such-agent", "role": 1 }]), "participants[0].role"),
            (json!([{ "type": "Nope", "name": "x" }]), "participants[0].type"),
            (json!([{ "name": "x" }]), "participants[0].type"),
            (json!([{ "type": "Human" }]), "participants[0].humanId"),
            (json!([{ "type": "Guest", "name": "x" }]), "participants[0].type"),
            (json!([{ "type": "Agent", "agentId": "x" }]), "participants[0].agentId"),
            (json!([{ "type": "Agent", "agentId": SessionId::new(), "role": "a\u{0}b" }]), "participants[0].role"),
        ] {
            let body = json!({ "participants": named });
            let reply = house.host.post("/v1/agent/sessions", body.clone()).await;
            findings.check(&format!("POST /v1/agent/sessions {body}"), &reply, INVALID, field);
            let reply = house.human.post("/v1/human/sessions", body.clone()).await;
            findings.check(&format!("POST /v1/human/sessions {body}"), &reply, INVALID, field);
        }
        assert!(findings.asked > 400);
        findings.none();
        still_works(&hub, &house).await;
    }

    async fn values_out_of_bounds_are_named(hub: Hub) {
        let house = House::of(&hub).await;
        let mut findings = Findings::default();
        let long = |count: usize| Value::from("é".repeat(count)).to_string();
        let zeros = "A".repeat(43);
        for (route, field, value) in [
            ("POST /v1/agent/sessions", "title", long(201)),
            ("PATCH /v1/agent/sessions/{id}", "title", long(201)),
            ("POST /v1/agent/sessions", "metadata", json!({ "x": "x".repeat(4 * KIB) }).to_string()),
            ("PATCH /v1/agent/sessions/{id}", "metadata", json!({ "x": "x".repeat(4 * KIB) }).to_string()),
            ("POST /v1/agent/sessions", "participants", json!(vec![json!({ "type": "Agent", "name": "x" }); 1001]).to_string()),
            ("POST /v1/human/sessions", "participants", "[]".to_owned()),
            ("POST /v1/agent/sessions/{id}/messages", "deadlineAt", "\"2001-01-01T00:00:00Z\"".to_owned()),
            ("POST /v1/agent/interactions", "title", long(201)),
            ("POST /v1/agent/interactions", "type", long(65)),
            ("POST /v1/agent/interactions", "type", "\"\"".to_owned()),
            ("POST /v1/agent/interactions", "deadlineAt", "\"2001-01-01T00:00:00Z\"".to_owned()),
            ("POST /v1/agent/interactions", "participants", json!(vec![json!({ "type": "Agent", "name": "x" }); 1001]).to_string()),
            ("POST /v1/agent/sessions/{id}/participants", "role", "\"\"".to_owned()),
            ("POST /v1/agent/sessions/{id}/participants", "role", long(65)),
            ("POST /v1/agent/sessions/{id}/guest-tokens", "name", "\"\"".to_owned()),
            ("POST /v1/agent/sessions/{id}/guest-tokens", "name", "\" \"".to_owned()),
            ("POST /v1/agent/sessions/{id}/guest-tokens", "name", long(65)),
            ("POST /v1/agent/sessions/{id}/guest-tokens", "expiresInSeconds", "59".to_owned()),
            ("POST /v1/agent/sessions/{id}/guest-tokens", "expiresInSeconds", "2592001".to_owned()),
            ("POST /v1/agent/sessions/{id}/guest-tokens", "expiresInSeconds", i64::MAX.to_string()),
            ("PUT /v1/agent/public-key", "publicKey", "\"\"".to_owned()),
            ("PUT /v1/agent/public-key", "publicKey", "\"not base64!\"".to_owned()),
            ("PUT /v1/human/public-key", "publicKey", Value::from(zeros.as_str()).to_string()),
            ("PUT /v1/human/public-key", "publicKey", Value::from(zeros.clone() + "=").to_string()),
            ("PUT /v1/agent/public-key", "signingKey", Value::from(zeros.as_str()).to_string()),
            ("PUT /v1/agent/public-key", "signingKey", "\"\"".to_owned()),
            ("PUT /v1/agent/public-key", "proof", Value::from("A".repeat(86)).to_string()),
            ("PUT /v1/human/public-key", "previous", json!({ "keyId": "AAAA", "signature": "A".repeat(86) }).to_string()),
            ("PUT /v1/human/public-key", "publicKey", "\"AAAA\"".to_owned()),
            ("PUT /v1/agent/public-key", "keyId", "\"\"".to_owned()),
            ("PUT /v1/agent/public-key", "keyId", long(129)),
            ("POST /v1/manage/keys", "permission", "\"root\"".to_owned()),
            ("POST /v1/manage/keys", "permission", "\"Owner\"".to_owned()),
            ("POST /v1/manage/keys", "expiresInSeconds", "0".to_owned()),
            ("POST /v1/manage/keys", "expiresInSeconds", i64::MAX.to_string()),
            ("POST /v1/manage/keys", "agent", "\"two words\"".to_owned()),
            ("POST /v1/manage/agents", "name", long(10)),
            ("POST /v1/manage/agents", "name", Value::from("n".repeat(65)).to_string()),
            ("POST /v1/manage/humans", "email", "\"nobody\"".to_owned()),
            ("POST /v1/manage/humans", "email", "\"a@b@c\"".to_owned()),
            ("POST /v1/manage/humans", "email", "\"a b@c\"".to_owned()),
            ("POST /v1/manage/humans", "password", "\"short\"".to_owned()),
            ("POST /v1/manage/humans", "password", long(257)),
            ("POST /v1/manage/humans", "password", "\"PassWord1\"".to_owned()),
            ("POST /v1/manage/humans", "email", "\"a@b#c\"".to_owned()),
            ("POST /v1/manage/humans", "role", "\"Owner\"".to_owned()),
            ("POST /v1/human/password", "new", "\"12345678\"".to_owned()),
            ("POST /v1/auth/setup", "password", "\"iloveyou\"".to_owned()),
            ("POST /v1/manage/humans", "name", "\"\"".to_owned()),
            ("POST /v1/manage/spaces", "name", "\"\"".to_owned()),
            ("POST /v1/manage/spaces", "name", long(65)),
            ("POST /v1/provision/agents", "name", "\"\"".to_owned()),
        ] {
            let row = find(route);
            let body = with_field(&house.body(&hub, row), field, &value);
            let reply = send(&caller(&hub, &house, row), row, &house.path(row), body).await;
            findings.check(&format!("{route} with {field} {value:.60}"), &reply, INVALID, field);
        }
        // Just inside the bounds.
        let most = json!({ "title": "é".repeat(200), "metadata": { "x": "x".repeat(4 * KIB - 8) } });
        findings.expect("the longest title", &house.host.post("/v1/agent/sessions", most).await, 201);
        // Names that are taken, also by what has been deactivated since; a human alone may come back.
        let email = format!("{}@example.org", hub.name("taken"));
        let taken: &[(u16, &str)] = &[(409, "CONFLICT")];
        let space = json!({ "name": hub.name("taken") });
        let made = house.owner.post("/v1/manage/spaces", space.clone()).await.expect(201);
        // A space that is there is found; one that was there is not made again.
        assert_eq!(house.owner.post("/v1/manage/spaces", space.clone()).await.expect(200)["id"], made["id"]);
        house.owner.delete(&format!("/v1/manage/spaces/{}", text(&made["id"]))).await.expect(204);
        findings.check("POST /v1/manage/spaces after its end", &house.owner.post("/v1/manage/spaces", space).await, taken, "");
        for (list, body, comes_back) in [
            ("agents", json!({ "name": hub.name("taken") }), false),
            ("humans", json!({ "email": email, "name": "N" }), true),
        ] {
            let path = format!("/v1/manage/{list}");
            let made = house.owner.post(&path, body.clone()).await.expect(201);
            findings.check(&format!("POST {path} {body} twice"), &house.owner.post(&path, body.clone()).await, taken, "");
            house.owner.delete(&format!("{path}/{}", text(&made["id"]))).await.expect(204);
            let again = house.owner.post(&path, body.clone()).await;
            let what = format!("POST {path} {body} after its deactivation");
            if comes_back {
                findings.expect(&what, &again, 201);
            } else {
                findings.check(&what, &again, taken, "");
            }
        }
        let far = json!({ "seq": i64::MAX });
        findings.expect("the furthest seq", &house.human.post(&at_human(&house.session, "/read"), far).await, 204);
        findings.none();
        still_works(&hub, &house).await;
    }

    async fn characters_that_can_not_be_seen_are_refused_by_field(hub: Hub) {
        let house = House::of(&hub).await;
        let mut findings = Findings::default();
        for (route, field) in PLAIN_TEXT {
            let row = find(route);
            let (client, path) = (caller(&hub, &house, row), house.path(row));
            // Nor what can't be seen, or moves what can: zero-width, bidirectional, fillers, tags.
            let controls = ["\0", "\u{1}", "\t", "\n", "\r", "\u{1b}", "\u{7f}", "\u{80}", "\u{9f}"];
            let hidden = ["\u{ad}", "\u{200b}", "\u{200d}", "\u{202e}", "\u{2028}", "\u{2066}", "\u{3164}", "\u{feff}", "\u{e0041}"];
            for control in controls.iter().chain(&hidden) {
                for value in [format!("a{control}b@c"), (*control).to_owned(), format!("a{control}")] {
                    let body = with_field(&house.body(&hub, row), field, &Value::from(value).to_string());
                    findings.check(&format!("{route} {body}"), &send(&client, row, &path, body).await, INVALID, field);
                }
            }
        }
        // Texts by which something is looked up: nothing is found, or they are refused; the store never chokes on them.
        let lookups = &[(400, "VALIDATION_ERROR"), (401, "UNAUTHORIZED"), (404, "NOT_FOUND")];
        for control in ["\0", "a\0@b", "\u{1}", "\u{7f}", "a\n"] {
            for (client, path, body) in [
                (&house.host, at_agent(&house.session, "/participants"), json!({ "type": "Agent", "name": control })),
                (&house.host, at_agent(&house.session, "/participants"), json!({ "type": "Human", "email": control })),
                (&house.host, "/v1/agent/sessions".to_owned(), json!({ "participants": [{ "type": "Agent", "name": control }] })),
                (&house.host, "/v1/agent/sessions".to_owned(), json!({ "participants": [{ "type": "Human", "email": control }] })),
                (&house.human, "/v1/human/sessions".to_owned(), json!({ "participants": [{ "type": "Agent", "name": control }] })),
                (&hub.anonymous(), "/v1/auth/login".to_owned(), json!({ "email": control, "password": "correct horse" })),
                (&hub.anonymous(), "/v1/auth/login".to_owned(), json!({ "email": "a@example.org", "password": "correct horse", "space": control })),
                (&hub.anonymous(), "/v1/auth/refresh".to_owned(), json!({ "refreshToken": control })),
                (&hub.anonymous(), "/v1/auth/setup".to_owned(), json!({ "token": control, "password": "correct horse" })),
            ] {
                findings.check(&format!("POST {path} {body}"), &client.post(&path, body.clone()).await, lookups, "");
            }
            let logout = hub.anonymous().post("/v1/auth/logout", json!({ "refreshToken": control })).await;
            findings.asked += 1;
            if logout.status >= 500 {
                findings.wrong.push(format!("logout with {control:?}: {}", logout.status));
            }
        }
        findings.none();
        still_works(&hub, &house).await;
    }

    async fn bodies_of_another_kind_or_too_large_are_refused(hub: Hub) {
        let house = House::of(&hub).await;
        let mut findings = Findings::default();
        for row in ROUTES.iter().filter(|row| is_form(row)) {
            let (client, path) = (caller(&hub, &house, row), house.path(row));
            let name = format!("{} {}", row.method, row.path);
            let body = house.body(&hub, row);
            for kind in [
                None, Some(""), Some("text/plain"), Some("text/json"), Some("application/x-www-form-urlencoded"),
                Some("multipart/form-data; boundary=x"), Some("application/jsonx"), Some("application/octet-stream"), Some("json"),
            ] {
                let reply = client.raw(row.method, &path, kind, body.clone().into_bytes()).await;
                findings.check(&format!("{name} as {kind:?}"), &reply, NOT_JSON, "");
            }
            let large = format!("{{\"x\":\"{}\"}}", "x".repeat(MIB - 7));
            assert_eq!(large.len(), MIB + 1);
            findings.check(&format!("{name} with 1 MiB + 1"), &send(&client, row, &path, large).await, TOO_LARGE, "");
        }
        // A megabyte is enough for anybody, and not too much.
        let exact = format!("{{\"title\":\"T\"{}}}", " ".repeat(MIB - 13));
        assert_eq!(exact.len(), MIB);
        for kind in ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "application/problem+json"] {
            let reply = house.host.raw("POST", "/v1/agent/sessions", Some(kind), exact.clone().into_bytes()).await;
            findings.expect(&format!("1 MiB as {kind}"), &reply, 201);
        }
        // Of a body that is much too large the client may not be rid, but it must not take the hub along.
        let huge = vec![b' '; 16 * MIB];
        if let Ok(reply) = house.host.try_raw("POST", "/v1/agent/sessions", Some("application/json"), huge).await {
            findings.check("16 MiB", &reply, TOO_LARGE, "");
        }

        for Form { route, fields, .. } in FORMS {
            let row = find(route);
            let (client, path) = (caller(&hub, &house, row), house.path(row));
            for (field, _) in fields.iter().filter(|(_, holds)| *holds == Envelope) {
                let text = "x".repeat(256 * KIB);
                for value in [
                    json!(format!("{text}x")),
                    json!({ "ciphertext": text, "wrappings": [] }),
                    json!(json!({ "ciphertext": text, "wrappings": [] }).to_string()),
                    json!({ "ciphertext": "", "wrappings": [{ "x": text }] }),
                    json!({ "ciphertext": "", "wrappings": vec![json!({ "x": "xxxxxxxx" }); 20_000] }),
                    json!("€".repeat(100_000)),
                ] {
                    let body = with_field(&house.body(&hub, row), field, &value.to_string());
                    findings.check(&format!("{route} with too large a {field}"), &send(&client, row, &path, body).await, TOO_LARGE, field);
                }
                let fits = json!(text).to_string();
                let reply = send(&client, row, &path, with_field(&house.body(&hub, row), field, &fits)).await;
                let status = match (row.method, route.ends_with("/respond")) {
                    ("PATCH", _) => 200,
                    // The first of them answers.
                    (_, true) => if *field == "encryptedContent" { 200 } else { 409 },
                    _ => 201,
                };
                findings.expect(&format!("{route} with 255 KiB of {field}"), &reply, status);
            }
        }
        findings.none();
        still_works(&hub, &house).await;
    }

    async fn envelopes_hold_any_text_there_is(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let mut sent = Vec::new();
        for (index, ciphertext) in all_of_unicode(200 * KIB).into_iter().enumerate() {
            let envelope = json!({ "scheme": "plain", "ciphertext": ciphertext, "wrappings": [], "\0key\u{10ffff}": ciphertext.chars().rev().take(9).collect::<String>() });
            // As an object, as the JSON of one, and as a text of its own.
            let (given, kept) = match index % 3 {
                0 => (envelope.clone(), envelope),
                1 => (json!(envelope.to_string()), envelope),
                _ => (json!(ciphertext), json!({ "ciphertext": ciphertext, "wrappings": [] })),
            };
            let (client, path) = if index % 2 == 0 { (&agent, at_agent(&session, "/messages")) } else { (&human, at_human(&session, "/messages")) };
            let message = client.post(&path, json!({ "encryptedContent": given })).await.expect(201);
            assert!(message["encryptedContent"] == kept, "string {index} comes back as it was sent");
            let again = agent.get(&at_agent(&session, &format!("/messages/{}", text(&message["id"])))).await.expect(200);
            assert!(again["encryptedContent"] == kept, "string {index} was kept as it was sent");
            sent.push(kept);
        }
        let count: usize = sent.iter().map(|kept| text(&kept["ciphertext"]).chars().count()).sum();
        assert_eq!(count, 0x11_0000 - 0x800, "all of Unicode but the surrogates");
        let (mut received, mut after) = (Vec::new(), 1);
        while received.len() < sent.len() {
            let page = agent.get(&at_agent(&session, &format!("/timeline?after={after}"))).await.expect(200);
            let events = page["data"].as_array().expect("events");
            received.extend(events.iter().map(|event| event["data"]["message"]["encryptedContent"].clone()));
            after = events.last().expect("more").get("seq").and_then(Value::as_i64).expect("a seq");
        }
        assert!(received == sent, "the timeline tells what was sent");
        let mut socket = hub.socket(&human).await;
        socket.subscribe(&session, Some(1)).await;
        for kept in &sent {
            assert!(socket.event().await["data"]["message"]["encryptedContent"] == *kept);
        }

        // Escapes are another spelling of the same text; odd but whole shapes stay as they are.
        for (given, ciphertext) in [
            (r#""\ud83d\ude00\u0000\u00e9\/""#, "😀\0é/"),
            (r#""""#, ""),
            (r#""null""#, "null"),
            (r#""{\"ciphertext\":1}""#, "{\"ciphertext\":1}"),
            (r#""{\"ciphertext\":\"a\",\"wrappings\":[]} x""#, "{\"ciphertext\":\"a\",\"wrappings\":[]} x"),
            (r#"{"ciphertext":"\uD83D\uDE00\u0000","wrappings":[{}]}"#, "😀\0"),
        ] {
            let body = format!("{{\"encryptedContent\":{given}}}");
            let reply = agent.raw("POST", &at_agent(&session, "/messages"), Some("application/json"), body.into_bytes()).await;
            assert_eq!(reply.expect(201)["encryptedContent"]["ciphertext"], ciphertext);
        }
        // A text that is no envelope, however deep, is just a text.
        let deep = nested(DEEP, "[", "]");
        let message = agent.post(&at_agent(&session, "/messages"), json!({ "encryptedContent": deep })).await.expect(201);
        assert_eq!(message["encryptedContent"]["ciphertext"], json!(deep));
        // Titles, metadata and components too.
        let odd = json!({ "ciphertext": "\0\u{1}\u{fffe}\u{ffff}\u{202e}", "wrappings": [] });
        let body = json!({ "encryptedTitle": odd, "metadata": { "\0": "\0\u{1f}" } });
        let made = agent.post("/v1/agent/sessions", body).await.expect(201);
        let kept = agent.get(&at_agent(text(&made["id"]), "")).await.expect(200);
        assert_eq!((&kept["encryptedTitle"], &kept["metadata"]), (&odd, &json!({ "\0": "\0\u{1f}" })));
        let changed = agent.patch(&at_agent(&session, ""), json!({ "encryptedTitle": odd })).await.expect(200);
        assert_eq!(changed["encryptedTitle"], odd);
        let message = json!({ "encryptedComponents": odd });
        let message = agent.post(&at_agent(&session, "/messages"), message).await.expect(201);
        assert_eq!((&message["encryptedComponents"], &message["encryptedContent"]), (&odd, &Value::Null));
    }

    async fn an_envelope_may_be_as_deep_as_it_can_be_read(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let question = json!({ "encryptedContent": "?", "responseRequired": true });
        let question = agent.post(&at_agent(&session, "/messages"), question).await.expect(201);
        let mut taken = 0;
        for levels in [10, 60, 110, 118, 120, 122, 124, 125, 126, 127, 128, 200, DEEP] {
            let envelope = format!("{{\"ciphertext\":\"x\",\"wrappings\":[],\"deep\":{}}}", nested(levels, "[", "]"));
            for given in [envelope.clone(), Value::from(envelope).to_string()] {
                let body = format!("{{\"encryptedContent\":{given}}}").into_bytes();
                let reply = human.raw("POST", &at_human(&session, "/messages"), Some("application/json"), body).await;
                assert!(matches!(reply.status, 201 | 400), "{levels} levels: {}", reply.status);
                taken += i64::from(reply.status == 201);
            }
        }
        let answer = format!("{{\"ciphertext\":\"x\",\"wrappings\":[],\"deep\":{}}}", nested(120, "[", "]"));
        let answer = json!({ "encryptedContent": answer, "inReplyTo": question["id"] });
        human.post(&at_human(&session, "/messages"), answer).await.expect(201);
        // Whatever was taken can be read again, in every way.
        for path in [at_agent(&session, "/messages?pageSize=100"), at_agent(&session, "/timeline"), "/v1/agent/sessions".to_owned()] {
            let reply = agent.raw("GET", &path, None, Vec::new()).await;
            assert_eq!(reply.status, 200, "{path}");
        }
        assert_eq!(human.raw("GET", "/v1/human/feed", None, Vec::new()).await.status, 200);
        let message = agent.raw("GET", &at_agent(&session, &format!("/messages/{}", text(&question["id"]))), None, Vec::new()).await;
        assert_eq!(message.status, 200);
        let head = agent.get(&at_agent(&session, "")).await.expect(200);
        assert_eq!(head["lastSeq"], 4 + taken, "the session, the question, what was taken, and the answer with its settling");
    }

    async fn ids_are_uuids_of_something(hub: Hub) {
        let house = House::of(&hub).await;
        let mut findings = Findings::default();
        for row in ROUTES.iter().filter(|row| row.path.contains('{')) {
            let client = caller(&hub, &house, row);
            let parameters: Vec<_> = row.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
            for parameter in parameters {
                let ask = async |value: &str| {
                    let path = house.path_with(row, |name| (name == parameter).then(|| value.to_owned()));
                    let body = house.body(&hub, row);
                    let kind = (!body.is_empty()).then_some("application/json");
                    client.raw(row.method, &path, kind, body.into_bytes()).await
                };
                let name = format!("{} {} with {parameter}", row.method, row.path);
                for bad in [
                    "x", "1", "-1", "null", "0198f7b200007000800000000000abcd", "0198f7b2-0000-7000-8000-00000000000", "%20",
                    "0198f7b2-0000-7000-8000-0000000000000", "0198f7b2-0000-7000-8000-00000000000g", "%00", "%F0%9F%98%80", "..%2f..",
                    "%7B0198f7b2-0000-7000-8000-000000000000%7D", "'%20OR%201=1",
                ] {
                    findings.check(&format!("{name} {bad}"), &ask(bad).await, INVALID, parameter);
                }
                findings.check(&format!("{name} %FF"), &ask("%FF").await, INVALID, "");
                for unknown in [SessionId::new().to_string(), "00000000-0000-0000-0000-000000000000".to_owned(), "ffffffff-ffff-ffff-ffff-ffffffffffff".to_owned()] {
                    findings.check(&format!("{name} {unknown}"), &ask(&unknown).await, NOT_FOUND, "");
                }
            }
        }
        findings.none();
        still_works(&hub, &house).await;
    }

    async fn queries_are_checked_by_name(hub: Hub) {
        let house = House::of(&hub).await;
        let mut findings = Findings::default();
        let lists = ["/humans", "/interactions", "/sessions", "/messages", "/participants", "/timeline", "/feed", "/agents", "/keys", "/spaces", "/audit", "/guest-tokens"];
        let not_whole = ["", "x", "1.5", "1e3", "0x10", "99999999999999999999", "-9223372036854775809", "%00", "%FF", "1%202", "null"];
        for row in ROUTES.iter().filter(|row| row.method == "GET" && row.path != "/") {
            let (client, path) = (caller(&hub, &house, row), house.path(row));
            let path = path.split('?').next().expect("a path");
            let mut bad: Vec<(&str, &str)> = Vec::new();
            let mut whole = |name, outside: &[&'static str]| {
                bad.extend(not_whole.iter().chain(outside).map(|value| (name, *value)));
            };
            if lists.iter().any(|list| row.path.ends_with(list)) {
                whole("page", &["0", "-1"]);
                whole("pageSize", &["0", "-1", "101", "1000000"]);
            }
            if row.path.ends_with("/timeline") {
                whole("after", &["-1"]);
                whole("limit", &["0", "-1", "1001"]);
            }
            if row.path.ends_with("/events") {
                whole("after", &["-1"]);
            }
            if row.path.ends_with("/audit") {
                whole("after", &["1", "00000000-0000-0000-0000-00000000000"]);
            }
            if row.path.ends_with("/await") {
                whole("timeout", &["-1", "56", "3600"]);
            }
            let is_session_wait = row.path == "/v1/agent/sessions/{id}/await";
            if is_session_wait {
                whole("after", &["-1"]);
            }
            if row.path.ends_with("/sessions") {
                bad.extend(["", "active", "Pending", "Active,Closed", "%00", "1"].map(|value| ("status", value)));
            }
            if row.path.ends_with("/interactions") {
                bad.extend(["", "pending", "Archived", "Active", "Pending,Expired", "%00", "1"].map(|value| ("status", value)));
            }
            for (name, value) in bad {
                let reply = client.get(&format!("{path}?{name}={value}")).await;
                findings.check(&format!("GET {}?{name}={value}", row.path), &reply, INVALID, name);
            }
            if lists.iter().any(|list| row.path.ends_with(list)) {
                for good in ["page=9223372036854775807&pageSize=100", "page=1&pageSize=1", "page=1000000", "unknown=%FF", "%00=%00"] {
                    findings.expect(&format!("GET {}?{good}", row.path), &client.get(&format!("{path}?{good}")).await, 200);
                }
            }
            if row.path.ends_with("/timeline") {
                for good in ["after=9223372036854775807", "after=9223372036854775807&limit=1000", "limit=1"] {
                    findings.expect(&format!("GET {}?{good}", row.path), &client.get(&format!("{path}?{good}")).await, 200);
                }
            }
            if row.path.ends_with("/await") {
                let hasty = client.with("prefer", "wait=0");
                findings.expect("Prefer: wait=0", &hasty.get(path).await, 200);
                // So that nothing is waited for any more.
                if is_session_wait {
                    house.human.post(&at_human(&house.session, "/messages"), json!({ "encryptedContent": "x" })).await.expect(201);
                } else {
                    let settled = client.post(&path.replace("/await", "/cancel"), json!({})).await;
                    findings.expect("the cancellation", &settled, 200);
                }
                for odd in ["wait=x", "wait", "wait=-1", "wait=99999999999999999999", "respond-async, wait=1;x=y", "=", ",,,"] {
                    findings.expect(&format!("Prefer: {odd}"), &client.with("prefer", odd).get(path).await, 200);
                }
            }
            if row.path.ends_with("/events") {
                for bad in ["x", "-1", "1.5", "99999999999999999999", "1 2"] {
                    let reply = client.with("last-event-id", bad).stream(path).await;
                    let (status, body) = (reply.status().as_u16(), if reply.status().is_success() { Value::Null } else { reply.json().await.expect("JSON") });
                    findings.asked += 1;
                    if status != 400 || body["error"]["code"] != "VALIDATION_ERROR" || !body["error"]["message"].to_string().contains("Last-Event-ID") {
                        findings.wrong.push(format!("{} with Last-Event-ID {bad:?}: 400 naming it expected, got {status} {body}", row.path));
                    }
                }
                // What a browser sends that has seen no id yet is none.
                for good in ["9223372036854775807", ""] {
                    assert_eq!(client.with("last-event-id", good).stream(path).await.status(), 200);
                }
            }
        }
        findings.none();
        still_works(&hub, &house).await;
    }

    async fn idempotency_keys_are_checked(hub: Hub) {
        let house = House::of(&hub).await;
        let mut findings = Findings::default();
        let longest = "k".repeat(255);
        let too_long = "k".repeat(256);
        let free = |row: &&Route| row.path.ends_with("/typing") || row.path.ends_with("/read") || row.path.ends_with("/password") || row.who == Who::Anyone;
        for row in ROUTES.iter().filter(|row| row.method == "POST").filter(|row| !free(row)) {
            let path = house.path(row);
            for bad in ["", "a b", "ä", "a\tb", too_long.as_str()] {
                let client = caller(&hub, &house, row).with("idempotency-key", bad);
                let reply = send(&client, row, &path, house.body(&hub, row)).await;
                findings.check(&format!("{} {} with Idempotency-Key {bad:.20?}", row.method, row.path), &reply, INVALID, "Idempotency-Key");
            }
        }
        let message = json!({ "encryptedContent": "x" });
        let client = house.host.with("idempotency-key", &longest);
        findings.expect("the longest key", &client.post(&at_agent(&house.session, "/messages"), message.clone()).await, 201);
        let again = client.post(&at_agent(&house.session, "/messages"), message).await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
        client.post(&at_agent(&house.session, "/messages"), json!({ "encryptedContent": "y" })).await.expect_error(422, "IDEMPOTENCY_MISMATCH");
        findings.none();
        still_works(&hub, &house).await;
    }

    async fn unknown_paths_and_methods_have_errors_too(hub: Hub) {
        let house = House::of(&hub).await;
        let mut findings = Findings::default();
        let methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];
        for path in [
            "/nothing", "/v1", "/v1/", "/v2/agent/me", "/v1/agent", "/v1/agent/", "/v1/agent/nothing", "/v1/human/nothing", "/v1/auth/nothing",
            "/v1/manage/nothing", "/v1/provision/nothing", "/v1/agent/me/", "//v1/agent/me", "/V1/agent/me",
            "/v1/agent/sessions/0198f7b2-0000-7000-8000-000000000000/nothing", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc%2fpasswd", "/%FF", "/%00",
            "/v1/ws/", "/livez/", "/index.html%00", "/.git/config", "/assets/", "/assets/../Cargo.toml",
        ] {
            for method in methods {
                for client in [&hub.anonymous(), &house.owner] {
                    findings.check(&format!("{method} {path}"), &client.raw(method, path, None, Vec::new()).await, NOT_FOUND, "");
                }
            }
        }
        for row in ROUTES {
            let path = house.path(row);
            let known: Vec<_> = ROUTES.iter().filter(|other| other.path == row.path).map(|other| other.method).collect();
            for method in methods.iter().chain(&["TRACE", "BREW"]).filter(|method| !known.contains(method)) {
                for client in [&hub.anonymous(), &house.owner] {
                    let reply = client.raw(method, &path, None, Vec::new()).await;
                    findings.check(&format!("{method} {}", row.path), &reply, &[(405, "METHOD_NOT_ALLOWED")], "");
                }
            }
        }
        for (headers, what) in [
            (vec![], "no upgrade"),
            (vec![("upgrade", "websocket")], "half an upgrade"),
            (vec![("connection", "upgrade"), ("upgrade", "websocket")], "no version"),
            (vec![("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13")], "no key"),
            (vec![("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13"), ("sec-websocket-key", "short")], "a bad key"),
            (vec![("connection", "upgrade"), ("upgrade", "h2c")], "another protocol"),
            (vec![("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "8")], "an old version"),
        ] {
            let client = headers.into_iter().fold(house.host.clone(), |client, (name, value)| client.with(name, value));
            let reply = client.get("/v1/ws").await;
            // Who speaks another version is told which one the hub speaks (RFC 6455 section 4.4).
            let status = if what == "an old version" { 426 } else { 400 };
            findings.check(&format!("GET /v1/ws with {what}"), &reply, &[(status, "VALIDATION_ERROR")], "");
            assert_eq!(reply.header("sec-websocket-version"), (status == 426).then_some("13"), "{what}");
        }
        // What the hub itself makes of a page's path is no error. Files are there to be read, and for nothing else.
        for path in ["/", "/index.html", "/docs", "/docs/", "/docs/start.js"] {
            for method in ["GET", "HEAD"] {
                assert_eq!(hub.anonymous().raw(method, path, None, Vec::new()).await.status, 200, "{method} {path}");
            }
            for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
                let reply = hub.anonymous().raw(method, path, None, Vec::new()).await;
                assert_eq!(reply.header("allow"), Some("GET,HEAD"), "{method} {path}");
                reply.expect_error(405, "METHOD_NOT_ALLOWED");
            }
        }
        findings.none();
        still_works(&hub, &house).await;
    }

    async fn every_reply_has_a_request_id(hub: Hub) {
        let house = House::of(&hub).await;
        let longest = "i".repeat(128);
        for given in ["req-42", "0198f7b2-0000-7000-8000-000000000000", "!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~", longest.as_str()] {
            for (client, path, status) in [
                (&house.host, "/v1/agent/me", 200),
                (&hub.anonymous(), "/v1/agent/me", 401),
                (&house.host, "/v1/manage/keys", 403),
                (&house.host, "/v1/agent/sessions/x", 400),
                (&house.host, "/nothing", 404),
                (&house.host, "/livez", 200),
            ] {
                let reply = client.with("x-request-id", given).get(path).await;
                assert_eq!((reply.status, reply.header("x-request-id")), (status, Some(given)));
            }
            let reply = house.host.with("x-request-id", given).raw("POST", "/v1/agent/sessions", Some("application/json"), b"{".to_vec()).await;
            assert_eq!((reply.status, reply.header("x-request-id")), (400, Some(given)));
            let reply = house.host.with("x-request-id", given).raw("DELETE", "/v1/agent/me", None, Vec::new()).await;
            assert_eq!((reply.status, reply.header("x-request-id")), (405, Some(given)));
        }
        // One that would make a mess of a log is replaced.
        let too_long = "i".repeat(5000);
        for bad in ["", "a b", "a\tb", "ä", too_long.as_str()] {
            let reply = house.host.with("x-request-id", bad).get("/v1/agent/me").await;
            let made = reply.header("x-request-id").expect("an id").to_owned();
            assert!(reply.status == 200 && made != bad && made.len() >= 8 && made.is_ascii(), "{made}");
        }
        let (one, two) = (house.host.get("/livez").await, house.host.get("/livez").await);
        assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
    }

    async fn floods_and_broken_requests_leave_the_hub_alone(hub: Hub) {
        let house = House::of(&hub).await;
        let many = |count: usize| (0..count).map(|i| format!("X-Flood-{i}: {i}\r\n")).collect::<String>();
        let key = house.host.secret();
        let me = |extra: &str| format!("GET /v1/agent/me HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nX-API-Key: {key}\r\n{extra}\r\n");
        for (what, request, allowed) in [
            ("fifty headers", me(&many(50)), &["200"][..]),
            ("five thousand headers", me(&many(5000)), &["400", "431"]),
            ("a header of a megabyte", me(&format!("X-Large: {}\r\n", "x".repeat(MIB))), &["400", "431"]),
            ("a path of a megabyte", format!("GET /{} HTTP/1.1\r\nHost: hub\r\n\r\n", "x".repeat(MIB)), &["400", "414", "431"]),
            ("a thousand cookies", me(&"Cookie: a=b\r\n".repeat(1000)), &["400", "431"]),
            ("no request", "nonsense\r\n\r\n".to_owned(), &["400"]),
            ("a control character in a header", me("X-Bad: a\u{1}b\r\n"), &["400"]),
            ("two lengths", me("Content-Length: 1\r\nContent-Length: 2\r\n"), &["400"]),
            ("a length that is none", me("Content-Length: x\r\n"), &["400"]),
            ("a negative length", me("Content-Length: -1\r\n"), &["400"]),
            ("another version", "GET / HTTP/9.9\r\nHost: hub\r\n\r\n".to_owned(), &["400", "505"]),
        ] {
            let mut raw = Raw::connect(&hub).await;
            raw.send(request.as_bytes()).await;
            while raw.more().await {}
            let reply = String::from_utf8_lossy(&raw.received).into_owned();
            let status = reply.split(' ').nth(1).unwrap_or_default();
            // A connection that was cut while the flood still came in has no reply to read.
            let cut = reply.is_empty() && request.len() > 64 * KIB;
            assert!(cut || allowed.contains(&status), "{what}: {allowed:?} expected, got {reply:.300}");
        }
        // Bodies that never come, or come cut off.
        for cut in [
            format!("POST /v1/agent/sessions HTTP/1.1\r\nHost: hub\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"),
            format!("POST /v1/agent/sessions HTTP/1.1\r\nHost: hub\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        ] {
            let mut raw = Raw::connect(&hub).await;
            raw.send(cut.as_bytes()).await;
            drop(raw);
        }
        // Many headers of the hub's own, twice and at odds.
        let both = house.host.with("x-api-key", house.manager.secret()).with("authorization", "Bearer x").with("x-hiloop", "a").with("x-hiloop", "b");
        assert!(both.get("/v1/agent/me").await.status < 500);
        still_works(&hub, &house).await;
        assert_eq!(house.host.get("/v1/agent/sessions").await.expect(200)["total"], 1, "half a body opens no session");
    }

    async fn frames_with_wrong_fields_get_errors_and_the_socket_lives(hub: Hub) {
        let house = House::of(&hub).await;
        let mut socket = hub.socket(&house.host).await;
        let session = format!("\"sessionId\":\"{}\"", house.session);
        let mut cases: Vec<(String, &str)> = Vec::new();
        let mut add = |frame: String, named: &'static str| cases.push((frame, named));
        for bad in ["5", "null", "\"\"", "\"x\"", "[]", "{}", "true", "1e30", "\"0198f7b200007000800000000000abcd\""] {
            for kind in ["subscribe", "unsubscribe", "send", "typing", "read"] {
                add(format!(r#"{{"type":"{kind}","id":7,"sessionId":{bad},"encryptedContent":"x","seq":1}}"#), "sessionId");
            }
        }
        for bad in ["\"1\"", "-1", "1.5", "1e30", "1000000000000000000000000000000", "true", "[]", "{}", "\"\""] {
            add(format!(r#"{{"type":"subscribe","id":7,{session},"after":{bad}}}"#), "after");
            add(format!(r#"{{"type":"read","id":7,{session},"seq":{bad}}}"#), "seq");
        }
        add(format!(r#"{{"type":"read","id":7,{session}}}"#), "seq");
        add(format!(r#"{{"type":"read","id":7,{session},"seq":null}}"#), "seq");
        for bad in ["\"yes\"", "1", "[]", "{}"] {
            add(format!(r#"{{"type":"subscribe","id":7,"feed":{bad}}}"#), "feed");
            add(format!(r#"{{"type":"unsubscribe","id":7,"feed":{bad}}}"#), "feed");
            add(format!(r#"{{"type":"typing","id":7,{session},"typing":{bad}}}"#), "typing");
        }
        add(r#"{"type":"subscribe","id":7,"feed":false}"#.to_owned(), "sessionId");
        for bad in ["5", "null", "[]", "{}", "true"] {
            add(format!(r#"{{"type":"refresh","id":7,"token":{bad}}}"#), "token");
        }
        add(r#"{"type":"refresh","id":7}"#.to_owned(), "token");
        let message = FORMS.iter().find(|form| form.route == "POST /v1/agent/sessions/{id}/messages").expect("a form");
        for (field, holds) in message.fields {
            // What is no JSON to begin with is another story, below.
            for bad in wrong_values(*holds).iter().filter(|bad| serde_json::from_str::<Value>(bad).is_ok()) {
                let content = if *field == "encryptedContent" { String::new() } else { "\"encryptedContent\":\"x\",".to_owned() };
                add(format!(r#"{{"type":"send","id":7,{session},{content}"{field}":{bad}}}"#), field);
            }
        }
        add(format!(r#"{{"type":"send","id":7,{session}}}"#), "encryptedContent");
        let too_long = Value::from("k".repeat(256)).to_string();
        for bad in ["5", "\"\"", "\"a b\"", "\"\\u0000\"", "\"ä\"", "[]", "{}", too_long.as_str()] {
            add(format!(r#"{{"type":"send","id":7,{session},"encryptedContent":"x","idempotencyKey":{bad}}}"#), "dempotency");
        }
        for bad in ["\"nope\"", "\"Subscribe\"", "\"\"", "\"ping\\u0000\"", "\"hello\"", "\"event\""] {
            add(format!(r#"{{"type":{bad},"id":7}}"#), "type");
        }
        let mut wrong = Vec::new();
        for (frame, named) in &cases {
            socket.send_raw(Message::text(frame.as_str())).await;
            let reply = socket.next().await;
            let good = reply["type"] == "error" && reply["id"] == 7 && reply["error"]["code"] == "VALIDATION_ERROR"
                && reply["error"]["message"].as_str().is_some_and(|message| message.contains(named));
            if !good {
                wrong.push(format!("{frame}: an error naming '{named}' expected, got {reply}"));
            }
        }
        // Frames that can't be read at all; a good one between them, since ten in a row would end it.
        let deep = nested(DEEP, "[", "]");
        for bad in [
            "", " ", "{", "[]", "5", "null", "\"ping\"", "{}", r#"{"id":1}"#, r#"{"type":5}"#, r#"{"type":null}"#, r#"{"type":[]}"#, "nonsense",
            r#"{"type":"ping","id":{}}"#, r#"{"type":"ping","id":[]}"#, r#"{"type":"ping","id":true}"#, r#"{"type":"ping","id":1e400}"#,
            r#"{"type":"ping","id":"\ud800"}"#, r#"{"type":"ping"} {"type":"ping"}"#, "\u{feff}{\"type\":\"ping\"}", deep.as_str(),
            &format!("{{\"type\":\"ping\",\"id\":1,\"x\":{deep}}}"), &format!("{{\"type\":\"send\",{session},\"encryptedContent\":{deep}}}"),
            &format!("{{\"type\":\"send\",{session},\"encryptedContent\":\"\\udfff\"}}"),
        ] {
            socket.send_raw(Message::text(bad)).await;
            let reply = socket.next().await;
            if reply["type"] != "error" || reply["error"]["code"] != "VALIDATION_ERROR" || reply.get("id").is_none() {
                wrong.push(format!("{bad:.80}: an error expected, got {reply}"));
            }
            socket.send(json!({ "type": "ping", "id": "between" })).await;
            assert_eq!(socket.expect("pong").await["id"], "between");
        }
        // Any id is echoed as it came.
        for id in [json!("\0😀"), json!(""), json!(-1), json!(1.5), json!(u64::MAX), json!("x".repeat(1000)), Value::Null] {
            socket.send(json!({ "type": "ping", "id": id })).await;
            assert_eq!(socket.expect("pong").await["id"], id);
        }
        // The largest numbers are just large; unknown keys and nulls are nothing.
        let furthest = socket.subscribe(&house.session, Some(i64::MAX)).await;
        assert_eq!((&furthest["reset"], &furthest["replay"]), (&json!(true), &furthest["seq"]));
        let padded = json!({ "type": "send", "sessionId": house.session, "encryptedContent": "\0", "unknown": { "x": [] }, "priority": null, "idempotencyKey": null });
        assert_eq!(socket.ask(padded).await["message"]["encryptedContent"]["ciphertext"], "\0");
        still_works(&hub, &house).await;
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));

        for bad in [r#"{"type":"auth","id":7,"token":5}"#, r#"{"type":"auth","id":7}"#, r#"{"type":"auth","id":7,"token":"x","agent":5}"#] {
            let mut early = Socket::try_open(&hub.anonymous()).await.expect("it opens");
            early.send_raw(Message::text(bad)).await;
            let reply = early.next().await;
            assert_eq!((&reply["id"], &reply["error"]["code"]), (&json!(7), &json!("VALIDATION_ERROR")), "{bad}");
            early.send(json!({ "type": "auth", "id": 8, "token": house.host.secret() })).await;
            early.expect("hello").await;
        }
        for bad in ["a b", "\0", "ä"] {
            let mut early = Socket::try_open(&hub.anonymous()).await.expect("it opens");
            early.send(json!({ "type": "auth", "id": 8, "token": house.host.secret(), "agent": bad })).await;
            assert_eq!(early.end().await, End::Code(4401), "an agent that can't be");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_break_the_protocol_close_the_socket() {
    let hub = Hub::start(crate::support::Engine::Sqlite).await;
    let agent = hub.agent("agent").await;
    let ping = br#"{"type":"ping","id":1}"#;
    let mut cases: Vec<(String, Vec<u8>, u16)> = vec![
        ("invalid UTF-8".into(), masked(0x81, b"{\"type\":\"\xff\"}"), 1007),
        ("an encoded surrogate".into(), masked(0x81, b"\xed\xa0\x80"), 1007),
        ("an overlong NUL".into(), masked(0x81, b"\xc0\x80"), 1007),
        ("half a character".into(), masked(0x81, b"\xe2\x82"), 1007),
        ("a character that two messages share".into(), [masked(0x01, b"\xe2"), masked(0x80, b"(")].concat(), 1007),
        ("a close with a bad reason".into(), masked(0x88, b"\x03\xe8\xff"), 1007),
        ("64 KiB + 1".into(), masked(0x81, &vec![b' '; 64 * KIB + 1]), 1009),
        ("64 KiB + 1 in two".into(), [masked(0x01, &vec![b' '; 64 * KIB]), masked(0x80, b" ")].concat(), 1009),
        ("64 KiB + 1 of bytes".into(), masked(0x82, &vec![0; 64 * KIB + 1]), 1009),
        ("a length of 2^63".into(), vec![0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4], 0),
        ("an unmasked text".into(), [&[0x81, 22][..], ping].concat(), 1002),
        ("an unmasked ping".into(), vec![0x89, 0], 1002),
        ("a continuation of nothing".into(), masked(0x80, ping), 1002),
        ("a message within a message".into(), [masked(0x01, b"{"), masked(0x81, ping)].concat(), 1002),
        ("a ping in pieces".into(), masked(0x09, b"x"), 1002),
        ("a ping of 126 bytes".into(), masked(0x89, &[0; 126]), 1002),
        ("half a close code".into(), masked(0x88, &[3]), 1002),
    ];
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        cases.push((format!("opcode {opcode}"), masked(0x80 | opcode, ping), 1002));
    }
    for bit in [0x40, 0x20, 0x10] {
        cases.push((format!("reserved bit {bit:#x}"), masked(0x81 | bit, ping), 1002));
    }
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 2000, 5000, 65535] {
        cases.push((format!("close code {code}"), masked(0x88, &code.to_be_bytes()), 1002));
    }
    let mut wrong = Vec::new();
    for (what, bytes, code) in cases {
        let mut raw = Raw::socket(&hub, &agent).await;
        raw.send(&bytes).await;
        let closed = raw.close_code().await;
        // Of a length that can't be, 1002 and 1009 are both true.
        let good = if code == 0 { matches!(closed, Some(1002 | 1009)) } else { closed == Some(code) };
        if !good {
            wrong.push(format!("{what}: {code} expected, got {closed:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    hub.session(&agent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_may_come_in_pieces() {
    let hub = Hub::start(crate::support::Engine::Sqlite).await;
    let agent = hub.agent("agent").await;
    let mut raw = Raw::socket(&hub, &agent).await;
    // Cut in the middle of a character, with a ping between.
    let frame = "{\"type\":\"ping\",\"id\":\"é\"}".as_bytes();
    let middle = frame.iter().position(|byte| *byte == 0xc3).expect("é") + 1;
    raw.send(&[masked(0x01, &frame[..middle]), masked(0x89, b"alive?"), masked(0x80, &frame[middle..])].concat()).await;
    assert_eq!(raw.frame().await, Some((0x8a, b"alive?".to_vec())));
    assert_eq!(raw.text().await, json!({ "type": "pong", "id": "é" }));
    // Byte by byte, both as frames and on the wire.
    let pieces: Vec<u8> = std::iter::once(masked(0x01, b""))
        .chain(frame.iter().map(|byte| masked(0x00, &[*byte])))
        .chain([masked(0x80, b"")])
        .flatten()
        .collect();
    for byte in pieces {
        raw.send(&[byte]).await;
    }
    assert_eq!(raw.text().await, json!({ "type": "pong", "id": "é" }));
    // 64 KiB and no more: whole, and in pieces.
    let mut largest = frame.to_vec();
    largest.resize(64 * KIB, b' ');
    raw.send(&masked(0x81, &largest)).await;
    assert_eq!(raw.text().await["type"], "pong");
    let (one, two) = largest.split_at(40_000);
    raw.send(&[masked(0x01, one), masked(0x80, two)].concat()).await;
    assert_eq!(raw.text().await["type"], "pong");
    // A pong that nobody asked for is fine, and so is a goodbye.
    raw.send(&[masked(0x8a, b"hm"), masked(0x88, &4321_u16.to_be_bytes())].concat()).await;
    assert_eq!(raw.close_code().await, Some(4321));
}
