//! Rate limits: each credential and each socket for itself.

use crate::support::socket::End;
use crate::support::{Engine, Hub};
use futures::future::join_all;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

async fn limited() -> Hub {
    Hub::start_with(Engine::Sqlite, &["--rate-limit", "5/s"], |_| {}).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let hub = limited().await;
    let (hasty, calm) = (hub.agent("agent").await, hub.agent("agent").await);
    let replies = join_all((0..40).map(|_| hasty.get("/v1/agent/me"))).await;
    let (passed, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
    assert!((10..=15).contains(&passed.len()), "a burst of 10, not {}", passed.len());
    for reply in passed {
        assert_eq!(reply.header("ratelimit-policy"), Some("\"default\";q=5;w=1"));
        assert!(reply.header("ratelimit").is_some_and(|value| value.starts_with("\"default\";r=")));
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_with_too_many_frames_is_closed_and_no_other() {
    let hub = limited().await;
    let (hasty, calm) = (hub.agent("agent").await, hub.agent("agent").await);
    let mut hasty = hub.socket(&hasty).await;
    let mut calm = hub.socket(&calm).await;
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
    assert!(answered <= 15, "{answered} of a burst of 10");
    assert_eq!(calm.ask(json!({ "type": "ping" })).await["type"], "pong");
}
