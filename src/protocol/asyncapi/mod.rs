//! The AsyncAPI document of the socket (contract section 8), from the frames' types and the numbers that the hub uses.

mod examples;

use super::close::CloseCode;
use super::frame::form::ClientForm;
use super::frame::frame_id;
use super::frame::hub::HubFrame;
use super::limits::{
    AUTH_SECONDS, HEARTBEAT_SECONDS, MAX_MESSAGE, MAX_QUEUED_BYTES, MAX_QUEUED_FRAMES, MAX_SUBSCRIPTIONS,
    MAX_UNREADABLE, PONG_SECONDS,
};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use utoipa::ToSchema;

const ABOUT: &str = "The WebSocket API of Hiloop Hub. Each text frame holds one JSON object.\n\n\
    A subscription delivers the events of a session's timeline in `seq` order, each exactly once. After a lost \
    connection, subscribe again with `after` set to the last `seq` that was received. Ephemeral frames (`typing`, \
    `presence`, `receipt`) are not stored and not replayed. Clients must ignore unknown frame types, event types and \
    keys. `/openapi.json` describes the HTTP API.";

const ADDRESS: &str = "/v1/ws";

/// The reply to each frame of a client, beside `error`.
const REPLIES: &[(&str, Option<&str>)] = &[
    ("auth", Some("hello")),
    ("refresh", Some("refreshed")),
    ("subscribe", Some("subscribed")),
    ("unsubscribe", Some("unsubscribed")),
    ("send", Some("sent")),
    ("typing", None),
    ("read", None),
    ("ping", Some("pong")),
];

/// The frames that the hub sends without a request. `error` is one of them: an unreadable frame belongs to no operation.
const UNASKED: &[&str] =
    &["hello", "event", "feed", "typing", "presence", "receipt", "unsubscribed", "error", "goaway"];

/// The document's JSON.
pub fn text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}", document()));
    &TEXT
}

fn document() -> Value {
    let mut messages = Map::new();
    let mut channel_messages = Map::new();
    let forms = [("client", frames::<ClientForm>()), ("hub", frames::<HubFrame<'static>>())];
    for (side, frames) in forms {
        for (kind, shapes) in frames {
            let name = format!("{side}.{kind}");
            channel_messages.insert(name.clone(), json!({ "$ref": format!("#/components/messages/{name}") }));
            messages.insert(name, message(side, &kind, shapes));
        }
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Hiloop Hub",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "MIT" },
        },
        "defaultContentType": "application/json",
        "servers": { "hub": server("ws"), "hubBehindTls": server("wss") },
        "channels": { "socket": channel(&channel_messages) },
        "operations": operations(),
        "components": {
            "messages": messages,
            "schemas": schemas(),
            "securitySchemes": security_schemes(),
        },
    })
}

fn server(protocol: &str) -> Value {
    let schemes = ["apiKey", "bearer", "subprotocol", "firstFrame"];
    let security: Vec<_> =
        schemes.iter().map(|name| json!({ "$ref": format!("#/components/securitySchemes/{name}") })).collect();
    json!({
        "host": "{host}",
        "protocol": protocol,
        "variables": { "host": { "default": "127.0.0.1:8080", "description": "Host and port of the hub." } },
        "security": security,
    })
}

fn security_schemes() -> Value {
    json!({
        "apiKey": {
            "type": "httpApiKey", "in": "header", "name": "X-API-Key",
            "description": "`hlp_` and 64 lowercase hex digits. `X-Hiloop` names the agent that the key acts as.",
        },
        "bearer": {
            "type": "http", "scheme": "bearer",
            "description": "A human's JWT, or a guest token: `hlg_` and 64 lowercase hex digits.",
        },
        "subprotocol": {
            "type": "httpApiKey", "in": "header", "name": "Sec-WebSocket-Protocol",
            "description": "`hiloop.v1, hiloop.bearer.TOKEN`, for browsers, which send no other header: any of the \
                tokens above. The reply selects `hiloop.v1`.",
        },
        "firstFrame": {
            "type": "apiKey", "in": "user",
            "description": "Without a credential in the headers, the first frame must be `auth`. Tokens are never sent in the URL.",
        },
    })
}

