//! `ask_human` and `await_answer`: what people decide is what the agent reads.

use super::Scene;
use super::client::McpClient;
use crate::support::PATIENCE;
use hiloop_sdk::Answer;
use serde_json::{Map, Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_approval_reads_as_approved() {
    let scene = Scene::start().await;
    let mut client = scene.client().await;
    let mut seen = Vec::new();
    for (answer, approved, rejected, words) in [
        (
            Answer::action("approve").with_text("Go"),
            true,
            false,
            "Approved by \"Owner\".\nThe question was: \"Ship 4.2?\"\n\"Owner\" wrote: \"Go\"",
        ),
        (Answer::action("reject").with_text("Not on Friday"), false, true, "Rejected by \"Owner\". Do not do it."),
        (Answer::text("yes, approve"), false, false, "This is not an approval."),
    ] {
        let ask = json!({ "title": "Ship 4.2?", "text": "All **412** tests pass.", "to": [super::EMAIL] });
        let id = client.start_call("ask_human", &ask);
        let question = scene.person.next(&seen, PATIENCE).await.expect("a question");
        assert_eq!(question.title.as_deref(), Some("Ship 4.2?"));
        assert_eq!(question.content.text.as_deref(), Some("All **412** tests pass."));
        scene.person.answer(&question, answer).await.expect("it is taken");
        seen.push(question.message.id);

        let result = client.result(id).await;
        let text = result["content"][0]["text"].as_str().expect("a text");
        assert!(text.contains(words), "{words} in {text}");
        let structured = &result["structuredContent"];
        assert_eq!(structured["state"], "answered");
        assert_eq!((&structured["approved"], &structured["rejected"]), (&json!(approved), &json!(rejected)));
        assert_eq!(structured["respondent"]["name"], "Owner");
        assert_eq!(structured["message_id"], question.message.id.to_string());
        assert_eq!(structured["next"], Value::Null);
    }
    // Each was asked anew, though with the same words: only an equal key makes them one.
    assert_eq!(seen.len(), 3);
    // The hub and the log have none of it, and the outcomes were taken.
    for file in ["hub.db", "hub.db-wal"] {
        let stored = std::fs::read(scene.folder.path().join(file)).unwrap_or_default();
        assert!(!stored.windows(8).any(|bytes| bytes == b"Ship 4.2" || bytes == b"tests pa"), "{file}");
    }
    assert!(!client.errors().contains("Ship 4.2"));
    let key = scene.hub.owner();
    assert_eq!(key.get("/v1/agent/answers").await.expect(200)["total"], 0);
    assert_eq!(client.end().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn choices_forms_and_components_bring_their_answers() {
    let scene = Scene::start().await;
    let mut client = scene.client().await;
    let form = json!({ "type": "object", "required": ["count"], "properties": { "count": { "type": "integer" } } });
    let values = Map::from_iter([("count".to_owned(), json!("3"))]);
    let buttons = json!([
        { "type": "kv", "data": { "entries": [{ "key": "Version", "value": "4.2" }] } },
        { "type": "button_group", "data": { "buttons": [{ "label": "Later", "action": "later" }] } },
    ]);
    let mut seen = Vec::new();
    for (what, answer, member, expected) in [
        (json!({ "choices": ["eu", "us"] }), Answer::action("us"), "action", json!("us")),
        (json!({ "form": form }), Answer::values(values), "values", json!({ "count": 3 })),
        (json!({ "components": buttons }), Answer::action("later"), "action", json!("later")),
    ] {
        let mut ask = json!({ "title": "Where?", "priority": "high" });
        ask.as_object_mut().expect("an object").extend(what.as_object().expect("an object").clone());
        let id = client.start_call("ask_human", &ask);
        let question = scene.person.next(&seen, PATIENCE).await.expect("a question");
        assert_eq!(question.title.as_deref(), Some("Where?"));
        scene.person.answer(&question, answer).await.expect("it is taken");
        seen.push(question.message.id);
        let structured = client.structured(id).await;
        assert_eq!(structured[member], expected, "{structured}");
        assert_eq!((&structured["approved"], &structured["outcome"]), (&json!(false), &json!("Answered")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_answer_in_time_there_is_a_handle() {
    let scene = Scene::start().await;
    let mut client = scene.client().await;
    let pending = client.call("ask_human", json!({ "title": "Ship 4.2?", "wait_seconds": 0 })).await;
    assert_eq!((&pending["state"], &pending["approved"]), (&json!("pending"), &json!(false)));
    assert_eq!(pending["next"], json!({ "tool": "await_answer", "arguments": { "key": pending["key"] } }));
    let question = scene.person.next(&[], PATIENCE).await.expect("a question");
    assert_eq!(pending["message_id"], question.message.id.to_string());

    let again = client.call("await_answer", json!({ "key": pending["key"], "wait_seconds": 1 })).await;
    assert_eq!((&again["state"], &again["message_id"]), (&json!("pending"), &json!(question.message.id)));
    let by_key = client.start_call("await_answer", &pending["next"]["arguments"]);
    let place = json!({ "session_id": again["session_id"], "message_id": again["message_id"] });
    let by_message = client.start_call("await_answer", &place);
    scene.person.answer(&question, Answer::action("approve")).await.expect("it is taken");
    for id in [by_key, by_message] {
        let answered = client.structured(id).await;
        assert_eq!((&answered["state"], &answered["approved"]), (&json!("answered"), &json!(true)));
        assert_eq!(answered["key"], pending["key"]);
    }
    // Asked again with its key, it is the same question.
    let same = client.call("ask_human", json!({ "title": "Ship 4.2?", "key": pending["key"] })).await;
    assert_eq!((&same["approved"], &same["message_id"]), (&json!(true), &json!(question.message.id)));
    let other = client.fails("ask_human", json!({ "title": "Ship 4.3?", "key": pending["key"] })).await;
    assert!(other.contains("'key'"), "{other}");
    assert_eq!(scene.person.pending().await.expect("a list").len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_expire_and_are_cancelled() {
    let scene = Scene::start().await;
    let mut client = scene.client().await;
    let id = client.start_call("ask_human", &json!({ "title": "Ship 4.2?", "deadline": "2s" }));
    let result = client.result(id).await;
    assert_eq!(result["structuredContent"]["state"], "expired");
    assert_eq!(result["structuredContent"]["approved"], false);
    let text = result["content"][0]["text"].as_str().expect("a text");
    assert_eq!(text, "Nobody answered before the deadline. This is not an approval.");

    let id = client.start_call("ask_human", &json!({ "title": "Ship 4.2?" }));
    let question = scene.person.next(&[], PATIENCE).await.expect("a question");
    let closed = client.call("close_session", json!({ "session_id": question.message.session_id })).await;
    assert_eq!((&closed["status"], &closed["title"]), (&json!("Closed"), &json!("Ship 4.2?")));
    let cancelled = client.structured(id).await;
    assert_eq!((&cancelled["state"], &cancelled["approved"]), (&json!("cancelled"), &json!(false)));
}

/// An answer that no request waited for counts if it came before the deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_read_in_time_also_between_two_calls() {
    let scene = Scene::start().await;
    let mut client = scene.client().await;
    let ask = json!({ "title": "Ship 4.2?", "deadline": "20s", "wait_seconds": 0 });
    let pending = client.call("ask_human", ask).await;
    let question = scene.person.next(&[], PATIENCE).await.expect("a question");
    let deadline = question.message.deadline_at.expect("a deadline");
    if scene.person.answer(&question, Answer::action("approve")).await.is_err() {
        // A machine so busy that the deadline came first.
        return;
    }
    while hiloop_sdk::Timestamp::now() <= deadline {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    let late = client.call("await_answer", json!({ "key": pending["key"] })).await;
    assert_eq!((&late["state"], &late["approved"]), (&json!("answered"), &json!(true)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_cancelled_leaves_the_question() {
    let scene = Scene::start().await;
    let mut client = scene.client().await;
    let id = client.request(
        "tools/call",
        json!({
            "name": "ask_human", "arguments": { "title": "Ship 4.2?", "key": "ship-4.2" },
            "_meta": { "progressToken": "p-1" },
        }),
    );
    let progress = client.notification().await;
    assert_eq!(progress["method"], "notifications/progress");
    assert_eq!(progress["params"]["progressToken"], "p-1");
    assert!(progress["params"]["message"].as_str().is_some_and(|text| text.starts_with("Waiting")), "{progress}");
    let next = client.notification().await;
    let of = |progress: &Value| progress["params"]["progress"].as_f64().expect("a number");
    assert!(of(&next) > of(&progress), "{next} after {progress}");

    let question = scene.person.next(&[], PATIENCE).await.expect("a question");
    client.send(&json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id, "reason": "enough" },
    }));
    // The server goes on, and so does the question.
    let pending = client.call("await_answer", json!({ "key": "ship-4.2", "wait_seconds": 1 })).await;
    assert_eq!((&pending["state"], &pending["message_id"]), (&json!("pending"), &json!(question.message.id)));
    scene.person.answer(&question, Answer::action("approve")).await.expect("it is taken");
    assert_eq!(client.call("await_answer", json!({ "key": "ship-4.2" })).await["approved"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_fixed_answerers_the_model_does_not_choose_who_answers() {
    let scene = Scene::start().await;
    let eve = json!({ "email": "eve@example.org", "name": "Eve", "password": "a long enough password" });
    scene.hub.owner().post("/v1/manage/humans", eve).await.expect(201);
    let mut client = McpClient::start(scene.command().env("HILOOP_ANSWERERS", super::EMAIL));
    client.initialize("2025-11-25").await;
    for (member, people) in
        [("to", json!(["eve@example.org"])), ("answerers", json!([super::EMAIL, "eve@example.org"]))]
    {
        let refused = client.fails("ask_human", json!({ "title": "Ship 4.2?", (member): people })).await;
        assert!(refused.contains(&format!("'{member}'")) && refused.contains("HILOOP_ANSWERERS"), "{refused}");
    }
    let session = client.call("create_session", json!({ "title": "Release" })).await;
    let place = json!({ "session_id": session["session_id"], "text": "Ship?", "response_required": true });
    let refused = client.fails("send_message", place).await;
    assert!(refused.contains("ask_human"), "{refused}");
    // In a session of its own and in one in which Eve takes part.
    for session in [Value::Null, session["session_id"].clone()] {
        let mut ask = json!({ "title": "Ship 4.2?" });
        if session.is_string() {
            ask["session_id"] = session;
        }
        let id = client.start_call("ask_human", &ask);
        let question = scene.person.next(&[], PATIENCE).await.expect("a question");
        assert_eq!(question.message.answerers.as_deref(), Some(&[scene.person.id()][..]));
        scene.person.answer(&question, Answer::action("approve")).await.expect("it is taken");
        assert_eq!(client.structured(id).await["approved"], true);
    }
}
