//! Counters of what nodes and shards of Redis have to do.

/// A command to Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    /// `PUBLISH` or `SPUBLISH` of a durable event, to its session.
    Event,
    /// The same to the feeds of its space.
    Hint,
    /// Of typing and read marks.
    Ephemeral,
    /// Of presence.
    Presence,
    /// `HSET`, `PEXPIRE` and `HDEL` of presence hashes.
    Write,
    /// `HGETALL` of a presence hash.
    Read,
    /// `SET` and `EXISTS` of leases.
    Lease,
    /// `SUBSCRIBE` and `UNSUBSCRIBE` of one channel.
    Subscribe,
    Ping,
}

pub(super) const COMMANDS: usize = 9;

/// What one shard has done.
#[derive(Debug, Clone, Default)]
pub(super) struct Shard {
    /// By kind.
    pub(super) commands: [u64; COMMANDS],
    /// Messages to subscribers.
    pub(super) pushes: u64,
    /// Both, in the current second and in the busiest one.
    second: u64,
    pub(super) busiest_second: u64,
}

/// What one node has done.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    pub(super) commands: u64,
    /// Messages from Redis.
    pub(super) received: u64,
    /// Those of them that it had sent itself, which it drops.
    pub(super) own: u64,
    /// Those of them for feeds.
    pub(super) hints: u64,
    second: u64,
    pub(super) busiest_second: u64,
}

/// The counters of all.
#[derive(Debug, Clone)]
pub(super) struct Traffic {
    pub(super) nodes: Vec<Node>,
    pub(super) shards: Vec<Shard>,
}

impl Traffic {
    pub(super) fn new(nodes: usize, shards: usize) -> Self {
        Self { nodes: vec![Node::default(); nodes], shards: vec![Shard::default(); shards] }
    }

    /// The shard of a key or channel by the hash of its name.
    pub(super) fn shard_of(&self, kind: u64, id: usize) -> usize {
        let mut hash = (kind << 40 ^ id as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        hash = (hash ^ (hash >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (hash >> 33) as usize % self.shards.len()
    }

    /// So many commands of a node to a shard.
    pub(super) fn command(&mut self, node: usize, shard: usize, command: Command, count: u64) {
        self.nodes[node].commands += count;
        let shard = &mut self.shards[shard];
        shard.commands[command as usize] += count;
        shard.second += count;
    }

    /// A message of a node to these that are subscribed to its channel.
    pub(super) fn publish(
        &mut self,
        node: usize,
        shard: usize,
        command: Command,
        subscribers: impl Iterator<Item = usize>,
    ) {
        self.command(node, shard, command, 1);
        for subscriber in subscribers {
            let to = &mut self.nodes[subscriber];
            to.received += 1;
            to.second += 1;
            to.own += u64::from(subscriber == node);
            to.hints += u64::from(command == Command::Hint);
            let shard = &mut self.shards[shard];
            shard.pushes += 1;
            shard.second += 1;
        }
    }

    /// A second is over.
    pub(super) fn end_second(&mut self) {
        for node in &mut self.nodes {
            node.busiest_second = node.busiest_second.max(std::mem::take(&mut node.second));
        }
        for shard in &mut self.shards {
            shard.busiest_second = shard.busiest_second.max(std::mem::take(&mut shard.second));
        }
    }
}

impl Shard {
    pub(super) fn all_commands(&self) -> u64 {
        self.commands.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_command_and_one_push_for_each_subscriber() {
        let mut traffic = Traffic::new(3, 2);
        traffic.publish(0, 1, Command::Hint, [0, 2].into_iter());
        traffic.end_second();
        traffic.publish(0, 1, Command::Event, [2].into_iter());
        let (shard, nodes) = (&traffic.shards[1], &traffic.nodes);
        assert_eq!((shard.all_commands(), shard.pushes, shard.busiest_second), (2, 3, 3));
        assert_eq!((nodes[0].commands, nodes[0].received, nodes[0].own, nodes[0].hints), (2, 1, 1, 1));
        assert_eq!((nodes[2].received, nodes[2].own, nodes[2].busiest_second), (2, 0, 1));
    }

    #[test]
    fn keys_are_spread_over_all_shards() {
        let traffic = Traffic::new(1, 10);
        let mut found = [0; 10];
        (0..10_000).for_each(|id| found[traffic.shard_of(1, id)] += 1);
        assert!(found.iter().all(|count| (800..1200).contains(count)), "{found:?}");
    }
}
