//! Presence and typing across nodes, including nodes that are killed.

use crate::support::hub::{Engine, at_agent, at_human, text};
use crate::support::process::{Process, hiloop};
use crate::support::{Client, Nodes, Redis, Socket, Stopwatch, eventually};
use hiloop::broker::Connectivity;
use hiloop::domain::PrincipalId;
use serde_json::{Value, json};
use std::time::Duration;

/// Time after which the principals of a dead node must be offline.
const LAPSE: Duration = Duration::from_secs(15);

/// The online participants of a session, in the list of participants.
async fn online(client: &Client, session: &str, kind: &str) -> bool {
    let page = client.get(&at_agent(session, "/participants")).await.expect(200);
    let all = page["data"].as_array().expect("participants");
    let found = all.iter().find(|participant| participant["type"] == kind);
    found.expect("one of that type")["online"].as_bool().expect("whether it is online")
}

async fn becomes(client: &Client, session: &str, wanted: bool) {
    let what = format!("the human to be {} at {}", if wanted { "online" } else { "offline" }, client.base);
    eventually(&what, async || (online(client, session, "Human").await == wanted).then_some(())).await;
}

/// A socket at this client's node with a subscription.
async fn reader(client: &Client, session: &str) -> Socket {
    let mut socket = Socket::open(client).await;
    socket.subscribe(session, None).await;
    socket
}

/// Posts, reads frames up to its event, and returns the frames of `kind` before it.
async fn so_far(socket: &mut Socket, writer: &Client, session: &str, kind: &str) -> Vec<Value> {
    let posted = writer.post(&at_agent(session, "/messages"), json!({ "encryptedContent": "now" })).await.expect(201);
    let mut found = Vec::new();
    loop {
        let frame = socket.next().await;
        if frame["event"]["data"]["message"]["id"] == posted["id"] {
            return found;
        }
        if frame["type"] == kind {
            found.push(frame);
        }
    }
}

/// Waits until all nodes have received the presence of `count` principals.
async fn wait_for_presence(redis: &Redis, session: &str, count: i64) {
    let pattern = format!("hiloop:*:presence:{session}");
    eventually("all presence to be received", async || {
        let keys: Vec<String> = redis::from_redis_value(redis.command(&["KEYS", &pattern]).await).expect("names");
        let length = redis.command(&["HLEN", keys.first()?]).await;
        (length == redis::Value::Int(count)).then_some(())
    })
    .await;
}

