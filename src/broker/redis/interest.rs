//! The channels that this node is to be subscribed to, and which of them have changed since the subscriber last looked.

use super::channel::Channel;
use parking_lot::Mutex;
use std::collections::HashSet;
use tokio::sync::Notify;

#[derive(Default)]
pub(super) struct Interest {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    wanted: HashSet<Channel>,
    /// Channels that may have changed. Each is in here at most once, however often it changes.
    dirty: HashSet<Channel>,
    /// Channels that are being unsubscribed right now.
    leaving: HashSet<Channel>,
}

/// Subscriptions to add and to remove.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) join: Vec<Channel>,
    pub(super) leave: Vec<Channel>,
}

impl Interest {
    pub(super) fn set(&self, channel: Channel, wanted: bool) {
        let mut state = self.state.lock();
        let changed = if wanted { state.wanted.insert(channel) } else { state.wanted.remove(&channel) };
        if changed {
            state.dirty.insert(channel);
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Returns when something may have changed.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// All wanted channels, for a new connection.
    pub(super) fn all(&self) -> Vec<Channel> {
        let mut state = self.state.lock();
        state.dirty.clear();
        state.leaving.clear();
        state.wanted.iter().copied().collect()
    }

    /// The changes since the last call, given the connection's subscriptions.
    pub(super) fn changes(&self, subscribed: &HashSet<Channel>) -> Changes {
        let mut state = self.state.lock();
        let mut changes = Changes::default();
        for channel in std::mem::take(&mut state.dirty) {
            match (state.wanted.contains(&channel), subscribed.contains(&channel)) {
                (true, false) => changes.join.push(channel),
                (false, true) => changes.leave.push(channel),
                _ => {}
            }
        }
        state.leaving = changes.leave.iter().copied().collect();
        changes
    }

    /// Whether this node is ending the channel's subscription itself.
    pub(super) fn is_leaving(&self, channel: Channel) -> bool {
        self.state.lock().leaving.contains(&channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SessionId;

    #[test]
    fn a_change_that_was_undone_needs_no_action() {
        let interest = Interest::default();
        let channels: Vec<_> = (0..3).map(|_| Channel::Session(SessionId::new())).collect();
        channels.iter().for_each(|channel| interest.set(*channel, true));
        let mut subscribed: HashSet<_> = interest.all().into_iter().collect();
        assert_eq!(subscribed.len(), 3);
        assert_eq!(interest.changes(&subscribed), Changes::default());
        // Removed and added again between two calls.
        interest.set(channels[0], false);
        interest.set(channels[0], true);
        interest.set(channels[1], false);
        assert_eq!(interest.changes(&subscribed), Changes { join: vec![], leave: vec![channels[1]] });
        assert!(interest.is_leaving(channels[1]) && !interest.is_leaving(channels[0]));
        subscribed.remove(&channels[1]);
        interest.set(channels[1], true);
        assert_eq!(interest.changes(&subscribed), Changes { join: vec![channels[1]], leave: vec![] });
    }
}
