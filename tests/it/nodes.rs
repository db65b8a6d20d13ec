//! Two nodes over one store, with a broker between them that drops, repeats and reorders whatever it is given.

use crate::support::hub::{Engine, Hub, at_agent, config};
use crate::support::{Client, Socket, seed};
use futures::future::join_all;
use hiloop::app::start_with;
use hiloop::broker::{Broker, Signal};
use hiloop::clock::SystemClock;
use hiloop::domain::SessionId;
use hiloop::hub::Hub as LiveHub;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;
use std::sync::{Arc, Mutex, OnceLock};

/// Hands signals to the other node, or not, or twice, or later.
struct FaultyBroker {
    other: OnceLock<Arc<LiveHub>>,
    state: Mutex<(StdRng, Vec<Signal>)>,
}

impl FaultyBroker {
    fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self { other: OnceLock::new(), state: Mutex::new((StdRng::seed_from_u64(seed), Vec::new())) })
    }
}

impl Broker for FaultyBroker {
    fn publish(&self, signal: Signal) {
        let Some(other) = self.other.get() else { return };
        let mut due = Vec::new();
        {
            let (random, held) = &mut *self.state.lock().expect("no panic");
            held.push(signal);
            // Some of what is held goes out now, in any order; some of that is lost, some comes again later.
            while held.len() > random.gen_range(0..6) {
                let index = random.gen_range(0..held.len());
                let signal = held.swap_remove(index);
                match random.gen_range(0..10) {
                    0 | 1 => {}
                    2 => {
                        due.push(signal.clone());
                        held.push(signal);
                    }
                    _ => due.push(signal),
                }
            }
        }
        due.into_iter().for_each(|signal| other.accept(signal));
    }

    fn set_interest(&self, _: SessionId, _: bool) {}

    fn is_lossless(&self) -> bool {
        false
    }
}

async fn write(client: &Client, session: &str, count: usize) {
    for number in 0..count {
        let body = json!({ "encryptedContent": format!("{number}") });
        client.post(&at_agent(session, "/messages"), body).await.expect(201);
    }
}

async fn read(client: &Client, session: &str, after: Option<i64>, last: i64) {
    let mut socket = Socket::open(client).await;
    let reply = socket.subscribe(session, after).await;
    let first = after.unwrap_or_else(|| reply["seq"].as_i64().expect("a seq")) + 1;
    for seq in first..=last {
        assert_eq!(socket.event().await["seq"], json!(seq));
    }
    socket.expect_none("event").await;
}

async fn two_nodes(engine: Engine) {
    let seed = seed();
    // The first hub only makes the store and the key; two nodes then share what it made.
    let maker = Hub::start(engine).await;
    let brokers = [FaultyBroker::new(seed), FaultyBroker::new(seed ^ 1)];
    let mut nodes = Vec::new();
    for broker in &brokers {
        let broker: Arc<dyn Broker> = broker.clone();
        let config = config(&maker.database_url, &[]);
        nodes.push(start_with(config, Arc::new(SystemClock), broker).await.expect("the node starts"));
    }
    for (broker, other) in brokers.iter().zip([&nodes[1], &nodes[0]]) {
        assert!(broker.other.set(other.context.hub.clone()).is_ok());
    }
    let clients: Vec<_> =
        nodes.iter().map(|node| Client { base: format!("http://{}", node.address), ..maker.owner.clone() }).collect();
    let session = maker.session(&clients[0]).await;
    let last = 1 + 4 * 40;
    let readers = (0..8).map(|number| read(&clients[number % 2], &session, (number % 4 > 1).then_some(0), last));
    let writers = (0..4).map(|number| write(&clients[number % 2], &session, 40));
    tokio::join!(join_all(readers), join_all(writers));

    // A long-poll on one node hears of an answer given on the other, whatever became of the hint.
    let human = maker.human().await;
    let human = Client { base: clients[1].base.clone(), ..human };
    let agent = maker.agent("space").await;
    let agent = Client { base: clients[0].base.clone(), ..agent };
    for _ in 0..5 {
        let session = maker.session(&agent).await;
        let question = json!({ "encryptedContent": "?", "responseRequired": true });
        let question = agent.post(&at_agent(&session, "/messages"), question).await.expect(201);
        let id = question["id"].as_str().expect("an id");
        let path = at_agent(&session, &format!("/messages/{id}/await?timeout=15"));
        let answer = json!({ "encryptedContent": "!", "inReplyTo": id });
        let answered = async {
            crate::support::eventually("the long-poll to wait", async || {
                nodes[0].context.hub.is_watched(session.parse().expect("an id")).then_some(())
            })
            .await;
            human.post(&crate::support::hub::at_human(&session, "/messages"), answer).await.expect(201);
            std::time::Instant::now()
        };
        let (message, since) = tokio::join!(agent.get(&path), answered);
        assert_eq!(message.expect(200)["status"], "Completed");
        assert!(since.elapsed() < std::time::Duration::from_secs(5), "{:?} after the answer", since.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_faulty_broker_every_reader_gets_everything_once_on_sqlite() {
    two_nodes(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_faulty_broker_every_reader_gets_everything_once_on_postgres() {
    two_nodes(Engine::Postgres).await;
}
