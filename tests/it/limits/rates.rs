//! Requests of each credential, and frames of each socket.

use super::sign_ins::{any_human, at, bearer, from};
use crate::support::socket::End;
use crate::support::{Client, Engine, Hub};
use futures::future::join_all;
use hiloop::testing::Secret;
use hiloop::testing::secret::{API_KEY, GUEST_TOKEN};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;

async fn limited() -> Hub {
    Hub::start_with(Engine::Sqlite, &["--rate-limit", "5/s"], |_| {}).await
}

/// The number of requests allowed within this time at five a second: a burst of ten, plus the refill.
fn within(time: Duration) -> usize {
    usize::try_from(time.as_millis()).expect("a short time") / 200 + 10
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limited_request_gets_retry_after() {
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
    // Other callers are not affected.
    calm.get("/v1/agent/me").await.expect(200);
    hub.anonymous().get("/livez").await.expect(200);
}

/// The number of 60 concurrent requests that are allowed by a burst of ten, at most the limit.
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
async fn a_request_counts_for_the_credential_of_its_route() {
    let hub = limited().await;
    let any_key = || Secret::generate(API_KEY).as_str().to_owned();
    // Headers that the route does not read have no effect.
    let human = hub.human().await;
    let dressed = std::iter::repeat_with(|| human.with("x-api-key", &any_key()));
    let through = passed(dressed, "GET", "/v1/human/me", 200).await;
    assert!(through >= 10, "{through}");
    let agent = hub.agent("agent").await;
    let dressed = std::iter::repeat_with(|| agent.with("authorization", &bearer(&any_key())));
    let through = passed(dressed, "GET", "/v1/agent/me", 200).await;
    assert!(through >= 10, "{through}");
    // The case of the scheme does not change the token.
    let human = hub.human().await;
    let spelled = ["Bearer ", "bearer ", "BEARER  "].map(|scheme| format!("{scheme}{}", human.secret()));
    let spelled = spelled.iter().cycle().map(|value| hub.anonymous().with("authorization", value));
    let through = passed(spelled, "GET", "/v1/human/me", 200).await;
    assert!(through >= 10, "{through}");
    // Without a credential, the address counts.
    let dressed = std::iter::repeat_with(|| hub.anonymous().with("x-api-key", &any_key()));
    let through = passed(dressed, "POST", "/v1/auth/logout", 400).await;
    assert!(through >= 1, "{through}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_credentials_count_for_their_address_only() {
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
    // A key that equals an address does not use the quota of that address.
    let posing = || at(&hub, "203.0.113.8").with("x-api-key", "203.0.113.9");
    passed(std::iter::repeat_with(posing), "GET", "/v1/agent/me", 401).await;
    at(&hub, "203.0.113.9").get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");

    // Known credentials still work from there, and new ones from another address.
    from(&agent, home).get("/v1/agent/me").await.expect(200);
    from(&human, home).get("/v1/human/me").await.expect(200);
    from(&newcomer, "203.0.113.10").get("/v1/agent/me").await.expect(200);
    // A new valid credential does not use the quota of its address.
    for _ in 0..20 {
        let fresh = hub.context().accounts.access_token(&any_human(&hub).await, 60).expect("a token").0;
        let client = at(&hub, "203.0.113.11").with("authorization", &bearer(&fresh));
        client.get("/v1/human/me").await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_above_the_frame_rate_is_closed() {
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
