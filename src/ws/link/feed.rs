//! The feed subscription of a connection.

use super::Link;
use crate::domain::SessionId;
use crate::protocol::rfc6455::encode::text_frame;
use crate::timeline::Cursor;
use crate::timeline::cursor::Offer;
use bytes::Bytes;
use std::collections::HashMap;

#[derive(Default)]
pub(super) struct Feed {
    pub(super) open: bool,
    /// Sessions with events that were not told for want of room.
    pub(super) behind: HashMap<SessionId, Cursor>,
}

impl Link {
    /// Starts a feed that only listens for now; `false` if there is one.
    pub(in crate::ws) fn prepare_feed(&self) -> bool {
        let mut state = self.state.lock();
        let is_new = state.feed.is_none();
        state.feed.get_or_insert_default();
        is_new
    }

    pub(in crate::ws) fn open_feed(&self, reply: &str) {
        let mut state = self.state.lock();
        let frame = text_frame(&[reply]);
        self.put(&mut state, frame, 1);
        if let Some(feed) = &mut state.feed {
            feed.open = true;
        }
    }

    pub(in crate::ws) fn has_feed(&self) -> bool {
        self.state.lock().feed.is_some()
    }

    pub(in crate::ws) fn forget_feed(&self) -> bool {
        self.state.lock().feed.take().is_some()
    }

    /// Hands on one event of the feed that was read from the store; `false` if there is no room for it.
    pub(in crate::ws) fn replay_feed(&self, session: SessionId, seq: i64, frame: Bytes) -> bool {
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
    pub(in crate::ws) fn feed_caught_up(&self, session: SessionId, give_up: bool) {
        if let Some(feed) = &mut self.state.lock().feed
            && feed.behind.get(&session).is_some_and(|cursor| give_up || !cursor.is_behind())
        {
            feed.behind.remove(&session);
        }
    }
}
