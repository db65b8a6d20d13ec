//! The AsyncAPI document matches the WebSocket: its frames, schemas, close codes and examples.

use crate::openapi::references;
use crate::permissions::FRAMES;
use crate::support::hub::{answer, ask, at_agent, at_message, say, text};
use crate::support::keys::{Keys, publish};
use crate::support::socket::End;
use crate::support::{Engine, Hub, Socket, on_both_engines};
use hiloop::domain::EventType;
use hiloop::protocol::asyncapi;
use hiloop::protocol::close::CloseCode;
use jsonschema::{Draft, Validator};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tokio_tungstenite::tungstenite::Message;

/// The frames that the hub sends (contract section 8).
const HUB_FRAMES: &str =
    "hello refreshed subscribed unsubscribed sent pong error event feed typing presence receipt goaway";
/// The codes with which it closes, and those of them after which a client reconnects. The first line is the contract's
/// own (4503 is not among them: a node that drains closes with 1001), the second RFC 6455's.
const CLOSE_CODES: &[(u16, bool)] = &[
    (1001, true),
    (1009, false),
    (4400, false),
    (4401, false),
    (4403, false),
    (4500, true),
    (4502, true),
    (4504, true),
    (4508, true),
    (4529, true),
    (1002, false),
    (1007, false),
];

fn document() -> Value {
    serde_json::from_str(asyncapi::text()).expect("JSON")
}

/// The types of the document's messages of one side.
fn kinds<'a>(document: &'a Value, side: &str) -> BTreeSet<&'a str> {
    let messages = document["components"]["messages"].as_object().expect("messages");
    messages.keys().filter_map(|name| name.strip_prefix(side)?.strip_prefix('.')).collect()
}

/// The JSON Schema validator of a message. All references resolve within the document.
fn validator(document: &Value, name: &str) -> Validator {
    let schema = json!({
        "$ref": format!("#/components/messages/{name}/payload"),
        "components": document["components"],
    });
    let options = jsonschema::options().with_draft(Draft::Draft7).should_validate_formats(true);
    options.build(&schema).expect("a schema")
}

fn validators(document: &Value, side: &str) -> BTreeMap<String, Validator> {
    kinds(document, side)
        .into_iter()
        .map(|kind| (kind.to_owned(), validator(document, &format!("{side}.{kind}"))))
        .collect()
}

#[test]
fn the_document_lists_exactly_the_frames_of_the_hub() {
    let document = document();
    assert_eq!(kinds(&document, "client"), FRAMES.iter().map(|(kind, _)| *kind).collect());
    assert_eq!(kinds(&document, "hub"), HUB_FRAMES.split(' ').collect());
    // All frames are written through the types of the document, except the two around stored text.
    for folder in ["ws", "hub", "protocol/frame"] {
        let folder = format!("{}/src/{folder}", env!("CARGO_MANIFEST_DIR"));
        for file in std::fs::read_dir(folder).expect("a folder").flatten().filter(|file| file.path().is_file()) {
            let source = std::fs::read_to_string(file.path()).expect("a file");
            let source = source.split("#[cfg(test)]").next().expect("a part");
            for written in source.split("{\"type\":\"").skip(1).map(|rest| rest.split('"').next().expect("its end")) {
                assert!(["sent", "event"].contains(&written), "{:?} writes {written}", file.file_name());
            }
        }
    }
}

#[test]
fn every_reference_of_the_document_resolves() {
    let document = document();
    assert_eq!(document["asyncapi"], "3.0.0");
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("a place in the document");
        assert!(document.pointer(pointer).is_some(), "{reference} does not resolve");
    }
    let channel = &document["channels"]["socket"];
    assert_eq!(channel["address"], "/v1/ws");
    // Each message belongs to the channel, and to an operation of its direction or a reply.
    let mut received = BTreeSet::new();
    let mut sent = BTreeSet::new();
    for (name, operation) in document["operations"].as_object().expect("operations") {
        let action = text(&operation["action"]);
        let side = if action == "receive" { &mut received } else { &mut sent };
        references(&operation["messages"], side);
        references(&operation["reply"]["messages"], &mut sent);
        assert!(name.starts_with(action), "{name}");
    }
    for (side, used) in [("client", received), ("hub", sent)] {
        let used: BTreeSet<_> =
            used.into_iter().filter_map(|reference| reference.strip_prefix("#/channels/socket/messages/")).collect();
        let there: BTreeSet<_> = kinds(&document, side).iter().map(|kind| format!("{side}.{kind}")).collect();
        assert_eq!(used, there.iter().map(String::as_str).collect());
        for name in there {
            assert_eq!(channel["messages"][&name]["$ref"], format!("#/components/messages/{name}"));
        }
    }
}

