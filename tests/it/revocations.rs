//! The cost of a revocation for connections that it does not concern.

use crate::support::hub::{Engine, say, text};
use crate::support::sql::Database;
use crate::support::{Client, Nodes, Redis, eventually, on_both_engines};
use futures::future::join_all;
use hiloop::domain::{ConnectionId, Principal};
use hiloop::testing::Connection;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many keys a key has made.
const MANY: usize = 60;

/// A connection that counts how often it is checked.
struct Counting {
    id: ConnectionId,
    looks: AtomicUsize,
}

impl Counting {
    fn new() -> Arc<Self> {
        Arc::new(Self { id: ConnectionId::new(), looks: AtomicUsize::new(0) })
    }

    fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }
}

impl Connection for Counting {
    fn id(&self) -> ConnectionId {
        self.id
    }

    fn principal(&self) -> Option<Arc<Principal>> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        None
    }

    fn revoke(&self) {}

    fn go_away(&self) {}
}

/// A key that has created many keys, and these keys; each of them was used.
async fn family(owner: &Client) -> (Value, Vec<Client>) {
    let key = async |manager: &Client, permission: &str| {
        manager.post("/v1/manage/keys", json!({ "permission": permission })).await.expect(201)
    };
    let parent = key(owner, "manage").await;
    let with = |key: &Value| Client::anonymous(&owner.base).with("x-api-key", text(&key["apiKey"]));
    let manager = with(&parent);
    let children = join_all((0..MANY).map(|_| key(&manager, "agent"))).await;
    let children: Vec<Client> = children.iter().map(with).collect();
    for child in &children {
        child.get("/v1/agent/me").await.expect(200);
    }
    (parent, children)
}

fn cascade(parent: &Value) -> String {
    format!("/v1/manage/keys/{}?cascade=true", text(&parent["id"]))
}

on_both_engines! {
    async fn a_cascade_checks_each_connection_once(hub: Hub) {
        let (parent, children) = family(&hub.owner).await;
        let open = Counting::new();
        hub.context().hub.register(open.clone());
        hub.owner.delete(&cascade(&parent)).await.expect(204);
        // Once more if the store was polled between the commit and this.
        assert!((1..=2).contains(&open.looks()), "{}", open.looks());
        for child in &children {
            child.get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");
        }
    }

    async fn repeated_revocations_do_not_clear_unrelated_cache_entries(hub: Hub) {
        let database = Database::open(&hub.database_url).await;
        let record = hub.owner.post("/v1/manage/keys", json!({ "permission": "agent" })).await.expect(201);
        let (client, own) = (hub.anonymous().with("x-api-key", text(&record["apiKey"])), text(&record["id"]));
        let neighbour = hub.other_space().await;
        // Changed only in the store, so that the reply shows whether the store was queried.
        let mark = async |value: &str| {
            database.execute(&format!("UPDATE api_keys SET revoked_at = {value} WHERE id = {}", database.id(own))).await;
        };
        // A credential is cached for a second, which may pass on a busy machine before it is used again.
        eventually("the credential to be cached", async || {
            let other = neighbour.post("/v1/manage/keys", json!({ "permission": "agent" })).await.expect(201);
            client.get("/v1/agent/me").await.expect(200);
            mark("1").await;
            neighbour.delete(&format!("/v1/manage/keys/{}", text(&other["id"]))).await.expect(204);
            let status = client.get("/v1/agent/me").await.status;
            mark("NULL").await;
            (status == 200).then_some(())
        })
        .await;
        hub.owner.delete(&format!("/v1/manage/keys/{own}")).await.expect(204);
        client.get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");
    }

    async fn a_revocation_keeps_cached_participants_of_other_sessions(hub: Hub) {
        let database = Database::open(&hub.database_url).await;
        let (human, agent) = (hub.human().await, hub.agent("agent").await);
        let me = human.get("/v1/human/me").await.expect(200);
        let session = hub.session(&agent).await;
        let mut feed = hub.socket(&human).await;
        feed.ask(json!({ "type": "subscribe", "feed": true })).await;
        say(&agent, &session, "one").await;
        assert_eq!(feed.find("feed").await["seq"], json!(2));
        // Changed only in the store, so that the feed shows whether the store was queried.
        let gone = database.id(text(&me["id"]));
        database.execute(&format!("DELETE FROM participants WHERE principal_id = {gone}")).await;
        let neighbour = hub.other_space().await;
        let elsewhere = hub.session(&neighbour).await;
        let guest = neighbour.post(&format!("/v1/agent/sessions/{elsewhere}/guest-tokens"), json!({})).await.expect(201);
        let path = format!("/v1/agent/sessions/{elsewhere}/guest-tokens/{}", text(&guest["id"]));
        neighbour.delete(&path).await.expect(204);
        say(&agent, &session, "two").await;
        assert_eq!(feed.find("feed").await["seq"], json!(3));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_nodes_check_connections_once_for_a_cascade() {
    let redis = Redis::start().await;
    let nodes = Nodes::start(Engine::Postgres, 2, &redis).await;
    let (parent, children) = family(&nodes.owner(0)).await;
    let there: Vec<Client> = children.iter().map(|child| nodes.at(1, child)).collect();
    for child in &there {
        child.get("/v1/agent/me").await.expect(200);
    }
    let open = Counting::new();
    nodes.servers[1].context.hub.register(open.clone());
    nodes.owner(0).delete(&cascade(&parent)).await.expect(204);
    eventually("the other node to receive the revocation", async || (open.looks() > 0).then_some(())).await;
    for child in &there {
        child.get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");
    }
    assert!(open.looks() <= 2, "{}", open.looks());
}
