//! The live side of a session: its events as a stream, typing notices and read marks.

mod feed;
mod follower;
mod frame;
mod heartbeat;
mod socket;

use crate::client::Client;
use crate::error::Error;
use crate::types::Event;
pub use feed::Feed;
use follower::Follower;
use frame::Signal;
use futures::Stream;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

/// Events that may wait for the caller; beyond it the socket is not read.
const QUEUE: usize = 256;
/// How long closing the connection may take.
const FAREWELL: Duration = Duration::from_secs(1);

impl Client {
    /// The events of a session from `after` on (0 for all of them), without an end: each once, in order, none missing.
    /// It resumes after lost connections and restarts of the hub. Without a WebSocket, events are read over HTTP every
    /// few seconds. A slow reader misses nothing. Dropping the stream ends it.
    ///
    /// The stream ends after an error: access to the session has ended, the key was revoked, or the hub's database was
    /// restored to an earlier state (`HISTORY_RESET`).
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    #[must_use]
    pub fn events(&self, session: Uuid, after: i64) -> Events {
        let (event_in, events) = mpsc::channel(QUEUE);
        let (signals, signal_out) = mpsc::channel(16);
        let (up_in, up) = watch::channel(false);
        let follower = Follower::new(self.clone(), session, after, event_in, signal_out, up_in);
        Events { events, signals, up, task: AbortOnDropHandle::new(tokio::spawn(follower.run())) }
    }
}

/// The events of a session, as a [`Stream`]. It is cancel safe.
pub struct Events {
    events: mpsc::Receiver<Result<Event, Error>>,
    signals: mpsc::Sender<Signal>,
    up: watch::Receiver<bool>,
    task: AbortOnDropHandle<()>,
}

impl Events {
    /// An event that has arrived already.
    pub fn take_ready(&mut self) -> Option<Result<Event, Error>> {
        self.events.try_recv().ok()
    }

    /// Shows people that the agent is writing, over the live connection; nothing without one.
    pub fn typing(&self, typing: bool) {
        let _ = self.signals.try_send(Signal::Typing(typing));
    }

    /// Shows people that the agent has read up to `seq`, over the live connection; nothing without one.
    pub fn read(&self, seq: i64) {
        let _ = self.signals.try_send(Signal::Read(seq));
    }

    /// The state of the live connection, to be watched beside the stream.
    #[must_use]
    pub fn connection(&self) -> Connection {
        Connection(self.up.clone())
    }

    /// Closes the connection. Dropping the stream does too, without a closing handshake.
    pub async fn close(self) {
        drop((self.events, self.signals));
        let _ = tokio::time::timeout(FAREWELL, self.task).await;
    }
}

impl Stream for Events {
    type Item = Result<Event, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.events.poll_recv(context)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("is_connected", &*self.up.borrow()).finish_non_exhaustive()
    }
}

/// Whether a stream of events has its live connection.
#[derive(Clone, Debug)]
pub struct Connection(watch::Receiver<bool>);

impl Connection {
    /// Returns once there is a connection, or after `patience` without one.
    pub async fn up_within(&mut self, patience: Duration) {
        let _ = tokio::time::timeout(patience, self.0.wait_for(|up| *up)).await;
    }

    /// Returns once there has been no connection for as long as `patience`.
    pub async fn down_for(&mut self, patience: Duration) {
        while self.0.wait_for(|up| !up).await.is_ok() {
            if tokio::time::timeout(patience, self.0.wait_for(|up| *up)).await.is_err() {
                return;
            }
        }
        // The stream has ended; its last item is the error.
        std::future::pending::<()>().await;
    }
}
