//! The part of a connection that the hub's lanes share with its task: the socket's writing side, what waits to be
//! written, and a cursor for each subscription.
//!
//! A lane writes to the socket at once when nothing waits and the socket takes it; what is left over is queued for
//! the task. What does not fit is dropped: the cursor stays where it is, and the task reads the store once the
//! socket has drained.

use super::outbox::Outbox;
use crate::domain::{ConnectionId, Principal, SessionId};
use crate::hub::subscriber::{EndReason, Endpoint, Offered, Run, Subscriber};
use crate::protocol::close::CloseCode;
use crate::protocol::frame::hub::reply;
use crate::protocol::rfc6455::encode::text_frame;
use crate::timeline::Cursor;
use crate::timeline::cursor::Offer;
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// Most sessions whose feed events wait to be read back; beyond it the client is asked to reconnect.
const MAX_FEED_BEHIND: usize = 16_384;
/// Most pieces handed to the kernel in one write.
const MAX_SLICES: usize = 32;
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

#[derive(Default)]
struct Feed {
    open: bool,
    /// Sessions with events that were not told for want of room.
    behind: HashMap<SessionId, Cursor>,
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

/// What there was of a subscription that is about to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prepared {
    /// Nothing.
    New,
    /// It stood here, and begins anew.
    Again(Cursor),
    /// The hub has ended it, and has not been told yet that this connection knows.
    Evicted,
    /// There are too many others.
    Refused,
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

    /// Writes what waits, as far as the socket takes it.
    pub(super) fn flush(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        while !state.outbox.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let filled = state.outbox.fill(&mut slices);
            let written = match self.stream.try_write_vectored(&slices[..filled]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            state.outbox.advance(written);
            state.written += written as u64;
        }
        Ok(())
    }

    /// Puts the last frame: before it what waits if `gently`, else only a frame that has begun.
    pub(super) fn put_last(&self, frame: Bytes, gently: bool) {
        let mut state = self.state.lock();
        if !gently {
            state.outbox.clear_unsent();
        }
        state.outbox.push(frame, 1);
    }

    /// Adds a subscription that only listens for now, unless there are too many.
    pub(super) fn prepare(&self, session: SessionId, max: usize) -> Prepared {
        let mut state = self.state.lock();
        if state.subscriptions.len() >= max && !state.subscriptions.contains_key(&session) {
            return Prepared::Refused;
        }
        if let Some(earlier) = state.subscriptions.insert(session, Cursor::closed()) {
            return Prepared::Again(earlier);
        }
        match state.evicted.iter().position(|(evicted, _)| *evicted == session) {
            Some(index) => {
                // The new one must not end with the old one.
                state.evicted.swap_remove(index);
                Prepared::Evicted
            }
            None => Prepared::New,
        }
    }

    /// Opens a prepared subscription: `reply` goes out first, then the events after `at`. If it was ended meanwhile,
    /// nothing goes out, and why is returned.
    pub(super) fn open(&self, session: SessionId, at: i64, head: i64, reply: &str) -> Result<(), EndReason> {
        let mut state = self.state.lock();
        let Some(cursor) = state.subscriptions.get_mut(&session) else {
            let ended = state.evicted.iter().find(|(evicted, _)| *evicted == session);
            return Err(ended.map_or(EndReason::Removed, |(_, reason)| *reason));
        };
        cursor.open(at, head);
        let frame = text_frame(&[reply]);
        self.put(&mut state, frame, 1);
        Ok(())
    }

    /// Has the subscription that stood before `prepare` go on, unless it was ended meanwhile: what came by is read back
    /// from the store.
    pub(super) fn restore(&self, session: SessionId, earlier: Cursor) {
        if let Some(cursor) = self.state.lock().subscriptions.get_mut(&session) {
            let heard = cursor.known();
            *cursor = earlier;
            cursor.hear(heard);
        }
    }

    /// Ends a subscription; `false` if there was none.
    pub(super) fn forget(&self, session: SessionId) -> bool {
        self.state.lock().subscriptions.remove(&session).is_some()
    }

