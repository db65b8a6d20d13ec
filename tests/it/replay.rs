//! Replay joined to live events: a subscription in the middle of writes misses and repeats nothing.

use crate::support::hub::{at_agent, text};
use crate::support::{Client, Hub, Socket, on_both_engines};
use futures::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;

async fn write(client: &Client, session: &str, count: usize) {
    for number in 0..count {
        let body = json!({ "encryptedContent": format!("{number}") });
        client.post(&at_agent(session, "/messages"), body).await.expect(201);
    }
}

/// Reads events up to `last`, which must be all events from `first` on.
async fn read(socket: &mut Socket, first: i64, last: i64) {
    for seq in first..=last {
        assert_eq!(socket.event().await["seq"], json!(seq));
    }
    socket.expect_none("event").await;
}

on_both_engines! {
    async fn a_subscription_during_writes_misses_and_repeats_nothing(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        write(&agent, &session, 20).await;
        let last = 21 + 4 * 50;
        let readers = (0..12).map(|number: i64| {
            let (hub, agent, session) = (&hub, &agent, &session);
            async move {
                let mut socket = hub.socket(agent).await;
                // They subscribe at different times: each waits until the timeline has grown.
                let mut ahead = hub.socket(agent).await;
                ahead.subscribe(session, Some(20)).await;
                for _ in 0..=number * 10 {
                    ahead.event().await;
                }
                let after = (number % 3 != 0).then_some(number * 2);
                let reply = socket.subscribe(session, after).await;
                let head = reply["seq"].as_i64().expect("a seq");
                let from = after.unwrap_or(head);
                assert_eq!(reply["replay"], json!(head - from));
                assert_eq!(reply["firstSeq"], 1);
                read(&mut socket, from + 1, last).await;
            }
        });
        let writers = (0..4).map(|_| write(&agent, &session, 50));
        tokio::join!(join_all(readers), join_all(writers));
    }

    async fn a_burst_larger_than_the_queues_is_delivered_completely(engine: Engine) {
        // It is not read before all events are written: the heartbeat must not close it meanwhile.
        let hub = Hub::start_with(engine, &[], |config| config.sockets.heartbeat = Duration::from_secs(600)).await;
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let mut socket = hub.socket(&agent).await;
        socket.subscribe(&session, Some(0)).await;
        join_all((0..8).map(|_| write(&agent, &session, 300))).await;
        read(&mut socket, 1, 2401).await;
        // The same for a later subscription, and over HTTP.
        let mut late = hub.socket(&agent).await;
        late.subscribe(&session, Some(0)).await;
        read(&mut late, 1, 2401).await;
        let mut after = 0;
        loop {
            let page = agent.get(&at_agent(&session, &format!("/timeline?after={after}&limit=500"))).await.expect(200);
            for event in page["data"].as_array().expect("events") {
                after += 1;
                assert_eq!(event["seq"], json!(after));
            }
            if page["hasMore"] == false {
                break;
            }
        }
        assert_eq!(after, 2401);
        let page = agent.get(&at_agent(&session, "/timeline?page=3&pageSize=100")).await.expect(200);
        let seqs: Vec<&Value> = page["data"].as_array().expect("events").iter().map(|event| &event["seq"]).collect();
        assert_eq!((seqs[0], seqs[99], &page["total"]), (&json!(201), &json!(300), &json!(2401)));
    }

    async fn an_event_has_the_same_bytes_on_every_route(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let mut live = hub.socket(&human).await;
        live.subscribe(&session, None).await;
        let envelope = json!({ "scheme": "x", "ciphertext": "\u{0}\u{1f600}\\\"\n", "wrappings": [{ "b": 1, "a": [] }], "more": { "z": 1, "a": 2 } });
        let body = json!({ "encryptedContent": envelope, "encryptedComponents": envelope.to_string() });
        let message = agent.post(&at_agent(&session, "/messages"), body).await.expect(201);
        assert_eq!(message["encryptedContent"], envelope);
        assert_eq!(message["encryptedComponents"], envelope);
        let event = live.event().await;
        assert_eq!(event["data"]["message"], message);
        let mut replayed = hub.socket(&agent).await;
        replayed.subscribe(&session, Some(1)).await;
        assert_eq!(replayed.event().await, event);
        let page = agent.get(&at_agent(&session, "/timeline?after=1")).await.expect(200);
        assert_eq!(page["data"][0], event);
        let got = agent.get(&at_agent(&session, &format!("/messages/{}", text(&message["id"])))).await.expect(200);
        assert_eq!(got, message);
    }
}
