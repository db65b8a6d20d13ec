//! Readers that are woken when a timeline has grown, and read the store themselves: event streams, and long-polls on a
//! session.

use super::Hub;
use super::topic::Topic;
use crate::domain::SessionId;
use crate::metrics::GaugeGuard;
use prometheus::IntGauge;
use std::sync::Arc;
use tokio::sync::watch;

impl Hub {
    /// Watches the head of a session's timeline for an event stream.
    pub fn watch_for_stream(self: &Arc<Self>, session: SessionId) -> HeadWatch {
        self.watch_head(session, &self.metrics.event_streams)
    }

    /// Watches the head of a session's timeline for a long-poll on the session.
    pub fn watch_for_long_poll(self: &Arc<Self>, session: SessionId) -> HeadWatch {
        self.watch_head(session, &self.metrics.long_polls)
    }

    fn watch_head(self: &Arc<Self>, session: SessionId, gauge: &IntGauge) -> HeadWatch {
        let released = self.with_topic(session, Topic::add_watch);
        HeadWatch { hub: Arc::clone(self), session, released, _held: GaugeGuard::new(gauge) }
    }
}

/// Watches how far the events of a session have been released. Dropping it ends the registration.
pub struct HeadWatch {
    hub: Arc<Hub>,
    session: SessionId,
    released: watch::Receiver<i64>,
    _held: GaugeGuard,
}

impl HeadWatch {
    /// Waits until an event after `seq` is released. `false` if the store was restored to an earlier state: the reader
    /// has to begin anew.
    pub async fn wait_beyond(&mut self, seq: i64) -> bool {
        // The sender is in the topic, which exists as long as this watch does. A reset replaces it.
        self.released.wait_for(|released| *released > seq).await.is_ok()
    }

    /// The `seq` up to which events were released.
    pub fn high_water_mark(&self) -> i64 {
        *self.released.borrow()
    }
}

impl Drop for HeadWatch {
    fn drop(&mut self) {
        if let Some(topic) = self.hub.topics.get(&self.session) {
            topic.remove_watch();
        }
        self.hub.drop_if_unread(self.session);
    }
}
