//! `hiloop hook` as a coding agent runs it: one process for each event, a real hub, and a person who answers.

use crate::cli::{bearer, err, login, out, printed, run};
use crate::support::hub::{at_human, text};
use crate::support::process::{Process, hiloop};
use crate::support::{Client, PATIENCE, Port, eventually};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hiloop_sdk::Answer;
use hiloop_sdk::testing::Person;
use serde_json::{Value, json};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use tempfile::{TempDir, tempdir};

/// A machine with a coding agent, a hub, and a person of its space.
struct Scene {
    folder: TempDir,
    hub: Process,
    key: String,
    person: Client,
}

impl Scene {
    async fn start(listen: &str) -> Self {
        let folder = tempdir().expect("a folder");
        let hub = Process::start(folder.path(), listen);
        let signed_in = login(&hub, "owner@hiloop.local", printed(&hub, "password")).await;
        let person = bearer(&hub, text(&signed_in["accessToken"]));
        let key = printed(&hub, "API key").to_owned();
        Self { folder, hub, key, person }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = hook(self.folder.path(), args);
        command.env("HILOOP_API_KEY", &self.key).env("HILOOP_BASE_URL", &self.hub.base);
        command
    }

    fn send(&self, event: &Value, args: &[&str]) -> Running {
        Running::start(&mut self.command(args), event.to_string().as_bytes())
    }

    /// The question that waits for an answer: its session and the message.
    async fn question(&self) -> (String, Value) {
        eventually("a question", async || {
            let feed = self.person.get("/v1/human/feed").await.expect(200);
            let item = feed["data"].as_array()?.iter().find(|item| item["pendingCount"] != 0)?;
            let session = text(&item["session"]["id"]).to_owned();
            let messages = self.messages(&session).await;
            let question = messages.into_iter().find(|message| message["status"] == "Pending")?;
            Some((session, question))
        })
        .await
    }

    async fn messages(&self, session: &str) -> Vec<Value> {
        let page = self.person.get(&at_human(session, "/messages?pageSize=100")).await.expect(200);
        page["data"].as_array().expect("messages").clone()
    }

    async fn answer(&self, content: Value) -> String {
        let (session, question) = self.question().await;
        let outcome = match content["action"].as_str() {
            Some("approve") => "Approved",
            Some("reject") => "Rejected",
            _ => "Answered",
        };
        let body = json!({ "encryptedContent": plain(&content), "inReplyTo": question["id"], "outcome": outcome });
        self.person.post(&at_human(&session, "/messages"), body).await.expect(201);
        session
    }
}

/// The program with a home of its own and no encryption: what is tested is the hook.
pub(crate) fn hook(folder: &Path, args: &[&str]) -> Command {
    let mut command = hiloop(folder);
    command.env("HOME", folder).env("PATH", "/usr/bin:/bin").env("HILOOP_ENCRYPTION", "off").arg("hook").args(args);
    command
}

/// A hook that waits.
struct Running(Option<Child>);