#[test]
fn every_shape_has_a_valid_example() {
    let document = document();
    for side in ["client", "hub"] {
        for (kind, validator) in validators(&document, side) {
            let message = &document["components"]["messages"][format!("{side}.{kind}")];
            let examples: Vec<_> =
                message["examples"].as_array().expect("examples").iter().map(|example| &example["payload"]).collect();
            for example in &examples {
                validator.validate(example).unwrap_or_else(|error| panic!("{side}.{kind}: {error}: {example}"));
                assert_eq!(example["type"], kind);
            }
            let shapes = message["payload"]["oneOf"].as_array().map_or(1, Vec::len);
            assert!(examples.len() >= shapes, "{side}.{kind} has {shapes} shapes");
        }
    }
}

#[test]
fn close_codes_are_those_of_the_hub() {
    let document = document();
    let codes = document["channels"]["socket"]["x-close-codes"].as_array().expect("codes");
    let published: BTreeSet<_> =
        codes.iter().map(|code| (code["code"].as_u64().expect("a code"), code["then"] == "reconnect")).collect();
    assert_eq!(published, CLOSE_CODES.iter().map(|(code, again)| (u64::from(*code), *again)).collect());
    for code in codes {
        let line = format!(
            "| {} | {} | {} |",
            code["code"],
            text(&code["reason"]),
            if code["then"] == "end" { "must not reconnect unchanged" } else { "may reconnect" }
        );
        assert!(text(&document["channels"]["socket"]["description"]).contains(&line), "{line}");
    }
    // `ALL` has every code of the source.
    let source = include_str!("../../src/protocol/close.rs");
    assert_eq!(source.matches("Self = Self::new(").count(), CloseCode::ALL.len());
}

#[tokio::test]
async fn the_document_requires_no_credential() {
    let hub = Hub::start(Engine::Sqlite).await;
    let reply = hub.anonymous().get("/asyncapi.json").await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.expect(200), document());
}

/// Reads frames until one has this type and, for an event, this event type.
async fn until(socket: &mut Socket, frames: &mut Vec<Value>, kind: &str, event: Option<&str>) {
    loop {
        let frame = socket.next().await;
        let found = frame["type"] == kind && event.is_none_or(|event| frame["event"]["type"] == event);
        frames.push(frame);
        if found {
            return;
        }
    }
}

