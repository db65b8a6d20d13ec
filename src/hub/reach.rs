//! Readers that follow only how far a session's timeline reaches, and read the store themselves.

use super::Hub;
use super::topic::Topic;
use crate::domain::SessionId;
use crate::metrics::Held;
use std::sync::Arc;
use tokio::sync::watch;

impl Hub {
    /// Follows how far a session's timeline reaches.
    pub fn stream(self: &Arc<Self>, session: SessionId) -> Stream {
        let reach = self.with_topic(session, Topic::add_stream);
        let held = Held::new(&self.metrics.event_streams);
        Stream { hub: Arc::clone(self), session, reach, _held: held }
    }

    /// As `stream`, for a request that waits until people say something.
    pub fn words(self: &Arc<Self>, session: SessionId) -> Stream {
        let reach = self.with_topic(session, Topic::add_stream);
        let held = Held::new(&self.metrics.waiters);
        Stream { hub: Arc::clone(self), session, reach, _held: held }
    }
}

/// A reader of a session's timeline that is told only how far it reaches.
pub struct Stream {
    hub: Arc<Hub>,
    session: SessionId,
    reach: watch::Receiver<i64>,
    _held: Held,
}

impl Stream {
    /// Waits until the timeline reaches beyond `seq`; `false` if the store went back behind what was released: a reader
    /// has to begin anew.
    pub async fn beyond(&mut self, seq: i64) -> bool {
        // The sender lives in the topic, which stands as long as this stream, until it begins anew.
        self.reach.wait_for(|reach| *reach > seq).await.is_ok()
    }

    /// How far the timeline is known to reach.
    pub fn reach(&self) -> i64 {
        *self.reach.borrow()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(topic) = self.hub.topics.get(&self.session) {
            topic.remove_stream();
        }
        self.hub.drop_if_unread(self.session);
    }
}
