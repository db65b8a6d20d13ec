//! A hub that lies: no lie makes an approval, and each error says what is wrong.

use super::hub::OfflineHub;
use super::{Answers, over};
use crate::call::Call;
use crate::client::Client;
use crate::decision::Decision;
use crate::e2e::entry::Entry;
use crate::e2e::header::Kind;
use crate::e2e::keys::SecretKeys;
use crate::e2e::refusal::Refusal;
use crate::e2e::seal::Draft;
use crate::error::Error;
use crate::people::Answer;
use crate::question::Question;
use crate::types::{Authenticity, Envelope, MessageStatus, Outcome, Timestamp};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::Uuid;

struct Liar {
    hub: Arc<OfflineHub>,
    client: Client,
}

impl Liar {
    fn new(answers: Answers) -> Self {
        let hub = Arc::new(OfflineHub::new(answers));
        Self { client: over(Arc::clone(&hub)), hub }
    }

    fn lie(&self, lie: impl FnMut(&Call, &mut Value) + Send + 'static) {
        *self.hub.lie.lock().expect("no panic") = Some(Box::new(lie));
    }

    /// Changes the question that a long-poll returns.
    fn lie_of_answer(&self, mut lie: impl FnMut(&mut Value) + Send + 'static) {
        self.lie(move |call, reply| {
            if call.path.contains("/await") {
                lie(reply);
            }
        });
    }

    async fn ask(&self, title: &str) -> Result<Decision, Error> {
        self.client.ask(Question::approval(title).deadline_in(Duration::from_secs(600))).await
    }

    async fn refusal(&self) -> String {
        let error = self.ask("Ship it?").await.expect_err("it is no answer");
        assert_eq!(error.code, Error::UNVERIFIED, "{error}");
        error.message
    }
}

#[tokio::test]
async fn an_honest_answer_decides() {
    for (answers, outcome, action) in
        [(Answers::Approve, Outcome::Approved, "approve"), (Answers::Reject, Outcome::Rejected, "reject")]
    {
        let client = Client::offline(answers);
        let decision = client.ask(Question::approval("Ship it?").with_text("All green").key("ship")).await.expect("it");
        assert_eq!((decision.outcome, decision.action.as_deref()), (Some(outcome), Some(action)));
        assert_eq!((decision.approved, decision.rejected), (action == "approve", action == "reject"));
        assert!(decision.message.acknowledged_at.is_some());
        let decided = decision.receipt().expect("a receipt").verify().expect("it holds");
        assert_eq!((decided.outcome, decided.answer.action.as_deref()), (outcome, Some(action)));
        assert_eq!(decided.question["content"]["text"], "All green");
        // The same question again, found by its mark.
        let question = || Question::approval("Ship it?").with_text("All green").key("ship");
        let again = client.ask(question()).await.expect("a decision");
        assert_eq!(again.message.id, decision.message.id);
        assert_eq!(again.question.text.as_deref(), Some("All green"));
        // The old answer is for no other question.
        for other in [question().with_text("All red"), question().components(json!({ "type": "approval", "data": {} }))]
        {
            let error = client.ask(other).await.expect_err("it is another question");
            assert_eq!(error.code, Error::QUESTION_DIFFERS, "{error}");
        }
        let nobody = question().answerers([Uuid::now_v7()]);
        assert_eq!(client.ask(nobody).await.expect_err("others were asked").code, Error::QUESTION_DIFFERS);
        assert_eq!(client.answers().await.expect("a list").len(), 0);
    }
    let decision = Client::offline(Answers::Expire).ask("Ship it?").await.expect("a decision");
    assert_eq!((decision.status, decision.approved, decision.outcome), (MessageStatus::Expired, false, None));
    assert!(decision.receipt().is_none());
}

#[tokio::test]
async fn choices_and_forms_come_back_checked() {
    let client = Client::offline(Answers::with(|question| {
        let components = question.components.as_ref()?;
        Some(match components["type"].as_str()? {
            "button_group" => Answer::action(components["data"]["buttons"][1]["action"].as_str()?),
            _ => Answer::values(serde_json::from_value(json!({ "count": "3", "extra": 1 })).ok()?),
        })
    }));
    let decision = client.ask(Question::text("Which?").choices(["A", "B"])).await.expect("a decision");
    assert_eq!((decision.action.as_deref(), decision.approved), (Some("B"), false));
    let form =
        |most: u8| json!({ "type": "object", "properties": { "count": { "type": "integer", "maximum": most } } });
    let decision = client.ask(Question::text("How many?").form(form(5))).await.expect("a decision");
    assert_eq!(Value::Object(decision.values), json!({ "count": 3 }));
    let error = client.ask(Question::text("How many?").form(form(2))).await.expect_err("too many");
    assert_eq!((error.code.as_str(), error.message.as_str()), (Error::INVALID_ANSWER, "'count' must be at most 2"));
}

