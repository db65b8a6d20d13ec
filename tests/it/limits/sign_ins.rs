//! Failed sign-ins by address.

use crate::support::client::Reply;
use crate::support::hub::text;
use crate::support::socket::End;
use crate::support::{Client, Engine, Hub, Socket};
use futures::future::join_all;
use hiloop::domain::people::{Human, Role};
use hiloop::store::NewHuman;
use hiloop::testing::Secret;
use hiloop::testing::secret::{API_KEY, GUEST_TOKEN, REFRESH_TOKEN, SETUP_TOKEN};
use serde_json::{Value, json};
use std::time::Instant;

const SIGN_INS: &[&str] = &["--sign-in-limit", "2/min", "--trusted-proxies", "127.0.0.0/8"];

/// Time in which one attempt is refilled.
const ONE_MORE: i64 = 30_000;

/// A hub with a stopped clock, so that attempts are refilled only when the test advances it.
pub async fn guarded() -> Hub {
    let hub = Hub::start_with(Engine::Sqlite, SIGN_INS, |_| {}).await;
    hub.clock.stand_still();
    hub
}

/// A client with this address.
pub fn at(hub: &Hub, address: &str) -> Client {
    hub.anonymous().with("x-forwarded-for", address)
}

/// The same client from this address.
pub(super) fn from(client: &Client, address: &str) -> Client {
    client.with("x-forwarded-for", address)
}

pub(super) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// A JWT with a foreign signature.
const FORGED: &str =
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4IiwiZXhwIjo5OTk5OTk5OTk5fQ.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The kinds of failed sign-ins.
const WAYS: &[&str] = &[
    "wrong password",
    "unknown person",
    "setup link",
    "refresh token",
    "API key",
    "provisioner key",
    "malformed key",
    "guest token",
    "JWT",
    "handshake with a key",
    "handshake with a bearer",
    "handshake with a protocol",
    "first frame",
];

pub const LOGIN: &str = "/v1/auth/login";

/// A new human of the first space.
pub(super) async fn any_human(hub: &Hub) -> Human {
    let space = hub.context().store.space_by_name("default").await.expect("the store").expect("the space");
    let email = format!("{}@example.org", hub.name("anyone"));
    let new = NewHuman { space: space.id, email: &email, name: "Anyone", role: Role::Member, password_hash: None };
    let context = hub.context();
    context.store.create_human(&new, context.clock.now()).await.expect("the store").expect("a human")
}

/// A person with a password.
pub async fn person(hub: &Hub) -> String {
    let email = format!("{}@example.org", hub.name("person"));
    let body = json!({ "email": email, "name": "P", "password": "correct horse" });
    hub.owner.post("/v1/manage/humans", body).await.expect(201);
    email
}

/// The status of an attempt: that of the reply, or a socket's close code.
pub async fn fail(client: &Client, email: &str, way: &str) -> (u16, Option<Reply>) {
    let fresh = |prefix: &str| Secret::generate(prefix).as_str().to_owned();
    let post = async |path: &str, body: Value| Some(client.post(path, body).await);
    let reply = match way {
        "wrong password" => post(LOGIN, json!({ "email": email, "password": "wrong horse" })).await,
        "unknown person" => post(LOGIN, json!({ "email": "nobody@example.org", "password": "correct horse" })).await,
        "setup link" => {
            post("/v1/auth/setup", json!({ "token": fresh(SETUP_TOKEN), "password": "correct horse" })).await
        }
        "refresh token" => post("/v1/auth/refresh", json!({ "refreshToken": fresh(REFRESH_TOKEN) })).await,
        "API key" => Some(client.with("x-api-key", &fresh(API_KEY)).get("/v1/agent/me").await),
        "provisioner key" => Some(client.with("x-api-key", &fresh("hlp_prov_")).get("/v1/agent/me").await),
        "malformed key" => Some(client.with("x-api-key", "hlp_1").get("/v1/agent/me").await),
        "guest token" => Some(client.with("authorization", &bearer(&fresh(GUEST_TOKEN))).get("/v1/human/me").await),
        "JWT" => Some(client.with("authorization", &bearer(FORGED)).get("/v1/human/me").await),
        _ => None,
    };
    if let Some(reply) = reply {
        return (reply.status, Some(reply));
    }
    let client = match way {
        "handshake with a key" => client.with("x-api-key", &fresh(API_KEY)),
        "handshake with a bearer" => client.with("authorization", &bearer(&fresh(GUEST_TOKEN))),
        "handshake with a protocol" => {
            client.with("sec-websocket-protocol", &format!("hiloop.v1, hiloop.bearer.{}", fresh(API_KEY)))
        }
        _ => client.clone(),
    };
    let mut socket = match Socket::try_open(&client).await {
        Ok(socket) => socket,
        Err(status) => return (status, None),
    };
    socket.send(json!({ "type": "auth", "id": 1, "token": fresh(API_KEY) })).await;
    match socket.next_or_end().await {
        Err(End::Code(code)) => (code, None),
        other => panic!("the socket ends, not {other:?}"),
    }
}

