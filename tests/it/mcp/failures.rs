//! What goes wrong is an error that says what to do, and never an approval.

use super::client::McpClient;
use super::{Scene, mcp};
use crate::support::{PATIENCE, Port};
use hiloop_sdk::Answer;
use serde_json::json;
use std::process::Command;
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_arguments_are_named() {
    let scene = Scene::start().await;
    let mut client = scene.client().await;
    for (tool, arguments, problem) in [
        ("ask_human", json!({}), "'title' is required"),
        ("ask_human", json!({ "title": "" }), "'title' must not be empty"),
        ("ask_human", json!({ "title": 1 }), "'title' must be a string"),
        ("ask_human", json!({ "title": "x", "dead_line": "1h" }), "'dead_line' is not an argument"),
        ("ask_human", json!({ "title": "x", "deadline": "soon" }), "'deadline' must be"),
        ("ask_human", json!({ "title": "x", "wait_seconds": 51 }), "'wait_seconds' must be"),
        ("ask_human", json!({ "title": "x", "to": [] }), "'to' must have"),
        ("ask_human", json!({ "title": "x", "to": ["ada"] }), "'to' must be e-mail addresses"),
        (
            "ask_human",
            json!({ "title": "x", "choices": ["a"], "form": { "fields": [{ "name": "a" }] } }),
            "'form' cannot",
        ),
        ("ask_human", json!({ "title": "x", "form": { "type": "object" } }), "'form' must be"),
        ("ask_human", json!({ "title": "x", "components": [{ "data": {} }] }), "'components'"),
        ("ask_human", json!({ "title": "x", "priority": "now" }), "'priority' must be"),
        ("ask_human", json!({ "title": "x", "session_id": "x" }), "'session_id' must be an id"),
        ("await_answer", json!({}), "'key' is required"),
        ("await_answer", json!({ "message_id": scene.person.id() }), "'session_id' is required"),
        ("await_answer", json!({ "key": "never" }), "no question with the key 'never'"),
        ("await_answer", json!({ "session_id": scene.person.id(), "message_id": scene.person.id() }), "404"),
        ("send_message", json!({ "session_id": scene.person.id() }), "'text' or 'components'"),
        ("get_timeline", json!({ "session_id": scene.person.id() }), "404"),
        ("get_timeline", json!({}), "'session_id' is required"),
        ("list_sessions", json!({ "status": "open" }), "'status' must be"),
        (
            "create_guest_token",
            json!({ "session_id": scene.person.id(), "expires_in_seconds": 1 }),
            "'expires_in_seconds'",
        ),
        ("list_agents", json!({ "all": true }), "'all' is not an argument"),
    ] {
        let text = client.fails(tool, arguments.clone()).await;
        assert!(text.contains(problem), "{tool} {arguments}: {text}");
    }
    let unknown = client.fails("ask_human", json!({ "title": "x", "to": ["nobody@example.org"] })).await;
    assert!(unknown.contains("This is not an approval."), "{unknown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_set_up_starts_and_says_so() {
    let folder = tempdir().expect("a folder");
    for (variable, value, problem) in [
        ("HILOOP_API_KEY", "", "HILOOP_API_KEY"),
        ("HILOOP_BASE_URL", "nowhere", "base_url"),
        ("HILOOP_ENCRYPTION", "maybe", "HILOOP_ENCRYPTION"),
        ("HILOOP_ANSWERERS", "owner", "HILOOP_ANSWERERS"),
    ] {
        let mut command: Command = mcp(folder.path(), &[]);
        command.env("HILOOP_API_KEY", format!("hlp_{}", "0".repeat(64))).env(variable, value);
        let mut client = McpClient::start(&mut command);
        client.initialize("2025-11-25").await;
        let text = client.fails("ask_human", json!({ "title": "Ship 4.2?" })).await;
        assert!(text.contains("not set up") && text.contains(problem), "{text}");
        assert_eq!(client.end().await, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_is_down_is_an_error_and_one_that_comes_back_is_found() {
    let port = Port::reserve();
    let mut scene = Scene::start_at(&port.address()).await;
    let mut client = scene.client().await;
    let pending = client.call("ask_human", json!({ "title": "Ship 4.2?", "wait_seconds": 0, "key": "ship" })).await;
    assert_eq!(pending["state"], "pending");
    let question = scene.person.next(&[], PATIENCE).await.expect("a question");
    scene.hub.kill();

    let text = client.fails("ask_human", json!({ "title": "Ship 4.3?" })).await;
    assert!(text.contains("UNREACHABLE") && text.contains("HILOOP_BASE_URL"), "{text}");
    assert!(text.ends_with("This is not an approval."), "{text}");
    let text = client.fails("list_sessions", json!({})).await;
    assert!(text.contains("UNREACHABLE"), "{text}");
    let waiting = client.start_call("await_answer", &json!({ "key": "ship" }));

    scene.hub = crate::support::process::Process::start(scene.folder.path(), &port.address());
    scene.person.answer(&question, Answer::action("approve")).await.expect("it is taken");
    assert_eq!(client.structured(waiting).await["approved"], true);
}

/// The hub closes the question by an answer that is not sealed: that is no approval, and an error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_does_not_verify_is_an_error() {
    let scene = Scene::start().await;
    let mut client = scene.client().await;
    let ask = json!({ "title": "Ship 4.2?", "wait_seconds": 0, "key": "ship" });
    client.call("ask_human", ask).await;
    let question = scene.person.next(&[], PATIENCE).await.expect("a question");
    let signed_in = crate::cli::login(&scene.hub, super::EMAIL, crate::cli::printed(&scene.hub, "password")).await;
    let owner = crate::cli::bearer(&scene.hub, signed_in["accessToken"].as_str().expect("a token"));
    let plain = hiloop_sdk::Envelope::plain(&json!({ "action": "approve", "outcome": "Approved" }));
    let body = json!({ "inReplyTo": question.message.id, "outcome": "Approved", "encryptedContent": plain });
    let path = crate::support::hub::at_human(&question.message.session_id.to_string(), "/messages");
    let posted = owner.post(&path, body).await;
    assert_eq!(posted.status, 201, "the hub reads no content");
    for _ in 0..2 {
        let text = client.fails("await_answer", json!({ "key": "ship" })).await;
        assert!(text.contains("UNVERIFIED") && text.ends_with("This is not an approval."), "{text}");
    }
    let text = client.fails("ask_human", json!({ "title": "Ship 4.2?", "key": "ship" })).await;
    assert!(text.contains("UNVERIFIED"), "{text}");
}
