//! A question outlasts a hub that is killed and an agent that is killed at any moment, and is decided once.

use super::process::{Hub, PATIENCE};
use hiloop_sdk::testing::Person;
use hiloop_sdk::{Answer, Client, Question};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs HUB_BIN"]
async fn a_hub_that_is_killed_loses_no_question() {
    let mut hub = Hub::start();
    let (email, token) = hub.human().await;
    let ada = Person::with_token(&hub.url, &token).await.expect("a person");
    let key = hub.key("agent").await;
    let ask = || {
        let (agent, email) = (hub.client(&key), email.clone());
        async move { agent.ask(Question::approval("Ship 4.2?").key("deploy-4.2").to([email])).await }
    };
    let first = tokio::spawn(ask());
    let pending = ada.next(&[], PATIENCE).await.expect("a question");
    let second = ask();
    let observer = hub.client(&key);
    hub.kill_and_restart();
    let second = tokio::spawn(second);
    ada.answer(&pending, Answer::action("approve")).await.expect("it is the first");
    for asked in [first, second] {
        let decision = asked.await.expect("it runs").expect("a decision");
        assert!(decision.approved);
        assert_eq!(decision.message.id, pending.message.id);
    }
    assert_eq!(observer.sessions(None, 1).await.expect("a page").total, 1);
    assert_eq!(observer.answers().await.expect("a list").len(), 0, "the outcome was acknowledged");
}

/// The agent's program that the tests between languages run, as this build left it.
fn peer(hub: &Hub, api_key: &str, email: &str, key: &str) -> Child {
    let test = std::env::current_exe().expect("the path of the test");
    let folder = test.parent().and_then(Path::parent).expect("the folder of the build");
    Command::new(folder.join("examples/peer"))
        .args(["ask", "--title", "Ship 4.2?", "--to", email, "--key", key, "--deadline", "1h"])
        .env_clear()
        .env("HILOOP_BASE_URL", &hub.url)
        .env("HILOOP_API_KEY", api_key)
        .env("XDG_CONFIG_HOME", hub.folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts: build the example 'peer' first")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs HUB_BIN"]
async fn an_agent_that_is_killed_ten_times_asks_once() {
    let hub = Hub::start();
    let (email, token) = hub.human().await;
    let ada = Person::with_token(&hub.url, &token).await.expect("a person");
    let (undisturbed, killed) = (hub.key("agent").await, hub.key("agent").await);
    let observer =
        |key: &str| hub.builder(key).config_folder(hub.folder.path().join("hiloop")).build().expect("a client");

    // How long one takes that is not disturbed, until its question is there.
    let (began, mut child) = (Instant::now(), peer(&hub, &undisturbed, &email, "deploy-4.2"));
    let observe = observer(&undisturbed);
    let is_asked = async |client: &Client| {
        let page = client.sessions(None, 1).await.expect("a page");
        page.data.iter().any(|session| session.pending_count > 0)
    };
    while !is_asked(&observe).await {
        assert!(began.elapsed() < PATIENCE && child.try_wait().expect("its state").is_none(), "it asks");
    }
    let took = began.elapsed();
    child.kill().and_then(|()| child.wait()).expect("it has ended");
    let first = ada.next(&[], PATIENCE).await.expect("a question");
    observe.cancel(first.message.session_id, first.message.id).await.expect("it is pending");

    // Ten moments from its start to a while after its question.
    let observe = observer(&killed);
    let mut before = 0;
    for moment in 1..=10 {
        let mut child = peer(&hub, &killed, &email, "deploy-4.2");
        tokio::time::sleep(took * moment / 8).await;
        // SIGKILL: no chance to tidy up.
        child.kill().and_then(|()| child.wait()).expect("it has ended");
        before += u32::from(!is_asked(&observe).await);
    }
    println!("killed {before} times before the question, {} times after it", 10 - before);
    let last = peer(&hub, &killed, &email, "deploy-4.2");
    let pending = ada.next(&[], PATIENCE).await.expect("a question");
    ada.answer(&pending, Answer::action("approve")).await.expect("it is the first");
    let printed = tokio::task::spawn_blocking(|| last.wait_with_output()).await.expect("it runs").expect("its output");
    let decision: Value = serde_json::from_slice(&printed.stdout).expect("a line of JSON");
    assert_eq!((&decision["status"], &decision["approved"]), (&json!("answered"), &json!(true)), "{decision}");

    let session = pending.message.session_id;
    assert_eq!(observe.sessions(None, 1).await.expect("a page").total, 1);
    let messages = observe.messages(session, 1).await.expect("a page").data;
    assert_eq!(messages.iter().filter(|message| message.response_required).count(), 1);
    assert_eq!(messages.iter().filter(|message| message.in_reply_to.is_some()).count(), 1);
    let events = observe.timeline(session, 0, 1000).await.expect("a page").data;
    assert_eq!(events.iter().filter(|event| event.kind == "message.acknowledged").count(), 1);
    assert_eq!(observe.answers().await.expect("a list").len(), 0, "the outcome was acknowledged");
}
