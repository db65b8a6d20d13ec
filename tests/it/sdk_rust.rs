//! The Rust client without encryption: a question outlasts a hub that is killed and an agent that starts again, and is decided once.

use crate::support::hub::{at_human, text};
use crate::support::process::Process;
use crate::support::{Client, Port, eventually, on_both_engines};
use futures::StreamExt as _;
use hiloop_sdk::{Decision, Encryption, Envelope, Error, GuestInvitation, NewSession, Outcome, Question};
use serde_json::json;
use std::time::Duration;
use tempfile::tempdir;

fn agent(key: &Client) -> hiloop_sdk::Client {
    let client = hiloop_sdk::Client::builder().api_key(key.secret()).base_url(&key.base);
    client.encryption(Encryption::Off).build().expect("a client")
}

async fn ask(agent: hiloop_sdk::Client) -> Result<Decision, Error> {
    agent.ask(Question::approval("Ship 4.2?").title("Deploy").key("deploy-4.2")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_is_decided_once_across_restarts_of_hub_and_agent() {
    let folder = tempdir().expect("a folder");
    let port = Port::reserve();
    let mut hub = Process::start(folder.path(), &port.address());
    let owner = hub.owner();

    let first = tokio::spawn(ask(agent(&owner)));
    let observer = agent(&owner);
    let question = eventually("a question", async || {
        let page = observer.interactions(1).await.expect("a page");
        page.data.into_iter().next()
    })
    .await;
    let mut events = observer.events(question.id, 0);
    assert_eq!(events.next().await.expect("an event").expect("no error").kind, "session.created");
    let guest = observer.create_guest_token(question.id, GuestInvitation::new().name("Ada")).await.expect("a guest");

    hub.kill();
    let _hub = Process::start(folder.path(), &port.address());
    // The agent restarts too, and asks the same question.
    let second = tokio::spawn(ask(agent(&owner)));

    let person = Client::anonymous(&owner.base).with("authorization", &format!("Bearer {}", guest.token));
    let approval = Envelope::plain(&json!({ "action": "approve", "outcome": "Approved" }));
    let answer = json!({ "encryptedContent": approval, "inReplyTo": question.message_id, "outcome": "Approved" });
    let path = at_human(&question.id.to_string(), "/messages");
    person.post(&path, answer.clone()).await.expect(201);
    person.post(&path, answer).await.expect_error(409, "ALREADY_RESPONDED");

    for asked in [first, second] {
        let decision = asked.await.expect("it runs").expect("a decision");
        assert!(decision.approved);
        assert_eq!(decision.message.id, question.message_id);
        assert_eq!(decision.action.as_deref(), Some("approve"));
        assert_eq!(decision.respondent.expect("a person").name, "Ada");
    }
    assert_eq!(observer.interactions(1).await.expect("a page").total, 1);
    assert_eq!(observer.answers().await.expect("a list").len(), 0, "the outcome was acknowledged");

    // The events, from before the kill on: each once.
    let mut seqs = vec![1];
    let last = loop {
        let event = events.next().await.expect("an event").expect("no error");
        seqs.push(event.seq);
        if event.kind == "message.acknowledged" {
            break event;
        }
    };
    assert_eq!(seqs, (1..=last.seq).collect::<Vec<_>>());
    assert_eq!(text(&last.data["messageId"]), question.message_id.to_string());
}

on_both_engines! {
    /// The deadline differs in each request, but the question is the same.
    async fn the_same_question_key_in_a_session_is_one_question(hub: Hub) {
        let key = hub.agent("agent").await;
        let agent = agent(&key);
        let session = agent.create_session(NewSession::titled("Deploy")).await.expect("a session").id;
        let guest = hub.guest(&key, &session.to_string()).await;
        let question = |key: &str| {
            let question = Question::text("Ship it?").session(session).key(key);
            question.deadline_in(Duration::from_secs(3600)).wait_at_most(Duration::ZERO)
        };
        for (asked, pending) in [("first", 1), ("first", 1), ("second", 2), ("first", 2)] {
            let error = agent.ask(question(asked)).await.expect_err("there is no answer yet");
            assert_eq!((error.status, error.code.as_str()), (0, Error::TIMEOUT));
            assert_eq!(agent.session(session).await.expect("it is there").pending_count, pending);
        }

        let messages = agent.messages(session, 1).await.expect("a page").data;
        let answer = json!({ "inReplyTo": messages[0].id, "outcome": "Rejected" });
        guest.post(&at_human(&session.to_string(), "/messages"), answer).await.expect(201);
        let decision = agent.ask(question("first").exclusive()).await.expect("a decision");
        assert_eq!((decision.approved, decision.outcome), (false, Some(Outcome::Rejected)));
        let late = agent.ask(question("first").exclusive()).await.expect_err("it was acknowledged");
        assert_eq!((late.status, late.code.as_str()), (409, "ALREADY_ACKNOWLEDGED"));
        assert!(late.request_id.is_some());
    }
}
