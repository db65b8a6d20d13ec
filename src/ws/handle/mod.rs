//! The shared half of a connection: the writing side of the socket, its outbox, and a cursor for each subscription.
//!
//! Both the fan-out workers and the connection's task use it. A worker writes to the socket at once if the outbox is
//! empty and the kernel takes the bytes. The rest waits in the outbox for the task. An event for which the outbox has
//! no room is dropped: its cursor stays, and the task reads it from the store once the socket has drained.

mod feed;
mod feed_state;
mod subscriber;
mod subscriptions;
mod write;

use super::outbox::Outbox;
use crate::domain::{ConnectionId, Principal, SessionId};
use crate::hub::subscriber::EndReason;
use crate::protocol::close::CloseCode;
use crate::protocol::rfc6455::encode::text_frame;
use crate::timeline::reader::{Cursor, Gap};
use bytes::Bytes;
use feed_state::FeedState;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
pub(in crate::ws) use subscriptions::Prepared;
use tokio::net::TcpStream;
use tokio::sync::Notify;

pub(super) struct SocketHandle {
    id: ConnectionId,
    pub(super) stream: TcpStream,
    /// Wakes the task for anything but the readiness of the socket.
    pub(super) wake: Notify,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// `None` before authentication.
    principal: Option<Arc<Principal>>,
    outbox: Outbox,
    /// Bytes written so far, by which the task sees progress.
    written: u64,
    subscriptions: HashMap<SessionId, Cursor>,
    feed: Option<FeedState>,
    /// Subscriptions that the hub has ended, which the task has yet to leave.
    evicted: Vec<(SessionId, EndReason)>,
    ending: Option<Ending>,
}

/// How the connection is to end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    pub(super) code: CloseCode,
    /// Whether the outbox is written first.
    pub(super) flush_first: bool,
}

/// Events that are to be read from the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) session: SessionId,
    pub(super) gap: Gap,
    /// For the feed, not for a subscription to the session.
    pub(super) is_feed: bool,
}

impl SocketHandle {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { id: ConnectionId::new(), stream, wake: Notify::new(), state: Mutex::default() }
    }

    /// Sets the principal, on authentication and on each refresh.
    pub(super) fn set_principal(&self, principal: Arc<Principal>) {
        self.state.lock().principal = Some(principal);
    }

    /// Sends a reply to the client. It is never dropped: the task stops reading requests when the outbox fills.
    pub(super) fn reply(&self, text: &str) {
        self.send_frame(text_frame(&[text]));
    }

    pub(super) fn send_frame(&self, frame: Bytes) {
        let mut state = self.state.lock();
        if state.ending.is_none() {
            self.write_or_queue(&mut state, frame, 1);
        }
    }

    /// Ends the connection, after the outbox is written if `flush_first`.
    pub(super) fn end(&self, code: CloseCode, flush_first: bool) {
        self.state.lock().ending.get_or_insert(Ending { code, flush_first });
        self.wake.notify_one();
    }

    pub(super) fn ending(&self) -> Option<Ending> {
        self.state.lock().ending
    }

    pub(super) fn has_backlog(&self) -> bool {
        !self.state.lock().outbox.is_empty()
    }

    /// Whether the outbox has drained so far that the task may read more, from the client or the store.
    pub(super) fn is_low(&self) -> bool {
        self.state.lock().outbox.is_low()
    }

    pub(super) fn written(&self) -> u64 {
        self.state.lock().written
    }

    /// Events that are to be read from the store, if the outbox has room for them. Sessions take turns: the one after
    /// `last` comes first.
    pub(super) fn missing(&self, last: Option<SessionId>) -> Option<Missing> {
        let state = self.state.lock();
        if state.ending.is_some() || !state.outbox.is_low() {
            return None;
        }
        let missing = |is_feed| {
            move |(session, cursor): (&SessionId, &Cursor)| {
                Some(Missing { session: *session, gap: cursor.gap()?, is_feed })
            }
        };
        let sessions = state.subscriptions.iter().filter_map(missing(false));
        let feed = state.feed.iter().filter(|feed| feed.is_open).flat_map(|feed| &feed.behind);
        let feed = feed.filter_map(missing(true));
        sessions.chain(feed).min_by_key(|missing| (Some(missing.session) <= last, missing.session))
    }
}
