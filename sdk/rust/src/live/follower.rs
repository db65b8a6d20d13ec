//! The task behind a stream of events: connects, resumes after the last event, falls back to HTTP.

use super::feed::LONGEST;
use super::frame::{self, Frame, Signal};
use super::heartbeat::Heartbeat;
use super::socket;
use crate::backoff::{Backoff, between};
use crate::client::Client;
use crate::error::Error;
use crate::sessions::timeline;
use crate::types::message::Message;
use crate::types::{Event, TimelinePage};
use futures::SinkExt as _;
use reqwest::Upgraded;
use serde::Deserialize as _;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as WsMessage;
use uuid::Uuid;

/// Events of one page over HTTP.
const PAGE: u32 = 500;
const WHAT: &str = "the live connection";

/// How a connection ended.
enum Disconnect {
    /// The stream was dropped.
    Unused,
    /// To be retried, after a time that the hub may have named.
    Retry(Option<Duration>),
    Fatal(Error),
}

pub(super) struct Follower {
    client: Client,
    session: Uuid,
    /// The last `seq` that was passed on.
    after: i64,
    /// The oldest event that the hub has.
    first_seq: i64,
    backoff: Backoff,
    events: mpsc::Sender<Result<Event, Error>>,
    signals: mpsc::Receiver<Signal>,
    up: watch::Sender<bool>,
}

impl Follower {
    pub(super) fn new(
        client: Client,
        session: Uuid,
        after: i64,
        events: mpsc::Sender<Result<Event, Error>>,
        signals: mpsc::Receiver<Signal>,
        up: watch::Sender<bool>,
    ) -> Self {
        Self { client, session, after, first_seq: 1, backoff: Backoff::new(), events, signals, up }
    }

    pub(super) async fn run(mut self) {
        loop {
            let disconnect = self.connect().await;
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
                self.client.inner.http.report("the live connection is gone; coming back to it");
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.events.closed() => return,
            }
        }
    }

    async fn connect(&mut self) -> Disconnect {
        let opened = match self.client.check_space().await {
            Ok(()) => socket::open(&self.client.inner.http).await,
            Err(error) => Err(error),
        };
        match opened {
            Ok(socket) => self.talk(socket).await,
            Err(error) if error.is_transient() => {
                // The hub may be there for HTTP all the same.
                self.catch_up().await.unwrap_or(Disconnect::Retry(None))
            }
            Err(error) => Disconnect::Fatal(error),
        }
    }

    async fn talk(&mut self, mut socket: WebSocketStream<Upgraded>) -> Disconnect {
        let mut heartbeat = Heartbeat::default();
        // Signals from before the connection are outdated.
        while self.signals.try_recv().is_ok() {}
        if socket.send(WsMessage::text(frame::subscribe(self.session, self.after))).await.is_err() {
            return Disconnect::Retry(None);
        }
        loop {
            let message = tokio::select! {
                message = heartbeat.next(&mut socket) => message,
                signal = self.signals.recv() => {
                    let Some(signal) = signal else {
                        let _ = socket.close(None).await;
                        return Disconnect::Unused;
                    };
                    if socket.send(WsMessage::text(frame::signal(self.session, &signal))).await.is_err() {
                        return Disconnect::Retry(None);
                    }
                    continue;
                }
            };
            let text = match message {
                Ok(text) => text,
                Err(closed) => return closed.map_or(Disconnect::Retry(None), Disconnect::Fatal),
            };
            match serde_json::from_str(&text) {
                Ok(Frame::Hello { heartbeat_seconds }) => heartbeat.every(heartbeat_seconds),
                Ok(frame) => {
                    if let Some(disconnect) = self.on_frame(frame).await {
                        return disconnect;
                    }
                }
                Err(error) => return Disconnect::Fatal(Error::unexpected(WHAT, error)),
            }
        }
    }

    async fn on_frame(&mut self, frame: Frame) -> Option<Disconnect> {
        match frame {
            Frame::Subscribed { reset: true, .. } => return Some(history_reset()),
            Frame::Subscribed { first_seq, .. } => {
                self.first_seq = first_seq;
                self.backoff.reset();
                self.up.send_replace(true);
            }
            Frame::Event { event } => {
                // The hub leaves none out; if one is missing all the same, the timeline has it.
                if event.seq > (self.after + 1).max(self.first_seq)
                    && let Some(disconnect) = self.catch_up().await
                {
                    return Some(disconnect);
                }
                return self.deliver(event).await;
            }
            Frame::Goaway { reconnect_after_ms: (least, most) } => {
                let wait = between(Duration::from_millis(least), Duration::from_millis(most)).min(LONGEST);
                return Some(Disconnect::Retry(Some(wait)));
            }
            Frame::Unsubscribed { reason } => {
                let reason = reason.unwrap_or_else(|| "unsubscribed".to_owned());
                if reason == "reset" {
                    return Some(history_reset());
                }
                return Some(fatal(Error::DISCONNECTED, format!("access to the session: {reason}")));
            }
            Frame::Error { error } => {
                let text = |key: &str| error[key].as_str().unwrap_or_default();
                return Some(match text("code") {
                    "UNAVAILABLE" | "RATE_LIMITED" | "INTERNAL" => Disconnect::Retry(None),
                    code => fatal(code, text("message")),
                });
            }
            Frame::Hello { .. } | Frame::Feed(_) | Frame::Other => {}
        }
        None
    }

    /// Reads over HTTP what the timeline has after the last event.
    async fn catch_up(&mut self) -> Option<Disconnect> {
        loop {
            let call = timeline(self.session, self.after, PAGE);
            let page: TimelinePage = match self.client.inner.http.attempt(&call).await {
                Ok(bytes) => match serde_json::from_slice(&bytes) {
                    Ok(page) => page,
                    Err(error) => return Some(Disconnect::Fatal(Error::unexpected(call.what(), error))),
                },
                Err(failure) if failure.error.is_transient() => return Some(Disconnect::Retry(failure.pause)),
                Err(failure) => return Some(Disconnect::Fatal(failure.error)),
            };
            if page.last_seq < self.after {
                return Some(history_reset());
            }
            let before = self.after;
            for event in page.data {
                if let Some(disconnect) = self.deliver(event).await {
                    return Some(disconnect);
                }
            }
            if !page.has_more {
                return None;
            }
            if self.after == before {
                // More is promised, and nothing comes.
                return Some(Disconnect::Retry(None));
            }
        }
    }

    /// Passes an event on, unless it was passed on before.
    async fn deliver(&mut self, mut event: Event) -> Option<Disconnect> {
        if event.seq <= self.after {
            return None;
        }
        if event.kind == "message.created"
            && let Ok(mut message) = Message::deserialize(&event.data["message"])
        {
            match Box::pin(self.client.open_all(self.session, std::slice::from_mut(&mut message))).await {
                Ok(()) => event.message = Some(Box::new(message)),
                Err(error) if error.is_transient() => return Some(Disconnect::Retry(None)),
                Err(error) => return Some(Disconnect::Fatal(error)),
            }
        }
        self.after = event.seq;
        self.events.send(Ok(event)).await.err().map(|_| Disconnect::Unused)
    }
}

fn fatal(code: &str, message: impl Into<String>) -> Disconnect {
    Disconnect::Fatal(Error::local(WHAT, code, message))
}

fn history_reset() -> Disconnect {
    fatal(Error::HISTORY_RESET, "the hub's database was restored to an earlier state")
}
