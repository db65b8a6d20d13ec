//! The live side of a session: reads its timeline over a WebSocket, and reconnects.

use super::hub::{Hub, HubError};
use super::print_progress;
use crate::backoff::{Backoff, between};
use futures::{SinkExt as _, StreamExt as _};
use reqwest::Upgraded;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::task::AbortOnDropHandle;

/// Time after a missed heartbeat of the hub before a connection counts as dead.
const GRACE: Duration = Duration::from_secs(15);
/// Events that may wait for the conversation; beyond it the socket is not read.
const QUEUE: usize = 256;

/// An entry of the timeline.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    pub(super) seq: i64,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) actor: Actor,
    pub(super) data: Value,
}

#[derive(Debug, Deserialize)]
pub(super) struct Actor {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) name: String,
}

/// The frames of the hub that the demo uses.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Frame {
    Hello {
        heartbeat_seconds: u64,
    },
    Subscribed,
    Event {
        event: Event,
    },
    Goaway {
        reconnect_after_ms: (u64, u64),
    },
    Unsubscribed {
        reason: Option<String>,
    },
    Error {
        error: Value,
    },
    #[serde(other)]
    Other,
}

/// Something ephemeral to send; lost when there is no connection.
enum Signal {
    Typing(bool),
    Read(i64),
}

/// How a connection ended.
enum Disconnect {
    /// The conversation has ended.
    Unused,
    /// To be retried, after a time that the hub may have named.
    Retry(Option<Duration>),
    Fatal(HubError),
}

/// The conversation's side of the connection.
pub(super) struct Link {
    events: mpsc::Receiver<Result<Event, HubError>>,
    signals: mpsc::Sender<Signal>,
    up: watch::Receiver<bool>,
    task: AbortOnDropHandle<()>,
}

impl Link {
    /// Follows `session` from its beginning.
    pub(super) fn follow(hub: Arc<Hub>, session: &str) -> Self {
        let (event_in, events) = mpsc::channel(QUEUE);
        let (signals, signal_out) = mpsc::channel(16);
        let (up_in, up) = watch::channel(false);
        let follower = Follower {
            hub,
            session: session.to_owned(),
            after: 0,
            backoff: Backoff::new(),
            events: event_in,
            signals: signal_out,
            up: up_in,
        };
        Self { events, signals, up, task: AbortOnDropHandle::new(tokio::spawn(follower.run())) }
    }

    /// The next event. Cancelling it loses nothing.
    pub(super) async fn next(&mut self) -> Result<Event, HubError> {
        let gone = || Err(HubError::Disconnected("it is no longer followed".to_owned()));
        self.events.recv().await.unwrap_or_else(gone)
    }

    /// An event that is already here.
    pub(super) fn try_next(&mut self) -> Option<Result<Event, HubError>> {
        self.events.try_recv().ok()
    }

    pub(super) fn typing(&self, typing: bool) {
        let _ = self.signals.try_send(Signal::Typing(typing));
    }

    pub(super) fn read(&self, seq: i64) {
        let _ = self.signals.try_send(Signal::Read(seq));
    }

    /// Whether there is a connection, to be watched beside [`Self::next`].
    pub(super) fn connection(&self) -> Connection {
        Connection(self.up.clone())
    }

    /// Closes the connection.
    pub(super) async fn close(self) {
        drop((self.events, self.signals));
        let _ = tokio::time::timeout(Duration::from_secs(1), self.task).await;
    }
}

/// Whether a link has its connection.
pub(super) struct Connection(watch::Receiver<bool>);

impl Connection {
    /// Returns once there is a connection, or after `patience` without one.
    pub(super) async fn up_within(&mut self, patience: Duration) {
        let _ = tokio::time::timeout(patience, self.0.wait_for(|up| *up)).await;
    }

    /// Returns once there has been no connection for as long as `patience`.
    pub(super) async fn down_for(&mut self, patience: Duration) {
        while self.0.wait_for(|up| !up).await.is_ok() {
            if tokio::time::timeout(patience, self.0.wait_for(|up| *up)).await.is_err() {
                return;
            }
        }
        // The task has ended; the next event of the link is the error.
        std::future::pending::<()>().await;
    }
}

struct Follower {
    hub: Arc<Hub>,
    session: String,
    /// The last `seq` that was passed on.
    after: i64,
    backoff: Backoff,
    events: mpsc::Sender<Result<Event, HubError>>,
    signals: mpsc::Receiver<Signal>,
    up: watch::Sender<bool>,
}

impl Follower {
    async fn run(mut self) {
        loop {
            let disconnect = match self.hub.socket().await {
                Ok(socket) => self.talk(socket).await,
                Err(HubError::Unreachable { .. }) => Disconnect::Retry(None),
                Err(error) => Disconnect::Fatal(error),
            };
            let was_up = self.up.send_replace(false);
            let wait = match disconnect {
                Disconnect::Unused => return,
                Disconnect::Fatal(error) => {
                    let _ = self.events.send(Err(error)).await;
                    return;
                }
                Disconnect::Retry(wait) => wait.unwrap_or_else(|| self.backoff.next()),
            };
            if was_up {
                print_progress("… the live connection is gone; coming back to it");
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.events.closed() => return,
            }
        }
    }

