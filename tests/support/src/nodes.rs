//! Several nodes inside the test process, over one store and one Redis.

use super::hub::{Engine, Hub, config};
use super::{Client, Redis, eventually};
use hiloop::broker::Connectivity;
use hiloop::clock::ShiftedClock;
use hiloop::server::{Server, start_at};
use std::sync::Arc;

pub struct Nodes {
    /// Made the store, and takes no part in what follows.
    pub maker: Hub,
    pub servers: Vec<Server>,
    pub clocks: Vec<Arc<ShiftedClock>>,
}

impl Nodes {
    /// So many nodes that are connected with each other.
    pub async fn start(engine: Engine, count: usize, redis: &Redis) -> Self {
        let nodes = Self::start_alone(engine, count, redis).await;
        nodes.connected().await;
        nodes
    }

    /// The same, whether or not Redis is there.
    pub async fn start_alone(engine: Engine, count: usize, redis: &Redis) -> Self {
        Self::start_alone_with((0..count).map(|_| ShiftedClock::new()).collect(), engine, redis).await
    }

    /// A node for each of these clocks, connected with each other.
    pub async fn start_with_clocks(engine: Engine, clocks: Vec<Arc<ShiftedClock>>, redis: &Redis) -> Self {
        let nodes = Self::start_alone_with(clocks, engine, redis).await;
        nodes.connected().await;
        nodes
    }

    async fn start_alone_with(clocks: Vec<Arc<ShiftedClock>>, engine: Engine, redis: &Redis) -> Self {
        let maker = Hub::start(engine).await;
        let mut nodes = Self { maker, servers: Vec::new(), clocks: Vec::new() };
        for clock in clocks {
            let config = config(&nodes.maker.database_url, &["--redis-url", &redis.url()]);
            nodes.servers.push(start_at(config, clock.clone()).await.expect("the node starts"));
            nodes.clocks.push(clock);
        }
        nodes
    }

    pub async fn connected(&self) {
        self.all_are(Connectivity::Connected).await;
    }

    pub async fn all_are(&self, wanted: Connectivity) {
        eventually(&format!("every node is {wanted:?}"), async || {
            self.servers.iter().all(|node| node.context.broker.connectivity() == wanted).then_some(())
        })
        .await;
    }

    /// The same client, at a node.
    pub fn at(&self, node: usize, client: &Client) -> Client {
        Client { base: format!("http://{}", self.servers[node].address), ..client.clone() }
    }

    pub fn owner(&self, node: usize) -> Client {
        self.at(node, &self.maker.owner)
    }
}
