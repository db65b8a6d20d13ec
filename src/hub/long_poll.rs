//! Long-polls until a message settles.

use super::Hub;
use super::topic::Woken;
use crate::domain::{MessageId, SessionId};
use crate::metrics::Held;
use std::sync::Arc;
use tokio::sync::oneshot;

impl Hub {
    /// Waits for a message to settle. Register first, then look at the store, then wait.
    pub fn waiter(self: &Arc<Self>, session: SessionId, message: MessageId) -> Waiter {
        let settled = self.with_topic(session, |topic| topic.add_waiter(message));
        Waiter { hub: Arc::clone(self), session, message, settled: Some(settled) }
    }
}

/// Somebody who waits for a message to settle; dropping it frees its place.
pub struct Waiter {
    hub: Arc<Hub>,
    session: SessionId,
    message: MessageId,
    settled: Option<oneshot::Receiver<Woken>>,
}

impl Waiter {
    /// Returns when the message has settled, as far as this node knows, or when the store has to be looked at again.
    /// Only now does it count as one that waits: what it had to ask of the store is behind it.
    pub async fn woken(&mut self) -> Woken {
        let _held = Held::new(&self.hub.metrics.waiters);
        match &mut self.settled {
            // An error means that the topic is gone, which it can't be while this waiter stands.
            Some(settled) => settled.await.unwrap_or(Woken::LookAgain),
            None => Woken::LookAgain,
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.settled = None;
        if let Some(topic) = self.hub.topics.get(&self.session) {
            topic.remove_waiter(self.message);
        }
        self.hub.drop_if_unread(self.session);
    }
}
