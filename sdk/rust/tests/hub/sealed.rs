//! Conversations that are encrypted end to end.

use super::process::{Hub, PATIENCE, call};
use futures::StreamExt as _;
use hiloop_sdk::e2e::Refusal;
use hiloop_sdk::testing::{Pending, Person};
use hiloop_sdk::{
    Answer, Authenticity, Client, Decision, Error, GuestInvitation, MessageStatus, NewMessage, NewParticipant,
    NewSession, Outcome, Question,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::tempdir;

fn asked(agent: &Client, question: Question) -> tokio::task::JoinHandle<Result<Decision, Error>> {
    let agent = agent.clone();
    tokio::spawn(async move { agent.ask(question).await })
}

async fn next(person: &Person) -> Pending {
    person.next(&[], PATIENCE).await.expect("a question")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs HUB_BIN"]
async fn a_person_decides_and_the_hub_reads_nothing() {
    let hub = Hub::start();
    let key = hub.key("agent").await;
    let (agent, ada) = (hub.client(&key), hub.person().await);
    let question = Question::approval("Ship 4.2?").with_text("All tests pass.").key("deploy").answerers([ada.id()]);
    let asked = asked(&agent, question.deadline_in(PATIENCE * 10));
    let pending = next(&ada).await;
    assert_eq!(pending.title.as_deref(), Some("Ship 4.2?"));
    assert_eq!(pending.content.text.as_deref(), Some("All tests pass."));
    ada.answer(&pending, Answer::action("approve").with_text("Go ahead")).await.expect("it is the first");

    let decision = asked.await.expect("it runs").expect("a decision");
    assert!(decision.approved && decision.message.acknowledged_at.is_some());
    assert_eq!((decision.action.as_deref(), decision.text.as_deref()), (Some("approve"), Some("Go ahead")));
    assert_eq!(decision.respondent.as_ref().expect("a person").name, ada.name());
    let decided = decision.receipt().expect("a receipt").verify().expect("it holds");
    assert_eq!((decided.answered_by.id, decided.answered_by.key_id), (ada.id(), ada.key_id()));

    // Asked again, also by another process: the same question, its answer verified again.
    let session = decision.message.session_id;
    for agent in [agent.clone(), hub.client(&key)] {
        let same = Question::approval("Ship 4.2?").with_text("All tests pass.").key("deploy");
        let again = agent.ask(same.deadline_in(PATIENCE)).await.expect("a decision");
        assert_eq!((again.message.id, again.approved), (decision.message.id, true));
    }
    let other = agent.ask(Question::approval("Ship 4.3?").key("deploy")).await.expect_err("another question");
    assert!(other.is(Error::QUESTION_DIFFERS), "{other}");
    let title = ada.session(session).await.expect("it is there");
    assert_eq!(title.title, None);
    assert_eq!(ada.title(&title).await.expect("no error").as_deref(), Some("Ship 4.2?"));

    let path = format!("/v1/agent/sessions/{session}/timeline");
    let raw = call(&hub.url, Method::GET, &path, ("x-api-key", &key), &Value::Null).await.to_string();
    for secret in ["Ship", "tests", "ahead", "\"approve\"", "deploy"] {
        assert!(!raw.contains(secret), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs HUB_BIN"]
async fn choices_forms_and_remarks() {
    let hub = Hub::start();
    let (agent, ada) = (hub.client(&hub.key("agent").await), hub.person().await);
    let remarks = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&remarks);
    let question = Question::text("Where?").choices(["Europe", "America"]).answerers([ada.id()]);
    let question = question.on_remark(move |message| {
        heard.lock().expect("no panic").extend(message.content().and_then(|content| content.text));
    });
    let waiting = asked(&agent, question);
    let pending = next(&ada).await;
    ada.answer(&pending, Answer::text("Why do you ask?").remark()).await.expect("it stays pending");
    while remarks.lock().expect("no panic").is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ada.answer(&pending, Answer::action("Europe")).await.expect("it is the first");
    let decision = waiting.await.expect("it runs").expect("a decision");
    assert_eq!((decision.action.as_deref(), decision.outcome), (Some("Europe"), Some(Outcome::Answered)));
    assert_eq!(*remarks.lock().expect("no panic"), ["Why do you ask?"]);

    let form = json!({ "type": "object", "required": ["replicas"], "properties": {
        "replicas": { "type": "integer", "minimum": 1, "maximum": 9 }, "force": { "type": "boolean" } } });
    for (replicas, fits) in [("3", true), ("12", false)] {
        let waiting = asked(&agent, Question::text("How many?").form(form.clone()).answerers([ada.id()]));
        let pending = next(&ada).await;
        let values = json!({ "replicas": replicas, "force": true });
        let answer = Answer::values(values.as_object().expect("an object").clone());
        ada.answer(&pending, answer).await.expect("it is the first");
        match waiting.await.expect("it runs") {
            Ok(decision) => {
                assert!(fits);
                assert_eq!(Value::Object(decision.values), json!({ "replicas": 3, "force": true }));
            }
            Err(error) => assert!(!fits && error.is(Error::INVALID_ANSWER), "{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs HUB_BIN"]
async fn a_question_waits_for_a_key_and_expires() {
    let hub = Hub::start();
    let agent = hub.client(&hub.key("agent").await);
    let session = agent.create_session(NewSession::titled("Deploy").participants([])).await.expect("a session").id;
    let nobody = agent.ask(Question::approval("Ship?").session(session).deadline_in(Duration::from_secs(1))).await;
    assert!(nobody.expect_err("no answer").is(Error::NO_KEYS));

    let guest = agent.create_guest_token(session, GuestInvitation::new().name("Ada")).await.expect("a guest");
    let id = guest.participant.principal_id().expect("an id");
    // The hub knows the token of a guest: one answers only where the guest is named.
    let nobody = agent.ask(Question::approval("Ship?").session(session).deadline_in(Duration::from_secs(1))).await;
    assert!(nobody.expect_err("no answer").is(Error::NO_KEYS));
    let question = || Question::approval("Ship?").session(session).answerers([id]);
    let waiting = asked(&agent, question().deadline_in(PATIENCE * 10));
    let ada = Person::with_token(&hub.url, &guest.token).await.expect("a person");
    let pending = next(&ada).await;
    ada.answer(&pending, Answer::action("reject").with_text("Not today")).await.expect("it is the first");
    let decision = waiting.await.expect("it runs").expect("a decision");
    assert!(decision.rejected && !decision.approved);

    let lapsed = agent.ask(question().deadline_in(Duration::from_secs(2))).await;
    let lapsed = lapsed.expect("a decision");
    assert_eq!((lapsed.status, lapsed.approved), (MessageStatus::Expired, false));
    assert!(lapsed.receipt().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs HUB_BIN"]
async fn who_joins_late_reads_what_was_said() {
    let hub = Hub::start();
    let agent = hub.client(&hub.key("agent").await);
    let (_, human) = hub.human().await;
    let bob = Person::with_token(&hub.url, &human).await.expect("a person");
    let session = agent.create_session(NewSession::titled("Deploy").participants([])).await.expect("a session").id;
    agent.send(session, "Step one").await.expect("it is sent");
    agent.add_participant(session, NewParticipant::human_id(bob.id())).await.expect("he takes part");
    agent.send(session, NewMessage::text("Step two")).await.expect("it is sent");
    let read = bob.read(session).await.expect("a list");
    let texts: Vec<_> = read.iter().filter_map(|message| message.content()?.text).collect();
    assert_eq!(texts, ["Step one", "Step two"]);
    let opened = bob.session(session).await.expect("it is there");
    assert_eq!(bob.title(&opened).await.expect("no error").as_deref(), Some("Deploy"));

    // A guest has no key yet when the link is made.
    let guest = agent.create_guest_token(session, GuestInvitation::new().name("Eve")).await.expect("a guest");
    let eve = Person::with_token(&hub.url, &guest.token).await.expect("a person");
    let states = async || -> Vec<bool> {
        let read = eve.read(session).await.expect("a list");
        read.iter().take(2).map(|message| message.content().is_some()).collect()
    };
    assert_eq!(states().await, [false, false]);
    assert!(agent.share_history(session, eve.id()).await.expect("it is shared") >= 3);
    assert_eq!(states().await, [true, false], "the second is one that shares keys");

    // What people say, as the agent reads it.
    bob.say(session, "Thanks").await.expect("it is sent");
    let plain = json!({ "encryptedContent": "approve" });
    let path = format!("/v1/human/sessions/{session}/messages");
    call(&hub.url, Method::POST, &path, ("authorization", &format!("Bearer {human}")), &plain).await;
    let mut events = agent.events(session, 0);
    let mut last = Vec::new();
    while last.len() < 2 {
        let event = events.next().await.expect("an event").expect("no error");
        last.extend(event.message.filter(|message| message.sender_human_id.is_some()));
    }
    let opened = last[0].opened.as_ref().expect("opened");
    assert_eq!((&opened.authenticity, opened.sealed_for), (&Authenticity::Verified, Some((3, 3))));
    assert_eq!(last[0].content().and_then(|content| content.text).as_deref(), Some("Thanks"));
    let invented = last[1].opened.as_ref().expect("opened");
    assert_eq!(invented.authenticity, Authenticity::NotAuthenticated(Refusal::Scheme));
    assert_eq!(last[1].content(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs HUB_BIN"]
async fn keys_rotate_and_changes_must_be_confirmed() {
    let hub = Hub::start();
    let key = hub.key("agent").await;
    let (agent, (_, human)) = (hub.client(&key), hub.human().await);
    let ada = Person::with_token(&hub.url, &human).await.expect("a person");
    let session = agent.create_session(NewSession::titled("Deploy")).await.expect("a session").id;
    let decide = async |ada: &Person| {
        let waiting = asked(&agent, Question::approval("Ship?").session(session).answerers([ada.id()]));
        let pending = next(ada).await;
        ada.answer(&pending, Answer::action("approve")).await.expect("it is the first");
        waiting.await.expect("it runs")
    };
    assert!(decide(&ada).await.expect("a decision").approved);
    ada.rotate_keys().await.expect("it is signed");
    let first = agent.key_id().await.expect("a key");
    assert_ne!(agent.rotate_keys().await.expect("it is signed"), first);
    assert!(decide(&ada).await.expect("a decision").approved);
    let number = agent.safety_number(ada.id()).await.expect("no error").expect("a number");
    assert_eq!(number.len(), 60);

    // New keys that the old ones did not sign.
    let error = Person::with_token(&hub.url, &human).await.expect_err("there are keys");
    assert!(error.is("KEY_EXISTS"), "{error}");
    let lost = Person::replacing(&hub.url, &human).await.expect("a person");
    let error = agent.ask(Question::approval("Ship?").session(session).answerers([ada.id()])).await;
    let error = error.expect_err("the key has changed");
    assert!(error.is(Error::KEY_CHANGED), "{error}");
    assert_eq!(error.details["keyId"], json!(lost.key_id()));
    agent.trust(lost.id(), lost.key_id()).await.expect("it is confirmed");
    assert!(decide(&lost).await.expect("a decision").approved);
    // Another process of the agent knows it as well, and reads what the old keys signed.
    let other = hub.client(&key);
    let page = other.messages(session, 1).await.expect("a page");
    assert!(page.data.iter().all(|message| message.opened.as_ref().is_some_and(|opened| opened.is_authentic())));

    // The agent's own keys are never replaced unasked.
    let elsewhere = tempdir().expect("a folder");
    let other = hub.builder(&key).config_folder(elsewhere.path()).build().expect("a client");
    let error = other.send(session, "Hello").await.expect_err("there are keys");
    assert!(error.is("KEY_EXISTS") && error.message.contains("replace_keys"), "{error}");
    other.replace_keys().await.expect("as it was told");
    other.send(session, "Hello").await.expect("it is sent");
}

/// A key that acts for another agent can't publish that agent's keys.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs HUB_BIN"]
async fn only_a_key_of_its_own_encrypts() {
    let hub = Hub::start();
    let client = hub.builder(&hub.key("space").await).agent_name("other").build().expect("a client");
    let error = client.ask(Question::approval("Ship?").wait_at_most(Duration::ZERO)).await.expect_err("no keys");
    assert_eq!(error.status, 403);
    assert!(error.message.contains("an API key of the agent's own"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs HUB_BIN"]
async fn who_is_asked_alone_reads_and_answers() {
    let hub = Hub::start();
    let key = hub.key("agent").await;
    let agent = hub.client(&key);
    let ((email, token), bob) = (hub.human().await, hub.person().await);
    let ada = Person::with_token(&hub.url, &token).await.expect("a person");
    let session = agent.create_session(NewSession::titled("Deploy")).await.expect("a session").id;
    for session in [None, Some(session)] {
        let mut question = Question::approval("Ship?").to([email.as_str()]).title("Ship?");
        if let Some(session) = session {
            question = question.session(session);
        }
        let waiting = asked(&agent, question);
        let pending = next(&ada).await;
        let session = pending.message.session_id;
        assert_eq!(pending.message.answerers.as_deref(), Some(&[ada.id()][..]));
        if let Ok(read) = bob.read(session).await {
            assert!(read.iter().all(|message| message.content().is_none()), "it is not for Bob");
        }
        ada.answer(&pending, Answer::action("approve")).await.expect("it is the first");
        let decision = waiting.await.expect("it runs").expect("a decision");
        assert!(decision.approved);
        assert_eq!(decision.question.title.as_deref(), Some("Ship?"));
        // Another process, and one without the notes: both see what was approved.
        let elsewhere = tempdir().expect("a folder");
        let copied = elsewhere.path().join("keys");
        std::fs::create_dir(&copied).expect("a folder");
        for file in std::fs::read_dir(hub.folder.path().join("config/keys")).expect("a folder") {
            let file = file.expect("a file");
            std::fs::copy(file.path(), copied.join(file.file_name())).expect("it is copied");
        }
        for agent in [hub.client(&key), hub.builder(&key).config_folder(elsewhere.path()).build().expect("a client")] {
            let found = agent.await_response(session, pending.message.id, Some(PATIENCE)).await.expect("a decision");
            assert!(found.approved);
            assert_eq!(found.question, decision.question);
        }
    }
    let nobody = agent.ask(Question::approval("Ship?").to([ada.id()]).answerers([bob.id()])).await;
    assert!(nobody.expect_err("he is not asked").is(Error::VALIDATION));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs HUB_BIN"]
async fn interactions_are_sealed_too() {
    let hub = Hub::start();
    let key = hub.key("agent").await;
    let (agent, ada) = (hub.client(&key), hub.person().await);
    let nobody =
        agent.create_interaction(Question::approval("Ship?").to([ada.id()]).answerers([agent_id(&agent).await]));
    assert!(nobody.await.expect_err("an agent does not answer").is(Error::NO_KEYS));
    let question = || Question::approval("Ship 4.2?").with_text("All tests pass.").to([ada.id()]);
    assert!(
        agent.create_interaction(question().to(["ada@example.org"])).await.expect_err("by id").is(Error::VALIDATION)
    );
    let opened = agent.create_interaction(question()).await.expect("an interaction");
    assert_eq!(opened.title, None);
    let pending = next(&ada).await;
    assert_eq!((pending.message.id, pending.title.as_deref()), (opened.message_id, Some("Ship 4.2?")));
    ada.answer(&pending, Answer::action("approve")).await.expect("it is the first");
    for agent in [agent.clone(), hub.client(&key)] {
        let decision = agent.await_interaction(opened.id, Some(PATIENCE)).await.expect("a decision");
        assert!(decision.approved && decision.receipt().is_some());
        assert_eq!(decision.question.text.as_deref(), Some("All tests pass."));
    }
    assert!(agent.acknowledge_interaction(opened.id).await.expect("it is settled").acknowledged_at.is_some());
    let page = agent.interactions(1).await.expect("a page");
    assert_eq!(page.data.iter().map(|found| found.id).collect::<Vec<_>>(), [opened.id]);
    let path = format!("/v1/agent/interactions/{}", opened.id);
    let raw = call(&hub.url, Method::GET, &path, ("x-api-key", &key), &Value::Null).await.to_string();
    assert!(!raw.contains("Ship") && !raw.contains("tests"), "{raw}");
    let other = agent.create_interaction(question()).await.expect("an interaction");
    agent.cancel_interaction(other.id).await.expect("it is pending");
    let decision = agent.await_interaction(other.id, Some(PATIENCE)).await.expect("a decision");
    assert_eq!((decision.status, decision.approved), (MessageStatus::Cancelled, false));
}

async fn agent_id(agent: &Client) -> uuid::Uuid {
    agent.me().await.expect("a reply").id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs HUB_BIN"]
async fn the_feed_outlasts_a_hub_that_is_killed() {
    let mut hub = Hub::start();
    let agent = hub.client(&hub.key("agent").await);
    let before = agent.create_session(NewSession::titled("Before").participants([])).await.expect("a session").id;
    let mut feed = agent.feed();
    // The feed begins at some time after the call: what is said until then is not in it.
    let (beat, mut number) = (Duration::from_millis(200), 0);
    let first = loop {
        number += 1;
        agent.send(before, format!("Number {number}")).await.expect("it is sent");
        if let Ok(entry) = tokio::time::timeout(beat, feed.next()).await {
            break entry.expect("an entry").expect("no error");
        }
        assert!(number < 300, "the feed begins");
    };
    assert_eq!(first.session_id, before);
    let opened = agent.create_session(NewSession::titled("New").participants([])).await.expect("a session").id;
    let mut newest = std::collections::HashMap::from([(before, first.seq)]);
    let mut read_until = async |feed: &mut hiloop_sdk::Feed, session: uuid::Uuid, seq: i64| {
        while newest.get(&session).is_none_or(|newest| *newest < seq) {
            let entry = tokio::time::timeout(PATIENCE, feed.next()).await.expect("in time").expect("an entry");
            let entry = entry.expect("no error");
            assert!(newest.get(&entry.session_id).is_none_or(|newest| *newest < entry.seq), "each once, in order");
            newest.insert(entry.session_id, entry.seq);
        }
    };
    let seq = agent.session(opened).await.expect("it is there").last_seq;
    read_until(&mut feed, opened, seq).await;
    hub.kill_and_restart();
    let sent = agent.send(opened, "After the restart").await.expect("it is sent");
    let last = agent.send(before, "Here too").await.expect("it is sent");
    read_until(&mut feed, opened, sent.seq).await;
    read_until(&mut feed, before, last.seq).await;
}
