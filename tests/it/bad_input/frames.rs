//! Frames and bytes of a WebSocket.

use super::forms::{FORMS, nested, wrong_values};
use super::raw::{Raw, masked};
use super::{DEEP, KIB, still_works};
use crate::permissions::Fixture;
use crate::support::socket::End;
use crate::support::{Hub, Socket, on_both_engines};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

on_both_engines! {
    async fn frames_with_invalid_fields_get_errors_and_keep_the_connection(hub: Hub) {
        let fixture = Fixture::of(&hub).await;
        let mut socket = hub.socket(&fixture.host).await;
        let session = format!("\"sessionId\":\"{}\"", fixture.session);
        let mut cases: Vec<(String, &str)> = Vec::new();
        let mut add = |frame: String, named: &'static str| cases.push((frame, named));
        for bad in ["5", "null", "\"\"", "\"x\"", "[]", "{}", "true", "1e30", "\"0198f7b200007000800000000000abcd\""] {
            for kind in ["subscribe", "unsubscribe", "send", "typing", "read"] {
                add(format!(r#"{{"type":"{kind}","id":7,"sessionId":{bad},"encryptedContent":"x","seq":1}}"#), "sessionId");
            }
        }
        for bad in ["\"1\"", "-1", "1.5", "1e30", "1000000000000000000000000000000", "true", "[]", "{}", "\"\""] {
            add(format!(r#"{{"type":"subscribe","id":7,{session},"after":{bad}}}"#), "after");
            add(format!(r#"{{"type":"read","id":7,{session},"seq":{bad}}}"#), "seq");
        }
        add(format!(r#"{{"type":"read","id":7,{session}}}"#), "seq");
        add(format!(r#"{{"type":"read","id":7,{session},"seq":null}}"#), "seq");
        for bad in ["\"yes\"", "1", "[]", "{}"] {
            add(format!(r#"{{"type":"subscribe","id":7,"feed":{bad}}}"#), "feed");
            add(format!(r#"{{"type":"unsubscribe","id":7,"feed":{bad}}}"#), "feed");
            add(format!(r#"{{"type":"typing","id":7,{session},"typing":{bad}}}"#), "typing");
        }
        add(r#"{"type":"subscribe","id":7,"feed":false}"#.to_owned(), "sessionId");
        for bad in ["5", "null", "[]", "{}", "true"] {
            add(format!(r#"{{"type":"refresh","id":7,"token":{bad}}}"#), "token");
        }
        add(r#"{"type":"refresh","id":7}"#.to_owned(), "token");
        let message = FORMS.iter().find(|form| form.route == "POST /v1/agent/sessions/{id}/messages").expect("a form");
        for (field, holds) in message.fields {
            // Frames that are not JSON are tested below.
            for bad in wrong_values(*holds).iter().filter(|bad| serde_json::from_str::<Value>(bad).is_ok()) {
                let content = if *field == "encryptedContent" { String::new() } else { "\"encryptedContent\":\"x\",".to_owned() };
                add(format!(r#"{{"type":"send","id":7,{session},{content}"{field}":{bad}}}"#), field);
            }
        }
        add(format!(r#"{{"type":"send","id":7,{session}}}"#), "encryptedContent");
        let too_long = Value::from("k".repeat(256)).to_string();
        for bad in ["5", "\"\"", "\"a b\"", "\"\\u0000\"", "\"ä\"", "[]", "{}", too_long.as_str()] {
            add(format!(r#"{{"type":"send","id":7,{session},"encryptedContent":"x","idempotencyKey":{bad}}}"#), "dempotency");
        }
        for bad in ["\"nope\"", "\"Subscribe\"", "\"\"", "\"ping\\u0000\"", "\"hello\"", "\"event\""] {
            add(format!(r#"{{"type":{bad},"id":7}}"#), "type");
        }
        let mut wrong = Vec::new();
        for (frame, named) in &cases {
            socket.send_raw(Message::text(frame.as_str())).await;
            let reply = socket.next().await;
            let good = reply["type"] == "error" && reply["id"] == 7 && reply["error"]["code"] == "VALIDATION_ERROR"
                && reply["error"]["message"].as_str().is_some_and(|message| message.contains(named));
            if !good {
                wrong.push(format!("{frame}: an error naming '{named}' expected, got {reply}"));
            }
        }
        // Unreadable frames, with a valid one in between, since ten in a row close the connection.
        let deep = nested(DEEP, "[", "]");
        for bad in [
            "", " ", "{", "[]", "5", "null", "\"ping\"", "{}", r#"{"id":1}"#, r#"{"type":5}"#, r#"{"type":null}"#, r#"{"type":[]}"#, "nonsense",
            r#"{"type":"ping","id":{}}"#, r#"{"type":"ping","id":[]}"#, r#"{"type":"ping","id":true}"#, r#"{"type":"ping","id":1e400}"#,
            r#"{"type":"ping","id":"\ud800"}"#, r#"{"type":"ping"} {"type":"ping"}"#, "\u{feff}{\"type\":\"ping\"}", deep.as_str(),
            &format!("{{\"type\":\"ping\",\"id\":1,\"x\":{deep}}}"), &format!("{{\"type\":\"send\",{session},\"encryptedContent\":{deep}}}"),
            &format!("{{\"type\":\"send\",{session},\"encryptedContent\":\"\\udfff\"}}"),
        ] {
            socket.send_raw(Message::text(bad)).await;
            let reply = socket.next().await;
            if reply["type"] != "error" || reply["error"]["code"] != "VALIDATION_ERROR" || reply.get("id").is_none() {
                wrong.push(format!("{bad:.80}: an error expected, got {reply}"));
            }
            socket.send(json!({ "type": "ping", "id": "between" })).await;
            assert_eq!(socket.expect("pong").await["id"], "between");
        }
        // Any id is echoed unchanged.
        for id in [json!("\0😀"), json!(""), json!(-1), json!(1.5), json!(u64::MAX), json!("x".repeat(1000)), Value::Null] {
            socket.send(json!({ "type": "ping", "id": id })).await;
            assert_eq!(socket.expect("pong").await["id"], id);
        }
        // Large numbers are valid; unknown keys and nulls are ignored.
        let furthest = socket.subscribe(&fixture.session, Some(i64::MAX)).await;
        assert_eq!((&furthest["reset"], &furthest["replay"]), (&json!(true), &furthest["seq"]));
        let padded = json!({ "type": "send", "sessionId": fixture.session, "encryptedContent": "\0", "unknown": { "x": [] }, "priority": null, "idempotencyKey": null });
        assert_eq!(socket.ask(padded).await["message"]["encryptedContent"]["ciphertext"], "\0");
        still_works(&hub, &fixture).await;
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));

        for bad in [r#"{"type":"auth","id":7,"token":5}"#, r#"{"type":"auth","id":7}"#, r#"{"type":"auth","id":7,"token":"x","agent":5}"#] {
            let mut early = Socket::try_open(&hub.anonymous()).await.expect("it opens");
            early.send_raw(Message::text(bad)).await;
            let reply = early.next().await;
            assert_eq!((&reply["id"], &reply["error"]["code"]), (&json!(7), &json!("VALIDATION_ERROR")), "{bad}");
            early.send(json!({ "type": "auth", "id": 8, "token": fixture.host.secret() })).await;
            early.expect("hello").await;
        }
        for bad in ["a b", "\0", "ä"] {
            let mut early = Socket::try_open(&hub.anonymous()).await.expect("it opens");
            early.send(json!({ "type": "auth", "id": 8, "token": fixture.host.secret(), "agent": bad })).await;
            assert_eq!(early.end().await, End::Code(4401), "an agent that can't be");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn protocol_violations_close_the_socket() {
    let hub = Hub::start(crate::support::Engine::Sqlite).await;
    let agent = hub.agent("agent").await;
    let ping = br#"{"type":"ping","id":1}"#;
    let mut cases: Vec<(String, Vec<u8>, u16)> = vec![
        ("invalid UTF-8".into(), masked(0x81, b"{\"type\":\"\xff\"}"), 1007),
        ("an encoded surrogate".into(), masked(0x81, b"\xed\xa0\x80"), 1007),
        ("an overlong NUL".into(), masked(0x81, b"\xc0\x80"), 1007),
        ("half a character".into(), masked(0x81, b"\xe2\x82"), 1007),
        ("a character that two messages share".into(), [masked(0x01, b"\xe2"), masked(0x80, b"(")].concat(), 1007),
        ("a close with a bad reason".into(), masked(0x88, b"\x03\xe8\xff"), 1007),
        ("64 KiB + 1".into(), masked(0x81, &vec![b' '; 64 * KIB + 1]), 1009),
        ("64 KiB + 1 in two".into(), [masked(0x01, &vec![b' '; 64 * KIB]), masked(0x80, b" ")].concat(), 1009),
        ("64 KiB + 1 of bytes".into(), masked(0x82, &vec![0; 64 * KIB + 1]), 1009),
        ("a length of 2^63".into(), vec![0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4], 0),
        ("an unmasked text".into(), [&[0x81, 22][..], ping].concat(), 1002),
        ("an unmasked ping".into(), vec![0x89, 0], 1002),
        ("a continuation of nothing".into(), masked(0x80, ping), 1002),
        ("a message within a message".into(), [masked(0x01, b"{"), masked(0x81, ping)].concat(), 1002),
        ("a ping in pieces".into(), masked(0x09, b"x"), 1002),
        ("a ping of 126 bytes".into(), masked(0x89, &[0; 126]), 1002),
        ("half a close code".into(), masked(0x88, &[3]), 1002),
    ];
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        cases.push((format!("opcode {opcode}"), masked(0x80 | opcode, ping), 1002));
    }
    for bit in [0x40, 0x20, 0x10] {
        cases.push((format!("reserved bit {bit:#x}"), masked(0x81 | bit, ping), 1002));
    }
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 2000, 5000, 65535] {
        cases.push((format!("close code {code}"), masked(0x88, &code.to_be_bytes()), 1002));
    }
    let mut wrong = Vec::new();
    for (what, bytes, code) in cases {
        let mut raw = Raw::socket(&hub, &agent).await;
        raw.send(&bytes).await;
        let closed = raw.close_code().await;
        // For an impossible length, both 1002 and 1009 are correct.
        let good = if code == 0 { matches!(closed, Some(1002 | 1009)) } else { closed == Some(code) };
        if !good {
            wrong.push(format!("{what}: {code} expected, got {closed:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    hub.session(&agent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_may_be_fragmented() {
    let hub = Hub::start(crate::support::Engine::Sqlite).await;
    let agent = hub.agent("agent").await;
    let mut raw = Raw::socket(&hub, &agent).await;
    // Cut in the middle of a character, with a ping between.
    let frame = "{\"type\":\"ping\",\"id\":\"é\"}".as_bytes();
    let middle = frame.iter().position(|byte| *byte == 0xc3).expect("é") + 1;
    raw.send(&[masked(0x01, &frame[..middle]), masked(0x89, b"alive?"), masked(0x80, &frame[middle..])].concat()).await;
    assert_eq!(raw.frame().await, Some((0x8a, b"alive?".to_vec())));
    assert_eq!(raw.text().await, json!({ "type": "pong", "id": "é" }));
    // Byte by byte, both as frames and on the wire.
    let pieces: Vec<u8> = std::iter::once(masked(0x01, b""))
        .chain(frame.iter().map(|byte| masked(0x00, &[*byte])))
        .chain([masked(0x80, b"")])
        .flatten()
        .collect();
    for byte in pieces {
        raw.send(&[byte]).await;
    }
    assert_eq!(raw.text().await, json!({ "type": "pong", "id": "é" }));
    // 64 KiB and no more: whole, and in pieces.
    let mut largest = frame.to_vec();
    largest.resize(64 * KIB, b' ');
    raw.send(&masked(0x81, &largest)).await;
    assert_eq!(raw.text().await["type"], "pong");
    let (one, two) = largest.split_at(40_000);
    raw.send(&[masked(0x01, one), masked(0x80, two)].concat()).await;
    assert_eq!(raw.text().await["type"], "pong");
    // An unsolicited pong and a close frame are valid.
    raw.send(&[masked(0x8a, b"hm"), masked(0x88, &4321_u16.to_be_bytes())].concat()).await;
    assert_eq!(raw.close_code().await, Some(4321));
}
