//! Long-polls that wait until a message has settled.

use super::Hub;
use super::topic::Wake;
use crate::domain::{MessageId, SessionId};
use crate::metrics::GaugeGuard;
use std::sync::Arc;
use tokio::sync::oneshot;

impl Hub {
    /// Registers a long-poll on a message. Call this before the message is read from the store, so that a settlement in
    /// between is seen by one of the two.
    pub fn long_poll(self: &Arc<Self>, session: SessionId, message: MessageId) -> LongPoll {
        let wake = self.with_topic(session, |topic| topic.add_long_poll(message));
        LongPoll { hub: Arc::clone(self), session, message, wake: Some(wake) }
    }
}

/// A long-poll on one message. Dropping it ends the registration.
pub struct LongPoll {
    hub: Arc<Hub>,
    session: SessionId,
    message: MessageId,
    wake: Option<oneshot::Receiver<Wake>>,
}

impl LongPoll {
    /// Waits until an event shows that the message has settled, or it must be read from the store again. The gauge
    /// of waiting long-polls counts it only during this call, not while the store is read.
    pub async fn wait(&mut self) -> Wake {
        let _held = GaugeGuard::new(&self.hub.metrics.long_polls);
        match &mut self.wake {
            // The sender is in the topic, which exists as long as this long-poll does.
            Some(wake) => wake.await.unwrap_or(Wake::ReadAgain),
            None => Wake::ReadAgain,
        }
    }
}

impl Drop for LongPoll {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(topic) = self.hub.topics.get(&self.session) {
            topic.remove_long_poll(self.message);
        }
        self.hub.drop_if_unread(self.session);
    }
}
