//! Password guessing and floods of password hashes do not slow down other users of the same space or of another one.

use crate::limits::{LOGIN, at, fail, guarded, person};
use crate::support::client::Reply;
use crate::support::hub::text;
use crate::support::{Client, Engine, Hub};
use futures::future::join_all;
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse";

fn credentials(email: &str, password: &str) -> Value {
    json!({ "email": email, "password": password })
}

/// Splits replies into refused ones, which must have `Retry-After`, and the others.
fn split(replies: Vec<Reply>, quota: &str) -> (usize, Vec<Reply>) {
    let (refused, others): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 429);
    let count = refused.len();
    for reply in refused {
        assert_eq!(reply.header("retry-after"), Some("1"));
        assert_eq!(reply.header("ratelimit-policy"), Some(quota));
        reply.expect_error(429, "RATE_LIMITED");
    }
    (count, others)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn password_changes_do_not_delay_sign_ins() {
    let hub = Hub::start(Engine::Sqlite).await;
    let email = person(&hub).await;
    let tokens = hub.anonymous().post(LOGIN, credentials(&email, PASSWORD)).await.expect(200);
    let hasty = hub.anonymous().with("authorization", &format!("Bearer {}", text(&tokens["accessToken"])));
    let other = person(&hub).await;
    let body = json!({ "current": "wrong horse battery", "new": "a better battery" });
    let flood = join_all((0..60).map(|_| hasty.post("/v1/human/password", body.clone())));
    let login = async { hub.anonymous().post(LOGIN, credentials(&other, PASSWORD)).await.expect(200) };
    let (replies, _) = tokio::join!(flood, login);
    let (refused, checked) = split(replies, r#""passwords";q=4"#);
    assert!(refused > 0, "only a few requests may wait at a time");
    assert!(checked.len() >= 4, "{refused}");
    for reply in checked {
        reply.expect_error(403, "FORBIDDEN");
    }
}

async fn create(manager: &Client, email: String) -> Reply {
    manager.post("/v1/manage/humans", json!({ "email": email, "name": "P", "password": PASSWORD })).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_space_creating_humans_does_not_delay_other_spaces() {
    let hub = Hub::start(Engine::Sqlite).await;
    let (hasty, calm) = (hub.other_space().await, hub.other_space().await);
    let flood = join_all((0..150).map(|number| create(&hasty, format!("p{number}@example.org"))));
    let other = async { create(&calm, "calm@example.org".to_owned()).await.expect(201) };
    let (replies, _) = tokio::join!(flood, other);
    let (refused, made) = split(replies, r#""passwords";q=64"#);
    assert!(refused > 0 && !made.is_empty(), "{refused} of 150");
    for reply in made {
        reply.expect(201);
    }
    // A retry succeeds.
    create(&hasty, "again@example.org".to_owned()).await.expect(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_in_use_is_refused_before_the_password_is_hashed() {
    let hub = Hub::start(Engine::Sqlite).await;
    let keyed = hub.owner.with("idempotency-key", "once");
    let first = create(&keyed, "ann@example.org".to_owned()).await.expect(201);
    // More requests than hash permits: none is refused for that.
    let replies = join_all((0..150).map(|_| create(&hub.owner, "ANN@example.org".to_owned()))).await;
    for reply in replies {
        reply.expect_error(409, "CONFLICT");
    }
    // An invalid request is refused first, and a retry gets its first reply.
    let bad = json!({ "email": "ann@example.org", "name": "P", "password": "password" });
    hub.owner.post("/v1/manage/humans", bad).await.expect_error(400, "VALIDATION_ERROR");
    let again = create(&keyed, "ann@example.org".to_owned()).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.expect(201), first);
    create(&hub.owner.with("idempotency-key", "other"), "ann@example.org".to_owned())
        .await
        .expect_error(409, "CONFLICT");
}

/// Exhausts the failures of an account, so that origins that have not signed in to it before are refused.
async fn use_up_account(hub: &Hub, email: &str) {
    let mut number = 0;
    while fail(&at(hub, &format!("198.51.100.{number}")), email, "wrong password").await.0 != 429 {
        fail(&at(hub, &format!("198.51.100.{number}")), email, "wrong password").await;
        number += 1;
    }
    assert!(number >= 4, "{number}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_familiar_origin_of_one_account_does_not_count_for_another_space() {
    let hub = guarded().await;
    let email = person(&hub).await;
    let named = |password: &str, space: &Value| json!({ "email": email, "password": password, "space": space });
    let victim = hub.owner.get("/v1/agent/me").await.expect(200)["spaceId"].clone();
    let attacker = hub.other_space().await;
    let theirs = attacker.get("/v1/agent/me").await.expect(200)["spaceId"].clone();
    let twin = json!({ "email": email, "name": "The same", "password": "the attacker's own" });
    attacker.post("/v1/manage/humans", twin).await.expect(201);
    let (home, lair) = (at(&hub, "203.0.113.1"), at(&hub, "203.0.113.2"));
    home.post(LOGIN, named(PASSWORD, &victim)).await.expect(200);
    lair.post(LOGIN, named("the attacker's own", &theirs)).await.expect(200);
    use_up_account(&hub, &email).await;
    // From an origin that is familiar only for the other account, the victim's password is not checked.
    lair.post(LOGIN, named(PASSWORD, &victim)).await.expect_error(429, "RATE_LIMITED");
    lair.post(LOGIN, credentials(&email, PASSWORD)).await.expect_error(401, "UNAUTHORIZED");
    // Each account accepts sign-ins from its own familiar origin.
    lair.post(LOGIN, credentials(&email, "the attacker's own")).await.expect(200);
    home.post(LOGIN, credentials(&email, PASSWORD)).await.expect(200);
    home.post(LOGIN, named("the attacker's own", &theirs)).await.expect_error(429, "RATE_LIMITED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_ipv6_site_cannot_lock_out_an_account() {
    let hub = guarded().await;
    let email = person(&hub).await;
    let mut failed = 0;
    for network in 0..100 {
        let client = at(&hub, &format!("2001:db8:1:{network:x}::1"));
        while fail(&client, &email, "wrong password").await.0 == 401 {
            failed += 1;
        }
    }
    assert_eq!(failed, 6, "three times as often as one network");
    at(&hub, "203.0.113.7").post(LOGIN, credentials(&email, PASSWORD)).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn password_guesses_with_a_stolen_token_are_limited_per_account() {
    let hub = guarded().await;
    let email = person(&hub).await;
    let tokens = at(&hub, "203.0.113.1").post(LOGIN, credentials(&email, PASSWORD)).await.expect(200);
    let from =
        |address: &str| at(&hub, address).with("authorization", &format!("Bearer {}", text(&tokens["accessToken"])));
    let body = json!({ "current": "wrong horse battery", "new": "a better battery" });
    for number in 0..8 {
        let thief = from(&format!("198.51.100.{}", number / 2));
        thief.post("/v1/human/password", body.clone()).await.expect_error(403, "FORBIDDEN");
    }
    let elsewhere = from("198.51.100.9");
    elsewhere.post("/v1/human/password", body.clone()).await.expect_error(429, "RATE_LIMITED");
    // The owner can sign in from any origin, and change the password from a familiar one.
    at(&hub, "192.0.2.1").post(LOGIN, credentials(&email, PASSWORD)).await.expect(200);
    let change = json!({ "current": PASSWORD, "new": "a better battery" });
    from("203.0.113.1").post("/v1/human/password", change).await.expect(204);
}
