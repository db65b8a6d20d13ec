//! Request bodies: not JSON, of the wrong type, out of bounds, of another kind, too large.

use super::forms::Holds::Envelope;
use super::forms::{FORMS, Form, PLAIN_TEXT, find, is_form, nested, with_field, wrong_values};
use super::{DEEP, Findings, INVALID, KIB, MIB, caller, send, still_works};
use crate::permissions::{Fixture, ROUTES};
use crate::support::hub::{at_agent, at_human, text};
use crate::support::on_both_engines;
use hiloop::domain::SessionId;
use serde_json::{Value, json};

const TOO_LARGE: &[(u16, &str)] = &[(413, "PAYLOAD_TOO_LARGE")];
const NOT_JSON: &[(u16, &str)] = &[(415, "UNSUPPORTED_MEDIA_TYPE")];

on_both_engines! {
    async fn bodies_that_are_not_json_objects_are_refused(hub: Hub) {
        let fixture = Fixture::of(&hub).await;
        let mut findings = Findings::default();
        let deep_list = format!("{{\"title\":{}}}", nested(DEEP, "[", "]"));
        let deep_object = format!("{}1{}", "{\"title\":".repeat(DEEP), "}".repeat(DEEP));
        for row in ROUTES.iter().filter(|row| is_form(row)) {
            let (client, path) = (caller(&hub, &fixture, row), fixture.path(row));
            let name = format!("{} {}", row.method, row.path);
            for bad in [
                "{", "}", "{\"title\":", "{\"title\":}", "{\"title\":\"x\"", "{\"title\":\"x\",}", "{'title':'x'}", "{title:1}",
                "nonsense", "{} {}", "{}x", "\u{feff}{}", "{\"title\":01}", "{\"title\":+1}", "{\"title\":NaN}", "{\"title\":\"\t\"}",
                "[]", "[{}]", "[1,2,3]", "\"x\"", "\"{}\"", "5", "null", "true", " ", "\0",
                "{\"title\":\"\\x\"}", "{\"title\":\"\\u12\"}",
            ] {
                findings.check(&format!("{name} {bad}"), &send(&client, row, &path, bad).await, INVALID, "");
            }
            for (what, bad) in [
                ("invalid UTF-8 in a value", &b"{\"title\":\"\xff\xfe\"}"[..]),
                ("invalid UTF-8 in a key", b"{\"\xc3\x28\":1}"),
                ("an encoded surrogate", b"{\"title\":\"\xed\xa0\x80\"}"),
                ("an overlong NUL", b"{\"title\":\"\xc0\x80\"}"),
                ("UTF-16", b"\xff\xfe{\0}\0"),
            ] {
                findings.check(&format!("{name} with {what}"), &send(&client, row, &path, bad).await, INVALID, "");
            }
            // The value of an unknown key is ignored or refused, depending on its depth; neither harms the hub.
            for (what, deep) in [("lists", &deep_list), ("objects", &deep_object)] {
                let known = FORMS.iter().any(|form| form.route == name && form.fields.iter().any(|(field, _)| *field == "title"));
                let open = format!("{}{}", nested(DEEP, "[", ""), nested(DEEP, "{\"title\":", ""));
                // More than some routes take.
                let refused = [INVALID, TOO_LARGE].concat();
                findings.check(&format!("{name} with endless {what}"), &send(&client, row, &path, open).await, &refused, "");
                if known {
                    findings.check(&format!("{name} with deep {what}"), &send(&client, row, &path, deep.as_str()).await, INVALID, "");
                } else if !row.path.ends_with("/close") && !row.path.ends_with("/archive") && !row.path.ends_with("/cancel") {
                    let reply = send(&client, row, &path, deep.as_str()).await;
                    findings.asked += 1;
                    if reply.status >= 500 {
                        findings.wrong.push(format!("{name} with deep {what}: {} {}", reply.status, reply.body));
                    }
                }
            }
            hub.anonymous().get("/livez").await.expect(200);
        }
        findings.none();
        still_works(&hub, &fixture).await;
    }

    async fn fields_of_the_wrong_type_are_named(hub: Hub) {
        let fixture = Fixture::of(&hub).await;
        let mut findings = Findings::default();
        for Form { route, required, fields } in FORMS {
            let row = find(route);
            let (client, path) = (caller(&hub, &fixture, row), fixture.path(row));
            for (index, (field, holds)) in fields.iter().enumerate() {
                for value in wrong_values(*holds) {
                    let body = with_field(&fixture.body(&hub, row), field, value);
                    findings.check(&format!("{route} {body}"), &send(&client, row, &path, body).await, INVALID, field);
                }
                // As many as fit into a body of this route.
                let levels = if path.starts_with("/v1/auth/") { DEEP / 2 } else { DEEP };
                let deep = with_field(&fixture.body(&hub, row), field, &nested(levels, "[", "]"));
                findings.check(&format!("{route} with {field} of {levels} levels"), &send(&client, row, &path, deep).await, INVALID, "");
                let twice = with_field(&fixture.body(&hub, row), field, &format!("null,\"{field}\":null"));
                findings.check(&format!("{route} {twice}"), &send(&client, row, &path, twice).await, INVALID, field);
                if index < *required {
                    let null = with_field(&fixture.body(&hub, row), field, "null");
                    findings.check(&format!("{route} {null}"), &send(&client, row, &path, null).await, INVALID, field);
                    let mut without: Value = serde_json::from_str(&fixture.body(&hub, row)).expect("JSON");
                    without.as_object_mut().expect("an object").remove(*field);
                    let without = without.to_string();
                    findings.check(&format!("{route} {without}"), &send(&client, row, &path, without).await, INVALID, field);
                }
            }
            if *required > 0 {
                for (what, kind, body) in [("no body", None, ""), ("an empty body", Some("application/json"), ""), ("{}", Some("application/json"), "{}")] {
                    let reply = client.raw(row.method, &path, kind, body.into()).await;
                    findings.check(&format!("{route} with {what}"), &reply, INVALID, fields[0].0);
                }
            }
        }
        for (named, field) in [
            (json!([{ "type": "Agent", "name": "no-such-agent", "role": 1 }]), "participants[0].role"),
            (json!([{ "type": "Nope", "name": "x" }]), "participants[0].type"),
            (json!([{ "name": "x" }]), "participants[0].type"),
            (json!([{ "type": "Human" }]), "participants[0].humanId"),
            (json!([{ "type": "Guest", "name": "x" }]), "participants[0].type"),
            (json!([{ "type": "Agent", "agentId": "x" }]), "participants[0].agentId"),
            (json!([{ "type": "Agent", "agentId": SessionId::new(), "role": "a\u{0}b" }]), "participants[0].role"),
        ] {
            let body = json!({ "participants": named });
            let reply = fixture.host.post("/v1/agent/sessions", body.clone()).await;
            findings.check(&format!("POST /v1/agent/sessions {body}"), &reply, INVALID, field);
            let reply = fixture.human.post("/v1/human/sessions", body.clone()).await;
            findings.check(&format!("POST /v1/human/sessions {body}"), &reply, INVALID, field);
        }
        assert!(findings.asked > 400);
        findings.none();
        still_works(&hub, &fixture).await;
    }

    async fn values_out_of_bounds_are_named(hub: Hub) {
        let fixture = Fixture::of(&hub).await;
        let mut findings = Findings::default();
        let long = |count: usize| Value::from("é".repeat(count)).to_string();
        let zeros = "A".repeat(43);
        for (route, field, value) in [
            ("POST /v1/agent/sessions", "title", long(201)),
            ("PATCH /v1/agent/sessions/{id}", "title", long(201)),
            ("POST /v1/agent/sessions", "metadata", json!({ "x": "x".repeat(4 * KIB) }).to_string()),
            ("PATCH /v1/agent/sessions/{id}", "metadata", json!({ "x": "x".repeat(4 * KIB) }).to_string()),
            ("POST /v1/agent/sessions", "participants", json!(vec![json!({ "type": "Agent", "name": "x" }); 1001]).to_string()),
            ("POST /v1/human/sessions", "participants", "[]".to_owned()),
            ("POST /v1/agent/sessions/{id}/messages", "deadlineAt", "\"2001-01-01T00:00:00Z\"".to_owned()),
            ("POST /v1/agent/interactions", "title", long(201)),
            ("POST /v1/agent/interactions", "type", long(65)),
            ("POST /v1/agent/interactions", "type", "\"\"".to_owned()),
            ("POST /v1/agent/interactions", "deadlineAt", "\"2001-01-01T00:00:00Z\"".to_owned()),
            ("POST /v1/agent/interactions", "participants", json!(vec![json!({ "type": "Agent", "name": "x" }); 1001]).to_string()),
            ("POST /v1/agent/sessions/{id}/participants", "role", "\"\"".to_owned()),
            ("POST /v1/agent/sessions/{id}/participants", "role", long(65)),
            ("POST /v1/agent/sessions/{id}/guest-tokens", "name", "\"\"".to_owned()),
            ("POST /v1/agent/sessions/{id}/guest-tokens", "name", "\" \"".to_owned()),
            ("POST /v1/agent/sessions/{id}/guest-tokens", "name", long(65)),
            ("POST /v1/agent/sessions/{id}/guest-tokens", "expiresInSeconds", "59".to_owned()),
            ("POST /v1/agent/sessions/{id}/guest-tokens", "expiresInSeconds", "2592001".to_owned()),
            ("POST /v1/agent/sessions/{id}/guest-tokens", "expiresInSeconds", i64::MAX.to_string()),
            ("PUT /v1/agent/public-key", "publicKey", "\"\"".to_owned()),
            ("PUT /v1/agent/public-key", "publicKey", "\"not base64!\"".to_owned()),
            ("PUT /v1/human/public-key", "publicKey", Value::from(zeros.as_str()).to_string()),
            ("PUT /v1/human/public-key", "publicKey", Value::from(zeros.clone() + "=").to_string()),
            ("PUT /v1/agent/public-key", "signingKey", Value::from(zeros.as_str()).to_string()),
            ("PUT /v1/agent/public-key", "signingKey", "\"\"".to_owned()),
            ("PUT /v1/agent/public-key", "proof", Value::from("A".repeat(86)).to_string()),
            ("PUT /v1/human/public-key", "previous", json!({ "keyId": "AAAA", "signature": "A".repeat(86) }).to_string()),
            ("PUT /v1/human/public-key", "publicKey", "\"AAAA\"".to_owned()),
            ("PUT /v1/agent/public-key", "keyId", "\"\"".to_owned()),
            ("PUT /v1/agent/public-key", "keyId", long(129)),
            ("POST /v1/manage/keys", "permission", "\"root\"".to_owned()),
            ("POST /v1/manage/keys", "permission", "\"Owner\"".to_owned()),
            ("POST /v1/manage/keys", "expiresInSeconds", "0".to_owned()),
            ("POST /v1/manage/keys", "expiresInSeconds", i64::MAX.to_string()),
            ("POST /v1/manage/keys", "agent", "\"two words\"".to_owned()),
            ("POST /v1/manage/agents", "name", long(10)),
            ("POST /v1/manage/agents", "name", Value::from("n".repeat(65)).to_string()),
            ("POST /v1/manage/humans", "email", "\"nobody\"".to_owned()),
            ("POST /v1/manage/humans", "email", "\"a@b@c\"".to_owned()),
            ("POST /v1/manage/humans", "email", "\"a b@c\"".to_owned()),
            ("POST /v1/manage/humans", "password", "\"short\"".to_owned()),
            ("POST /v1/manage/humans", "password", long(257)),
            ("POST /v1/manage/humans", "password", "\"PassWord1\"".to_owned()),
            ("POST /v1/manage/humans", "email", "\"a@b#c\"".to_owned()),
            ("POST /v1/manage/humans", "role", "\"Owner\"".to_owned()),
            ("POST /v1/human/password", "new", "\"12345678\"".to_owned()),
            ("POST /v1/auth/setup", "password", "\"iloveyou\"".to_owned()),
            ("POST /v1/manage/humans", "name", "\"\"".to_owned()),
            ("POST /v1/manage/spaces", "name", "\"\"".to_owned()),
            ("POST /v1/manage/spaces", "name", long(65)),
            ("POST /v1/provision/agents", "name", "\"\"".to_owned()),
        ] {
            let row = find(route);
            let body = with_field(&fixture.body(&hub, row), field, &value);
            let reply = send(&caller(&hub, &fixture, row), row, &fixture.path(row), body).await;
            findings.check(&format!("{route} with {field} {value:.60}"), &reply, INVALID, field);
        }
        // Just inside the bounds.
        let most = json!({ "title": "é".repeat(200), "metadata": { "x": "x".repeat(4 * KIB - 8) } });
        findings.expect("the longest title", &fixture.host.post("/v1/agent/sessions", most).await, 201);
        // Names in use, also by deactivated entries; only a human's address can be reused.
        let email = format!("{}@example.org", hub.name("taken"));
        let taken: &[(u16, &str)] = &[(409, "CONFLICT")];
        let space = json!({ "name": hub.name("taken") });
        let made = fixture.owner.post("/v1/manage/spaces", space.clone()).await.expect(201);
        // An existing space is returned; a deactivated one is not created again.
        assert_eq!(fixture.owner.post("/v1/manage/spaces", space.clone()).await.expect(200)["id"], made["id"]);
        fixture.owner.delete(&format!("/v1/manage/spaces/{}", text(&made["id"]))).await.expect(204);
        findings.check("POST /v1/manage/spaces after its end", &fixture.owner.post("/v1/manage/spaces", space).await, taken, "");
        for (list, body, comes_back) in [
            ("agents", json!({ "name": hub.name("taken") }), false),
            ("humans", json!({ "email": email, "name": "N" }), true),
        ] {
            let path = format!("/v1/manage/{list}");
            let made = fixture.owner.post(&path, body.clone()).await.expect(201);
            findings.check(&format!("POST {path} {body} twice"), &fixture.owner.post(&path, body.clone()).await, taken, "");
            fixture.owner.delete(&format!("{path}/{}", text(&made["id"]))).await.expect(204);
            let again = fixture.owner.post(&path, body.clone()).await;
            let what = format!("POST {path} {body} after its deactivation");
            if comes_back {
                findings.expect(&what, &again, 201);
            } else {
                findings.check(&what, &again, taken, "");
            }
        }
        let far = json!({ "seq": i64::MAX });
        findings.expect("the furthest seq", &fixture.human.post(&at_human(&fixture.session, "/read"), far).await, 204);
        findings.none();
        still_works(&hub, &fixture).await;
    }

    async fn invisible_characters_are_refused_by_field(hub: Hub) {
        let fixture = Fixture::of(&hub).await;
        let mut findings = Findings::default();
        for (route, field) in PLAIN_TEXT {
            let row = find(route);
            let (client, path) = (caller(&hub, &fixture, row), fixture.path(row));
            // Control characters and invisible ones: zero-width, bidirectional, fillers, tags.
            let controls = ["\0", "\u{1}", "\t", "\n", "\r", "\u{1b}", "\u{7f}", "\u{80}", "\u{9f}"];
            let hidden = ["\u{ad}", "\u{200b}", "\u{200d}", "\u{202e}", "\u{2028}", "\u{2066}", "\u{3164}", "\u{feff}", "\u{e0041}"];
            for control in controls.iter().chain(&hidden) {
                for value in [format!("a{control}b@c"), (*control).to_owned(), format!("a{control}")] {
                    let body = with_field(&fixture.body(&hub, row), field, &Value::from(value).to_string());
                    findings.check(&format!("{route} {body}"), &send(&client, row, &path, body).await, INVALID, field);
                }
            }
        }
        // Texts of look-ups: not found or refused, never a 500.
        let lookups = &[(400, "VALIDATION_ERROR"), (401, "UNAUTHORIZED"), (404, "NOT_FOUND")];
        for control in ["\0", "a\0@b", "\u{1}", "\u{7f}", "a\n"] {
            for (client, path, body) in [
                (&fixture.host, at_agent(&fixture.session, "/participants"), json!({ "type": "Agent", "name": control })),
                (&fixture.host, at_agent(&fixture.session, "/participants"), json!({ "type": "Human", "email": control })),
                (&fixture.host, "/v1/agent/sessions".to_owned(), json!({ "participants": [{ "type": "Agent", "name": control }] })),
                (&fixture.host, "/v1/agent/sessions".to_owned(), json!({ "participants": [{ "type": "Human", "email": control }] })),
                (&fixture.human, "/v1/human/sessions".to_owned(), json!({ "participants": [{ "type": "Agent", "name": control }] })),
                (&hub.anonymous(), "/v1/auth/login".to_owned(), json!({ "email": control, "password": "correct horse" })),
                (&hub.anonymous(), "/v1/auth/login".to_owned(), json!({ "email": "a@example.org", "password": "correct horse", "space": control })),
                (&hub.anonymous(), "/v1/auth/refresh".to_owned(), json!({ "refreshToken": control })),
                (&hub.anonymous(), "/v1/auth/setup".to_owned(), json!({ "token": control, "password": "correct horse" })),
            ] {
                findings.check(&format!("POST {path} {body}"), &client.post(&path, body.clone()).await, lookups, "");
            }
            let logout = hub.anonymous().post("/v1/auth/logout", json!({ "refreshToken": control })).await;
            findings.asked += 1;
            if logout.status >= 500 {
                findings.wrong.push(format!("logout with {control:?}: {}", logout.status));
            }
        }
        findings.none();
        still_works(&hub, &fixture).await;
    }

    async fn bodies_of_another_media_type_or_size_are_refused(hub: Hub) {
        let fixture = Fixture::of(&hub).await;
        let mut findings = Findings::default();
        for row in ROUTES.iter().filter(|row| is_form(row)) {
            let (client, path) = (caller(&hub, &fixture, row), fixture.path(row));
            let name = format!("{} {}", row.method, row.path);
            let body = fixture.body(&hub, row);
            for kind in [
                None, Some(""), Some("text/plain"), Some("text/json"), Some("application/x-www-form-urlencoded"),
                Some("multipart/form-data; boundary=x"), Some("application/jsonx"), Some("application/octet-stream"), Some("json"),
            ] {
                let reply = client.raw(row.method, &path, kind, body.clone().into_bytes()).await;
                findings.check(&format!("{name} as {kind:?}"), &reply, NOT_JSON, "");
            }
            let large = format!("{{\"x\":\"{}\"}}", "x".repeat(MIB - 7));
            assert_eq!(large.len(), MIB + 1);
            findings.check(&format!("{name} with 1 MiB + 1"), &send(&client, row, &path, large).await, TOO_LARGE, "");
        }
        // A megabyte is accepted.
        let exact = format!("{{\"title\":\"T\"{}}}", " ".repeat(MIB - 13));
        assert_eq!(exact.len(), MIB);
        for kind in ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "application/problem+json"] {
            let reply = fixture.host.raw("POST", "/v1/agent/sessions", Some(kind), exact.clone().into_bytes()).await;
            findings.expect(&format!("1 MiB as {kind}"), &reply, 201);
        }
        // The client may fail to send a body that is much too large, but the hub must not be harmed.
        let huge = vec![b' '; 16 * MIB];
        if let Ok(reply) = fixture.host.try_raw("POST", "/v1/agent/sessions", Some("application/json"), huge).await {
            findings.check("16 MiB", &reply, TOO_LARGE, "");
        }

        for Form { route, fields, .. } in FORMS {
            let row = find(route);
            let (client, path) = (caller(&hub, &fixture, row), fixture.path(row));
            for (field, _) in fields.iter().filter(|(_, holds)| *holds == Envelope) {
                let text = "x".repeat(256 * KIB);
                for value in [
                    json!(format!("{text}x")),
                    json!({ "ciphertext": text, "wrappings": [] }),
                    json!(json!({ "ciphertext": text, "wrappings": [] }).to_string()),
                    json!({ "ciphertext": "", "wrappings": [{ "x": text }] }),
                    json!({ "ciphertext": "", "wrappings": vec![json!({ "x": "xxxxxxxx" }); 20_000] }),
                    json!("€".repeat(100_000)),
                ] {
                    let body = with_field(&fixture.body(&hub, row), field, &value.to_string());
                    findings.check(&format!("{route} with too large a {field}"), &send(&client, row, &path, body).await, TOO_LARGE, field);
                }
                let fits = json!(text).to_string();
                let reply = send(&client, row, &path, with_field(&fixture.body(&hub, row), field, &fits)).await;
                let status = match (row.method, route.ends_with("/respond")) {
                    ("PATCH", _) => 200,
                    // The first of them answers.
                    (_, true) => if *field == "encryptedContent" { 200 } else { 409 },
                    _ => 201,
                };
                findings.expect(&format!("{route} with 255 KiB of {field}"), &reply, status);
            }
        }
        findings.none();
        still_works(&hub, &fixture).await;
    }
}
