//! Presence in memory: on this node and on the others.

use super::local::LocalPresence;
use super::remote_sessions::RemoteSessions;
use std::sync::Arc;
use tokio::sync::Notify;

/// Presence on this node and on the others.
pub(in crate::broker::redis) struct PresenceState {
    pub(in crate::broker::redis) local: LocalPresence,
    pub(in crate::broker::redis) remote: RemoteSessions,
    changed: Arc<Notify>,
}

impl Default for PresenceState {
    fn default() -> Self {
        let changed = Arc::<Notify>::default();
        Self {
            local: LocalPresence::new(Arc::clone(&changed)),
            remote: RemoteSessions::new(Arc::clone(&changed)),
            changed,
        }
    }
}

impl PresenceState {
    /// Wakes the task, since there is a connection again.
    pub(in crate::broker::redis) fn reconnected(&self) {
        self.changed.notify_one();
    }

    /// Returns when there may be something to publish or to read.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}
