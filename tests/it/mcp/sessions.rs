//! The other tools: sessions, messages, guests.

use super::Scene;
use crate::support::PATIENCE;
use hiloop_sdk::Answer;
use hiloop_sdk::testing::Person;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_goes_through_a_session() {
    let scene = Scene::start().await;
    let mut client = scene.client().await;
    let id = client.request("tools/list", json!({}));
    let tools = client.reply(id).await["result"]["tools"].clone();
    let check = |name: &str, structured: &Value| {
        let tool = tools.as_array().expect("tools").iter().find(|tool| tool["name"] == name).expect("a tool");
        let validator = jsonschema::validator_for(&tool["outputSchema"]).expect("a schema");
        let problems: Vec<String> = validator.iter_errors(structured).map(|error| error.to_string()).collect();
        assert!(problems.is_empty(), "{name}: {problems:?} in {structured}");
    };

    let open = json!({ "title": "Deploy 4.2", "to": [super::EMAIL], "priority": "high", "key": "deploy-4.2" });
    let opened = client.call("create_session", open).await;
    check("create_session", &opened);
    let session = opened["session_id"].clone();
    let at = json!({ "session_id": session });
    let sent = client.call("send_message", json!({ "session_id": session, "text": "Building." })).await;
    check("send_message", &sent);

    // What people write next, and what they answer.
    let waiting = client.start_call("await_response", &at);
    let room = session.as_str().and_then(|id| id.parse().ok()).expect("an id");
    scene.person.say(room, "Wait for the tests").await.expect("it is said");
    let said = client.structured(waiting).await;
    check("await_response", &said);
    assert_eq!((&said["state"], &said["text"]), (&json!("message"), &json!("Wait for the tests")));
    assert_eq!((&said["messages"][0]["authenticity"], &said["approved"]), (&json!("verified"), &json!(false)));
    let nothing = json!({ "session_id": session, "after_seq": said["last_seq"], "wait_seconds": 1 });
    let nothing = client.call("await_response", nothing).await;
    check("await_response", &nothing);
    assert_eq!((&nothing["state"], &nothing["next"]["tool"]), (&json!("pending"), &json!("await_response")));

    let approval = json!({ "type": "approval", "data": { "title": "Ship it?" } });
    let ask = json!({ "session_id": session, "components": approval, "response_required": true, "deadline": "1h" });
    let asked = client.call("send_message", ask).await;
    check("send_message", &asked);
    let waiting = client.start_call("await_response", &at);
    let question = scene.person.next(&[], PATIENCE).await.expect("a question");
    scene.person.answer(&question, Answer::action("approve")).await.expect("it is taken");
    let answered = client.structured(waiting).await;
    check("await_response", &answered);
    assert_eq!((&answered["approved"], &answered["message_id"]), (&json!(true), &asked["message_id"]));

    let timeline = client.call("get_timeline", json!({ "session_id": session, "limit": 1000 })).await;
    check("get_timeline", &timeline);
    let texts: Vec<&str> = timeline["events"]
        .as_array()
        .expect("events")
        .iter()
        .filter_map(|event| event["message"]["text"].as_str())
        .collect();
    assert_eq!(texts, ["Building.", "Wait for the tests"]);
    let listed = client.call("list_sessions", json!({ "status": "active" })).await;
    check("list_sessions", &listed);
    assert_eq!(listed["sessions"][0]["title"], "Deploy 4.2");
    let agents = client.call("list_agents", json!({})).await;
    check("list_agents", &agents);
    assert_eq!((&agents["people"][0]["name"], &agents["people"][0]["has_key"]), (&json!("Owner"), &json!(true)));
    let closed = client.call("close_session", at.clone()).await;
    check("close_session", &closed);
    let refused = client.fails("send_message", json!({ "session_id": session, "text": "More" })).await;
    assert!(refused.contains("SESSION_CLOSED") && refused.contains("Open another one"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_answers() {
    let scene = Scene::start().await;
    let mut client = scene.client().await;
    let session = client.call("create_session", json!({ "title": "Deploy" })).await["session_id"].clone();
    let invitation = json!({ "session_id": session, "name": "Ada", "expires_in_seconds": 3600 });
    let invited = client.call("create_guest_token", invitation).await;
    let url = invited["url"].as_str().expect("a link");
    let token = &url[url.find("hlg_").expect("its token")..];
    let guest = Person::with_token(&scene.hub.base, token).await.expect("a guest");
    assert_eq!(invited["guest_id"], guest.id().to_string());

    let ask = json!({ "title": "Ship 4.2?", "session_id": session, "answerers": [guest.id()] });
    let id = client.start_call("ask_human", &ask);
    let question = guest.next(&[], PATIENCE).await.expect("a question");
    guest.answer(&question, Answer::action("approve")).await.expect("it is taken");
    let answered = client.structured(id).await;
    assert_eq!((&answered["approved"], &answered["respondent"]["name"]), (&json!(true), &json!("Ada")));
}