    pub(super) fn is_subscribed(&self, session: SessionId) -> bool {
        self.state.lock().subscriptions.contains_key(&session)
    }

    pub(super) fn subscriptions(&self) -> Vec<SessionId> {
        self.state.lock().subscriptions.keys().copied().collect()
    }

    /// The sessions that the fan-out has ended since the last call.
    pub(super) fn take_evicted(&self) -> Vec<SessionId> {
        let evicted = std::mem::take(&mut self.state.lock().evicted);
        evicted.into_iter().map(|(session, _)| session).collect()
    }

    /// Starts a feed that only listens for now; `false` if there is one.
    pub(super) fn prepare_feed(&self) -> bool {
        let mut state = self.state.lock();
        let is_new = state.feed.is_none();
        state.feed.get_or_insert_default();
        is_new
    }

    pub(super) fn open_feed(&self, reply: &str) {
        let mut state = self.state.lock();
        let frame = text_frame(&[reply]);
        self.put(&mut state, frame, 1);
        if let Some(feed) = &mut state.feed {
            feed.open = true;
        }
    }

    pub(super) fn has_feed(&self) -> bool {
        self.state.lock().feed.is_some()
    }

    pub(super) fn forget_feed(&self) -> bool {
        self.state.lock().feed.take().is_some()
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

    /// Hands on one event that was read from the store: `true` if it went out, `false` if it had been before. None
    /// if there is no room for it.
    pub(super) fn replay(&self, session: SessionId, seq: i64, frame: Bytes) -> Option<bool> {
        let mut state = self.state.lock();
        // A frame for which a queue that is nearly empty has no room would never find any.
        let room = state.outbox.has_room(1, frame.len()) || state.outbox.is_low();
        let cursor = state.subscriptions.get_mut(&session)?;
        match cursor.offer(seq) {
            Offer::Next if !room => None,
            Offer::Next => {
                cursor.advance();
                self.put(&mut state, frame, 1);
                Some(true)
            }
            Offer::Old => Some(false),
            Offer::Gap => None,
        }
    }

    /// Jumps over events that retention has deleted.
    pub(super) fn skip_to(&self, session: SessionId, first_seq: i64) {
        if let Some(cursor) = self.state.lock().subscriptions.get_mut(&session) {
            cursor.skip_to(first_seq);
        }
    }

    /// Forgets that a session's timeline reaches to `known`: the store has nothing more.
    pub(super) fn retract(&self, session: SessionId, known: i64) {
        if let Some(cursor) = self.state.lock().subscriptions.get_mut(&session) {
            cursor.retract(known);
        }
    }

    /// Hands on one event of the feed that was read from the store; `false` if there is no room for it.
    pub(super) fn replay_feed(&self, session: SessionId, seq: i64, frame: Bytes) -> bool {
        let mut state = self.state.lock();
        let room = state.outbox.has_room(1, frame.len()) || state.outbox.is_low();
        let Some(feed) = &mut state.feed else { return false };
        let Some(cursor) = feed.behind.get_mut(&session) else { return false };
        match cursor.offer(seq) {
            Offer::Next if !room => return false,
            Offer::Next => {
                cursor.advance();
                self.put(&mut state, frame, 1);
            }
            Offer::Old => {}
            Offer::Gap => return false,
        }
        true
    }

    /// Ends the read-back of a session's feed events if it has caught up, or if there is nothing (more) to read.
    pub(super) fn feed_caught_up(&self, session: SessionId, give_up: bool) {
        if let Some(feed) = &mut self.state.lock().feed
            && feed.behind.get(&session).is_some_and(|cursor| give_up || !cursor.is_behind())
        {
            feed.behind.remove(&session);
        }
    }

    /// Writes at once if nothing waits and the socket takes it, else queues.
    fn put(&self, state: &mut State, bytes: Bytes, frames: usize) {
        if !state.outbox.is_empty() {
            state.outbox.push(bytes, frames);
            return;
        }
        match self.stream.try_write(&bytes) {
            Ok(written) => {
                state.written += written as u64;
                if written < bytes.len() {
                    state.outbox.push_rest(bytes.slice(written..), frames);
                    self.wake.notify_one();
                }
            }
            // An error will meet the task as well, which ends the connection.
            Err(_) => {
                state.outbox.push(bytes, frames);
                self.wake.notify_one();
            }
        }
    }

    fn evict_locked(&self, state: &mut State, session: SessionId, reason: EndReason) {
        if state.subscriptions.remove(&session).is_some() {
            state.evicted.push((session, reason));
            let frame = text_frame(&[&reply::evicted(session, reason.as_str())]);
            self.put(state, frame, 1);
            self.wake.notify_one();
        }
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

impl Subscriber for Link {
    fn deliver(&self, session: SessionId, run: &Run) -> Offered {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        // The whole-space key of an agent that is removed still sees the session.
        let participant = || state.principal.as_ref().and_then(|principal| principal.scope().participant());
        let participant = participant();
        if state.ending.is_some() {
            return Offered::default();
        }
        let Some(cursor) = state.subscriptions.get_mut(&session) else { return Offered::default() };
        // One that lies behind is an old story: they have come back since. A cursor that is not open yet looks up for
        // itself who takes part, and reads back, in scope, what it hears of meanwhile.
        let removed = run.removes.iter().find(|(seq, who)| Some(*who) == participant && cursor.is_ended_by(*seq));
        let removed = removed.map(|(seq, _)| *seq);
        cursor.hear(run.end() - 1);
        let mut cursor = *cursor;
        let before = cursor.position();
        let whole = removed.is_none()
            && cursor.offer(run.first) == Offer::Next
            && state.outbox.has_room(run.frames.len(), run.joined.len());
        if whole {
            run.frames.iter().for_each(|_| cursor.advance());
            self.put(state, run.joined.clone(), run.frames.len());
        } else {
            for (seq, frame) in (run.first..).zip(&run.frames) {
                if Some(seq) == removed {
                    break;
                }
                if cursor.offer(seq) == Offer::Next && state.outbox.has_room(1, frame.len()) {
                    cursor.advance();
                    self.put(state, frame.clone(), 1);
                }
            }
        }
        state.subscriptions.insert(session, cursor);
        let mut offered = Offered { taken: (cursor.position() - before).unsigned_abs(), dropped: 0 };
        if removed.is_some() {
            self.evict_locked(state, session, EndReason::Removed);
        } else {
            if cursor.is_open() {
                let reached = cursor.position().max(run.first - 1);
                offered.dropped = (run.end() - 1).saturating_sub(reached).max(0).unsigned_abs();
            }
            if cursor.is_behind() && state.outbox.is_low() {
                self.wake.notify_one();
            }
        }
        offered
    }

    fn hear(&self, session: SessionId, seq: i64) {
        if let Some(cursor) = self.state.lock().subscriptions.get_mut(&session) {
            cursor.hear(seq);
            if cursor.is_behind() {
                self.wake.notify_one();
            }
        }
    }

    fn show(&self, frame: &Bytes) -> bool {
        let mut state = self.state.lock();
        let room = state.outbox.has_room_for_ephemeral();
        if state.ending.is_none() && room {
            self.put(&mut state, frame.clone(), 1);
        }
        room
    }

    fn feed(&self, session: SessionId, seq: i64, frame: &Bytes) -> bool {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let room = state.outbox.has_room(1, frame.len()) || state.outbox.is_low();
        let Some(feed) = &mut state.feed else { return true };
        if state.ending.is_some() {
            return true;
        }
        if let Some(cursor) = feed.behind.get_mut(&session) {
            cursor.hear(seq);
        } else if feed.open && room {
            self.put(state, frame.clone(), 1);
            return true;
        } else if feed.behind.len() < MAX_FEED_BEHIND {
            let mut cursor = Cursor::at(seq - 1);
            cursor.hear(seq);
            feed.behind.insert(session, cursor);
        } else {
            drop(guard);
            self.end(CloseCode::INTERNAL, false);
        }
        false
    }

    fn evict(&self, session: SessionId, reason: EndReason) {
        self.evict_locked(&mut self.state.lock(), session, reason);
    }
}
