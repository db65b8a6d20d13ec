//! The part of a connection that the hub's lanes share with its task: the socket's writing side, what waits to be
//! written, and a cursor for each subscription.
//!
//! A lane writes to the socket at once when nothing waits and the socket takes it; what is left over is queued for
//! the task. What does not fit is dropped: the cursor stays where it is, and the task reads the store once the
//! socket has drained.

mod deliver;
mod feed;
mod subscriptions;
mod write;

use super::outbox::Outbox;
use crate::domain::{ConnectionId, Principal, SessionId};
use crate::hub::subscriber::{EndReason, Endpoint};
use crate::protocol::close::CloseCode;
use crate::protocol::frame::hub::reply;
use crate::protocol::rfc6455::encode::text_frame;
use crate::timeline::Cursor;
use bytes::Bytes;
use feed::Feed;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
pub(in crate::ws) use subscriptions::Prepared;
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// When clients of a draining node should come back, in milliseconds.
const RECONNECT_AFTER: (u64, u64) = (200, 5000);

pub(super) struct Link {
    id: ConnectionId,
    pub(super) stream: TcpStream,
    /// Rings when the task has something to do that the socket itself does not tell.
    pub(super) wake: Notify,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Who it is; none before authentication.
    principal: Option<Arc<Principal>>,
    outbox: Outbox,
    /// Bytes written so far, by which the task sees progress.
    written: u64,
    subscriptions: HashMap<SessionId, Cursor>,
    feed: Option<Feed>,
    /// Sessions that the fan-out has ended, and why: the task tells the hub.
    evicted: Vec<(SessionId, EndReason)>,
    ending: Option<Ending>,
}

/// How the connection is to end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    pub(super) code: CloseCode,
    /// Whether what waits is still to go out.
    pub(super) gently: bool,
}

/// What is to be read back from the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// A session after this `seq`, which is said to reach to the other.
    Session(SessionId, i64, i64),
    Feed(SessionId, i64),
}

impl Link {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { id: ConnectionId::new(), stream, wake: Notify::new(), state: Mutex::default() }
    }

    /// Says who it is, by which credential.
    pub(super) fn set_principal(&self, principal: Arc<Principal>) {
        self.state.lock().principal = Some(principal);
    }

    /// Queues a reply to the client. The task stops reading when too much waits, so this is bounded too.
    pub(super) fn reply(&self, text: &str) {
        self.send_frame(text_frame(&[text]));
    }

    pub(super) fn send_frame(&self, frame: Bytes) {
        let mut state = self.state.lock();
        if state.ending.is_none() {
            self.put(&mut state, frame, 1);
        }
    }

    /// Ends the connection: with what waits if `gently`, else at once.
    pub(super) fn end(&self, code: CloseCode, gently: bool) {
        self.state.lock().ending.get_or_insert(Ending { code, gently });
        self.wake.notify_one();
    }

    pub(super) fn ending(&self) -> Option<Ending> {
        self.state.lock().ending
    }

    pub(super) fn has_backlog(&self) -> bool {
        !self.state.lock().outbox.is_empty()
    }

    /// Whether so little waits that the task may read more, from the client or the store.
    pub(super) fn is_low(&self) -> bool {
        self.state.lock().outbox.is_low()
    }

    pub(super) fn written(&self) -> u64 {
        self.state.lock().written
    }
    /// Something that is to be read back from the store, if there is room for it; sessions take turns, the one
    /// after `last` first.
    pub(super) fn behind(&self, last: Option<SessionId>) -> Option<Behind> {
        let state = self.state.lock();
        if state.ending.is_some() || !state.outbox.is_low() {
            return None;
        }
        let sessions = state.subscriptions.iter().filter(|(_, cursor)| cursor.is_behind());
        let sessions = sessions.map(|(id, cursor)| Behind::Session(*id, cursor.position(), cursor.known()));
        let feed = state.feed.iter().filter(|feed| feed.open).flat_map(|feed| &feed.behind);
        let feed = feed.map(|(id, cursor)| Behind::Feed(*id, cursor.position()));
        let id = |behind: &Behind| match behind {
            Behind::Session(id, ..) | Behind::Feed(id, _) => *id,
        };
        sessions.chain(feed).min_by_key(|behind| (Some(id(behind)) <= last, id(behind)))
    }
}

impl Endpoint for Link {
    fn id(&self) -> ConnectionId {
        self.id
    }

    fn principal(&self) -> Option<Arc<Principal>> {
        self.state.lock().principal.clone()
    }

    fn revoke(&self) {
        self.end(CloseCode::REVOKED, false);
    }

    fn go_away(&self) {
        self.reply(&reply::go_away(RECONNECT_AFTER.0, RECONNECT_AFTER.1));
        self.end(CloseCode::GOING_AWAY, true);
    }
}
