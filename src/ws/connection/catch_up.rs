//! Reads the missing events of a subscription from the store.

use super::super::handle::Missing;
use super::ConnectionTask;
use crate::domain::SessionId;
use crate::hub::subscriber::{Connection as _, EndReason, Subscriber as _};
use crate::metrics::During;
use crate::protocol::frame::hub::{event_frame, feed_frame};
use crate::timeline::reader::{self, CatchUp};
use std::time::Duration;

/// How long to wait after the store has failed.
const RETRY_AFTER: Duration = Duration::from_millis(200);

impl ConnectionTask {
    /// Reads one page, and sends as much of it as there is room for.
    pub(super) async fn catch_up(&mut self, Missing { session, gap, is_feed }: Missing) {
        let Some(principal) = self.handle.principal() else { return };
        self.last_caught_up = Some(session);
        match reader::catch_up(&*self.app.store, principal.scope(), session, gap).await {
            Err(error) => {
                self.app.metrics.store_failed(During::Replay, &error, "a socket waits for the store");
                tokio::time::sleep(RETRY_AFTER).await;
            }
            Ok(outcome) if is_feed => self.catch_up_feed(session, outcome),
            Ok(outcome) => self.catch_up_session(session, outcome),
        }
    }

    fn catch_up_session(&self, session: SessionId, outcome: CatchUp) {
        match outcome {
            CatchUp::OutOfScope => self.handle.evict(session, EndReason::Removed),
            CatchUp::Restored(_) => {
                // The topic may not have noticed yet.
                self.app.hub.compare_later(session);
                self.handle.evict(session, EndReason::Reset);
            }
            CatchUp::Page(page) => {
                self.handle.begin_page(session, &page);
                let replay = page.events.iter().map(|event| self.handle.replay(session, event.seq, event_frame(event)));
                let sent = replay.map_while(|outcome| outcome).filter(|was_sent| *was_sent).count();
                self.app.metrics.delivered_replay.inc_by(sent as u64);
            }
        }
    }

    fn catch_up_feed(&self, session: SessionId, outcome: CatchUp) {
        let CatchUp::Page(page) = outcome else { return self.handle.abandon_feed_of(session) };
        self.handle.begin_feed_page(session, &page);
        for event in &page.events {
            if !self.handle.replay_feed(session, event.seq, feed_frame(&event.into())) {
                break;
            }
        }
        self.handle.end_feed_page(session);
    }
}