impl Running {
    fn start(command: &mut Command, event: &[u8]) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program runs");
        child.stdin.take().expect("its input").write_all(event).expect("it reads");
        Self(Some(child))
    }

    async fn end(mut self) -> Output {
        let child = self.0.take().expect("a child");
        let ended = tokio::task::spawn_blocking(move || child.wait_with_output());
        tokio::time::timeout(PATIENCE * 2, ended).await.expect("it ends").expect("it runs").expect("its output")
    }

    fn signal(&self, name: &str) {
        let pid = self.0.as_ref().expect("a child").id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().expect("kill runs").success());
    }

    /// SIGKILL, as a machine that goes down.
    async fn kill(self) {
        self.signal("-KILL");
        self.end().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn plain(content: &Value) -> Value {
    json!({ "scheme": "plain", "ciphertext": STANDARD.encode(content.to_string()), "wrappings": [] })
}

fn opened(envelope: &Value) -> Value {
    let bytes = STANDARD.decode(text(&envelope["ciphertext"])).expect("base64");
    serde_json::from_slice(&bytes).expect("JSON")
}

fn event(name: &str, more: &Value) -> Value {
    let mut event = json!({
        "session_id": "6809093c-ecdf-4775-9759-63c9a0be7540", "transcript_path": "/tmp/t.jsonl", "cwd": "/home/ada/shop",
        "permission_mode": "default", "hook_event_name": name,
    });
    event.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    event
}

fn command_event(id: &str, command: &str) -> Value {
    event("PreToolUse", &json!({ "tool_name": "Bash", "tool_input": { "command": command }, "tool_use_id": id }))
}

/// What a decision says, and why. The exit code is 0, as the agents want it for JSON.
#[track_caller]
fn decision(output: &Output) -> (String, String) {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let printed: Value = serde_json::from_str(out(output)).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let specific = &printed["hookSpecificOutput"];
    assert_eq!(specific["hookEventName"], "PreToolUse");
    (text(&specific["permissionDecision"]).to_owned(), text(&specific["permissionDecisionReason"]).to_owned())
}

#[track_caller]
fn denied(output: &Output, why: &str) {
    let (decision, reason) = decision(output);
    assert_eq!(decision, "deny");
    assert!(reason.contains(why), "{why} in {reason:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_approves_denies_and_allows_for_the_session() {
    let scene = Scene::start("127.0.0.1:0").await;
    let args = ["claude-code", "--timeout", "300"];

    let waiting = scene.send(&command_event("toolu_1", "npm test"), &args);
    let (session, question) = scene.question().await;
    let components = opened(&question["encryptedComponents"]);
    assert_eq!(
        components["children"][0],
        json!({ "type": "execution", "data": { "command": "npm test", "status": "running" } })
    );
    assert!(question["deadlineAt"].is_string());
    scene.answer(json!({ "action": "approve", "text": "Go" })).await;
    let output = waiting.end().await;
    assert_eq!(decision(&output), ("allow".to_owned(), "Approved by Owner.".to_owned()));
    assert!(out(&output).contains("Owner approved this and wrote: Go"));

    // An answer is used once, also by a call that has the same id.
    denied(&scene.send(&command_event("toolu_1", "npm test"), &args).end().await, "used before");

    let waiting = scene.send(&command_event("toolu_2", "npm publish"), &args);
    assert_eq!(scene.answer(json!({ "action": "reject", "text": "Not on Friday" })).await, session);
    denied(&waiting.end().await, "Owner denied this and wrote: Not on Friday");

    let waiting = scene.send(&command_event("toolu_3", "npm publish"), &args);
    scene.answer(json!({ "text": "yes, approve" })).await;
    denied(&waiting.end().await, "did not approve this and wrote: yes, approve");

    let waiting = scene.send(&command_event("toolu_4", "git status"), &args);
    scene.answer(json!({ "action": "always" })).await;
    assert_eq!(decision(&waiting.end().await).0, "allow");
    // The same command is not asked about again; another one is.
    assert_eq!(decision(&scene.send(&command_event("toolu_5", "git status"), &args).end().await).0, "allow");
    let waiting = scene.send(&command_event("toolu_6", "git status; rm -rf /"), &args);
    scene.answer(json!({ "action": "reject" })).await;
    denied(&waiting.end().await, "Owner denied this");

    let state = scene.folder.path().join(".local/state/hiloop/hook");
    let files: Vec<_> = std::fs::read_dir(&state).expect("a folder").map(|file| file.expect("a file")).collect();
    assert!(!files.is_empty());
    for file in files {
        assert_eq!(file.metadata().expect("metadata").permissions().mode() & 0o777, 0o600, "{file:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_for_permission_is_asked_each_time_and_once() {
    let scene = Scene::start("127.0.0.1:0").await;
    let args = ["claude-code", "--timeout", "300", "--to", "owner@hiloop.local"];
    let more = json!({
        "prompt_id": "p-1", "tool_name": "Edit",
        "tool_input": { "file_path": "/home/ada/shop/a.ts", "old_string": "1", "new_string": "2" },
    });
    let request = event("PermissionRequest", &more);
    for (action, behavior) in [("approve", "allow"), ("reject", "deny")] {
        let killed = scene.send(&request, &args);
        let (session, first) = scene.question().await;
        killed.kill().await;
        // The hook starts again while its question waits.
        let waiting = scene.send(&request, &args);
        let (_, again) = scene.question().await;
        assert_eq!(again["id"], first["id"]);
        assert_eq!(opened(&first["encryptedComponents"])["children"][0]["type"], "diff");
        assert_eq!(scene.answer(json!({ "action": action })).await, session);
        let output = waiting.end().await;
        let printed: Value = serde_json::from_str(out(&output)).expect("JSON");
        assert_eq!(printed["hookSpecificOutput"]["hookEventName"], "PermissionRequest");
        assert_eq!(printed["hookSpecificOutput"]["decision"]["behavior"], behavior);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_and_messages_go_through_the_same_session() {
    let scene = Scene::start("127.0.0.1:0").await;
    let result = json!({
        "tool_name": "Bash", "tool_input": { "command": "npm test" }, "tool_use_id": "toolu_1", "duration_ms": 132,
        "tool_response": { "stdout": "412 passed", "stderr": "", "interrupted": false },
    });
    let quiet = async |event: &Value| {
        let output = scene.send(event, &["claude-code"]).end().await;
        assert_eq!((output.status.code(), out(&output), err(&output)), (Some(0), "", ""));
    };
    quiet(&event("PostToolUse", &result)).await;
    quiet(&event("Notification", &json!({ "message": "Waiting for you", "notification_type": "idle_prompt" }))).await;
    quiet(&event("Notification", &json!({ "message": "x", "notification_type": "permission_prompt" }))).await;
    let stop = event("Stop", &json!({ "stop_hook_active": false, "last_assistant_message": "All done." }));
    quiet(&stop).await;

    let sessions = scene.person.get("/v1/human/sessions").await.expect(200);
    assert_eq!(sessions["total"], 1, "{sessions}");
    let session = text(&sessions["data"][0]["id"]).to_owned();
    let messages = scene.messages(&session).await;
    let execution = opened(&messages[0]["encryptedComponents"]);
    assert_eq!(
        execution["data"],
        json!({ "command": "npm test", "status": "succeeded", "output": "412 passed", "durationMs": 132 })
    );
    let texts: Vec<String> =
        messages[1..].iter().map(|message| text(&opened(&message["encryptedContent"])["text"]).to_owned()).collect();
    assert_eq!(texts, ["Waiting for you", "All done."]);

    let say = json!({ "encryptedContent": plain(&json!({ "text": "Use pnpm, please" })) });
    scene.person.post(&at_human(&session, "/messages"), say).await.expect(201);
    let output = scene.send(&stop, &["claude-code"]).end().await;
    let block: Value = serde_json::from_str(out(&output)).expect("JSON");
    assert_eq!(block, json!({ "decision": "block", "reason": "Owner wrote in the chat: \"Use pnpm, please\"" }));
    quiet(&stop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_answer_it_is_denied() {
    let scene = Scene::start("127.0.0.1:0").await;
    let ask = command_event("toolu_1", "npm test");
    denied(&scene.send(&ask, &["claude-code", "--timeout", "1"]).end().await, "nobody answered within 1 seconds");

    let waiting = scene.send(&command_event("toolu_2", "npm test"), &["claude-code"]);
    let (session, question) = scene.question().await;
    scene.person.post(&at_human(&session, "/close"), json!({})).await.expect(200);
    assert_eq!(question["status"], "Pending");
    denied(&waiting.end().await, "the question was taken back");

    let waiting = scene.send(&command_event("toolu_3", "npm test"), &["claude-code"]);
    scene.question().await;
    waiting.signal("-TERM");
    denied(&waiting.end().await, "the hook was ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_is_killed_denies_and_one_that_comes_back_does_not() {
    let port = Port::reserve();
    let mut scene = Scene::start(&port.address()).await;
    let waiting = scene.send(&command_event("toolu_1", "npm test"), &["claude-code", "--timeout", "300"]);
    scene.question().await;
    scene.hub.kill();
    scene.hub = Process::start(scene.folder.path(), &port.address());
    scene.answer(json!({ "action": "approve" })).await;
    assert_eq!(decision(&waiting.end().await).0, "allow");

    let waiting = scene.send(&command_event("toolu_2", "npm test"), &["claude-code", "--timeout", "10"]);
    scene.question().await;
    scene.hub.kill();
    denied(&waiting.end().await, "there was no answer within 10 seconds");
    // No hub at all.
    denied(&scene.send(&command_event("toolu_3", "x"), &["claude-code"]).end().await, "UNREACHABLE");
    let output = scene.send(&event("Stop", &json!({})), &["claude-code"]).end().await;
    assert_eq!((output.status.code(), out(&output)), (Some(1), ""), "it does not keep the agent from stopping");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_denied() {
    let scene = Scene::start("127.0.0.1:0").await;
    let ask = command_event("toolu_1", "npm test");
    let with = async |variable: &str, value: &str| {
        let mut command = scene.command(&["claude-code"]);
        Running::start(command.env(variable, value), ask.to_string().as_bytes()).end().await
    };
    denied(&with("HILOOP_API_KEY", "").await, "HILOOP_API_KEY");
    denied(&with("HILOOP_API_KEY", &format!("hlp_{}", "0".repeat(64))).await, "401");
    denied(&with("HILOOP_ENCRYPTION", "on").await, "HILOOP_ENCRYPTION");
    denied(&with("HILOOP_BASE_URL", "nowhere").await, "base_url");
    denied(&with("HOME", "").await, "HOME");
    denied(&scene.send(&ask, &["claude-code", "--to", "nobody@example.org"]).end().await, "");
    let large = event(
        "PreToolUse",
        &json!({ "tool_name": "Write", "tool_use_id": "t", "tool_input": { "file_path": "/x", "content": "x".repeat(1 << 20) } }),
    );
    denied(&scene.send(&large, &["claude-code"]).end().await, "more than can be shown");

    // What is no event, and what is no command, end with the code that stops an agent.
    for text in [
        "",
        "{",
        "null",
        r#"{"hook_event_name":"PreToolUse"}"#,
        r#"{"hook_event_name":"Else","session_id":"s","cwd":"/"}"#,
    ] {
        let output = Running::start(&mut scene.command(&["claude-code"]), text.as_bytes()).end().await;
        assert_eq!((output.status.code(), out(&output)), (Some(2), ""), "{text}");
        assert!(err(&output).starts_with("Denied: the event is malformed"), "{output:?}");
    }
    for args in [&["claude-code", "--timeout", "0"][..], &["claude-code", "--else"], &["another"]] {
        assert_eq!(run(&mut scene.command(args)).status.code(), Some(2), "{args:?}");
    }
}

/// With the default settings: the hub has nothing that it could read, and only the sealed answer of a person counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_and_answers_are_sealed_end_to_end() {
    let scene = Scene::start("127.0.0.1:0").await;
    let password = printed(&scene.hub, "password");
    let person = Person::sign_in(&scene.hub.base, "owner@hiloop.local", password).await.expect("a person");
    let send = |event: &Value, args: &[&str]| {
        let mut command = scene.command(args);
        Running::start(command.env("HILOOP_ENCRYPTION", "required"), event.to_string().as_bytes())
    };
    let mut seen = Vec::new();
    for (id, answer, expected) in [
        ("toolu_1", Answer::action("approve"), "allow"),
        ("toolu_2", Answer::action("reject").with_text("Not that file"), "deny"),
        ("toolu_3", Answer::action("always"), "allow"),
    ] {
        let waiting = send(&command_event(id, "cat hidden-words"), &["claude-code", "--timeout", "300"]);
        let question = person.next(&seen, PATIENCE).await.expect("a question");
        assert_eq!(question.components["children"][0]["data"]["command"], "cat hidden-words");
        person.answer(&question, answer).await.expect("it is taken");
        seen.push(question.message.id);
        let output = waiting.end().await;
        let (decision, reason) = decision(&output);
        assert_eq!(decision, expected, "{reason}");
        assert!(expected == "allow" || reason.ends_with("Not that file"), "{reason}");
    }
    let again = send(&command_event("toolu_4", "cat hidden-words"), &["claude-code"]).end().await;
    assert_eq!(decision(&again).0, "allow", "it was allowed for the session");

    // An answer that only the hub's clear text approves: the question is closed by it, and nothing is allowed.
    let waiting = send(&command_event("toolu_5", "rm hidden-words"), &["claude-code", "--timeout", "300"]);
    let (session, question) = scene.question().await;
    let body = json!({ "inReplyTo": question["id"], "outcome": "Approved",
        "encryptedContent": plain(&json!({ "action": "approve", "outcome": "Approved" })) });
    let posted = scene.person.post(&at_human(&session, "/messages"), body).await;
    if posted.status == 201 {
        denied(&waiting.end().await, "UNVERIFIED");
    } else {
        waiting.kill().await;
    }

    // What people write reaches the agent at its next stop, and the hub has none of it.
    person.say(session.parse().expect("an id"), "Leave hidden-words alone").await.expect("it is said");
    let stop = event("Stop", &json!({ "stop_hook_active": false, "last_assistant_message": "hidden-words done" }));
    let output = send(&stop, &["claude-code"]).end().await;
    let block: Value = serde_json::from_str(out(&output)).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(block["reason"], "Owner wrote in the chat: \"Leave hidden-words alone\"");
    for file in ["hub.db", "hub.db-wal"] {
        let stored = std::fs::read(scene.folder.path().join(file)).unwrap_or_default();
        assert!(!stored.windows(12).any(|bytes| bytes == b"hidden-words"), "{file}");
    }
}