fn channel(messages: &Map<String, Value>) -> Value {
    let (heartbeat, pong, auth) = (HEARTBEAT_SECONDS, PONG_SECONDS, AUTH_SECONDS);
    let kibibytes = MAX_MESSAGE / 1024;
    let mut table = String::from("| close code | reason | client |\n|---|---|---|\n");
    for code in CloseCode::ALL {
        let meaning = if code.may_reconnect() { "may reconnect" } else { "must not reconnect unchanged" };
        table.push_str(&format!("| {} | {} | {meaning} |\n", code.code, code.reason));
    }
    let description = format!(
        "The hub's first frame is `hello`. A client authenticates by a header, by the subprotocol, or by an `auth` \
         frame within {auth} seconds.\n\n\
         **Heartbeat.** After {heartbeat} seconds without a frame the hub sends a WebSocket ping, and closes with 4502 \
         if no frame comes within {pong} seconds. `ping` is for clients that can't send one of their own.\n\n\
         **Limits.** A client's frame may have {kibibytes} KiB; larger messages go by POST. Frames count against the \
         same rate as requests (100 a second and 200 at once, unless the hub is set otherwise), each socket for \
         itself. {MAX_UNREADABLE} frames in a row that are no JSON or have no `type` close with 4400. A slow reader \
         loses no event: what does not fit is read back from the timeline as the socket drains.\n\n\
         **The end.** Codes 4400 to 4499 end it, 4500 to 4599 and 1001 mean to reconnect, after 4504 with a new token. \
         While a node drains it refuses new sockets with HTTP 503.\n\n{table}"
    );
    let header = |about: &str| json!({ "type": "string", "description": about });
    let codes: Vec<_> = CloseCode::ALL
        .iter()
        .map(|code| {
            let then = if code.may_reconnect() { "reconnect" } else { "end" };
            json!({ "code": code.code, "reason": code.reason, "then": then })
        })
        .collect();
    json!({
        "address": ADDRESS,
        "title": "The socket",
        "description": description,
        "messages": messages,
        "bindings": { "ws": {
            "method": "GET",
            "headers": { "type": "object", "properties": {
                "X-API-Key": header("An API key."),
                "X-Hiloop": header("With an API key: the name or id of the agent that the key acts as."),
                "Authorization": header("`Bearer` and a JWT or a guest token."),
                "Sec-WebSocket-Protocol": header("`hiloop.v1`, optionally followed by `hiloop.bearer.TOKEN`."),
                "Origin": header("Sent by browsers. Must be the hub's own origin or a configured one."),
            } },
            "bindingVersion": "0.1.0",
        } },
        "x-heartbeat": { "pingAfterSeconds": heartbeat, "closeAfterSeconds": pong },
        "x-limits": {
            "authWithinSeconds": auth,
            "frameBytes": MAX_MESSAGE,
            "unreadableFramesInARow": MAX_UNREADABLE,
            "subscriptions": MAX_SUBSCRIPTIONS,
            "queuedFrames": MAX_QUEUED_FRAMES,
            "queuedBytes": MAX_QUEUED_BYTES,
        },
        "x-close-codes": codes,
    })
}

fn operations() -> Value {
    let channel = json!({ "$ref": "#/channels/socket" });
    let reference = |name: &str| json!({ "$ref": format!("#/channels/socket/messages/{name}") });
    let mut operations = Map::new();
    for (kind, reply) in REPLIES {
        let replies: Vec<_> = reply.iter().chain([&"error"]).map(|kind| reference(&format!("hub.{kind}"))).collect();
        let operation = json!({
            "action": "receive",
            "channel": channel,
            "summary": format!("The hub receives `{kind}`"),
            "messages": [reference(&format!("client.{kind}"))],
            "reply": { "channel": channel, "messages": replies },
        });
        operations.insert(format!("receive.{kind}"), operation);
    }
    for kind in UNASKED {
        let operation = json!({
            "action": "send",
            "channel": channel,
            "summary": format!("The hub sends `{kind}`"),
            "messages": [reference(&format!("hub.{kind}"))],
        });
        operations.insert(format!("send.{kind}"), operation);
    }
    operations.into()
}

