//! The subscriptions of a connection, with a cursor for each.

use super::{Link, State};
use crate::domain::SessionId;
use crate::hub::subscriber::EndReason;
use crate::protocol::frame::hub::reply;
use crate::protocol::rfc6455::encode::text_frame;
use crate::timeline::Cursor;
use crate::timeline::cursor::Offer;
use bytes::Bytes;

/// What there was of a subscription that is about to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ws) enum Prepared {
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
    /// Adds a subscription that only listens for now, unless there are too many.
    pub(in crate::ws) fn prepare(&self, session: SessionId, max: usize) -> Prepared {
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
    pub(in crate::ws) fn open(&self, session: SessionId, at: i64, head: i64, reply: &str) -> Result<(), EndReason> {
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
    pub(in crate::ws) fn restore(&self, session: SessionId, earlier: Cursor) {
        if let Some(cursor) = self.state.lock().subscriptions.get_mut(&session) {
            let heard = cursor.known();
            *cursor = earlier;
            cursor.hear(heard);
        }
    }

    /// Ends a subscription; `false` if there was none.
    pub(in crate::ws) fn forget(&self, session: SessionId) -> bool {
        self.state.lock().subscriptions.remove(&session).is_some()
    }

    pub(in crate::ws) fn is_subscribed(&self, session: SessionId) -> bool {
        self.state.lock().subscriptions.contains_key(&session)
    }

    pub(in crate::ws) fn subscriptions(&self) -> Vec<SessionId> {
        self.state.lock().subscriptions.keys().copied().collect()
    }

    /// The sessions that the fan-out has ended since the last call.
    pub(in crate::ws) fn take_evicted(&self) -> Vec<SessionId> {
        let evicted = std::mem::take(&mut self.state.lock().evicted);
        evicted.into_iter().map(|(session, _)| session).collect()
    }

    /// Hands on one event that was read from the store: `true` if it went out, `false` if it had been before. None
    /// if there is no room for it.
    pub(in crate::ws) fn replay(&self, session: SessionId, seq: i64, frame: Bytes) -> Option<bool> {
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
    pub(in crate::ws) fn skip_to(&self, session: SessionId, first_seq: i64) {
        if let Some(cursor) = self.state.lock().subscriptions.get_mut(&session) {
            cursor.skip_to(first_seq);
        }
    }

    /// Forgets that a session's timeline reaches to `known`: the store has nothing more.
    pub(in crate::ws) fn retract(&self, session: SessionId, known: i64) {
        if let Some(cursor) = self.state.lock().subscriptions.get_mut(&session) {
            cursor.retract(known);
        }
    }

    pub(super) fn evict_locked(&self, state: &mut State, session: SessionId, reason: EndReason) {
        if state.subscriptions.remove(&session).is_some() {
            state.evicted.push((session, reason));
            let frame = text_frame(&[&reply::evicted(session, reason.as_str())]);
            self.put(state, frame, 1);
            self.wake.notify_one();
        }
    }
}