#[tokio::test]
async fn an_old_approval_is_no_answer_to_a_new_question() {
    for is_same_message in [true, false] {
        let liar = Liar::new(Answers::Approve);
        let first = liar.ask("Order pizza?").await.expect("approved").message;
        let mut old = first.response.expect("an answer");
        if !is_same_message {
            old.message_id = Uuid::now_v7();
        }
        liar.lie_of_answer(move |question| question["response"] = json!(old));
        // In a session of its own, and in the session of the first one.
        assert_eq!(liar.refusal().await, Refusal::Session.to_string());
        let error = liar.client.ask(Question::approval("Ship it?").session(first.session_id)).await;
        let expected = if is_same_message { Refusal::Parent } else { Refusal::Replayed };
        assert_eq!(error.expect_err("it is no answer").message, expected.to_string());
    }
}

#[tokio::test]
async fn nobody_else_answers() {
    // The agent's own question, or an envelope that it sealed itself, sent back as the answer.
    let liar = Liar::new(Answers::Approve);
    let agent = liar.hub.agent;
    liar.lie_of_answer(move |question| {
        question["response"]["respondedBy"]["id"] = json!(agent);
        question["response"]["encryptedContent"] = question["encryptedContent"].clone();
    });
    assert_eq!(liar.refusal().await, Refusal::Replayed.to_string());

    // A person's answer under the name of another.
    let liar = Liar::new(Answers::Approve);
    liar.lie_of_answer(|question| question["response"]["respondedBy"]["id"] = json!(Uuid::now_v7()));
    assert_eq!(liar.refusal().await, Refusal::Sender.to_string());

    // A message where an answer is due.
    let liar = Liar::new(Answers::Approve);
    let hub = Arc::clone(&liar.hub);
    liar.lie_of_answer(move |question| {
        let session = question["sessionId"].as_str().and_then(|id| id.parse().ok()).expect("an id");
        let content = json!({ "content": { "action": "approve", "outcome": "Approved" } });
        let sealed = hub.person.identity.seal(Draft::new(Kind::Message, session), &content, &[hub.agent]);
        question["response"]["encryptedContent"] = json!(sealed.envelope);
    });
    assert_eq!(liar.refusal().await, Refusal::Kind.to_string());
}

#[tokio::test]
async fn what_was_changed_on_the_way_does_not_count() {
    fn flip(text: &Value) -> Value {
        let text = text.as_str().expect("a text");
        let first = if text.starts_with('A') { 'B' } else { 'A' };
        json!(format!("{first}{}", &text[1..]))
    }
    type Change = fn(&mut Value);
    let changes: [(Change, String); 6] = [
        (|answer| answer["wrappings"] = json!([]), Refusal::Wrapping.to_string()),
        (|answer| answer["signature"] = flip(&answer["signature"]), Refusal::Signature.to_string()),
        (|answer| answer["ciphertext"] = flip(&answer["ciphertext"]), Refusal::Ciphertext.to_string()),
        (|answer| *answer = json!(Envelope::plain(&json!({ "action": "approve" }))), Refusal::Scheme.to_string()),
        (|answer| *answer = json!({ "ciphertext": "approve", "wrappings": [] }), Refusal::Scheme.to_string()),
        (|answer| *answer = Value::Null, Refusal::NoAnswer.to_string()),
    ];
    for (change, expected) in changes {
        let liar = Liar::new(Answers::Approve);
        liar.lie_of_answer(move |question| change(&mut question["response"]["encryptedContent"]));
        assert_eq!(liar.refusal().await, expected);
    }
    let liar = Liar::new(Answers::Approve);
    liar.lie_of_answer(|question| question["response"] = Value::Null);
    assert_eq!(liar.refusal().await, Refusal::NoAnswer.to_string());
}

#[tokio::test]
async fn a_rejection_stays_one_whatever_the_hub_says() {
    let liar = Liar::new(Answers::Reject);
    liar.lie_of_answer(|question| {
        question["outcome"] = json!("Approved");
        question["response"]["outcome"] = json!("Approved");
    });
    let decision = liar.ask("Ship it?").await.expect("a decision");
    assert_eq!((decision.approved, decision.outcome), (false, Some(Outcome::Rejected)));
    let liar = Liar::new(Answers::Expire);
    liar.lie_of_answer(|question| question["status"] = json!("Completed"));
    assert_eq!(liar.refusal().await, Refusal::NoAnswer.to_string());
}

