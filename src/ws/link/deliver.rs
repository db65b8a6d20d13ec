//! What the fan-out hands to a connection.

use super::Link;
use crate::domain::SessionId;
use crate::hub::subscriber::{EndReason, Offered, Run, Subscriber};
use crate::protocol::close::CloseCode;
use crate::timeline::Cursor;
use crate::timeline::cursor::Offer;
use bytes::Bytes;

/// Most sessions whose feed events wait to be read back; beyond it the client is asked to reconnect.
const MAX_FEED_BEHIND: usize = 16_384;

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
