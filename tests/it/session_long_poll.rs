//! The long-poll on a session: an agent waits for the next message of a person.

use crate::support::hub::{UNKNOWN, answer, ask, at_agent, at_human, config, say, text};
use crate::support::shapes::{has_keys, is_message, names_field};
use crate::support::{Client, Hub, Redis, Stopwatch, eventually, on_both_engines};
use hiloop::broker::LocalBroker;
use hiloop::clock::SystemClock;
use hiloop::server::start_with;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

async fn waits(hub: &Hub, wanted: i64) {
    let metric = &hub.context().metrics.long_polls;
    eventually("as many to wait", async || (metric.get() == wanted).then_some(())).await;
}

/// A pending long-poll in a task.
fn wait(agent: &Client, session: &str, query: &str) -> tokio::task::JoinHandle<Value> {
    let (agent, path) = (agent.clone(), at_agent(session, &format!("/await?{query}")));
    tokio::spawn(async move { agent.get(&path).await.expect(200) })
}

async fn speak(person: &Client, session: &str, words: &str) -> Value {
    person.post(&at_human(session, "/messages"), json!({ "encryptedContent": words })).await.expect(201)
}

on_both_engines! {
    async fn a_long_poll_returns_the_first_message_of_a_person(hub: Hub) {
        let (agent, other) = (hub.agent("agent").await, hub.agent("space").await);
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let guest = hub.guest(&agent, &session).await;
        let mine = say(&agent, &session, "mine").await;
        let waiter = wait(&agent, &session, "timeout=55");
        waits(&hub, 1).await;
        // Messages of agents and other events do not end the wait.
        say(&other, &session, "another agent's").await;
        agent.patch(&at_agent(&session, ""), json!({ "title": "T" })).await.expect(200);
        ask(&agent, &session).await;
        assert!(!waiter.is_finished());
        let posted = speak(&guest, &session, "first").await;
        let awaited = waiter.await.expect("no panic");
        has_keys(&awaited, "message lastSeq");
        is_message(&awaited["message"]);
        assert_eq!((&awaited["message"], &awaited["lastSeq"]), (&posted, &posted["seq"]));
        speak(&human, &session, "second").await;
        // After the given `seq`; without one, after the caller's own last message.
        let read = async |query: &str| agent.get(&at_agent(&session, &format!("/await?{query}"))).await.expect(200);
        assert_eq!(read(&format!("after={}", mine["seq"])).await["message"], posted);
        let second = read(&format!("after={}", posted["seq"])).await;
        assert_eq!(second["message"]["encryptedContent"]["ciphertext"], "second");
        assert_eq!(second["lastSeq"], second["message"]["seq"]);
        assert_eq!(read("").await["message"], posted);
        assert_eq!(read("after=0").await["message"], posted);
        let last = say(&agent, &session, "mine again").await;
        let none = read("timeout=0").await;
        assert_eq!((&none["message"], &none["lastSeq"]), (&Value::Null, &last["seq"]));
        let since = Instant::now();
        assert_eq!(read("timeout=1").await["message"], Value::Null);
        assert!(since.elapsed() >= Duration::from_secs(1));
        // An answer is a message of a person.
        let question = ask(&agent, &session).await;
        let waiter = wait(&agent, &session, "timeout=55");
        waits(&hub, 1).await;
        let answered = answer(&human, &session, &question).await;
        assert_eq!(waiter.await.expect("no panic")["message"]["id"], answered["id"]);
        waits(&hub, 0).await;
        eventually("nothing to be left", async || (hub.context().hub.topic_count() == 0).then_some(())).await;
        assert_eq!(hub.context().hub.connection_count(), 0);
        // Without an own message the wait begins at 0; beyond the head there is nothing.
        assert_eq!(hub.agent("space").await.get(&at_agent(&session, "/await")).await.expect(200)["message"], posted);
        let beyond = read("after=9223372036854775807&timeout=0").await;
        assert_eq!(beyond["message"], Value::Null);
    }

    async fn a_long_poll_without_access_is_refused(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let others = [hub.agent("agent").await, hub.other_space().await];
        for query in ["", "?timeout=0", "?after=0", "?after=0&timeout=55"] {
            for stranger in &others {
                stranger.get(&at_agent(&session, &format!("/await{query}"))).await.expect_error(404, "NOT_FOUND");
            }
            agent.get(&at_agent(UNKNOWN, &format!("/await{query}"))).await.expect_error(404, "NOT_FOUND");
            assert_eq!((hub.context().hub.topic_count(), hub.context().hub.connection_count()), (0, 0));
        }
        for (query, name) in [("after=-1", "after"), ("after=x", "after"), ("after=1.5", "after"), ("timeout=56", "timeout")] {
            let error = agent.get(&at_agent(&session, &format!("/await?{query}"))).await.expect_error(400, "VALIDATION_ERROR");
            names_field(&error, name);
        }
    }

    async fn a_disconnected_client_frees_its_registration(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let waiter = wait(&agent, &session, "timeout=55");
        waits(&hub, 1).await;
        waiter.abort();
        waits(&hub, 0).await;
        eventually("nothing to be left", async || (hub.context().hub.topic_count() == 0).then_some(())).await;
    }

    async fn a_message_on_another_node_is_returned_at_the_timeout_at_the_latest(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        // The two nodes exchange no signals.
        let settings = config(&hub.database_url, &["--public-url", &hub.base]);
        let other = start_with(settings, Arc::new(SystemClock), Arc::new(LocalBroker)).await.expect("a second node");
        let waiter = wait(&agent, &session, "timeout=3");
        waits(&hub, 1).await;
        let there = Client { base: format!("http://{}", other.address), ..human.clone() };
        let posted = speak(&there, &session, "over there").await;
        assert_eq!(waiter.await.expect("no panic")["message"]["id"], posted["id"]);
        other.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_on_another_node_ends_the_long_poll() {
    let redis = Redis::start().await;
    let hub = Hub::start_two(&["--redis-url", &redis.url()], |_| {}).await;
    let agent = hub.agent("agent").await;
    let human = hub.human().await;
    let session = hub.session(&agent).await;
    for _ in 0..4 {
        let since = Stopwatch::start();
        let waiter = wait(&agent, &session, "timeout=55");
        let posted = speak(&human, &session, "x").await;
        assert_eq!(waiter.await.expect("no panic")["message"]["id"], posted["id"]);
        assert!(since.elapsed() < Duration::from_secs(50), "not by its end");
        assert!(text(&say(&agent, &session, "y").await["id"]).len() == 36);
    }
}
