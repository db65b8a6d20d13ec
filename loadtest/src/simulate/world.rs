//! People who come, go, look at sessions, type, read and write, and how the nodes of the hub tell each other by its
//! subscription scheme:
//!
//! - A node subscribes to the channel of a session with its first reader there, and unsubscribes with the last.
//! - The same for the channel of a space, with feeds.
//! - An event is published to its session and to its space, whether or not there are subscribers; typing, read marks and
//!   presence to the session.
//! - Presence of each person and session is a field of a hash, `HSET` and `PEXPIRE`, or `HDEL`.
//! - A node that has subscribed to a session reads its hash, and the leases of all nodes that it knows, together for all
//!   sessions that were waiting.
//! - Each node renews its lease and reads those of the nodes with presence in its sessions every 2 s. It writes, publishes
//!   and reads all presence again every 150 to 300 s, and pings on both connections every second.
//! - The feeds of a node read the participants of a session that they have a hint of, and keep them for 60 s.

use fastrand::Rng;

use super::traffic::{Command, Traffic};
use crate::cli::{Placement, SimulateArgs};

/// Of keys and channels, for their shards.
const SESSION: u64 = 1;
const SPACE: u64 = 2;
const HASH: u64 = 3;
const LEASE: u64 = 4;
/// Sessions whose hashes are read at one time.
const CHUNK: usize = 256;
/// Milliseconds from one renewal of a lease to the next.
const TICK: u64 = 2000;
/// Between two times that all presence is written again.
const REWRITE: std::ops::Range<u64> = 150_000..300_000;
const SECOND: u64 = 1000;
/// How long feeds keep the participants of a session.
const PARTICIPANTS: u64 = 60 * SECOND;

#[derive(Clone, Copy)]
struct Person {
    node: usize,
    session: usize,
    feed: bool,
}

#[derive(Default)]
struct Session {
    /// Nodes with readers, and how many each has.
    readers: Vec<(usize, u32)>,
    /// When its participants were read last, by all nodes with feeds of the space.
    participants_read: Option<u64>,
}

/// The presence task of a node.
struct Presence {
    /// Sessions whose hash is to be read.
    unread: usize,
    /// Of these, by shard.
    hashes: Vec<u64>,
    busy_until: u64,
    next_tick: u64,
    next_rewrite: u64,
}

pub(super) struct World<'a> {
    arguments: &'a SimulateArgs,
    random: Rng,
    people: Vec<Person>,
    sessions: Vec<Session>,
    /// The feeds of each space on each node.
    feeds: Vec<Vec<u32>>,
    presence: Vec<Presence>,
    /// Of which other nodes each has seen presence: `known[node][other]`.
    known: Vec<Vec<bool>>,
    pub(super) traffic: Traffic,
    /// In milliseconds.
    now: u64,
    /// The traffic counts; while the people take their places it does not.
    counts: bool,
    pub(super) messages: u64,
    pub(super) moves: u64,
    /// Queries for the participants of a session, by the feeds of a node.
    pub(super) participant_reads: u64,
}

impl<'a> World<'a> {
    /// Everybody is there, and nothing has been counted.
    pub(super) fn new(arguments: &'a SimulateArgs) -> Self {
        let (nodes, shards) = (usize::from(arguments.nodes), usize::from(arguments.shards));
        let number = arguments.people as usize;
        let spaces = number.div_ceil(arguments.space_people);
        let mut random = Rng::with_seed(arguments.seed);
        let presence = (0..nodes).map(|_| Presence {
            unread: 0,
            hashes: vec![0; shards],
            busy_until: 0,
            next_tick: random.u64(0..TICK),
            next_rewrite: random.u64(0..REWRITE.end),
        });
        let presence = presence.collect();
        let mut world = Self {
            arguments,
            random,
            people: Vec::with_capacity(number),
            sessions: (0..spaces * arguments.space_sessions).map(|_| Session::default()).collect(),
            feeds: vec![vec![0; nodes]; spaces],
            presence,
            known: vec![vec![false; nodes]; nodes],
            traffic: Traffic::new(nodes, shards),
            now: 0,
            counts: false,
            messages: 0,
            moves: 0,
            participant_reads: 0,
        };
        for person in 0..number {
            let feed = arguments.feeds.includes(person);
            world.people.push(Person { node: 0, session: 0, feed });
            world.come(person);
        }
        world.presence.iter_mut().for_each(Presence::all_read);
        world.counts = true;
        world
    }

