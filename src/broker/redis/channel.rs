//! The names of channels and keys on Redis, each under the id of the hub's store, so that several hubs can share one
//! Redis.

use crate::domain::{SessionId, SpaceId};
use uuid::Uuid;

/// The version of the format of messages, which is part of every name.
pub(super) const VERSION: u8 = 1;

/// The channel of a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Channel {
    /// To every node.
    Nodes,
    /// To the nodes with readers of this session.
    Session(SessionId),
    /// To the nodes with feeds that follow sessions of this space.
    Space(SpaceId),
}

/// The names of one hub.
#[derive(Clone, Debug)]
pub(super) struct Names {
    prefix: String,
}

impl Names {
    /// `store` is the id of the store that all nodes of the hub share. Nodes with another version of the message format use
    /// other channels, and find each other's changes in the store.
    pub(super) fn new(store: &str) -> Self {
        Self { prefix: format!("hiloop:{VERSION}:{store}:") }
    }

    pub(super) fn channel(&self, channel: Channel) -> String {
        let prefix = &self.prefix;
        match channel {
            Channel::Nodes => format!("{prefix}nodes"),
            Channel::Session(session) => format!("{prefix}session:{session}"),
            Channel::Space(space) => format!("{prefix}space:{space}"),
        }
    }

    /// The key of a session's presence hash.
    pub(super) fn presence(&self, session: SessionId) -> String {
        format!("{}presence:{session}", self.prefix)
    }

    /// The key of a node's lease.
    pub(super) fn lease(&self, node: Uuid) -> String {
        format!("{}node:{node}", self.prefix)
    }

    /// The channel of this name, if it belongs to this hub.
    pub(super) fn parse(&self, name: &[u8]) -> Option<Channel> {
        let rest = std::str::from_utf8(name).ok()?.strip_prefix(&self.prefix)?;
        match rest.split_once(':') {
            None if rest == "nodes" => Some(Channel::Nodes),
            Some(("session", id)) => id.parse().ok().map(Channel::Session),
            Some(("space", id)) => id.parse().ok().map(Channel::Space),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_those_of_other_hubs_are_not() {
        let (ours, theirs) = (Names::new("a"), Names::new("b"));
        for channel in [Channel::Nodes, Channel::Session(SessionId::new()), Channel::Space(SpaceId::new())] {
            let name = ours.channel(channel);
            assert_eq!(ours.parse(name.as_bytes()), Some(channel));
            assert_eq!(theirs.parse(name.as_bytes()), None, "{name}");
        }
        for name in ["", "hiloop:", "hiloop:1:a:session:1", "hiloop:1:a:other", "hiloop:1:a:nodes:x"] {
            assert_eq!(ours.parse(name.as_bytes()), None, "{name}");
        }
        assert_eq!(ours.parse(b"\xff"), None);
    }
}
