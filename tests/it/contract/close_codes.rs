//! Section 8: each code with which the hub closes a socket.

use crate::support::deployment::token;
use crate::support::hub::text;
use crate::support::socket::End;
use crate::support::{Deployment, Kind, Socket, on_every_deployment, timeout};
use futures::SinkExt as _;
use hiloop::config::Config;
use serde_json::json;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

/// Longer than a reply of a client takes on a busy machine.
const PONG_WITHIN: Duration = Duration::from_secs(3);

/// Sockets with short timeouts. Not a setting; the contract fixes the real values.
fn impatient(config: &mut Config) {
    config.sockets.heartbeat = Duration::from_millis(300);
    config.sockets.pong_within = PONG_WITHIN;
    config.sockets.auth_within = Duration::from_millis(300);
}

on_every_deployment! {
    async fn code_4400_bad_frames(hub: Deployment) {
        for bad in [Message::text("nonsense"), Message::text("{}"), Message::binary(vec![0, 1])] {
            let mut socket = hub.socket(&hub.agent("agent").await).await;
            for _ in 0..10 {
                socket.send_raw(bad.clone()).await;
            }
            for _ in 0..10 {
                assert_eq!(socket.expect("error").await["error"]["code"], "VALIDATION_ERROR");
            }
            assert_eq!(socket.end().await, End::Code(4400));
        }
    }

    async fn code_4401_not_authenticated(hub: Deployment) {
        for token in ["", "nonsense", "hlp_no", "hlg_no", "e.y.J"] {
            let mut socket = Socket::try_open(&hub.anonymous).await.expect("the socket opens");
            socket.send(json!({ "type": "auth", "id": 1, "token": token })).await;
            assert_eq!(socket.next_or_end().await, Err(End::Code(4401)));
        }
    }

    async fn code_4403_revoked(hub: Deployment) {
        let key = hub.manager.post("/v1/manage/keys", json!({ "permission": "agent" })).await.expect(201);
        let mut socket = hub.socket(&hub.with_key(text(&key["apiKey"]))).await;
        hub.manager.delete(&format!("/v1/manage/keys/{}", text(&key["id"]))).await.expect(204);
        let end = timeout(Duration::from_secs(2), socket.end()).await.expect("within two seconds");
        assert_eq!(end, End::Code(4403));
    }

    async fn code_4502_heartbeat_missed(kind: Kind) {
        let hub = kind.alone(&[], impatient).await;
        let agent = hub.agent("agent").await;
        // A client that reads answers pings automatically and stays connected; one that does not read is closed.
        let mut living = hub.socket(&agent).await;
        let mut silent = hub.socket(&agent).await;
        let quiet = tokio::time::timeout(PONG_WITHIN * 3 / 2, living.next_or_end()).await;
        assert!(quiet.is_err(), "it should still be open and silent: {quiet:?}");
        assert_eq!(silent.end().await, End::Code(4502));
        assert_eq!(living.ask(json!({ "type": "ping" })).await["type"], "pong");
    }

    async fn code_4504_token_expired(hub: Deployment) {
        let me = hub.human().await.get("/v1/human/me").await.expect(200);
        let mut socket = hub.socket(&hub.with_token(&token(&me, 5))).await;
        assert_eq!(socket.end().await, End::Code(4504));
    }

    async fn code_4508_no_auth_in_time(kind: Kind) {
        let hub = kind.alone(&[], impatient).await;
        let mut socket = Socket::try_open(&hub.anonymous).await.expect("the socket opens");
        assert_eq!(socket.next_or_end().await, Err(End::Code(4508)));
    }

    async fn code_4529_too_many_frames(kind: Kind) {
        let hub = kind.alone(&["--rate-limit", "5/s"], |_| {}).await;
        let agent = hub.agent("agent").await;
        let mut socket = hub.socket(&agent).await;
        for id in 0..40 {
            // The hub may have closed by now.
            if socket.stream.send(Message::text(json!({ "type": "ping", "id": id }).to_string())).await.is_err() {
                break;
            }
        }
        assert_eq!(socket.end().await, End::Code(4529));
    }

    async fn code_1001_draining(kind: Kind) {
        let mut hub = kind.alone(&[], |_| {}).await;
        let agent = hub.agent("agent").await;
        let mut sockets = [hub.socket(&agent).await, Socket::try_open(&hub.anonymous).await.expect("the socket opens")];
        hub.stop().await;
        for socket in &mut sockets {
            assert_eq!(socket.end().await, End::Code(1001));
        }
    }

    async fn code_1009_frame_over_64_kib(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let frame = |length: usize| {
            let empty = json!({ "type": "ping", "id": 1, "pad": "" }).to_string();
            Message::text(json!({ "type": "ping", "id": 1, "pad": "x".repeat(length - empty.len()) }).to_string())
        };
        let mut socket = hub.socket(&agent).await;
        socket.send_raw(frame(64 * 1024)).await;
        assert_eq!(socket.expect("pong").await["id"], 1);
        socket.send_raw(frame(64 * 1024 + 1)).await;
        assert_eq!(socket.end().await, End::Code(1009));
    }
}