    /// Lets the time pass.
    pub(super) fn run(&mut self) {
        let people = self.people.len() as f64;
        let each = |interval: std::time::Duration| people / interval.as_secs_f64() / SECOND as f64;
        let rates = [each(self.arguments.stay), each(self.arguments.view), each(self.arguments.write)];
        let mut due = [0.0; 3];
        for _ in 0..u64::from(self.arguments.seconds) * SECOND {
            self.now += 1;
            for (kind, rate) in rates.iter().enumerate() {
                due[kind] += rate;
                while due[kind] >= 1.0 {
                    due[kind] -= 1.0;
                    let person = self.random.usize(0..self.people.len());
                    match kind {
                        0 => {
                            self.go(person);
                            self.come(person);
                        }
                        1 => {
                            self.stop_watching(person);
                            self.watch(person);
                        }
                        _ => self.write(person),
                    }
                }
            }
            (0..self.presence.len()).for_each(|node| self.sync(node));
            if self.now.is_multiple_of(SECOND) {
                self.ping();
                self.traffic.end_second();
            }
        }
    }

    /// Sessions with readers, over all nodes.
    pub(super) fn session_channels(&self) -> usize {
        self.sessions.iter().map(|session| session.readers.len()).sum()
    }

    /// Spaces with feeds, over all nodes.
    pub(super) fn space_channels(&self) -> usize {
        self.feeds.iter().flatten().filter(|feeds| **feeds > 0).count()
    }

    fn space_of(&self, person: usize) -> usize {
        person / self.arguments.space_people
    }

    fn come(&mut self, person: usize) {
        let space = self.space_of(person);
        let node = match self.arguments.placement {
            Placement::Random => self.random.usize(0..self.presence.len()),
            Placement::Space => space % self.presence.len(),
        };
        self.people[person].node = node;
        if self.people[person].feed {
            self.feeds[space][node] += 1;
            if self.feeds[space][node] == 1 {
                self.subscribe(node, SPACE, space);
            }
        }
        self.watch(person);
    }

    fn go(&mut self, person: usize) {
        self.stop_watching(person);
        let (space, Person { node, feed, .. }) = (self.space_of(person), self.people[person]);
        if feed {
            self.feeds[space][node] -= 1;
            if self.feeds[space][node] == 0 {
                self.subscribe(node, SPACE, space);
            }
        }
    }

    /// Subscribes to any session of the space.
    fn watch(&mut self, person: usize) {
        self.moves += u64::from(self.counts);
        let first = self.space_of(person) * self.arguments.space_sessions;
        let session = first + self.random.usize(0..self.arguments.space_sessions);
        let node = self.people[person].node;
        self.people[person].session = session;
        match self.sessions[session].readers.iter_mut().find(|(reader, _)| *reader == node) {
            Some((_, count)) => *count += 1,
            None => {
                for (reader, _) in &self.sessions[session].readers {
                    self.known[node][*reader] = true;
                }
                self.sessions[session].readers.push((node, 1));
                self.subscribe(node, SESSION, session);
                let shard = self.traffic.shard_of(HASH, session);
                self.presence[node].unread += 1;
                self.presence[node].hashes[shard] += 1;
            }
        }
        self.announce(node, session, true);
    }

    fn stop_watching(&mut self, person: usize) {
        let Person { node, session, .. } = self.people[person];
        let readers = &mut self.sessions[session].readers;
        if let Some(place) = readers.iter().position(|(reader, _)| *reader == node) {
            readers[place].1 -= 1;
            if readers[place].1 == 0 {
                readers.swap_remove(place);
                self.subscribe(node, SESSION, session);
            }
        }
        self.announce(node, session, false);
    }