/// Everything that the hub sends, of every kind, as sockets of an agent and of a person get it.
async fn everything(hub: &mut Hub) -> Vec<Value> {
    let host = hub.agent("agent").await;
    let human = hub.human().await;
    let session = hub.session(&host).await;
    let mut frames = Vec::new();

    let mut watcher = hub.socket(&host).await;
    frames.push(watcher.hello.clone());
    watcher.send(json!({ "type": "subscribe", "id": "feed", "feed": true })).await;
    until(&mut watcher, &mut frames, "subscribed", None).await;
    watcher.send(json!({ "type": "subscribe", "id": 1.5, "sessionId": session, "after": 0 })).await;
    until(&mut watcher, &mut frames, "event", Some("session.created")).await;

    let mut person = hub.socket(&human).await;
    frames.push(person.hello.clone());
    person.send(json!({ "type": "subscribe", "sessionId": session })).await;
    until(&mut person, &mut frames, "subscribed", None).await;
    until(&mut watcher, &mut frames, "presence", None).await;
    for typing in [true, false] {
        person.send(json!({ "type": "typing", "sessionId": session, "typing": typing })).await;
        until(&mut watcher, &mut frames, "typing", None).await;
    }
    person.send(json!({ "type": "read", "sessionId": session, "seq": 1 })).await;
    until(&mut watcher, &mut frames, "receipt", None).await;
    person.send(json!({ "type": "refresh", "id": null, "token": human.secret() })).await;
    until(&mut person, &mut frames, "refreshed", None).await;

    watcher.send(json!({ "type": "send", "id": 2, "sessionId": session, "encryptedContent": "x", "encryptedComponents": "y" })).await;
    until(&mut watcher, &mut frames, "sent", None).await;
    watcher.send(json!({ "type": "ping", "id": "p" })).await;
    until(&mut watcher, &mut frames, "pong", None).await;
    for wrong in [
        "nonsense",
        r#"{"type":"what","id":3}"#,
        r#"{"type":"subscribe","id":4,"sessionId":"0198f7b2-0000-7000-8000-000000000000"}"#,
    ] {
        watcher.send_raw(Message::text(wrong)).await;
        until(&mut watcher, &mut frames, "error", None).await;
    }

    let patch = json!({ "title": "T", "encryptedTitle": "t", "metadata": { "a": 1 } });
    host.patch(&at_agent(&session, ""), patch).await.expect(200);
    until(&mut watcher, &mut frames, "event", Some("session.updated")).await;
    let asked = ask(&host, &session).await;
    answer(&human, &session, &asked).await;
    until(&mut watcher, &mut frames, "event", Some("message.completed")).await;
    // The error of a late answer has the first answer in its details.
    let late =
        json!({ "type": "send", "id": 5, "sessionId": session, "encryptedContent": "!", "inReplyTo": asked["id"] });
    person.send(late).await;
    until(&mut person, &mut frames, "error", None).await;
    assert_eq!(frames.last().expect("a frame")["error"]["code"], "ALREADY_RESPONDED");
    let asked = ask(&host, &session).await;
    host.post(&at_message(&session, &asked, "/cancel"), json!({})).await.expect(200);
    until(&mut watcher, &mut frames, "event", Some("message.cancelled")).await;
    let deadline = hub.context().clock.now().plus_seconds(600);
    let body = json!({ "encryptedContent": "?", "responseRequired": true, "deadlineAt": deadline });
    host.post(&at_agent(&session, "/messages"), body).await.expect(201);
    hub.clock.advance(601_000);
    until(&mut watcher, &mut frames, "event", Some("message.expired")).await;

    let interaction = hub.interaction(&host).await;
    watcher.send(json!({ "type": "subscribe", "id": 6, "sessionId": interaction, "after": 0 })).await;
    let at = |rest: &str| format!("/v1/agent/interactions/{interaction}{rest}");
    host.post(&at("/blocks"), json!({ "encryptedBlocks": "b" })).await.expect(201);
    until(&mut watcher, &mut frames, "event", Some("blocks.pushed")).await;
    human
        .post(&format!("/v1/human/interactions/{interaction}/respond"), json!({ "encryptedContent": "!" }))
        .await
        .expect(200);
    host.post(&at("/acknowledge"), json!({})).await.expect(200);
    until(&mut watcher, &mut frames, "event", Some("message.acknowledged")).await;

    let other = hub.agent("agent").await.get("/v1/agent/me").await.expect(200);
    host.post(&at_agent(&session, "/participants"), json!({ "type": "Agent", "agentId": other["id"] }))
        .await
        .expect(201);
    until(&mut watcher, &mut frames, "event", Some("participant.added")).await;
    let (keys, id) = publish(&human).await;
    human.put("/v1/human/public-key", Keys::generate().entry_after(&keys, &id)).await.expect(200);
    until(&mut watcher, &mut frames, "event", Some("participant.key_changed")).await;
    let list = host.get(&at_agent(&session, "/participants")).await.expect(200);
    let human_there =
        list["data"].as_array().expect("a list").iter().find(|one| one["type"] == "Human").expect("there");
    host.delete(&at_agent(&session, &format!("/participants/{}", text(&human_there["id"])))).await.expect(204);
    until(&mut watcher, &mut frames, "event", Some("participant.removed")).await;
    until(&mut person, &mut frames, "unsubscribed", None).await;
    for end in ["/close", "/archive"] {
        host.post(&at_agent(&session, end), json!({})).await.expect(200);
    }
    until(&mut watcher, &mut frames, "event", Some("session.archived")).await;
    watcher.send(json!({ "type": "unsubscribe", "id": 7, "sessionId": session })).await;
    until(&mut watcher, &mut frames, "unsubscribed", None).await;
    watcher.send(json!({ "type": "unsubscribe", "id": 8, "feed": true })).await;
    until(&mut watcher, &mut frames, "unsubscribed", None).await;

    hub.server.take().expect("it runs").stop().await;
    until(&mut watcher, &mut frames, "goaway", None).await;
    assert_eq!(watcher.end().await, End::Code(1001));
    frames
}

