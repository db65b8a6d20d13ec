//! A server that is killed and started again finds its questions.

use super::Scene;
use crate::support::PATIENCE;
use hiloop_sdk::Answer;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_in_mid_wait_finds_its_question() {
    let scene = Scene::start().await;
    let ask = json!({ "title": "Ship 4.2?", "text": "All tests pass.", "key": "ship-4.2" });
    let mut first = scene.client().await;
    first.start_call("ask_human", &ask);
    let question = scene.person.next(&[], PATIENCE).await.expect("a question");
    first.kill();

    let mut second = scene.client().await;
    let asked = second.start_call("ask_human", &ask);
    // Another server of the same agent waits by the key, and by the ids.
    let mut third = scene.client().await;
    let by_key = third.start_call("await_answer", &json!({ "key": "ship-4.2" }));
    let place = json!({ "session_id": question.message.session_id, "message_id": question.message.id });
    let by_message = third.start_call("await_answer", &place);
    scene.person.answer(&question, Answer::action("approve").with_text("Go")).await.expect("it is taken");

    let mut answers = vec![second.structured(asked).await];
    answers.push(third.structured(by_key).await);
    answers.push(third.structured(by_message).await);
    let mut fourth = scene.client().await;
    answers.push(fourth.call("ask_human", ask).await);
    for answer in answers {
        assert_eq!((&answer["approved"], &answer["text"]), (&json!(true), &json!("Go")));
        assert_eq!(answer["message_id"], question.message.id.to_string());
        assert_eq!(answer["question"], json!({ "title": "Ship 4.2?", "text": "All tests pass." }));
    }
    // One question, one answer.
    let messages = scene.person.read(question.message.session_id).await.expect("messages");
    assert_eq!(messages.iter().filter(|message| message.response_required).count(), 1);
    assert_eq!(messages.len(), 2);
    let sessions = fourth.call("list_sessions", json!({})).await;
    assert_eq!(sessions["total"], 1, "{sessions}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_was_found_by_itself_does_not_answer_another_question() {
    let scene = Scene::start().await;
    let mut first = scene.client().await;
    let ask = json!({ "title": "Delete the cache?", "key": "delete", "wait_seconds": 0 });
    assert_eq!(first.call("ask_human", ask).await["state"], "pending");
    first.kill();

    let mut second = scene.client().await;
    let by_key = second.start_call("await_answer", &json!({ "key": "delete" }));
    let question = scene.person.next(&[], PATIENCE).await.expect("a question");
    let found = second.call("await_answer", json!({ "key": "delete", "wait_seconds": 0 })).await;
    assert_eq!(found["message_id"], question.message.id.to_string());
    let other = second.fails("ask_human", json!({ "title": "Delete production?", "key": "delete" })).await;
    assert!(other.contains("'key'"), "{other}");
    scene.person.answer(&question, Answer::action("approve")).await.expect("it is taken");
    assert_eq!(second.structured(by_key).await["approved"], true);
    let other = second.fails("ask_human", json!({ "title": "Delete production?", "key": "delete" })).await;
    assert!(other.contains("'key'"), "{other}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_in_a_given_session_are_found_too() {
    let scene = Scene::start().await;
    let mut first = scene.client().await;
    let session = first.call("create_session", json!({ "title": "Deploy" })).await["session_id"].clone();
    let ask =
        json!({ "title": "Ship?", "session_id": session, "key": "ship", "wait_seconds": 0, "to": [super::EMAIL] });
    let pending = first.call("ask_human", ask).await;
    assert_eq!(pending["next"]["arguments"], json!({ "key": "ship", "session_id": session }));
    let question = scene.person.next(&[], PATIENCE).await.expect("a question");
    assert_eq!(question.message.session_id.to_string(), session.as_str().expect("an id"));
    first.kill();

    let mut second = scene.client().await;
    let missing = second.fails("await_answer", json!({ "key": "ship" })).await;
    assert!(missing.contains("no question with the key 'ship'") && missing.contains("session_id"), "{missing}");
    let id = second.start_call("await_answer", &pending["next"]["arguments"]);
    scene.person.answer(&question, Answer::action("reject")).await.expect("it is taken");
    assert_eq!(second.structured(id).await["rejected"], true);
}