/// The frames of an enum, by type: the shapes that each may have.
fn frames<T: ToSchema>() -> Map<String, Value> {
    let mut schema = serde_json::to_value(T::schema()).unwrap_or_default();
    let mut kinds = Map::new();
    if let Value::Array(shapes) = schema["oneOf"].take() {
        for shape in shapes {
            let Some(kind) = kind_of(&shape) else { continue };
            if let Some(shapes) = kinds.entry(kind).or_insert_with(|| json!([])).as_array_mut() {
                shapes.push(shape);
            }
        }
    }
    kinds
}

/// The `type` of a shape, which may be composed of several parts.
fn kind_of(shape: &Value) -> Option<String> {
    if let Some(parts) = shape["allOf"].as_array() {
        return parts.iter().find_map(kind_of);
    }
    shape["properties"]["type"]["enum"][0].as_str().map(str::to_owned)
}

fn message(side: &str, kind: &str, shapes: Value) -> Value {
    let is_client = side == "client";
    let mut shapes = match shapes {
        Value::Array(shapes) => shapes,
        _ => Vec::new(),
    };
    if is_client {
        shapes.iter_mut().for_each(add_id);
    }
    let about: Vec<_> = shapes.iter().filter_map(|shape| shape["description"].as_str().map(str::to_owned)).collect();
    let has_id = is_client || shapes.iter().any(|shape| shape["properties"]["id"].is_object());
    let payload = if shapes.len() == 1 { shapes.remove(0) } else { json!({ "oneOf": shapes }) };
    let mut message = json!({
        "name": kind,
        "title": format!("{kind}, from the {side}"),
        "description": about.join("\n\n"),
        "payload": payload,
        "examples": examples::of(side, kind),
    });
    if has_id {
        message["correlationId"] =
            json!({ "location": "$message.payload#/id", "description": "The frame's `id`, echoed in the reply." });
    }
    message
}

/// Every frame of a client may carry an `id`.
fn add_id(shape: &mut Value) {
    if let Some(parts) = shape.get_mut("allOf").and_then(Value::as_array_mut) {
        return parts.iter_mut().filter(|part| kind_of(part).is_some()).for_each(add_id);
    }
    shape["properties"]["id"] = json!(frame_id().build());
}

/// The schemas that the frames refer to.
fn schemas() -> Map<String, Value> {
    let mut sent = Vec::new();
    HubFrame::schemas(&mut sent);
    let mut read = Vec::new();
    ClientForm::schemas(&mut read);
    let json_of = |schema| serde_json::to_value(schema).unwrap_or_default();
    let mut schemas = Map::new();
    for (name, schema) in sent {
        let mut schema = json_of(schema);
        require_all(&mut schema);
        if name == "Responder"
            && let Some(required) = schema["required"].as_array_mut()
        {
            // Only guests have it.
            required.retain(|key| key != "invitedBy");
        }
        schemas.insert(name, schema);
    }
    for (name, schema) in read {
        schemas.entry(name).or_insert_with(|| json_of(schema));
    }
    schemas
}

/// Objects that the hub sends have all their keys, with null for one without a value (contract section 1).
fn require_all(schema: &mut Value) {
    if let Some(properties) = schema["properties"].as_object() {
        schema["required"] = properties.keys().cloned().collect();
    }
    for parts in ["allOf", "oneOf"] {
        schema.get_mut(parts).and_then(Value::as_array_mut).into_iter().flatten().for_each(require_all);
    }
}
