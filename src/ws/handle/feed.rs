//! The feed subscription of a connection, with a cursor for each session whose events had no room.

use super::SocketHandle;
use crate::domain::SessionId;
use crate::protocol::rfc6455::encode::text_frame;
use crate::timeline::reader::{Offer, Page};
use bytes::Bytes;

impl SocketHandle {
    /// Adds a feed subscription that is not open yet; `false` if there is one.
    pub(in crate::ws) fn prepare_feed(&self) -> bool {
        let mut state = self.state.lock();
        let is_new = state.feed.is_none();
        state.feed.get_or_insert_default();
        is_new
    }

    /// Sends `reply`, then the frames of the feed.
    pub(in crate::ws) fn open_feed(&self, reply: &str) {
        let mut state = self.state.lock();
        let frame = text_frame(&[reply]);
        self.write_or_queue(&mut state, frame, 1);
        if let Some(feed) = &mut state.feed {
            feed.is_open = true;
        }
    }

    pub(in crate::ws) fn has_feed(&self) -> bool {
        self.state.lock().feed.is_some()
    }

    /// Removes the feed subscription; `false` if there was none.
    pub(in crate::ws) fn remove_feed(&self) -> bool {
        self.state.lock().feed.take().is_some()
    }

    /// Prepares the feed for the events of a page.
    pub(in crate::ws) fn begin_feed_page(&self, session: SessionId, page: &Page) {
        let mut state = self.state.lock();
        if let Some(cursor) = state.feed.as_mut().and_then(|feed| feed.behind.get_mut(&session)) {
            cursor.begin_page(page);
        }
    }

    /// Sends the feed frame of an event that was read from the store; `false` if there is no room for it.
    pub(in crate::ws) fn replay_feed(&self, session: SessionId, seq: i64, frame: Bytes) -> bool {
        let mut state = self.state.lock();
        let has_room = state.outbox.has_room(1, frame.len()) || state.outbox.is_low();
        let Some(cursor) = state.feed.as_mut().and_then(|feed| feed.behind.get_mut(&session)) else { return false };
        match cursor.offer(seq) {
            Offer::Next if has_room => {
                cursor.advance();
                self.write_or_queue(&mut state, frame, 1);
                true
            }
            Offer::Duplicate => true,
            Offer::Next | Offer::Gap => false,
        }
    }

    /// Removes the cursor of a session that has caught up.
    pub(in crate::ws) fn end_feed_page(&self, session: SessionId) {
        if let Some(feed) = &mut self.state.lock().feed
            && feed.behind.get(&session).is_some_and(|cursor| !cursor.is_behind())
        {
            feed.behind.remove(&session);
        }
    }

    /// Gives up on the missing events of a session: they no longer exist within the scope of the feed.
    pub(in crate::ws) fn abandon_feed_of(&self, session: SessionId) {
        if let Some(feed) = &mut self.state.lock().feed {
            feed.behind.remove(&session);
        }
    }
}