/// The same as HTTP would say it.
fn as_http(status: u16) -> u16 {
    match status {
        4401 => 401,
        4529 => 429,
        status => status,
    }
}

/// The time in which a failed attempt of this kind is refilled: keys and tokens, which can't be guessed, cost little.
fn comes_back(way: &str) -> i64 {
    let heavy = ["wrong password", "unknown person", "setup link"].contains(&way);
    if heavy { ONE_MORE } else { ONE_MORE / 20 }
}

/// Fails until it is limited, which must be after `allowed` attempts; returns the reply.
async fn fail_until_refused(client: &Client, email: &str, way: &str, allowed: i64) -> (u16, Option<Reply>) {
    let mut failed = 0;
    loop {
        let (status, reply) = fail(client, email, way).await;
        if as_http(status) == 429 {
            assert_eq!(failed, allowed, "{way}");
            return (status, reply);
        }
        assert_eq!(as_http(status), 401, "{way}");
        failed += 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_failed_sign_in_is_limited() {
    let hub = guarded().await;
    let email = person(&hub).await;
    for (number, way) in WAYS.iter().enumerate() {
        let client = at(&hub, &format!("198.51.100.{number}"));
        let each = comes_back(way);
        let (status, reply) = fail_until_refused(&client, &email, way, 2 * ONE_MORE / each).await;
        assert_eq!(status == 4529, *way == "first frame", "{way}");
        if let Some(reply) = reply {
            let wait = reply.header("retry-after").and_then(|value| value.parse::<i64>().ok()).expect("seconds");
            assert!((1..=each.div_euclid(1000) + 1).contains(&wait), "{way}: {wait}");
            assert_eq!(reply.header("ratelimit-policy"), Some("\"sign-in\";q=2;w=60"));
            assert_eq!(reply.header("ratelimit"), Some(format!("\"sign-in\";r=0;t={wait}").as_str()));
            reply.expect_error(429, "RATE_LIMITED");
        }
        // Limited attempts do not count: one password or twenty tokens are refilled in time.
        for _ in 0..3 {
            fail(&client, &email, way).await;
        }
        hub.clock.advance(ONE_MORE);
        let (mut failed, enough) = (0, ONE_MORE / each);
        while failed < enough {
            assert_eq!(as_http(fail(&client, &email, way).await.0), 401, "{way}: {failed}");
            failed += 1;
        }
    }
}

/// Exhausts the limit of this address.
async fn use_up(hub: &Hub, address: &str) {
    let client = at(hub, address);
    while fail(&client, "", "API key").await.0 != 429 {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn known_credentials_are_accepted_from_a_limited_address() {
    let hub = guarded().await;
    let home = "203.0.113.7";
    let email = person(&hub).await;
    let login = json!({ "email": email, "password": "correct horse" });
    let tokens = at(&hub, "192.0.2.1").post(LOGIN, login.clone()).await.expect(200);
    let agent = hub.agent("agent").await;
    let session = hub.session(&agent).await;
    let guest = hub.guest(&agent, &session).await;
    guest.get("/v1/human/me").await.expect(200);
    let newcomer = hub.guest(&agent, &session).await;
    let new_agent = hub.agent("agent").await;
    let human = hub.human().await;
    use_up(&hub, home).await;

    // Not because of the cache, but because they were valid before.
    hub.context().authenticator.clear_cache();
    from(&agent, home).get("/v1/agent/me").await.expect(200);
    from(&guest, home).get("/v1/human/me").await.expect(200);
    // A valid signature is accepted even if the token is new.
    from(&human, home).get("/v1/human/me").await.expect(200);
    let mut refreshed = tokens;
    for _ in 0..2 {
        let body = json!({ "refreshToken": refreshed["refreshToken"] });
        refreshed = at(&hub, home).post("/v1/auth/refresh", body).await.expect(200);
    }
    let mut socket = hub.socket(&from(&agent, home)).await;
    assert_eq!(socket.ask(json!({ "type": "refresh", "token": agent.secret() })).await["type"], "refreshed");
    use_up(&hub, home).await;
    let forged = socket.ask(json!({ "type": "refresh", "token": FORGED })).await;
    assert_eq!(forged["error"]["code"], "RATE_LIMITED");
    assert_eq!(socket.ask(json!({ "type": "ping" })).await["type"], "pong");

    // Unknown credentials are refused here, valid or not; from another address they are accepted.
    at(&hub, home).post(LOGIN, login.clone()).await.expect_error(429, "RATE_LIMITED");
    use_up(&hub, home).await;
    from(&newcomer, home).get("/v1/human/me").await.expect_error(429, "RATE_LIMITED");
    use_up(&hub, home).await;
    from(&new_agent, home).get("/v1/agent/me").await.expect_error(429, "RATE_LIMITED");
    at(&hub, "203.0.113.8").post(LOGIN, login.clone()).await.expect(200);
    from(&newcomer, "203.0.113.8").get("/v1/human/me").await.expect(200);
    hub.clock.advance(ONE_MORE);
    // Successful sign-ins do not count.
    for _ in 0..3 {
        at(&hub, home).post(LOGIN, login.clone()).await.expect(200);
    }
    from(&new_agent, home).get("/v1/agent/me").await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_credentials_do_not_count_as_failures_and_revoked_ones_do() {
    let hub = guarded().await;
    let host = hub.agent("space").await;
    let session = hub.session(&host).await;
    let body = json!({ "permission": "agent", "agent": "brief", "expiresInSeconds": 60 });
    let key = hub.owner.post("/v1/manage/keys", body).await.expect(201);
    let guest = format!("/v1/agent/sessions/{session}/guest-tokens");
    let guest = host.post(&guest, json!({ "expiresInSeconds": 60 })).await.expect(201);
    let human = hub.human_with_token(&hub.owner, 60).await;
    hub.clock.advance(61_000);
    let home = "203.0.113.7";
    let expired = at(&hub, home);
    let expired_key = expired.with("x-api-key", text(&key["apiKey"]));
    let expired_guest = expired.with("authorization", &bearer(text(&guest["token"])));
    for _ in 0..4 {
        expired_key.get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");
        expired_guest.get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
        from(&human, home).get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
    }
    // A revoked key gets its 401 even from a limited address, once.
    let body = json!({ "permission": "agent", "agent": "gone" });
    let gone = hub.owner.post("/v1/manage/keys", body).await.expect(201);
    let client = at(&hub, home).with("x-api-key", text(&gone["apiKey"]));
    client.get("/v1/agent/me").await.expect(200);
    hub.owner.delete(&format!("/v1/manage/keys/{}", text(&gone["id"]))).await.expect(204);
    for status in [401, 429] {
        use_up(&hub, home).await;
        assert_eq!(client.get("/v1/agent/me").await.status, status);
    }
    // Requests without a credential do not count.
    at(&hub, home).get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_count_by_forwarded_address_and_ipv6_network() {
    let hub = guarded().await;
    let status = async |address: &str| fail(&at(&hub, address), "", "unknown person").await.0;
    for address in ["1.1.1.1, 203.0.113.7", "2.2.2.2,203.0.113.7, 127.0.0.9"] {
        assert_eq!(status(address).await, 401);
    }
    assert_eq!(status("203.0.113.7").await, 429);
    assert_eq!(status("3.3.3.3, 203.0.113.8").await, 401);
    for address in ["2001:db8:0:1::1", "[2001:db8:0:1:ffff::2]:4711"] {
        assert_eq!(status(address).await, 401);
    }
    assert_eq!(status("2001:db8:0:1::3").await, 429);
    assert_eq!(status("2001:db8:0:2::1").await, 401);

    let direct = Hub::start_with(Engine::Sqlite, &["--sign-in-limit", "2/min"], |_| {}).await;
    let mut statuses = Vec::new();
    for number in 0..3 {
        statuses.push(fail(&at(&direct, &format!("198.51.100.{number}")), "", "unknown person").await.0);
    }
    assert_eq!(statuses, [401, 401, 429]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_guesses_beyond_the_limit_are_not_checked() {
    let hub = guarded().await;
    let email = person(&hub).await;
    let client = at(&hub, "203.0.113.7");
    let tries = join_all((0..40).map(|_| fail(&client, &email, "wrong password"))).await;
    let checked = tries.iter().filter(|(status, _)| *status == 401).count();
    // Attempts with an immediate permit run before any failure is counted.
    assert!((2..=2 + 3).contains(&checked), "{checked}");
    assert!(tries.iter().all(|(status, _)| [401, 429].contains(status)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_failures_are_counted_if_the_limit_is_off() {
    for flags in [&["--sign-in-limit", "off", "--rate-limit", "1000/s"][..], &["--rate-limit", "off"]] {
        let hub = Hub::start_with(Engine::Sqlite, flags, |_| {}).await;
        for _ in 0..130 {
            assert_eq!(fail(&hub.anonymous(), "", "API key").await.0, 401, "{flags:?}");
        }
    }
    // The default: a burst of sixty, which is twenty times as many keys, plus the refill.
    let hub = Hub::start_with(Engine::Sqlite, &["--rate-limit", "10000/s"], |_| {}).await;
    let since = Instant::now();
    let mut failed = 0;
    while fail(&hub.anonymous(), "", "API key").await.0 == 401 {
        failed += 1;
    }
    let meanwhile = since.elapsed().as_millis() / 50;
    assert!((1200..=1200 + meanwhile).contains(&failed), "{failed} of 1200 + {meanwhile}");
}

/// A client with sixty revoked keys may still use a valid one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_valid_key_is_accepted_after_many_revoked_ones() {
    let hub = Hub::start_with(Engine::Sqlite, &["--rate-limit", "100/s"], |_| {}).await;
    let agent = hub.agent("agent").await;
    for _ in 0..100 {
        assert_eq!(fail(&hub.anonymous(), "", "API key").await.0, 401);
    }
    agent.get("/v1/agent/me").await.expect(200);
}