/// The frame with one of its keys called otherwise, for each key at any depth but those inside an envelope or metadata,
/// which are the clients' own.
fn renamed(frame: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    match frame {
        Value::Object(object) => {
            for (key, value) in object {
                let mut other = object.clone();
                let moved = other.remove(key).expect("there");
                other.insert(format!("{key}X"), moved);
                found.push((key.clone(), other.into()));
                if key == "metadata" {
                    continue;
                }
                for (inner, changed) in renamed(value) {
                    let mut other = object.clone();
                    other.insert(key.clone(), changed);
                    found.push((format!("{key}.{inner}"), other.into()));
                }
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                for (inner, changed) in renamed(value) {
                    let mut other = values.clone();
                    other[index] = changed;
                    found.push((format!("{index}.{inner}"), other.into()));
                }
            }
        }
        _ => {}
    }
    found
}

on_both_engines! {
    async fn frames_of_the_hub_match_their_schemas(hub: Hub) {
        let mut hub = hub;
        let document = document();
        let validators = validators(&document, "hub");
        let frames = everything(&mut hub).await;
        let mut seen = BTreeSet::new();
        let mut events = BTreeSet::new();
        let mut wrong = Vec::new();
        for frame in &frames {
            let kind = text(&frame["type"]);
            seen.insert(kind);
            if kind == "event" {
                events.insert(text(&frame["event"]["type"]));
            }
            let validator = &validators[kind];
            wrong.extend(validator.iter_errors(frame).map(|error| format!("{error} at {}: {frame}", error.instance_path())));
            for (key, changed) in renamed(frame) {
                // `details` is present only with some error codes.
                if key != "error.details" && validator.is_valid(&changed) {
                    wrong.push(format!("{kind} without '{key}' is valid: {changed}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{} of {} frames:\n{}", wrong.len(), frames.len(), wrong.join("\n"));
        assert_eq!(seen, kinds(&document, "hub"), "every kind was there");
        assert_eq!(events, EventType::ALL.iter().map(|kind| kind.as_str()).collect(), "every event was there");
    }

    async fn the_hub_accepts_the_example_frames(hub: Hub) {
        let document = document();
        // The examples name an agent to act as, which takes `space`.
        let host = hub.agent("space").await;
        let human = hub.human().await.get("/v1/human/me").await.expect(200);
        let session = hub.session(&host).await;
        let said = say(&host, &session, "x").await;
        let mut socket = Socket::try_open(&hub.anonymous()).await.expect("it opens");
        let mut authenticated = false;
        let mut taken = BTreeSet::new();
        let messages = document["components"]["messages"].as_object().expect("messages");
        for (name, message) in messages.iter().filter(|(name, _)| name.starts_with("client.")) {
            let replies = document["operations"][name.replace("client.", "receive.")]["reply"]["messages"].as_array().expect("replies");
            let replies: BTreeSet<_> = replies.iter().filter_map(|reply| text(&reply["$ref"]).split("hub.").nth(1)).collect();
            for example in message["examples"].as_array().expect("examples") {
                let mut frame = example["payload"].clone();
                if frame["sessionId"].is_string() {
                    frame["sessionId"] = json!(session);
                }
                if frame["answerers"].is_array() {
                    frame["answerers"] = json!([human["id"]]);
                }
                if frame["inReplyTo"].is_string() {
                    frame["inReplyTo"] = said["id"].clone();
                }
                if frame["token"].is_string() {
                    frame["token"] = json!(host.secret());
                }
                if frame["type"] == "auth" {
                    // One socket authenticates once; the first example names an agent that the key may act as.
                    let mut other = Socket::try_open(&hub.anonymous()).await.expect("it opens");
                    other.send(frame.clone()).await;
                    other.expect("hello").await;
                    if !authenticated {
                        frame.as_object_mut().expect("a frame").remove("agent");
                        socket.send(frame).await;
                        socket.expect("hello").await;
                        authenticated = true;
                    }
                } else if replies.len() == 1 {
                    // These frames have no reply on success: the reply to the next frame shows that there was no error.
                    socket.send(frame).await;
                    socket.expect_none("error").await;
                } else {
                    let reply = socket.ask(frame.clone()).await;
                    let kind = text(&reply["type"]);
                    assert!(kind != "error" && replies.contains(kind), "{frame}: {reply}");
                }
                taken.insert(name.as_str());
            }
        }
        assert_eq!(taken.len(), kinds(&document, "client").len());
    }
}
