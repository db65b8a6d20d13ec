//! The connection as the hub sees it: what fan-out workers and feeds deliver.

use super::SocketHandle;
use crate::domain::{ConnectionId, Principal, SessionId};
use crate::hub::EventBatch;
use crate::hub::subscriber::{Connection, DeliveryCount, EndReason, Subscriber};
use crate::protocol::close::CloseCode;
use crate::protocol::frame::hub::reply;
use crate::timeline::reader::{Cursor, Offer};
use bytes::Bytes;
use std::sync::Arc;

/// Most sessions whose feed events are to be read from the store. Beyond it the client is asked to reconnect.
const MAX_FEED_BEHIND: usize = 16_384;
/// When clients of a draining node should reconnect, in milliseconds.
const RECONNECT_AFTER: (u64, u64) = (200, 5000);

impl Connection for SocketHandle {
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

impl Subscriber for SocketHandle {
    fn deliver(&self, session: SessionId, batch: &EventBatch) -> DeliveryCount {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        // An agent that is removed still sees the session through a key for the whole space.
        let participant = state.principal.as_ref().and_then(|principal| principal.scope().participant());
        if state.ending.is_some() {
            return DeliveryCount::default();
        }
        let Some(cursor) = state.subscriptions.get_mut(&session) else { return DeliveryCount::default() };
        // A removal before the position has no effect: the participant has come back since. A closed cursor is checked
        // for access when it opens, and reads what it misses until then within its scope.
        let removed = batch.removes.iter().find(|(seq, who)| Some(*who) == participant && cursor.is_ended_by(*seq));
        let removed = removed.map(|(seq, _)| *seq);
        cursor.note_high_water_mark(batch.end() - 1);
        let mut cursor = *cursor;
        let before = cursor.position();
        let is_whole = removed.is_none()
            && cursor.offer(batch.first) == Offer::Next
            && state.outbox.has_room(batch.frames.len(), batch.joined.len());
        if is_whole {
            batch.frames.iter().for_each(|_| cursor.advance());
            self.write_or_queue(state, batch.joined.clone(), batch.frames.len());
        } else {
            for (seq, frame) in (batch.first..).zip(&batch.frames) {
                if Some(seq) == removed {
                    break;
                }
                if cursor.offer(seq) == Offer::Next && state.outbox.has_room(1, frame.len()) {
                    cursor.advance();
                    self.write_or_queue(state, frame.clone(), 1);
                }
            }
        }
        state.subscriptions.insert(session, cursor);
        let mut count = DeliveryCount { delivered: (cursor.position() - before).unsigned_abs(), dropped: 0 };
        if removed.is_some() {
            self.end_subscription(state, session, EndReason::Removed);
        } else {
            if cursor.is_open() {
                let reached = cursor.position().max(batch.first - 1);
                count.dropped = (batch.end() - 1).saturating_sub(reached).max(0).unsigned_abs();
            }
            if cursor.is_behind() && state.outbox.is_low() {
                self.wake.notify_one();
            }
        }
        count
    }

    fn note_high_water_mark(&self, session: SessionId, seq: i64) {
        if let Some(cursor) = self.state.lock().subscriptions.get_mut(&session) {
            cursor.note_high_water_mark(seq);
            if cursor.is_behind() {
                self.wake.notify_one();
            }
        }
    }

    fn send_ephemeral(&self, frame: &Bytes) -> bool {
        let mut state = self.state.lock();
        let has_room = state.outbox.has_room_for_ephemeral();
        if state.ending.is_none() && has_room {
            self.write_or_queue(&mut state, frame.clone(), 1);
        }
        has_room
    }

    fn deliver_feed(&self, session: SessionId, seq: i64, frame: &Bytes) -> bool {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let has_room = state.outbox.has_room(1, frame.len()) || state.outbox.is_low();
        let Some(feed) = &mut state.feed else { return true };
        if state.ending.is_some() {
            return true;
        }
        if let Some(cursor) = feed.behind.get_mut(&session) {
            cursor.note_high_water_mark(seq);
        } else if feed.is_open && has_room {
            self.write_or_queue(state, frame.clone(), 1);
            return true;
        } else if feed.behind.len() < MAX_FEED_BEHIND {
            let mut cursor = Cursor::at(seq - 1);
            cursor.note_high_water_mark(seq);
            feed.behind.insert(session, cursor);
        } else {
            drop(guard);
            self.end(CloseCode::INTERNAL, false);
        }
        false
    }

    fn evict(&self, session: SessionId, reason: EndReason) {
        self.end_subscription(&mut self.state.lock(), session, reason);
    }
}
