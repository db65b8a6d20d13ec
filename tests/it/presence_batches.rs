//! Presence in large sessions is sent in batches, so that many reconnects cost one frame a second.

use crate::support::hub::{at_agent, text};
use crate::support::{Client, Engine, Hub, Socket};
use futures::future::join_all;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Instant;

/// `count` guests of a session, each with its participant's id.
async fn guests(hub: &Hub, agent: &Client, session: &str, count: usize) -> Vec<(Client, String)> {
    let invite = async |number: usize| {
        let body = json!({ "name": format!("guest {number}") });
        let made = agent.post(&at_agent(session, "/guest-tokens"), body).await.expect(201);
        let client = hub.anonymous().with("authorization", &format!("Bearer {}", text(&made["token"])));
        (client, text(&made["participant"]["id"]).to_owned())
    };
    join_all((0..count).map(invite)).await
}

async fn there(client: &Client, session: &str) -> Socket {
    let mut socket = Socket::open(client).await;
    socket.subscribe(session, None).await;
    socket
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presence_changes_of_many_people_are_batched() {
    const PEOPLE: usize = 60;
    let hub = Hub::start(Engine::Sqlite).await;
    let agent = hub.agent("space").await;
    let session = hub.session(&agent).await;
    let people = guests(&hub, &agent, &session, PEOPLE).await;
    let mut watcher = there(&agent, &session).await;
    let since = Instant::now();
    let mut sockets = join_all(people.iter().map(|(client, _)| there(client, &session))).await;
    let (mut seen, mut frames) = (BTreeMap::new(), 0);
    let mut receive_changes = async |watcher: &mut Socket, seen: &mut BTreeMap<String, bool>, online: bool| {
        while seen.values().filter(|is| **is == online).count() < PEOPLE {
            let frame = watcher.find("presence").await;
            assert_eq!((&frame["sessionId"], frame.get("participantId")), (&json!(session), None), "{frame}");
            for change in frame["changes"].as_array().expect("a list") {
                let who = text(&change["participantId"]).to_owned();
                seen.insert(who, change["online"].as_bool().expect("whether they are"));
            }
            frames += 1;
        }
    };
    receive_changes(&mut watcher, &mut seen, true).await;
    assert!(people.iter().all(|(_, participant)| seen.contains_key(participant)));
    // And when they disconnect.
    sockets.truncate(0);
    receive_changes(&mut watcher, &mut seen, false).await;
    let seconds = usize::try_from(since.elapsed().as_secs()).expect("few");
    assert!(frames <= 3 + seconds, "{frames} frames in {seconds} s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presence_changes_of_up_to_twenty_people_are_sent_individually() {
    let hub = Hub::start(Engine::Sqlite).await;
    let agent = hub.agent("space").await;
    let session = hub.session(&agent).await;
    let people = guests(&hub, &agent, &session, 20).await;
    let mut watcher = there(&agent, &session).await;
    let mut sockets = Vec::new();
    for (client, participant) in &people {
        let socket = there(client, &session).await;
        let frame = watcher.find("presence").await;
        let wanted = json!({
            "type": "presence", "sessionId": session, "participantId": participant, "online": true,
        });
        assert_eq!(frame, wanted);
        sockets.push(socket);
    }
}