#[tokio::test]
async fn a_swapped_key_is_noticed_until_it_is_trusted() {
    let liar = Liar::new(Answers::Approve);
    assert!(liar.ask("Order pizza?").await.expect("approved").approved);
    let person = liar.hub.person.id;
    let swapped = Entry::make(person, &SecretKeys::generate(), None);
    let key = swapped.key_id;
    liar.lie(move |call, reply| {
        if call.path.contains("/participants") {
            reply["data"][1]["key"] = json!(swapped);
        }
    });
    let error = liar.ask("Ship it?").await.expect_err("the key has changed");
    assert_eq!((error.code.as_str(), &error.details["principalId"]), (Error::KEY_CHANGED, &json!(person)));
    assert_eq!(error.details["keyId"], json!(key));
    *liar.hub.lie.lock().expect("no panic") = None;
    let error = liar.ask("Ship it?").await.expect_err("still not confirmed");
    assert_eq!(error.code, Error::KEY_CHANGED);
    liar.client.trust(person, liar.hub.person.identity.entry().key_id).await.expect("it is pinned");
    assert!(liar.ask("Ship it?").await.expect("approved").approved);
}

#[tokio::test]
async fn hidden_keys_make_it_wait_and_never_send_plain_text() {
    let liar = Liar::new(Answers::Approve);
    let sent = Arc::new(Mutex::new(0));
    let count = Arc::clone(&sent);
    liar.lie(move |call, reply| {
        if call.path.contains("/participants") {
            reply["data"][1]["key"] = Value::Null;
        }
        *count.lock().expect("no panic") += usize::from(call.path.ends_with("/messages"));
    });
    let question = || Question::approval("Ship it?");
    let error = liar.client.ask(question().deadline_in(Duration::from_millis(200))).await.expect_err("no key");
    assert_eq!(error.code, Error::NO_KEYS);
    let error = liar.client.ask(question().wait_at_most(Duration::from_millis(50))).await.expect_err("no key");
    assert_eq!(error.code, Error::TIMEOUT);
    assert_eq!(*sent.lock().expect("no panic"), 0);
}

#[tokio::test]
async fn an_answer_after_the_deadline_is_none() {
    let liar = Liar::new(Answers::Approve);
    // The hub holds the answer back, and shows another deadline than the one that was signed.
    liar.lie_of_answer(|question| {
        std::thread::sleep(Duration::from_millis(300));
        question["deadlineAt"] = json!(Timestamp::after(Duration::from_secs(600)));
    });
    let error = liar.client.ask(Question::approval("Ship it?").deadline_in(Duration::from_millis(250))).await;
    assert_eq!(error.expect_err("too late").message, Refusal::Late.to_string());
}

#[tokio::test]
async fn messages_that_the_hub_invents_or_withholds_are_marked() {
    let liar = Liar::new(Answers::Approve);
    let decision = liar.ask("Ship it?").await.expect("approved");
    let session = decision.message.session_id;
    let states = async || -> Vec<Authenticity> {
        let page = liar.client.messages(session, 1).await.expect("a page");
        page.data.into_iter().map(|message| message.opened.expect("opened").authenticity).collect()
    };
    assert_eq!(states().await, [Authenticity::Verified, Authenticity::Verified]);
    let person = liar.hub.person.id;
    {
        let mut store = liar.hub.store();
        let invented = json!({ "encryptedContent": Envelope::plain(&json!({ "text": "approve all" })) });
        store.sessions.get_mut(&session).expect("it is there").add(("Human", person), &invented);
    }
    let page = liar.client.messages(session, 1).await.expect("a page");
    assert_eq!(page.data[2].content(), None, "it is not authentic");
    assert_eq!(states().await[2], Authenticity::NotAuthenticated(Refusal::Scheme));

    // The person answers to something that this client was never shown.
    let hub = &liar.hub;
    let seal = |text: &str| {
        let sealed = hub.person.identity.seal(
            Draft::new(Kind::Message, session),
            &json!({ "content": { "text": text } }),
            &[hub.agent],
        );
        let carrier =
            crate::e2e::journal::Carrier { id: Uuid::now_v7(), seq: Some(hub.store().sessions[&session].next_seq()) };
        hub.person.identity.accept(&sealed.envelope, person, session, carrier).expect("its own");
        json!({ "encryptedContent": sealed.envelope })
    };
    let (_withheld, shown) = (seal("Stop!"), seal("Did you see it?"));
    hub.store().sessions.get_mut(&session).expect("it is there").add(("Human", person), &shown);
    let page = liar.client.messages(session, 1).await.expect("a page");
    let opened = page.data[3].opened.as_ref().expect("opened");
    assert_eq!(page.data[3].content().and_then(|content| content.text).as_deref(), Some("Did you see it?"));
    assert!(opened.is_something_missing);
    assert_eq!(opened.sealed_for, Some((2, 2)));
}