    async fn talk(&mut self, mut socket: WebSocketStream<Upgraded>) -> Disconnect {
        let mut silence = GRACE;
        // Signals from before the connection are outdated.
        while self.signals.try_recv().is_ok() {}
        let subscribe = json!({ "type": "subscribe", "id": 1, "sessionId": self.session, "after": self.after });
        if socket.send(Message::text(subscribe.to_string())).await.is_err() {
            return Disconnect::Retry(None);
        }
        loop {
            let message = tokio::select! {
                message = tokio::time::timeout(silence, socket.next()) => message,
                signal = self.signals.recv() => {
                    let Some(signal) = signal else {
                        let _ = socket.close(None).await;
                        return Disconnect::Unused;
                    };
                    if socket.send(self.frame_of(&signal)).await.is_err() {
                        return Disconnect::Retry(None);
                    }
                    continue;
                }
            };
            let text = match message {
                Ok(Some(Ok(Message::Text(text)))) => text,
                Ok(Some(Ok(Message::Close(Some(close))))) if (4400..=4499).contains(&u16::from(close.code)) => {
                    return Disconnect::Fatal(HubError::Disconnected(format!(
                        "{} {}",
                        u16::from(close.code),
                        close.reason
                    )));
                }
                Ok(Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_)))) => continue,
                _ => return Disconnect::Retry(None),
            };
            match serde_json::from_str(&text) {
                Ok(Frame::Hello { heartbeat_seconds }) => silence = Duration::from_secs(heartbeat_seconds) + GRACE,
                Ok(frame) => {
                    if let Some(disconnect) = self.on_frame(frame).await {
                        return disconnect;
                    }
                }
                Err(_) => return Disconnect::Fatal(HubError::BadReply("the subscription".to_owned())),
            }
        }
    }

    async fn on_frame(&mut self, frame: Frame) -> Option<Disconnect> {
        match frame {
            Frame::Subscribed => {
                self.backoff.reset();
                self.up.send_replace(true);
            }
            // After a reconnect the hub begins after `after`; the check makes sure that no event comes twice.
            Frame::Event { event } if event.seq > self.after => {
                self.after = event.seq;
                if self.events.send(Ok(event)).await.is_err() {
                    return Some(Disconnect::Unused);
                }
            }
            Frame::Goaway { reconnect_after_ms: (least, most) } => {
                let wait = between(Duration::from_millis(least), Duration::from_millis(most));
                return Some(Disconnect::Retry(Some(wait)));
            }
            Frame::Unsubscribed { reason } => {
                let reason = reason.unwrap_or_else(|| "unsubscribed".to_owned());
                return Some(Disconnect::Fatal(HubError::Disconnected(format!("access to the session: {reason}"))));
            }
            Frame::Error { error } => match error["code"].as_str() {
                Some("UNAVAILABLE" | "RATE_LIMITED" | "INTERNAL") => return Some(Disconnect::Retry(None)),
                _ => return Some(Disconnect::Fatal(HubError::Disconnected(error.to_string()))),
            },
            Frame::Hello { .. } | Frame::Event { .. } | Frame::Other => {}
        }
        None
    }

    fn frame_of(&self, signal: &Signal) -> Message {
        let frame = match signal {
            Signal::Typing(typing) => json!({ "type": "typing", "sessionId": self.session, "typing": typing }),
            Signal::Read(seq) => json!({ "type": "read", "sessionId": self.session, "seq": seq }),
        };
        Message::text(frame.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Frame {
        serde_json::from_str(text).expect("a frame")
    }

    #[test]
    fn frames_are_read() {
        let hello = parse(r#"{"type":"hello","principal":{"type":"Agent"},"heartbeatSeconds":25,"expiresAt":null}"#);
        assert!(matches!(hello, Frame::Hello { heartbeat_seconds: 25 }));
        assert!(matches!(parse(r#"{"type":"subscribed","id":1,"sessionId":"s","seq":3}"#), Frame::Subscribed));
        let away = parse(r#"{"type":"goaway","reconnectAfterMs":[100,500]}"#);
        assert!(matches!(away, Frame::Goaway { reconnect_after_ms: (100, 500) }));
        let event = r#"{"type":"event","event":{"sessionId":"s","seq":2,"type":"session.closed","at":"2026-03-25T10:30:00.000Z",
            "actor":{"type":"Human","id":"h","name":"Ada"},"data":{}}}"#;
        assert!(matches!(parse(event), Frame::Event { event: Event { seq: 2, kind, .. } } if kind == "session.closed"));
        for other in [r#"{"type":"presence","online":true}"#, r#"{"type":"new in v2","x":[1]}"#] {
            assert!(matches!(parse(other), Frame::Other), "{other}");
        }
    }
}
