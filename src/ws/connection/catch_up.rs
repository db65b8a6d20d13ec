//! Reads back from the store what a subscription lacks.

use super::super::link::Behind;
use super::Connection;
use crate::hub::subscriber::{EndReason, Endpoint as _, Subscriber as _};
use crate::metrics::During;
use crate::protocol::frame::hub::{event_frame, feed_frame};
use std::time::Duration;

/// How long to wait where the store fails.
const READ_AGAIN_AFTER: Duration = Duration::from_millis(200);
/// Most events, and about how many bytes, of one read from the store.
const REPLAY_PAGE: i64 = 256;
const REPLAY_BYTES: i64 = 256 * 1024;

impl Connection {
    /// Reads one page of what was dropped, or never came by, and hands on as much of it as there is room for.
    pub(super) async fn read_back(&mut self, behind: Behind) {
        let Some(principal) = self.link.principal() else { return };
        let (Behind::Session(session, at, _) | Behind::Feed(session, at)) = behind;
        self.last_replayed = Some(session);
        let page = self.app.store.events_after(principal.scope(), session, at, REPLAY_PAGE, REPLAY_BYTES).await;
        match (page, behind) {
            (Err(error), _) => {
                self.app.metrics.store_failed(During::Replay, &error, "a socket waits for the store");
                tokio::time::sleep(READ_AGAIN_AFTER).await;
            }
            (Ok(None), Behind::Session(..)) => self.link.evict(session, EndReason::Removed),
            (Ok(None), Behind::Feed(..)) => self.link.feed_caught_up(session, true),
            (Ok(Some(page)), Behind::Session(..)) if page.head.last_seq < at => {
                // The store went back. The topic may not have noticed yet.
                self.app.hub.look_later(session);
                self.link.evict(session, EndReason::Reset);
            }
            (Ok(Some(page)), Behind::Session(_, _, known)) => {
                self.link.skip_to(session, page.head.first_seq);
                if page.events.is_empty() {
                    // It was told of events that the store does not have.
                    self.link.retract(session, known);
                }
                let replay = page.events.iter().map(|event| self.link.replay(session, event.seq, event_frame(event)));
                let handed_on = replay.map_while(|outcome| outcome).filter(|went_out| *went_out).count();
                self.app.metrics.delivered_replay.inc_by(handed_on as u64);
            }
            (Ok(Some(page)), Behind::Feed(..)) => {
                for event in &page.events {
                    if !self.link.replay_feed(session, event.seq, feed_frame(&event.into())) {
                        break;
                    }
                }
                self.link.feed_caught_up(session, page.events.is_empty());
            }
        }
    }
}
