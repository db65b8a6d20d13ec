//! The WebSockets of the hub: handshake, subscriptions and replays.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    sync::mpsc::{UnboundedSender, unbounded_channel},
};
use tokio_tungstenite::tungstenite::{
    Message,
    handshake::server::{ErrorResponse, Request, Response},
    protocol::CloseFrame,
};

use super::{Fault, Hub, KEY, people};

#[derive(Default)]
pub(super) struct Sockets {
    handshakes: AtomicU64,
    /// A socket has ended, so that others may be coming back.
    left: AtomicBool,
    /// A fault of replays occurs once.
    replayed: AtomicBool,
}

pub(super) fn close(code: u16) -> Message {
    Message::Close(Some(CloseFrame { code: code.into(), reason: "test".into() }))
}

impl Hub {
    pub(super) async fn serve_socket(&self, stream: TcpStream) {
        let refused = self.refuses_handshake();
        let mut credential = String::new();
        #[expect(clippy::result_large_err, reason = "the callback's type is given")]
        let check = |request: &Request, response: Response| {
            if refused {
                let mut busy = ErrorResponse::new(None);
                *busy.status_mut() = 503.try_into().expect("a status");
                return Err(busy);
            }
            let header = |name: &str| Some(request.headers().get(name)?.to_str().ok()?.to_owned());
            let bearer = header("authorization").and_then(|value| Some(value.strip_prefix("Bearer ")?.to_owned()));
            let key = header("x-api-key").filter(|key| key == KEY || key.starts_with("hlp_agent-"));
            match bearer.or(key) {
                Some(known) => {
                    credential = known;
                    Ok(response)
                }
                None => Err(ErrorResponse::new(None)),
            }
        };
        let accepted = tokio_tungstenite::accept_hdr_async(stream, check).await;
        // A refused client leaves.
        let Ok(accepted) = accepted else { return };
        let (mut sink, mut source) = accepted.split();
        let (out, mut outgoing) = unbounded_channel();
        tokio::spawn(async move {
            while let Some(message) = outgoing.recv().await {
                if sink.send(message).await.is_err() {
                    break;
                }
            }
        });
        let principal = people::principal(&credential);
        self.guest_connected(&principal, &out);
        let say = |value: Value| out.send(Message::text(value.to_string()));
        let _ = say(json!({"type": "hello", "heartbeatSeconds": 25}));
        if self.fault == Fault::RevokeReturn && self.is_under_way() {
            let _ = out.send(close(4403));
        }
        while let Some(Ok(Message::Text(text))) = source.next().await {
            let frame: Value = serde_json::from_str(&text).expect("JSON");
            let id = &frame["id"];
            let _ = match frame["type"].as_str() {
                Some("ping") => {
                    self.release_held(&out);
                    say(json!({"type": "pong", "id": id}))
                }
                Some("refresh") => say(json!({"type": "refreshed", "id": id})),
                Some("typing" | "read") => {
                    self.ephemeral(&principal, &out, &frame);
                    Ok(())
                }
                Some("subscribe") if self.fault == Fault::Forbid => {
                    say(json!({"type": "error", "id": id, "error": {"code": "NOT_FOUND"}}))
                }
                Some("subscribe") => {
                    self.subscribe(&frame, &out);
                    Ok(())
                }
                other => panic!("a frame of type {other:?}"),
            };
        }
        self.sockets.left.store(true, Ordering::Relaxed);
        self.unsubscribe(&out);
    }

    fn subscribe(&self, frame: &Value, out: &UnboundedSender<Message>) {
        let name = frame["sessionId"].as_str().expect("a session");
        let mut sessions = self.sessions();
        let session = sessions.get_mut(name).expect("a known session");
        let mut replay = match frame["after"].as_u64() {
            Some(_) if self.fault == Fault::ReplayAll => session.events.clone(),
            // The first event is the creation of the session.
            Some(after) => session.events[usize::try_from(after).expect("a seq") - 1..].to_vec(),
            None => Vec::new(),
        };
        let enough = replay.len() > 1 && !self.sockets.replayed.load(Ordering::Relaxed);
        match self.fault {
            Fault::ReplayLose if enough => drop(replay.remove(0)),
            Fault::ReplayDouble if enough => replay.push(replay[0].clone()),
            Fault::ReplaySwap if enough => replay.swap(0, 1),
            _ => {}
        }
        self.sockets.replayed.fetch_or(enough, Ordering::Relaxed);
        let subscribed = json!({"type": "subscribed", "id": frame["id"], "sessionId": name, "seq": session.seq,
            "replay": replay.len(), "firstSeq": 1});
        for message in [Message::text(subscribed.to_string())].into_iter().chain(replay) {
            // A client that has left does not read.
            let _ = out.send(message);
        }
        session.subscribers.push(out.clone());
    }

    /// The last socket of a session reads again.
    fn release_held(&self, out: &UnboundedSender<Message>) {
        let mut sessions = self.sessions();
        let of_last = sessions
            .values_mut()
            .filter(|session| session.subscribers.last().is_some_and(|subscriber| subscriber.same_channel(out)));
        for (subscriber, frame) in of_last.filter_map(|session| session.kept.take()).flatten() {
            let _ = subscriber.send(frame);
        }
    }

    fn refuses_handshake(&self) -> bool {
        let odd = self.sockets.handshakes.fetch_add(1, Ordering::Relaxed) % 2 == 1;
        match self.fault {
            Fault::BusyReturn => odd && self.is_under_way(),
            Fault::NeverReturn => self.is_under_way(),
            _ => false,
        }
    }

    /// Whether the sockets that connect now come back. The first message may be late, on a busy machine.
    fn is_under_way(&self) -> bool {
        self.sockets.left.load(Ordering::Relaxed) || self.sessions().values().any(|session| !session.events.is_empty())
    }
}