async fn the_last_socket_anywhere(redis: Redis) {
    let nodes = Nodes::start(Engine::Postgres, 3, &redis).await;
    let (agent, human) = (nodes.maker.agent("space").await, nodes.maker.human().await);
    let at = |node: usize| nodes.at(node, &agent);
    let session = nodes.maker.session(&at(0)).await;
    let mut watching = reader(&at(0), &session).await;
    assert!(!online(&at(2), &session, "Human").await);

    let first = reader(&nodes.at(1, &human), &session).await;
    let came = watching.find("presence").await;
    assert_eq!(came["online"], json!(true), "{came}");
    for node in 0..3 {
        // The third node has no reader of the session.
        becomes(&at(node), &session, true).await;
    }

    // A second socket on another node and the end of the first one: presence does not change.
    let second = reader(&nodes.at(2, &human), &session).await;
    // Signals of different nodes may arrive in another order.
    wait_for_presence(&redis, &session, 3).await;
    drop(first);
    eventually("the first socket to be removed", async || {
        (nodes.servers[1].context.hub.connection_count() == 0).then_some(())
    })
    .await;
    for node in 0..3 {
        assert!(online(&at(node), &session, "Human").await, "at node {node}");
    }
    // A socket on the watching node itself, too.
    let third = reader(&nodes.at(0, &human), &session).await;
    wait_for_presence(&redis, &session, 3).await;
    drop(second);
    eventually("the second socket to be removed", async || {
        (nodes.servers[2].context.hub.connection_count() == 0).then_some(())
    })
    .await;
    assert!(online(&at(2), &session, "Human").await);
    drop(third);
    let went = watching.find("presence").await;
    assert_eq!((&went["online"], &went["participantId"]), (&json!(false), &came["participantId"]), "{went}");
    for node in 0..3 {
        becomes(&at(node), &session, false).await;
    }
    assert_eq!(so_far(&mut watching, &at(0), &session, "presence").await, Vec::<Value>::new());

    // A reader that subscribes now gets the correct presence, which the node has to query first.
    let _again = reader(&nodes.at(1, &human), &session).await;
    becomes(&at(2), &session, true).await;
    let _late = reader(&at(2), &session).await;
    becomes(&at(2), &session, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_participant_is_online_until_their_last_socket_on_any_node_closes() {
    the_last_socket_anywhere(Redis::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presence_works_over_a_redis_cluster() {
    the_last_socket_anywhere(Redis::start_cluster().await).await;
}

/// A hub of its own process over the same store and Redis.
fn process(nodes: &Nodes, redis: &Redis) -> (tempfile::TempDir, Process) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = hiloop(folder.path());
    command.env("DATABASE_URL", &nodes.maker.database_url).env("REDIS_URL", redis.url());
    let process = Process::spawn(command.env("HILOOP_LISTEN", "127.0.0.1:0"));
    (folder, process)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presence_and_typing_of_a_dead_node_expire() {
    let redis = Redis::start().await;
    let nodes = Nodes::start(Engine::Postgres, 2, &redis).await;
    let (agent, human) = (nodes.maker.agent("space").await, nodes.maker.human().await);
    let session = nodes.maker.session(&nodes.at(0, &agent)).await;
    let mut watching = reader(&nodes.at(0, &agent), &session).await;
    let (_folder, mut doomed) = process(&nodes, &redis);
    let there = Client { base: doomed.base.clone(), ..human.clone() };
    let mut theirs = reader(&there, &session).await;
    assert_eq!(watching.find("presence").await["online"], json!(true));
    theirs.send(json!({ "type": "typing", "sessionId": session, "typing": true })).await;
    assert_eq!(watching.find("typing").await["typing"], json!(true));
    becomes(&nodes.at(1, &agent), &session, true).await;

    doomed.kill();
    let killed = Stopwatch::start();
    let (mut typing, mut presence) = (Vec::new(), Vec::new());
    while presence.is_empty() || typing.is_empty() {
        let frame = watching.next().await;
        match frame["type"].as_str() {
            Some("typing") => typing.push(frame),
            Some("presence") => presence.push(frame),
            _ => panic!("{frame}"),
        }
    }
    assert!(killed.elapsed() < LAPSE, "it took {:?}", killed.elapsed());
    assert_eq!((&typing[0]["typing"], &presence[0]["online"]), (&json!(false), &json!(false)));
    assert!(!online(&nodes.at(0, &agent), &session, "Human").await);
    assert!(!online(&nodes.at(1, &agent), &session, "Human").await, "by the lease, without a local copy");
    // Once each.
    let more = so_far(&mut watching, &nodes.at(0, &agent), &session, "presence").await;
    assert_eq!((typing.len(), presence.len(), more.len()), (1, 1, 0));
}

/// Unknown while Redis is unavailable; after its return it takes no longer than otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presence_of_a_node_that_died_during_a_redis_outage_expires() {
    let mut redis = Redis::start().await;
    let nodes = Nodes::start(Engine::Postgres, 2, &redis).await;
    // Where the machine stalls while the nodes reconnect, a node that lives may count as dead for a moment.
    for _ in 0..5 {
        if node_dies_during_an_outage(&mut redis, &nodes).await {
            return;
        }
    }
    panic!("the machine stalled at each attempt");
}

/// `false` if the machine stalled for so long that a live node could not renew its lease in time.
async fn node_dies_during_an_outage(redis: &mut Redis, nodes: &Nodes) -> bool {
    let (agent, dead) = (nodes.maker.agent("space").await, nodes.maker.human().await);
    let session = nodes.maker.session(&nodes.at(0, &agent)).await;
    let mut watching = reader(&nodes.at(0, &agent), &session).await;
    let (_folder, mut doomed) = process(nodes, redis);
    let _theirs = reader(&Client { base: doomed.base.clone(), ..dead.clone() }, &session).await;
    let gone = watching.find("presence").await;
    assert_eq!(gone["online"], json!(true));
    // A socket on a live node, whose presence must not change.
    let guest = nodes.maker.guest(&nodes.at(1, &agent), &session).await;
    let _stays = reader(&nodes.at(1, &guest), &session).await;
    assert_eq!(watching.find("presence").await["online"], json!(true));

    redis.kill();
    nodes.all_are(Connectivity::Disconnected).await;
    doomed.kill();
    assert!(online(&nodes.at(0, &agent), &session, "Human").await, "the last known state");
    redis.revive().await;
    let returned = Stopwatch::start();
    let went = watching.find("presence").await;
    let is_stalled = || returned.stalled() > Duration::from_secs(2);
    let is_expected = (&went["online"], &went["participantId"]) == (&json!(false), &gone["participantId"]);
    if !is_expected && is_stalled() {
        return false;
    }
    assert!(is_expected, "{went}");
    assert!(returned.elapsed() < LAPSE, "it took {:?}", returned.elapsed());
    assert!(!online(&nodes.at(0, &agent), &session, "Human").await);
    // Each node detects it independently.
    eventually("the other node to detect it", async || {
        (!online(&nodes.at(1, &agent), &session, "Human").await).then_some(())
    })
    .await;
    assert!(returned.elapsed() < LAPSE, "it took {:?}", returned.elapsed());
    let more = so_far(&mut watching, &nodes.at(0, &agent), &session, "presence").await;
    if !more.is_empty() && is_stalled() {
        return false;
    }
    assert_eq!(more, Vec::<Value>::new());
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_graceful_shutdown_withdraws_presence_immediately() {
    let redis = Redis::start().await;
    let mut nodes = Nodes::start(Engine::Postgres, 2, &redis).await;
    let (agent, human) = (nodes.maker.agent("space").await, nodes.maker.human().await);
    let session = nodes.maker.session(&nodes.at(0, &agent)).await;
    let mut watching = reader(&nodes.at(0, &agent), &session).await;
    let theirs = reader(&nodes.at(1, &human), &session).await;
    assert_eq!(watching.find("presence").await["online"], json!(true));
    let ending = nodes.servers.pop().expect("two nodes");
    ending.stop().await;
    let since = Stopwatch::start();
    assert_eq!(watching.find("presence").await["online"], json!(false));
    // Sooner than the lease of a dead node would expire.
    assert!(since.elapsed() < Duration::from_secs(5), "{:?} after its end", since.elapsed());
    assert!(!online(&nodes.at(0, &agent), &session, "Human").await);
    drop(theirs);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presence_is_restored_after_redis_lost_its_data() {
    let mut redis = Redis::start().await;
    let nodes = Nodes::start(Engine::Postgres, 3, &redis).await;
    let (agent, stays) = (nodes.maker.agent("space").await, nodes.maker.human().await);
    let at = |node: usize| nodes.at(node, &agent);
    let session = nodes.maker.session(&at(0)).await;
    let mut watching = reader(&at(0), &session).await;
    let _stays = reader(&nodes.at(1, &stays), &session).await;
    let came = watching.find("presence").await;
    assert_eq!(came["online"], json!(true));
    let guest = at(0).post(&at_agent(&session, "/guest-tokens"), json!({ "name": "Gus" })).await.expect(201);
    let guest = nodes.maker.anonymous().with("authorization", &format!("Bearer {}", text(&guest["token"])));
    let theirs = reader(&nodes.at(1, &guest), &session).await;
    let guest_came = watching.find("presence").await;
    assert_eq!(guest_came["online"], json!(true));

    redis.kill();
    nodes.all_are(Connectivity::Disconnected).await;
    drop(theirs);
    eventually("the guest's socket to be removed", async || {
        (nodes.servers[1].context.hub.connection_count() == 1).then_some(())
    })
    .await;
    // The last known state.
    assert!(online(&at(0), &session, "Human").await);
    redis.revive().await;
    nodes.connected().await;
    // Only the guest has disconnected; the node without readers reads both from Redis.
    let went = watching.find("presence").await;
    assert_eq!((&went["online"], &went["participantId"]), (&json!(false), &guest_came["participantId"]), "{went}");
    becomes(&at(2), &session, true).await;
    for node in 0..3 {
        assert!(online(&at(node), &session, "Human").await, "at node {node}");
        assert!(!online(&at(node), &session, "Guest").await, "at node {node}");
    }
    assert_eq!(so_far(&mut watching, &at(0), &session, "presence").await, Vec::<Value>::new());
    // And presence works as before.
    there_and_back(&nodes, &stays, &session, &mut watching).await;
}

/// The last reader here and the participant on the other node disconnect during a Redis outage.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_departure_during_a_redis_outage_without_readers_is_recorded() {
    let mut redis = Redis::start().await;
    let nodes = Nodes::start(Engine::Postgres, 2, &redis).await;
    let (agent, human) = (nodes.maker.agent("space").await, nodes.maker.human().await);
    let at = |node: usize| nodes.at(node, &agent);
    let session = nodes.maker.session(&at(0)).await;
    let watching = reader(&at(0), &session).await;
    let theirs = reader(&nodes.at(1, &human), &session).await;
    becomes(&at(0), &session, true).await;
    // By the local copy, not by the hash.
    eventually("the first node to receive their presence", async || {
        let human = text(&nodes.at(1, &human).get("/v1/human/me").await.expect(200)["id"]).parse().expect("an id");
        let session = session.parse().expect("an id");
        nodes.servers[0].context.broker.is_present_elsewhere(session, PrincipalId(human)).then_some(())
    })
    .await;

    redis.kill();
    nodes.all_are(Connectivity::Disconnected).await;
    drop((watching, theirs));
    eventually("both sockets to be removed", async || {
        nodes.servers.iter().all(|node| node.context.hub.connection_count() == 0).then_some(())
    })
    .await;
    redis.revive().await;
    nodes.connected().await;
    becomes(&at(0), &session, false).await;
    // A participant who connects again is announced as online.
    let mut watching = reader(&at(0), &session).await;
    let theirs = reader(&nodes.at(0, &human), &session).await;
    assert_eq!(watching.find("presence").await["online"], json!(true));
    drop(theirs);
    assert_eq!(watching.find("presence").await["online"], json!(false));
}

/// A person on the third node types, and the reader on the first receives it.
async fn there_and_back(nodes: &Nodes, person: &Client, session: &str, watching: &mut Socket) {
    nodes.at(2, person).post(&at_human(session, "/typing"), json!({})).await.expect(204);
    assert_eq!(watching.find("typing").await["typing"], json!(true));
}
