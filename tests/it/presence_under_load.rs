//! Twenty nodes on which hundreds of clients connect and disconnect at once.

use crate::support::{Redis, Stopwatch, eventually, seed, supervisor};
use hiloop::broker::{Broker, Connectivity, Ephemeral, RedisBroker, Signal, redis::Target};
use hiloop::domain::{ParticipantId, PrincipalId, SessionId};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::Uuid;

const NODES: usize = 20;
const SESSIONS: usize = 40;
const PEOPLE: usize = 300;
/// Number of connects and disconnects; each person is in two sessions, over random nodes.
const TURNS: usize = 3000;
/// Time after which the principals of a dead node must be offline.
const LAPSE: Duration = Duration::from_secs(15);

/// A principal in a session.
type Member = (SessionId, PrincipalId);

struct Node {
    broker: RedisBroker,
    /// The principals that are online on other nodes, by the signals that this node received.
    received: Arc<Mutex<HashSet<Member>>>,
    /// The principals on this node.
    here: HashSet<Member>,
}

impl Node {
    fn new(redis: &Redis) -> Self {
        let broker = RedisBroker::new(Target::parse(&redis.url()).expect("a URL"), "store", supervisor());
        let received: Arc<Mutex<HashSet<Member>>> = Arc::default();
        let handled = Arc::clone(&received);
        broker.listen(Arc::new(move |signal| {
            if let Signal::Ephemeral(Ephemeral::Presence { session, principal, online, .. }) = signal {
                let mut received = handled.lock().expect("no panic");
                if online {
                    received.insert((session, principal))
                } else {
                    received.remove(&(session, principal))
                };
            }
        }));
        Self { broker, received, here: HashSet::new() }
    }

    fn turn(&mut self, seat: Member, participant: ParticipantId) {
        let online = !self.here.remove(&seat);
        if online {
            self.here.insert(seat);
        }
        let (session, principal) = seat;
        self.broker.publish(Signal::Ephemeral(Ephemeral::Presence { session, participant, principal, online }));
    }

    /// The principals on other nodes, by a query and by the received signals; none if the two differ.
    async fn sees(&self, sessions: &[SessionId]) -> Option<HashSet<Member>> {
        let mut seen = HashSet::new();
        for session in sessions {
            let present = self.broker.present_elsewhere(*session).await?;
            seen.extend(present.into_iter().map(|principal| (*session, principal)));
        }
        (seen == *self.received.lock().expect("no panic")).then_some(seen)
    }
}

/// The principals on any other node than the one with this number.
fn others(nodes: &[Node], number: usize) -> HashSet<Member> {
    let others = nodes.iter().enumerate().filter(|(other, _)| *other != number);
    others.flat_map(|(_, node)| node.here.iter().copied()).collect()
}

/// Waits until each of these nodes has the correct presence.
async fn all_are_right(nodes: &[Node], sessions: &[SessionId], when: &str) {
    for (number, node) in nodes.iter().enumerate() {
        let expected = others(nodes, number);
        eventually(&format!("node {number} to be right {when}"), async || {
            (node.sees(sessions).await? == expected).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_nodes_converge_on_presence_after_a_reconnect_storm() {
    let mut dice = StdRng::seed_from_u64(seed());
    let redis = Redis::start().await;
    // The second half runs in a separate runtime, whose end kills them without cleanup.
    let doomed = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let mut nodes: Vec<_> = (0..NODES)
        .map(|number| {
            let _runtime = (number >= NODES / 2).then(|| doomed.enter());
            Node::new(&redis)
        })
        .collect();
    for node in &nodes {
        eventually("it is connected", async || (node.broker.connectivity() == Connectivity::Connected).then_some(()))
            .await;
    }
    let sessions: Vec<_> = (0..SESSIONS).map(|_| SessionId::new()).collect();
    let mut participants = HashMap::new();
    for _ in 0..PEOPLE {
        let principal = PrincipalId(Uuid::now_v7());
        for _ in 0..2 {
            participants.insert((sessions[dice.gen_range(0..SESSIONS)], principal), ParticipantId::new());
        }
    }
    let seats: Vec<_> = participants.iter().map(|(seat, participant)| (*seat, *participant)).collect();

    // Every second node subscribes at the start, the others during the run.
    let reads = |node: &Node| sessions.iter().for_each(|session| node.broker.set_interest(*session, true));
    nodes.iter().step_by(2).for_each(reads);
    for turn in 0..TURNS {
        let (seat, participant) = seats[dice.gen_range(0..seats.len())];
        nodes[dice.gen_range(0..NODES)].turn(seat, participant);
        if turn == TURNS / 2 {
            nodes.iter().skip(1).step_by(2).for_each(reads);
        }
        if turn % 20 == 0 {
            // Lets all of them publish some changes.
            redis.command(&["PING"]).await;
        }
    }
    let online = others(&nodes, NODES);
    assert!(online.len() > PEOPLE, "many are there at the end of it: {}", online.len());
    all_are_right(&nodes, &sessions, "after the storm").await;
    // So does a node without a local copy.
    let late = Node::new(&redis);
    eventually("it is connected", async || (late.broker.connectivity() == Connectivity::Connected).then_some(())).await;
    for session in &sessions {
        let present: HashSet<_> =
            late.broker.present_elsewhere(*session).await.expect("an answer").into_iter().collect();
        let expected = online.iter().filter(|(of, _)| of == session).map(|(_, principal)| *principal).collect();
        assert_eq!(present, expected);
    }

    doomed.shutdown_background();
    let died = Stopwatch::start();
    nodes.truncate(NODES / 2);
    assert!(others(&nodes, NODES).len() < online.len(), "some were there alone");
    all_are_right(&nodes, &sessions, "after half of the nodes were killed").await;
    assert!(died.elapsed() < LAPSE, "it took {:?}", died.elapsed());
    // It continues, and shuts down gracefully.
    let last = nodes.pop().expect("a node");
    last.broker.close().await;
    all_are_right(&nodes, &sessions, "after a graceful shutdown").await;
    for node in nodes.iter().chain([&late]) {
        node.broker.close().await;
    }
}
