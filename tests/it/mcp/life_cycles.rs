//! Both life cycles of the protocol, the tools as they are listed, and tasks.

use super::client::McpClient;
use super::{Scene, mcp};
use crate::support::{PATIENCE, eventually};
use hiloop_sdk::Answer;
use serde_json::{Value, json};
use tempfile::tempdir;

const TOOLS: [&str; 10] = [
    "ask_human",
    "await_answer",
    "create_session",
    "send_message",
    "await_response",
    "get_timeline",
    "list_sessions",
    "close_session",
    "create_guest_token",
    "list_agents",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_with_a_handshake_are_negotiated() {
    let folder = tempdir().expect("a folder");
    for (asked, agreed) in [
        ("2025-11-25", "2025-11-25"),
        ("2025-06-18", "2025-06-18"),
        ("2024-11-05", "2024-11-05"),
        // It has no handshake, and the other is not known: the newest one that has.
        ("2026-07-28", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
    ] {
        let mut client = McpClient::start(&mut mcp(folder.path(), &[]));
        let hello = client.initialize(asked).await;
        assert_eq!(hello["protocolVersion"], agreed, "{asked}");
        assert_eq!(hello["serverInfo"]["name"], "hiloop");
        assert!(hello["capabilities"]["tools"].is_object());
        assert!(hello["instructions"].as_str().is_some_and(|text| text.contains("ask_human")));
        let id = client.request("ping", json!({}));
        assert_eq!(client.reply(id).await["result"], json!({}));
        assert_eq!(client.end().await, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_version_without_a_handshake_is_served() {
    let scene = Scene::start().await;
    let mut client = McpClient::start(&mut scene.command());
    client.without_handshake(&json!({}));
    let id = client.request("server/discover", json!({}));
    let discovered = client.reply(id).await["result"].clone();
    let versions = discovered["supportedVersions"].as_array().expect("versions");
    assert!(versions.contains(&json!("2026-07-28")) && versions.contains(&json!("2025-11-25")), "{discovered}");
    let id = client.request("tools/list", json!({}));
    let listed = client.reply(id).await;
    assert_eq!(listed["result"]["tools"].as_array().map(Vec::len), Some(TOOLS.len()), "{listed}");

    let id = client.start_call("ask_human", &json!({ "title": "Ship 4.2?" }));
    let question = scene.person.next(&[], PATIENCE).await.expect("a question");
    scene.person.answer(&question, Answer::action("approve")).await.expect("it is taken");
    assert_eq!(client.structured(id).await["approved"], true);
    // Not a method of this version.
    let id = client.request("ping", json!({}));
    assert_eq!(client.reply(id).await["error"]["code"], -32601);
    assert_eq!(client.end().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_with_tasks_gets_one_for_a_question() {
    let scene = Scene::start().await;
    let mut client = McpClient::start(&mut scene.command());
    client.without_handshake(&json!({ "extensions": { "io.modelcontextprotocol/tasks": {} } }));
    let task_of = async |client: &mut McpClient, key: &str| {
        let id = client.start_call("ask_human", &json!({ "title": "Ship 4.2?", "key": key }));
        let task = client.result(id).await;
        assert_eq!((&task["resultType"], &task["status"]), (&json!("task"), &json!("working")), "{task}");
        json!({ "taskId": task["taskId"] })
    };
    let task = task_of(&mut client, "ship-4.2").await;
    let question = scene.person.next(&[], PATIENCE).await.expect("a question");
    scene.person.answer(&question, Answer::action("approve")).await.expect("it is taken");
    let done = finished(&mut client, &task).await;
    assert_eq!(done["status"], "completed");
    assert_eq!(done["result"]["structuredContent"]["approved"], true, "{done}");

    // A task that is cancelled leaves its question.
    let task = task_of(&mut client, "ship-4.3").await;
    let question = scene.person.next(&[question.message.id], PATIENCE).await.expect("a question");
    let id = client.request("tasks/cancel", task.clone());
    client.result(id).await;
    assert_eq!(finished(&mut client, &task).await["status"], "cancelled");
    // With a time to wait it is a call as any other.
    let pending = client.call("await_answer", json!({ "key": "ship-4.3", "wait_seconds": 0 })).await;
    assert_eq!((&pending["state"], &pending["message_id"]), (&json!("pending"), &json!(question.message.id)));
}

/// Versions with a handshake have no results that are tasks, whatever a client declares.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_with_a_handshake_gets_no_task() {
    let scene = Scene::start().await;
    let mut client = McpClient::start(&mut scene.command());
    let id = client.request(
        "initialize",
        json!({
            "protocolVersion": "2025-11-25", "clientInfo": { "name": "test", "version": "1.0" },
            "capabilities": { "extensions": { "io.modelcontextprotocol/tasks": {} } },
        }),
    );
    client.result(id).await;
    let id = client.start_call("ask_human", &json!({ "title": "Ship 4.2?" }));
    let question = scene.person.next(&[], PATIENCE).await.expect("a question");
    scene.person.answer(&question, Answer::action("approve")).await.expect("it is taken");
    assert_eq!(client.structured(id).await["approved"], true);
}

async fn finished(client: &mut McpClient, task: &Value) -> Value {
    for _ in 0..600 {
        let id = client.request("tasks/get", task.clone());
        let state = client.result(id).await;
        if state["status"] != "working" {
            return state;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the task does not end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tools_describe_themselves() {
    let folder = tempdir().expect("a folder");
    let mut client = McpClient::start(&mut mcp(folder.path(), &[]));
    client.initialize("2025-11-25").await;
    let id = client.request("tools/list", json!({}));
    let listed = client.reply(id).await["result"]["tools"].clone();
    let tools = listed.as_array().expect("tools");
    let names: Vec<&str> = tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
    assert_eq!(names, TOOLS);
    for tool in tools {
        let name = &tool["name"];
        for schema in ["inputSchema", "outputSchema"] {
            assert!(jsonschema::meta::is_valid(&tool[schema]), "{name} {schema}");
            assert_eq!(tool[schema]["type"], "object", "{name} {schema}");
        }
        assert!(tool["description"].as_str().is_some_and(|text| text.len() > 40), "{name}");
        let arguments = tool["inputSchema"]["properties"].as_object().expect("arguments");
        assert!(arguments.values().all(|argument| argument["description"].is_string()), "{name}");
        let hints = &tool["annotations"];
        assert_eq!(hints["destructiveHint"], json!(name == "close_session"), "{name}");
        let reads = ["await_answer", "await_response", "get_timeline", "list_sessions", "list_agents"];
        assert_eq!(hints["readOnlyHint"], json!(reads.iter().any(|reads| name == reads)), "{name}");
    }
    // Nothing but the protocol on standard output, and an unknown tool or method is an error of it.
    let id = client.start_call("ask_robot", &json!({}));
    let error = client.reply(id).await["error"].clone();
    assert_eq!((&error["code"], &error["message"]), (&json!(-32602), &json!("Unknown tool: ask_robot")));
    let id = client.request("resources/list", json!({}));
    assert_eq!(client.reply(id).await["error"]["code"], -32601);
    let hub = eventually("a line of the log", async || Some(client.errors()).filter(|text| !text.is_empty())).await;
    assert!(hub.contains("HILOOP_API_KEY"), "{hub}");
}
