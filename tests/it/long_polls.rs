//! Long-polls: their queries and memory, and clients that disconnect or send another request meanwhile.

use crate::support::hub::{Engine, UNKNOWN, answer, ask, at_agent, at_message, config, text};
use crate::support::statement_log::StatementLog;
use crate::support::{Client, Hub, PATIENCE, eventually, on_both_engines, timeout};
use hiloop::server::start;
use hiloop::testing::LOOK_UPS;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The path of a long-poll on a message or an interaction.
fn at_interaction(id: &str, rest: &str) -> String {
    format!("/v1/agent/interactions/{id}{rest}")
}

async fn waits(hub: &Hub, wanted: i64) {
    let metric = &hub.context().metrics.long_polls;
    eventually("as many to wait", async || (metric.get() == wanted).then_some(())).await;
}

/// Whether there are no long-polls and no remaining registrations.
fn is_bare(hub: &Hub) -> bool {
    let hub = &hub.context().hub;
    hub.topic_count() == 0 && hub.connection_count() == 0
}

/// The look-ups of sessions among these statements, by name.
fn look_ups(statements: &[String]) -> Vec<&'static str> {
    let name_of = |text: &String| {
        let found = LOOK_UPS.iter().find(|(_, texts)| [texts.space, texts.member].contains(&text.as_str()));
        found.map(|(name, _)| *name)
    };
    statements.iter().filter_map(name_of).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_poll_queries_the_store_once_before_and_once_after_waiting() {
    let hub = Hub::start(Engine::Postgres).await;
    let relay = StatementLog::to(&hub.database_url);
    let server = start(config(&relay.url, &[])).await.expect("the hub starts");
    let agent = Client { base: format!("http://{}", server.address), ..hub.agent("agent").await };
    let session = hub.session(&agent).await;
    let question = ask(&agent, &session).await;
    let interaction = hub.interaction(&agent).await;
    let cost = async |path: &str| {
        relay.take();
        agent.get(path).await.expect(200);
        look_ups(&relay.take())
    };
    // The message itself is not read before it settles.
    assert_eq!(cost(&at_message(&session, &question, "/await?timeout=1")).await, ["HEAD_WITH_STATUS", "MESSAGE"]);
    assert_eq!(cost(&at_message(&session, &question, "/await?timeout=0")).await, ["MESSAGE"]);
    let found = cost(&at_interaction(&interaction, "/await?timeout=1")).await;
    assert_eq!(found, ["INTERACTION_MESSAGE", "HEAD_WITH_STATUS", "INTERACTION"]);
    assert_eq!(cost(&at_interaction(&interaction, "/await?timeout=0")).await, ["INTERACTION"]);

    relay.take();
    let (waiter, path) = (agent.clone(), at_message(&session, &question, "/await?timeout=55"));
    let waiter = tokio::spawn(async move { waiter.get(&path).await.expect(200) });
    let metric = &server.context.metrics.long_polls;
    eventually("it to wait", async || (metric.get() == 1).then_some(())).await;
    assert_eq!(look_ups(&relay.take()), ["HEAD_WITH_STATUS"]);
    agent.post(&at_message(&session, &question, "/cancel"), json!({})).await.expect(200);
    assert_eq!(waiter.await.expect("no panic")["status"], "Cancelled");
    // The reply of the long-poll, and that of the cancellation.
    assert_eq!(look_ups(&relay.take()), ["MESSAGE", "MESSAGE"]);
    assert_eq!(cost(&at_message(&session, &question, "/await?timeout=55")).await, ["HEAD_WITH_STATUS", "MESSAGE"]);
    server.stop().await;
}

