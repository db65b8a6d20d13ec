//! Which channels this node wants to listen to, and which of them have changed since the subscriber last looked.

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
    /// Bounded as what is wanted or was is: a channel stands here once, however often it comes and goes.
    dirty: HashSet<Channel>,
    /// Being unsubscribed right now.
    leaving: HashSet<Channel>,
}

/// What the subscriber is to do.
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

    /// Everything that is wanted, for a connection that listens to nothing yet.
    pub(super) fn all(&self) -> Vec<Channel> {
        let mut state = self.state.lock();
        state.dirty.clear();
        state.leaving.clear();
        state.wanted.iter().copied().collect()
    }

    /// What has changed since the last call, given what the connection listens to.
    pub(super) fn changes(&self, listening: &HashSet<Channel>) -> Changes {
        let mut state = self.state.lock();
        let mut changes = Changes::default();
        for channel in std::mem::take(&mut state.dirty) {
            match (state.wanted.contains(&channel), listening.contains(&channel)) {
                (true, false) => changes.join.push(channel),
                (false, true) => changes.leave.push(channel),
                _ => {}
            }
        }
        state.leaving = changes.leave.iter().copied().collect();
        changes
    }

    /// Whether the end of a channel's subscription is of the node's own making.
    pub(super) fn is_leaving(&self, channel: Channel) -> bool {
        self.state.lock().leaving.contains(&channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SessionId;

    #[test]
    fn only_what_truly_changed_is_done() {
        let interest = Interest::default();
        let channels: Vec<_> = (0..3).map(|_| Channel::Session(SessionId::new())).collect();
        channels.iter().for_each(|channel| interest.set(*channel, true));
        let mut listening: HashSet<_> = interest.all().into_iter().collect();
        assert_eq!(listening.len(), 3);
        assert_eq!(interest.changes(&listening), Changes::default());
        // Gone and back between two looks: nothing to do.
        interest.set(channels[0], false);
        interest.set(channels[0], true);
        interest.set(channels[1], false);
        assert_eq!(interest.changes(&listening), Changes { join: vec![], leave: vec![channels[1]] });
        assert!(interest.is_leaving(channels[1]) && !interest.is_leaving(channels[0]));
        listening.remove(&channels[1]);
        interest.set(channels[1], true);
        assert_eq!(interest.changes(&listening), Changes { join: vec![channels[1]], leave: vec![] });
    }
}
