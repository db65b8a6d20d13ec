//! The subscriptions of a connection to sessions, each with its cursor.

use super::{SocketHandle, State};
use crate::domain::SessionId;
use crate::hub::subscriber::EndReason;
use crate::protocol::frame::hub::reply;
use crate::protocol::rfc6455::encode::text_frame;
use crate::timeline::reader::{Cursor, Offer, Page};
use bytes::Bytes;

/// The state of a subscription before `prepare`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ws) enum Prepared {
    New,
    /// There was one, with this cursor. The new one replaces it.
    Replaces(Cursor),
    /// The hub has ended it, and the task has yet to leave the session.
    Evicted,
    /// There are too many others.
    Refused,
}

impl SocketHandle {
    /// Adds a subscription with a closed cursor, unless there are too many.
    pub(in crate::ws) fn prepare(&self, session: SessionId, max: usize) -> Prepared {
        let mut state = self.state.lock();
        if state.subscriptions.len() >= max && !state.subscriptions.contains_key(&session) {
            return Prepared::Refused;
        }
        if let Some(earlier) = state.subscriptions.insert(session, Cursor::closed()) {
            return Prepared::Replaces(earlier);
        }
        match state.evicted.iter().position(|(evicted, _)| *evicted == session) {
            Some(index) => {
                // The end of the earlier subscription must not end the new one.
                state.evicted.swap_remove(index);
                Prepared::Evicted
            }
            None => Prepared::New,
        }
    }

    /// Opens a prepared subscription: sends `reply`, then the events after `position`. If the subscription was ended
    /// meanwhile, sends nothing and returns the reason.
    pub(in crate::ws) fn open(
        &self,
        session: SessionId,
        position: i64,
        head: i64,
        reply: &str,
    ) -> Result<(), EndReason> {
        let mut state = self.state.lock();
        let Some(cursor) = state.subscriptions.get_mut(&session) else {
            let ended = state.evicted.iter().find(|(evicted, _)| *evicted == session);
            return Err(ended.map_or(EndReason::Removed, |(_, reason)| *reason));
        };
        cursor.open(position, head);
        let frame = text_frame(&[reply]);
        self.write_or_queue(&mut state, frame, 1);
        Ok(())
    }

    /// Continues the subscription that `prepare` replaced, unless it was ended meanwhile. Events that were committed
    /// meanwhile are read from the store.
    pub(in crate::ws) fn restore(&self, session: SessionId, earlier: Cursor) {
        if let Some(cursor) = self.state.lock().subscriptions.get_mut(&session) {
            let high_water_mark = cursor.high_water_mark();
            *cursor = earlier;
            cursor.note_high_water_mark(high_water_mark);
        }
    }

    /// Removes a subscription; `false` if there was none.
    pub(in crate::ws) fn remove(&self, session: SessionId) -> bool {
        self.state.lock().subscriptions.remove(&session).is_some()
    }

    pub(in crate::ws) fn is_subscribed(&self, session: SessionId) -> bool {
        self.state.lock().subscriptions.contains_key(&session)
    }

    pub(in crate::ws) fn subscriptions(&self) -> Vec<SessionId> {
        self.state.lock().subscriptions.keys().copied().collect()
    }

    /// Takes the sessions whose subscriptions the hub has ended since the last call.
    pub(in crate::ws) fn take_evicted(&self) -> Vec<SessionId> {
        let evicted = std::mem::take(&mut self.state.lock().evicted);
        evicted.into_iter().map(|(session, _)| session).collect()
    }

    /// Prepares a subscription for the events of a page.
    pub(in crate::ws) fn begin_page(&self, session: SessionId, page: &Page) {
        if let Some(cursor) = self.state.lock().subscriptions.get_mut(&session) {
            cursor.begin_page(page);
        }
    }

    /// Sends an event that was read from the store: `false` if it was sent before, `None` if there is no room for it.
    pub(in crate::ws) fn replay(&self, session: SessionId, seq: i64, frame: Bytes) -> Option<bool> {
        let mut state = self.state.lock();
        // A frame for which an outbox that is nearly empty has no room would never find any.
        let has_room = state.outbox.has_room(1, frame.len()) || state.outbox.is_low();
        let cursor = state.subscriptions.get_mut(&session)?;
        match cursor.offer(seq) {
            Offer::Next if has_room => {
                cursor.advance();
                self.write_or_queue(&mut state, frame, 1);
                Some(true)
            }
            Offer::Duplicate => Some(false),
            Offer::Next | Offer::Gap => None,
        }
    }

    /// Ends a subscription, and sends the reason to the client.
    pub(super) fn end_subscription(&self, state: &mut State, session: SessionId, reason: EndReason) {
        if state.subscriptions.remove(&session).is_some() {
            state.evicted.push((session, reason));
            let frame = text_frame(&[&reply::evicted(session, reason.as_str())]);
            self.write_or_queue(state, frame, 1);
            self.wake.notify_one();
        }
    }
}