on_both_engines! {
    async fn a_long_poll_without_access_gets_404_and_leaves_no_registration(hub: Hub) {
        let agent = hub.agent("space").await;
        let (human, outsider, foreigner) = (hub.human().await, hub.agent("agent").await, hub.other_space().await);
        let session = hub.session(&agent).await;
        let question = ask(&agent, &session).await;
        let interaction = hub.interaction(&agent).await;
        let elsewhere = hub.session(&agent).await;
        let asked = at_message(&session, &question, "/await?timeout=55");
        let interaction = at_interaction(&interaction, "/await?timeout=55");
        let nothing = [
            (&agent, at_agent(&session, &format!("/messages/{UNKNOWN}/await?timeout=55"))),
            (&agent, at_agent(UNKNOWN, &format!("/messages/{}/await?timeout=55", text(&question["id"])))),
            (&agent, at_message(&elsewhere, &question, "/await?timeout=55")),
            (&outsider, asked.clone()),
            (&foreigner, asked.clone()),
        ];
        let not_there = |error: Value, what: &str| assert_eq!(error["message"], format!("{what} not found"), "{error}");
        for (caller, path) in &nothing {
            not_there(caller.get(path).await.expect_error(404, "NOT_FOUND"), "Message");
            assert!(is_bare(&hub), "{path}");
        }
        let no_interactions = [
            (&agent, at_interaction(UNKNOWN, "/await?timeout=55")),
            (&agent, at_interaction(&session, "/await?timeout=55")),
            (&outsider, interaction.clone()),
            (&foreigner, interaction.clone()),
        ];
        for (caller, path) in &no_interactions {
            not_there(caller.get(path).await.expect_error(404, "NOT_FOUND"), "Interaction");
            assert!(is_bare(&hub), "{path}");
        }
        // Other long-polls on the same message continue.
        let waiter = agent.clone();
        let path = asked.clone();
        let waiter = tokio::spawn(async move { waiter.get(&path).await.expect(200) });
        waits(&hub, 1).await;
        for (caller, path) in nothing.iter().chain(&no_interactions) {
            caller.get(path).await.expect_error(404, "NOT_FOUND");
            assert_eq!((hub.context().hub.topic_count(), hub.context().hub.connection_count()), (1, 1), "{path}");
        }
        answer(&human, &session, &question).await;
        assert_eq!(waiter.await.expect("no panic")["status"], "Completed");
        eventually("nothing to be left", async || is_bare(&hub).then_some(())).await;
        // A long-poll on a settled message leaves no registration either.
        assert_eq!(agent.get(&asked).await.expect(200)["status"], "Completed");
        assert!(is_bare(&hub));
    }
}

/// A connection with a pending long-poll of `seconds` on a new question.
async fn waiting(hub: &Hub, seconds: u8) -> (TcpStream, String, Value) {
    let session = hub.session(&hub.owner).await;
    let question = ask(&hub.owner, &session).await;
    let mut stream = TcpStream::connect(hub.base.trim_start_matches("http://")).await.expect("a connection");
    let path = at_message(&session, &question, &format!("/await?timeout={seconds}"));
    let request = format!("GET {path} HTTP/1.1\r\nHost: hub\r\nX-API-Key: {}\r\n\r\n", hub.owner.secret());
    stream.write_all(request.as_bytes()).await.expect("sent");
    waits(hub, 1).await;
    (stream, session, question)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disconnected_client_frees_its_long_poll() {
    let hub = Hub::start(Engine::Sqlite).await;
    // Closed, half closed, reset.
    let (stream, ..) = waiting(&hub, 55).await;
    drop(stream);
    eventually("nothing to be left", async || is_bare(&hub).then_some(())).await;
    let (mut stream, ..) = waiting(&hub, 55).await;
    stream.shutdown().await.expect("shut");
    eventually("nothing to be left", async || is_bare(&hub).then_some(())).await;
    let mut rest = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("an end in time").expect("a proper one");
    assert!(rest.is_empty());
    let (stream, ..) = waiting(&hub, 55).await;
    stream.set_zero_linger().expect("an option");
    drop(stream);
    eventually("nothing to be left", async || is_bare(&hub).then_some(())).await;
    waits(&hub, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipelined_request_is_answered_after_the_long_poll() {
    let hub = Hub::start(Engine::Sqlite).await;
    let human = hub.human().await;
    let (mut stream, session, question) = waiting(&hub, 55).await;
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n").await.expect("sent");
    // The second request stays unread during the wait. Measured by the wall clock, as is the timeout of the long-poll.
    assert!(tokio::time::timeout(Duration::from_millis(100), stream.readable()).await.is_err());
    waits(&hub, 1).await;
    answer(&human, &session, &question).await;
    let mut replies = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut replies)).await.expect("an end in time").expect("a proper one");
    assert_eq!(replies.matches("HTTP/1.1 200 OK").count(), 2, "{replies}");
    let first = replies.find("\"Completed\"").expect("the message");
    assert!(first < replies.rfind("HTTP/1.1 200 OK").expect("two"), "{replies}");
    eventually("nothing to be left", async || is_bare(&hub).then_some(())).await;
}