    /// A message with its typing frames, and the read marks of those who have seen it.
    fn write(&mut self, person: usize) {
        let (space, Person { node, session, .. }) = (self.space_of(person), self.people[person]);
        self.messages += 1;
        for _ in 0..self.arguments.typing {
            self.publish(node, session, Command::Ephemeral);
        }
        self.publish(node, session, Command::Event);
        let shard = self.traffic.shard_of(SPACE, space);
        let feeds = self.feeds[space].iter().enumerate().filter(|(_, feeds)| **feeds > 0).map(|(node, _)| node);
        let read = &mut self.sessions[session].participants_read;
        if read.is_none_or(|at| self.now - at >= PARTICIPANTS) {
            *read = Some(self.now);
            self.participant_reads += feeds.clone().count() as u64;
        }
        self.traffic.publish(node, shard, Command::Hint, feeds);
        let readers: Vec<(usize, u32)> = self.sessions[session].readers.clone();
        for (reader, count) in readers {
            // All but the author.
            for _ in u32::from(reader == node)..count {
                self.publish(reader, session, Command::Ephemeral);
            }
        }
    }

    fn publish(&mut self, node: usize, session: usize, command: Command) {
        if !self.counts {
            return;
        }
        let shard = self.traffic.shard_of(SESSION, session);
        let readers = self.sessions[session].readers.iter().map(|(reader, _)| *reader);
        self.traffic.publish(node, shard, command, readers);
    }

    fn announce(&mut self, node: usize, session: usize, online: bool) {
        self.command(node, HASH, session, Command::Write, if online { 2 } else { 1 });
        for (reader, _) in self.sessions[session].readers.iter().filter(|(reader, _)| *reader != node) {
            self.known[*reader][node] = true;
        }
        self.publish(node, session, Command::Presence);
    }

    /// Or unsubscribes.
    fn subscribe(&mut self, node: usize, kind: u64, id: usize) {
        self.command(node, kind, id, Command::Subscribe, 1);
    }

    fn command(&mut self, node: usize, kind: u64, id: usize, command: Command, count: u64) {
        if self.counts {
            let shard = self.traffic.shard_of(kind, id);
            self.traffic.command(node, shard, command, count);
        }
    }

    /// The presence task of a node, at one millisecond.
    fn sync(&mut self, node: usize) {
        if self.presence[node].next_tick <= self.now {
            self.presence[node].next_tick += TICK;
            self.command(node, LEASE, node, Command::Lease, 1);
            self.read_leases(node);
            if self.presence[node].next_rewrite <= self.now {
                self.presence[node].next_rewrite = self.now + self.random.u64(REWRITE);
                self.rewrite(node);
            }
        }
        if self.presence[node].unread > 0 && self.presence[node].busy_until <= self.now {
            let round = u64::try_from(self.arguments.round.as_millis()).unwrap_or(u64::MAX);
            let presence = &mut self.presence[node];
            presence.busy_until = self.now.saturating_add(round);
            let chunks = presence.unread.div_ceil(CHUNK);
            let hashes = presence.hashes.clone();
            presence.all_read();
            for (shard, count) in hashes.into_iter().enumerate() {
                self.traffic.command(node, shard, Command::Read, count);
            }
            (0..chunks).for_each(|_| self.read_leases(node));
        }
    }

    /// Those of the other nodes that it knows by their presence.
    fn read_leases(&mut self, node: usize) {
        for other in (0..self.presence.len()).filter(|other| *other != node) {
            if !self.known[node][other] {
                continue;
            }
            self.command(node, LEASE, other, Command::Lease, 1);
        }
    }

    /// Writes, publishes and reads all presence of a node again.
    fn rewrite(&mut self, node: usize) {
        let own: Vec<usize> =
            self.people.iter().filter(|person| person.node == node).map(|person| person.session).collect();
        for session in own {
            self.announce(node, session, true);
        }
        for (session, readers) in self.sessions.iter().enumerate() {
            if readers.readers.iter().any(|(reader, _)| *reader == node) {
                let shard = self.traffic.shard_of(HASH, session);
                self.presence[node].unread += 1;
                self.presence[node].hashes[shard] += 1;
            }
        }
    }

    /// On both connections of each node.
    fn ping(&mut self) {
        for node in 0..self.presence.len() {
            let shard = self.random.usize(0..self.traffic.shards.len());
            self.traffic.command(node, shard, Command::Ping, 2);
        }
    }
}

impl Presence {
    fn all_read(&mut self) {
        self.unread = 0;
        self.hashes.iter_mut().for_each(|count| *count = 0);
    }
}
