//! A question outlasts a hub that is killed and an agent that is killed at any moment, and is decided once.

use super::process::{Hub, PATIENCE};
use hiloop_sdk::testing::Person;
use hiloop_sdk::{Answer, Question};
use std::time::Duration;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs HUB_BIN"]
async fn an_agent_that_is_killed_ten_times_asks_once() {
    let hub = Hub::start();
    let (key, ada) = (hub.key("agent").await, hub.person().await);
    let ask = || {
        let (agent, ada) = (hub.client(&key), ada.id());
        async move { agent.ask(Question::approval("Ship 4.2?").key("deploy-4.2").answerers([ada])).await }
    };
    for moment in 0..10 {
        let killed = tokio::spawn(ask());
        tokio::time::sleep(Duration::from_millis(12 * moment)).await;
        killed.abort();
    }
    let last = tokio::spawn(ask());
    let pending = ada.next(&[], PATIENCE).await.expect("a question");
    ada.answer(&pending, Answer::action("approve")).await.expect("it is the first");
    assert!(last.await.expect("it runs").expect("a decision").approved);
    let observer = hub.client(&key);
    assert_eq!(observer.sessions(None, 1).await.expect("a page").total, 1);
    let messages = observer.messages(pending.message.session_id, 1).await.expect("a page").data;
    assert_eq!(messages.iter().filter(|message| message.response_required).count(), 1);
    assert_eq!(observer.answers().await.expect("a list").len(), 0, "the outcome was acknowledged");
}
