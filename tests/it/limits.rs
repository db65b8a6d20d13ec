//! Limits: requests of each credential and frames of each socket, failed sign-ins by address, and what one session and
//! one reply may hold.

use crate::support::client::Reply;
use crate::support::hub::{SESSIONS, answer, ask, at_agent, at_human, say, text};
use crate::support::socket::End;
use crate::support::{Client, Engine, Hub, Socket, on_both_engines};
use futures::future::join_all;
use hiloop::auth::Secret;
use hiloop::auth::secret::{API_KEY, GUEST_TOKEN, REFRESH_TOKEN, SETUP_TOKEN};
use hiloop::domain::people::{Human, Role};
use hiloop::store::NewHuman;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;

async fn limited() -> Hub {
    Hub::start_with(Engine::Sqlite, &["--rate-limit", "5/s"], |_| {}).await
}

/// How many may get through within this time where five a second do: a burst of ten, and those that come back
/// meanwhile.
fn within(time: Duration) -> usize {
    usize::try_from(time.as_millis()).expect("a short time") / 200 + 10
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let hub = limited().await;
    let (hasty, calm) = (hub.agent("agent").await, hub.agent("agent").await);
    let since = Instant::now();
    let replies = join_all((0..40).map(|_| hasty.get("/v1/agent/me"))).await;
    let most = within(since.elapsed());
    let (passed, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
    assert!((10..=most).contains(&passed.len()), "a burst of 10, not {} of {most}", passed.len());
    for reply in passed {
        assert_eq!(reply.header("ratelimit-policy"), Some("\"default\";q=10;w=2"));
        let left = reply.header("ratelimit").and_then(|value| value.strip_prefix("\"default\";r=")?.split(';').next());
        assert!(left.and_then(|left| left.parse::<u32>().ok()).is_some_and(|left| left < 10), "{left:?}");
    }
    for reply in refused {
        let wait = reply.header("retry-after").and_then(|value| value.parse::<u64>().ok());
        assert!(wait.is_some_and(|seconds| (1..=5).contains(&seconds)), "{wait:?}");
        assert!(reply.header("ratelimit").is_some_and(|value| value.starts_with("\"default\";r=0;t=")));
        reply.expect_error(429, "RATE_LIMITED");
    }
    // Nobody else is any the worse.
    calm.get("/v1/agent/me").await.expect(200);
    hub.anonymous().get("/livez").await.expect(200);
}

/// How many of 60 requests at once get through a burst of ten, which must not be more than may.
async fn passed(requests: impl Iterator<Item = Client>, method: &str, path: &str, status: u16) -> usize {
    let requests: Vec<_> = requests.take(60).collect();
    let kind = (method == "POST").then_some("application/json");
    let since = Instant::now();
    let replies = join_all(requests.iter().map(|client| client.raw(method, path, kind, Vec::new()))).await;
    let mut passed = 0;
    for reply in replies {
        if reply.status == status {
            passed += 1;
        } else {
            reply.expect_error(429, "RATE_LIMITED");
        }
    }
    assert!(passed <= within(since.elapsed()), "{passed} in {:?}", since.elapsed());
    passed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_counts_for_the_credential_that_its_route_looks_at() {
    let hub = limited().await;
    let any_key = || Secret::generate(API_KEY).as_str().to_owned();
    // Headers that nobody looks at are no way out.
    let human = hub.human().await;
    let dressed = std::iter::repeat_with(|| human.with("x-api-key", &any_key()));
    let through = passed(dressed, "GET", "/v1/human/me", 200).await;
    assert!(through >= 10, "{through}");
    let agent = hub.agent("agent").await;
    let dressed = std::iter::repeat_with(|| agent.with("authorization", &bearer(&any_key())));
    let through = passed(dressed, "GET", "/v1/agent/me", 200).await;
    assert!(through >= 10, "{through}");
    // However the scheme is written it is the same token.
    let human = hub.human().await;
    let spelled = ["Bearer ", "bearer ", "BEARER  "].map(|scheme| format!("{scheme}{}", human.secret()));
    let spelled = spelled.iter().cycle().map(|value| hub.anonymous().with("authorization", value));
    let through = passed(spelled, "GET", "/v1/human/me", 200).await;
    assert!(through >= 10, "{through}");
    // Where there is no credential yet it is the address.
    let dressed = std::iter::repeat_with(|| hub.anonymous().with("x-api-key", &any_key()));
    let through = passed(dressed, "POST", "/v1/auth/logout", 400).await;
    assert!(through >= 1, "{through}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn made_up_credentials_count_for_their_address_and_for_nobody_who_is_known() {
    let flags = ["--rate-limit", "5/s", "--sign-in-limit", "off", "--trusted-proxies", "127.0.0.0/8"];
    let hub = Hub::start_with(Engine::Sqlite, &flags, |_| {}).await;
    let (agent, human) = (hub.agent("agent").await, hub.human().await);
    let newcomer = hub.agent("agent").await;
    let home = "203.0.113.7";
    from(&agent, home).get("/v1/agent/me").await.expect(200);
    from(&human, home).get("/v1/human/me").await.expect(200);
    let made_up = || at(&hub, home).with("x-api-key", Secret::generate(API_KEY).as_str());
    let since = Instant::now();
    let by_key = passed(std::iter::repeat_with(made_up), "GET", "/v1/agent/me", 401).await;
    assert!(by_key >= 1, "{by_key}");
    let tokens = || at(&hub, home).with("authorization", &bearer(Secret::generate(GUEST_TOKEN).as_str()));
    let by_token = passed(std::iter::repeat_with(tokens), "GET", "/v1/human/me", 401).await;
    assert!(by_key + by_token <= within(since.elapsed()), "{by_key} and {by_token} in {:?}", since.elapsed());
    // Somebody's address as a key takes nothing away from them.
    let posing = || at(&hub, "203.0.113.8").with("x-api-key", "203.0.113.9");
    passed(std::iter::repeat_with(posing), "GET", "/v1/agent/me", 401).await;
    at(&hub, "203.0.113.9").get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");

    // Who is known goes on there, and who is new does so elsewhere.
    from(&agent, home).get("/v1/agent/me").await.expect(200);
    from(&human, home).get("/v1/human/me").await.expect(200);
    from(&newcomer, "203.0.113.10").get("/v1/agent/me").await.expect(200);
    // A good one that is new costs its address nothing: ten more than fit in.
    for _ in 0..20 {
        let fresh = hub.context().accounts.access_token(&any_human(&hub).await, 60).expect("a token").0;
        let client = at(&hub, "203.0.113.11").with("authorization", &bearer(&fresh));
        client.get("/v1/human/me").await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_with_too_many_frames_is_closed_and_no_other() {
    let hub = limited().await;
    let (hasty, calm) = (hub.agent("agent").await, hub.agent("agent").await);
    let mut hasty = hub.socket(&hasty).await;
    let mut calm = hub.socket(&calm).await;
    let since = Instant::now();
    for number in 0..40 {
        let frame = json!({ "type": "ping", "id": number }).to_string();
        // The hub may have closed by now.
        if futures::SinkExt::send(&mut hasty.stream, Message::text(frame)).await.is_err() {
            break;
        }
    }
    let mut answered = 0;
    let end = loop {
        match hasty.next_or_end().await {
            Ok(frame) => {
                assert_eq!(frame["type"], "pong");
                answered += 1;
            }
            Err(end) => break end,
        }
    };
    assert_eq!(end, End::Code(4529));
    assert!(answered <= within(since.elapsed()), "{answered} of a burst of 10 in {:?}", since.elapsed());
    assert_eq!(calm.ask(json!({ "type": "ping" })).await["type"], "pong");
}

const SIGN_INS: &[&str] = &["--sign-in-limit", "2/min", "--trusted-proxies", "127.0.0.0/8"];
/// In which one attempt comes back.
const ONE_MORE: i64 = 30_000;

/// A hub whose clock stands still, so that no attempt comes back but when a test says so.
pub async fn guarded() -> Hub {
    let hub = Hub::start_with(Engine::Sqlite, SIGN_INS, |_| {}).await;
    hub.clock.stand_still();
    hub
}

/// Somebody who comes from this address.
pub fn at(hub: &Hub, address: &str) -> Client {
    hub.anonymous().with("x-forwarded-for", address)
}

/// The same client from this address.
fn from(client: &Client, address: &str) -> Client {
    client.with("x-forwarded-for", address)
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// A JWT that somebody else has signed.
const FORGED: &str =
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4IiwiZXhwIjo5OTk5OTk5OTk5fQ.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// How to sign in with something that is not good.
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

/// Somebody new of the first space.
async fn any_human(hub: &Hub) -> Human {
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

/// The status of a try: that of the reply, or a socket's close code.
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

/// The time in which a failed attempt of this way comes back: keys and tokens, which nobody guesses, weigh little.
fn comes_back(way: &str) -> i64 {
    let heavy = ["wrong password", "unknown person", "setup link"].contains(&way);
    if heavy { ONE_MORE } else { ONE_MORE / 20 }
}

/// Fails until that is refused, which must be after `allowed` times; what it was told then.
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
async fn whichever_way_signing_in_fails_it_may_fail_only_so_often() {
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
        // What was refused did not count: one password comes back when it was due, or twenty tokens.
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

/// Fails until there is nothing left at this address.
async fn use_up(hub: &Hub, address: &str) {
    let client = at(hub, address);
    while fail(&client, "", "API key").await.0 != 429 {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_signed_in_goes_on_behind_a_limited_address() {
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

    // Not the memory of a second, but that they were good before.
    hub.context().authenticator.forget_all();
    from(&agent, home).get("/v1/agent/me").await.expect(200);
    from(&guest, home).get("/v1/human/me").await.expect(200);
    // A signature is proof enough, though nobody has seen this one yet.
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

    // What nobody can vouch for waits, good or not; elsewhere it is taken.
    at(&hub, home).post(LOGIN, login.clone()).await.expect_error(429, "RATE_LIMITED");
    use_up(&hub, home).await;
    from(&newcomer, home).get("/v1/human/me").await.expect_error(429, "RATE_LIMITED");
    use_up(&hub, home).await;
    from(&new_agent, home).get("/v1/agent/me").await.expect_error(429, "RATE_LIMITED");
    at(&hub, "203.0.113.8").post(LOGIN, login.clone()).await.expect(200);
    from(&newcomer, "203.0.113.8").get("/v1/human/me").await.expect(200);
    hub.clock.advance(ONE_MORE);
    // What succeeds takes nothing away.
    for _ in 0..3 {
        at(&hub, home).post(LOGIN, login.clone()).await.expect(200);
    }
    from(&new_agent, home).get("/v1/agent/me").await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_expired_is_no_guess_and_what_is_revoked_is() {
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
    // A key that was good until it was revoked is told so even behind a limited address, once.
    let body = json!({ "permission": "agent", "agent": "gone" });
    let gone = hub.owner.post("/v1/manage/keys", body).await.expect(201);
    let client = at(&hub, home).with("x-api-key", text(&gone["apiKey"]));
    client.get("/v1/agent/me").await.expect(200);
    hub.owner.delete(&format!("/v1/manage/keys/{}", text(&gone["id"]))).await.expect(204);
    for status in [401, 429] {
        use_up(&hub, home).await;
        assert_eq!(client.get("/v1/agent/me").await.status, status);
    }
    // Requests without any credential are no sign-ins.
    at(&hub, home).get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_is_what_trusted_proxies_say_and_a_network_of_ipv6_is_one() {
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
async fn of_many_guesses_at_once_few_are_checked() {
    let hub = guarded().await;
    let email = person(&hub).await;
    let client = at(&hub, "203.0.113.7");
    let tries = join_all((0..40).map(|_| fail(&client, &email, "wrong password"))).await;
    let checked = tries.iter().filter(|(status, _)| *status == 401).count();
    // Those whose turn it was at once had none before them to be counted.
    assert!((2..=2 + 3).contains(&checked), "{checked}");
    assert!(tries.iter().all(|(status, _)| [401, 429].contains(status)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn off_means_that_nobody_counts() {
    for flags in [&["--sign-in-limit", "off", "--rate-limit", "1000/s"][..], &["--rate-limit", "off"]] {
        let hub = Hub::start_with(Engine::Sqlite, flags, |_| {}).await;
        for _ in 0..130 {
            assert_eq!(fail(&hub.anonymous(), "", "API key").await.0, 401, "{flags:?}");
        }
    }
    // The default: sixty at once, which are twenty times as many keys, and those that come back meanwhile.
    let hub = Hub::start_with(Engine::Sqlite, &["--rate-limit", "10000/s"], |_| {}).await;
    let since = Instant::now();
    let mut failed = 0;
    while fail(&hub.anonymous(), "", "API key").await.0 == 401 {
        failed += 1;
    }
    let meanwhile = since.elapsed().as_millis() / 50;
    assert!((1200..=1200 + meanwhile).contains(&failed), "{failed} of 1200 + {meanwhile}");
}

/// Sixty keys that were revoked, in one client's list, are no reason to refuse the sixty-first, which is good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_key_comes_in_after_many_that_are_not() {
    let hub = Hub::start_with(Engine::Sqlite, &["--rate-limit", "100/s"], |_| {}).await;
    let agent = hub.agent("agent").await;
    for _ in 0..100 {
        assert_eq!(fail(&hub.anonymous(), "", "API key").await.0, 401);
    }
    agent.get("/v1/agent/me").await.expect(200);
}

on_both_engines! {
    async fn a_session_has_at_most_a_thousand_open_questions(hub: Hub) {
        let (agent, human) = (hub.agent("agent").await, hub.human().await);
        let session = hub.session(&agent).await;
        let mut asked = Vec::new();
        for _ in 0..20 {
            asked.extend(join_all((0..50).map(|_| ask(&agent, &session))).await);
        }
        let one_more = json!({ "encryptedContent": "?", "responseRequired": true });
        let refused = agent.post(&at_agent(&session, "/messages"), one_more.clone()).await.expect_error(409, "CONFLICT");
        assert!(text(&refused["message"]).contains("1000"), "{refused}");
        let mut socket = hub.socket(&agent).await;
        let mut frame = one_more.clone();
        frame["type"] = json!("send");
        frame["sessionId"] = json!(session);
        assert_eq!(socket.ask(frame).await["error"]["code"], "CONFLICT");
        // What asks nothing goes on, also elsewhere; and each answer makes room for a question.
        say(&agent, &session, "no question").await;
        answer(&human, &session, &asked[500]).await;
        ask(&agent, &session).await;
        agent.post(&at_agent(&session, "/messages"), one_more).await.expect_error(409, "CONFLICT");
        // All of them end together.
        let closed = agent.post(&at_agent(&session, "/close"), json!({})).await.expect(200);
        assert_eq!((&closed["status"], &closed["pendingCount"]), (&json!("Closed"), &json!(0)));
        let last = asked.last().expect("many");
        let settled = agent.get(&at_agent(&session, &format!("/messages/{}", text(&last["id"])))).await.expect(200);
        assert_eq!(settled["status"], "Cancelled");
    }

    async fn a_large_page_goes_out_in_pieces_and_whole(hub: Hub) {
        let (agent, human) = (hub.agent("agent").await, hub.human().await);
        let large = "x".repeat(200 * 1024);
        let session = hub.session(&agent).await;
        for number in 0..24 {
            say(&agent, &session, &format!("{number} {large}")).await;
        }
        for number in 0..12 {
            let asked = json!({ "encryptedContent": format!("{number} {large}") });
            let interaction = agent.post("/v1/agent/interactions", asked).await.expect(201);
            let blocks = format!("/v1/agent/interactions/{}/blocks", text(&interaction["id"]));
            agent.post(&blocks, json!({ "encryptedBlocks": large })).await.expect(201);
        }
        hub.session(&agent).await;
        for (client, path, total) in [
            (&agent, at_agent(&session, "/messages"), 24),
            (&human, at_human(&session, "/timeline"), 25),
            (&agent, "/v1/agent/interactions".to_owned(), 12),
            (&human, "/v1/human/feed".to_owned(), 14),
        ] {
            let whole = client.get(&format!("{path}?page=1&pageSize=100")).await;
            // What is read a piece at a time has no length before it is there.
            assert_eq!(whole.header("content-length"), None, "{path}");
            assert_eq!(whole.header("content-type"), Some("application/json"));
            let whole = whole.expect(200);
            assert_eq!((&whole["total"], &whole["page"], &whole["pageSize"]), (&json!(total), &json!(1), &json!(100)));
            let mut entries = Vec::new();
            for page in 1..=total {
                let one = client.get(&format!("{path}?page={page}&pageSize=1")).await;
                assert!(one.header("content-length").is_some(), "{path}");
                entries.extend(one.expect(200)["data"].as_array().expect("a list").clone());
            }
            assert_eq!(whole["data"], json!(entries), "{path}");
            let after = client.get(&format!("{path}?page=3&pageSize=20")).await.expect(200);
            assert_eq!((&after["data"], &after["total"]), (&json!([]), &json!(total)), "{path}");
        }
        let sessions = agent.get(SESSIONS).await.expect(200);
        assert_eq!(sessions["total"], 14);
    }

    async fn a_page_of_sessions_with_large_titles_goes_out_in_pieces_and_whole(hub: Hub) {
        let (agent, human) = (hub.agent("agent").await, hub.human().await);
        for number in 0..16 {
            // Some small, some large, and some with none.
            let title = (number % 5 > 0).then(|| format!("{number} {}", "x".repeat(number % 4 * 80 * 1024)));
            let body = json!({ "title": format!("{number}"), "encryptedTitle": title, "metadata": { "n": number } });
            let session = text(&agent.post(SESSIONS, body).await.expect(201)["id"]).to_owned();
            if number % 2 == 0 {
                say(&agent, &session, &"x".repeat(200 * 1024)).await;
            }
        }
        for (client, path) in [(&agent, SESSIONS), (&human, "/v1/human/sessions"), (&human, "/v1/human/feed")] {
            let whole = client.get(&format!("{path}?page=1&pageSize=100")).await;
            assert_eq!(whole.header("content-length"), None, "{path}");
            let whole = whole.expect(200);
            assert_eq!((&whole["total"], &whole["page"], &whole["pageSize"]), (&json!(16), &json!(1), &json!(100)));
            let mut entries = Vec::new();
            for page in 1..=16 {
                let one = client.get(&format!("{path}?page={page}&pageSize=1")).await;
                assert!(one.header("content-length").is_some(), "{path}");
                entries.extend(one.expect(200)["data"].as_array().expect("a list").clone());
            }
            assert_eq!(whole["data"], json!(entries), "{path}");
            for entry in &entries {
                let session = if path.ends_with("feed") { &entry["session"] } else { entry };
                let one = agent.get(&at_agent(text(&session["id"]), "")).await.expect(200);
                assert_eq!(session, &one, "{path}");
            }
        }
    }
}
