//! Everything of a request but its body: ids, queries, headers, paths, methods, broken HTTP.

use super::raw::Raw;
use super::{Findings, INVALID, KIB, MIB, caller, send, still_works};
use crate::permissions::{Fixture, ROUTES, Route, Who};
use crate::support::hub::{at_agent, at_human};
use crate::support::on_both_engines;
use hiloop::domain::SessionId;
use serde_json::{Value, json};

const NOT_FOUND: &[(u16, &str)] = &[(404, "NOT_FOUND")];

on_both_engines! {
    async fn unknown_and_malformed_ids_are_refused(hub: Hub) {
        let fixture = Fixture::of(&hub).await;
        let mut findings = Findings::default();
        for row in ROUTES.iter().filter(|row| row.path.contains('{')) {
            let client = caller(&hub, &fixture, row);
            let parameters: Vec<_> = row.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
            for parameter in parameters {
                let ask = async |value: &str| {
                    let path = fixture.path_with(row, |name| (name == parameter).then(|| value.to_owned()));
                    let body = fixture.body(&hub, row);
                    let kind = (!body.is_empty()).then_some("application/json");
                    client.raw(row.method, &path, kind, body.into_bytes()).await
                };
                let name = format!("{} {} with {parameter}", row.method, row.path);
                for bad in [
                    "x", "1", "-1", "null", "0198f7b200007000800000000000abcd", "0198f7b2-0000-7000-8000-00000000000", "%20",
                    "0198f7b2-0000-7000-8000-0000000000000", "0198f7b2-0000-7000-8000-00000000000g", "%00", "%F0%9F%98%80", "..%2f..",
                    "%7B0198f7b2-0000-7000-8000-000000000000%7D", "'%20OR%201=1",
                ] {
                    findings.check(&format!("{name} {bad}"), &ask(bad).await, INVALID, parameter);
                }
                findings.check(&format!("{name} %FF"), &ask("%FF").await, INVALID, "");
                for unknown in [SessionId::new().to_string(), "00000000-0000-0000-0000-000000000000".to_owned(), "ffffffff-ffff-ffff-ffff-ffffffffffff".to_owned()] {
                    findings.check(&format!("{name} {unknown}"), &ask(&unknown).await, NOT_FOUND, "");
                }
            }
        }
        findings.none();
        still_works(&hub, &fixture).await;
    }

    async fn invalid_query_parameters_are_named(hub: Hub) {
        let fixture = Fixture::of(&hub).await;
        let mut findings = Findings::default();
        let lists = ["/humans", "/interactions", "/sessions", "/messages", "/participants", "/timeline", "/feed", "/agents", "/keys", "/spaces", "/audit", "/guest-tokens"];
        let not_whole = ["", "x", "1.5", "1e3", "0x10", "99999999999999999999", "-9223372036854775809", "%00", "%FF", "1%202", "null"];
        for row in ROUTES.iter().filter(|row| row.method == "GET" && row.path != "/") {
            let (client, path) = (caller(&hub, &fixture, row), fixture.path(row));
            let path = path.split('?').next().expect("a path");
            let mut bad: Vec<(&str, &str)> = Vec::new();
            let mut whole = |name, outside: &[&'static str]| {
                bad.extend(not_whole.iter().chain(outside).map(|value| (name, *value)));
            };
            if lists.iter().any(|list| row.path.ends_with(list)) {
                whole("page", &["0", "-1"]);
                whole("pageSize", &["0", "-1", "101", "1000000"]);
            }
            if row.path.ends_with("/timeline") {
                whole("after", &["-1"]);
                whole("limit", &["0", "-1", "1001"]);
            }
            if row.path.ends_with("/events") {
                whole("after", &["-1"]);
            }
            if row.path.ends_with("/audit") {
                whole("after", &["1", "00000000-0000-0000-0000-00000000000"]);
            }
            if row.path.ends_with("/await") {
                whole("timeout", &["-1", "56", "3600"]);
            }
            let is_session_wait = row.path == "/v1/agent/sessions/{id}/await";
            if is_session_wait {
                whole("after", &["-1"]);
            }
            if row.path.ends_with("/sessions") {
                bad.extend(["", "active", "Pending", "Active,Closed", "%00", "1"].map(|value| ("status", value)));
            }
            if row.path.ends_with("/interactions") {
                bad.extend(["", "pending", "Archived", "Active", "Pending,Expired", "%00", "1"].map(|value| ("status", value)));
            }
            for (name, value) in bad {
                let reply = client.get(&format!("{path}?{name}={value}")).await;
                findings.check(&format!("GET {}?{name}={value}", row.path), &reply, INVALID, name);
            }
            if lists.iter().any(|list| row.path.ends_with(list)) {
                for good in ["page=9223372036854775807&pageSize=100", "page=1&pageSize=1", "page=1000000", "unknown=%FF", "%00=%00"] {
                    findings.expect(&format!("GET {}?{good}", row.path), &client.get(&format!("{path}?{good}")).await, 200);
                }
            }
            if row.path.ends_with("/timeline") {
                for good in ["after=9223372036854775807", "after=9223372036854775807&limit=1000", "limit=1"] {
                    findings.expect(&format!("GET {}?{good}", row.path), &client.get(&format!("{path}?{good}")).await, 200);
                }
            }
            if row.path.ends_with("/await") {
                let hasty = client.with("prefer", "wait=0");
                findings.expect("Prefer: wait=0", &hasty.get(path).await, 200);
                // So that the long-poll ends.
                if is_session_wait {
                    fixture.human.post(&at_human(&fixture.session, "/messages"), json!({ "encryptedContent": "x" })).await.expect(201);
                } else {
                    let settled = client.post(&path.replace("/await", "/cancel"), json!({})).await;
                    findings.expect("the cancellation", &settled, 200);
                }
                for odd in ["wait=x", "wait", "wait=-1", "wait=99999999999999999999", "respond-async, wait=1;x=y", "=", ",,,"] {
                    findings.expect(&format!("Prefer: {odd}"), &client.with("prefer", odd).get(path).await, 200);
                }
            }
            if row.path.ends_with("/events") {
                for bad in ["x", "-1", "1.5", "99999999999999999999", "1 2"] {
                    let reply = client.with("last-event-id", bad).stream(path).await;
                    let (status, body) = (reply.status().as_u16(), if reply.status().is_success() { Value::Null } else { reply.json().await.expect("JSON") });
                    findings.asked += 1;
                    if status != 400 || body["error"]["code"] != "VALIDATION_ERROR" || !body["error"]["message"].to_string().contains("Last-Event-ID") {
                        findings.wrong.push(format!("{} with Last-Event-ID {bad:?}: 400 naming it expected, got {status} {body}", row.path));
                    }
                }
                // An empty `Last-Event-ID` counts as absent.
                for good in ["9223372036854775807", ""] {
                    assert_eq!(client.with("last-event-id", good).stream(path).await.status(), 200);
                }
            }
        }
        findings.none();
        still_works(&hub, &fixture).await;
    }

    async fn idempotency_keys_are_checked(hub: Hub) {
        let fixture = Fixture::of(&hub).await;
        let mut findings = Findings::default();
        let longest = "k".repeat(255);
        let too_long = "k".repeat(256);
        let free = |row: &&Route| row.path.ends_with("/typing") || row.path.ends_with("/read") || row.path.ends_with("/password") || row.who == Who::Anyone;
        for row in ROUTES.iter().filter(|row| row.method == "POST").filter(|row| !free(row)) {
            let path = fixture.path(row);
            for bad in ["", "a b", "ä", "a\tb", too_long.as_str()] {
                let client = caller(&hub, &fixture, row).with("idempotency-key", bad);
                let reply = send(&client, row, &path, fixture.body(&hub, row)).await;
                findings.check(&format!("{} {} with Idempotency-Key {bad:.20?}", row.method, row.path), &reply, INVALID, "Idempotency-Key");
            }
        }
        let message = json!({ "encryptedContent": "x" });
        let client = fixture.host.with("idempotency-key", &longest);
        findings.expect("the longest key", &client.post(&at_agent(&fixture.session, "/messages"), message.clone()).await, 201);
        let again = client.post(&at_agent(&fixture.session, "/messages"), message).await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
        client.post(&at_agent(&fixture.session, "/messages"), json!({ "encryptedContent": "y" })).await.expect_error(422, "IDEMPOTENCY_MISMATCH");
        findings.none();
        still_works(&hub, &fixture).await;
    }

    async fn unknown_paths_and_methods_get_error_objects(hub: Hub) {
        let fixture = Fixture::of(&hub).await;
        let mut findings = Findings::default();
        let methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];
        for path in [
            "/nothing", "/v1", "/v1/", "/v2/agent/me", "/v1/agent", "/v1/agent/", "/v1/agent/nothing", "/v1/human/nothing", "/v1/auth/nothing",
            "/v1/manage/nothing", "/v1/provision/nothing", "/v1/agent/me/", "//v1/agent/me", "/V1/agent/me",
            "/v1/agent/sessions/0198f7b2-0000-7000-8000-000000000000/nothing", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc%2fpasswd", "/%FF", "/%00",
            "/v1/ws/", "/livez/", "/index.html%00", "/.git/config", "/assets/", "/assets/../Cargo.toml",
        ] {
            for method in methods {
                for client in [&hub.anonymous(), &fixture.owner] {
                    findings.check(&format!("{method} {path}"), &client.raw(method, path, None, Vec::new()).await, NOT_FOUND, "");
                }
            }
        }
        for row in ROUTES {
            let path = fixture.path(row);
            let known: Vec<_> = ROUTES.iter().filter(|other| other.path == row.path).map(|other| other.method).collect();
            for method in methods.iter().chain(&["TRACE", "BREW"]).filter(|method| !known.contains(method)) {
                for client in [&hub.anonymous(), &fixture.owner] {
                    let reply = client.raw(method, &path, None, Vec::new()).await;
                    findings.check(&format!("{method} {}", row.path), &reply, &[(405, "METHOD_NOT_ALLOWED")], "");
                }
            }
        }
        for (headers, what) in [
            (vec![], "no upgrade"),
            (vec![("upgrade", "websocket")], "half an upgrade"),
            (vec![("connection", "upgrade"), ("upgrade", "websocket")], "no version"),
            (vec![("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13")], "no key"),
            (vec![("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13"), ("sec-websocket-key", "short")], "a bad key"),
            (vec![("connection", "upgrade"), ("upgrade", "h2c")], "another protocol"),
            (vec![("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "8")], "an old version"),
        ] {
            let client = headers.into_iter().fold(fixture.host.clone(), |client, (name, value)| client.with(name, value));
            let reply = client.get("/v1/ws").await;
            // The error for another version names the supported one (RFC 6455 section 4.4).
            let status = if what == "an old version" { 426 } else { 400 };
            findings.check(&format!("GET /v1/ws with {what}"), &reply, &[(status, "VALIDATION_ERROR")], "");
            assert_eq!(reply.header("sec-websocket-version"), (status == 426).then_some("13"), "{what}");
        }
        // Paths of the page are valid, but only for reads.
        for path in ["/", "/index.html", "/docs", "/docs/", "/docs/start.js"] {
            for method in ["GET", "HEAD"] {
                assert_eq!(hub.anonymous().raw(method, path, None, Vec::new()).await.status, 200, "{method} {path}");
            }
            for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
                let reply = hub.anonymous().raw(method, path, None, Vec::new()).await;
                assert_eq!(reply.header("allow"), Some("GET,HEAD"), "{method} {path}");
                reply.expect_error(405, "METHOD_NOT_ALLOWED");
            }
        }
        findings.none();
        still_works(&hub, &fixture).await;
    }

    async fn every_reply_has_a_request_id(hub: Hub) {
        let fixture = Fixture::of(&hub).await;
        let longest = "i".repeat(128);
        for given in ["req-42", "0198f7b2-0000-7000-8000-000000000000", "!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~", longest.as_str()] {
            for (client, path, status) in [
                (&fixture.host, "/v1/agent/me", 200),
                (&hub.anonymous(), "/v1/agent/me", 401),
                (&fixture.host, "/v1/manage/keys", 403),
                (&fixture.host, "/v1/agent/sessions/x", 400),
                (&fixture.host, "/nothing", 404),
                (&fixture.host, "/livez", 200),
            ] {
                let reply = client.with("x-request-id", given).get(path).await;
                assert_eq!((reply.status, reply.header("x-request-id")), (status, Some(given)));
            }
            let reply = fixture.host.with("x-request-id", given).raw("POST", "/v1/agent/sessions", Some("application/json"), b"{".to_vec()).await;
            assert_eq!((reply.status, reply.header("x-request-id")), (400, Some(given)));
            let reply = fixture.host.with("x-request-id", given).raw("DELETE", "/v1/agent/me", None, Vec::new()).await;
            assert_eq!((reply.status, reply.header("x-request-id")), (405, Some(given)));
        }
        // An id that is unsafe for a log is replaced.
        let too_long = "i".repeat(5000);
        for bad in ["", "a b", "a\tb", "ä", too_long.as_str()] {
            let reply = fixture.host.with("x-request-id", bad).get("/v1/agent/me").await;
            let made = reply.header("x-request-id").expect("an id").to_owned();
            assert!(reply.status == 200 && made != bad && made.len() >= 8 && made.is_ascii(), "{made}");
        }
        let (one, two) = (fixture.host.get("/livez").await, fixture.host.get("/livez").await);
        assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
    }

    async fn malformed_requests_and_floods_do_not_harm_the_hub(hub: Hub) {
        let fixture = Fixture::of(&hub).await;
        let many = |count: usize| (0..count).map(|i| format!("X-Flood-{i}: {i}\r\n")).collect::<String>();
        let key = fixture.host.secret();
        let me = |extra: &str| format!("GET /v1/agent/me HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nX-API-Key: {key}\r\n{extra}\r\n");
        for (what, request, allowed) in [
            ("fifty headers", me(&many(50)), &["200"][..]),
            ("five thousand headers", me(&many(5000)), &["400", "431"]),
            ("a header of a megabyte", me(&format!("X-Large: {}\r\n", "x".repeat(MIB))), &["400", "431"]),
            ("a path of a megabyte", format!("GET /{} HTTP/1.1\r\nHost: hub\r\n\r\n", "x".repeat(MIB)), &["400", "414", "431"]),
            ("a thousand cookies", me(&"Cookie: a=b\r\n".repeat(1000)), &["400", "431"]),
            ("no request", "nonsense\r\n\r\n".to_owned(), &["400"]),
            ("a control character in a header", me("X-Bad: a\u{1}b\r\n"), &["400"]),
            ("two lengths", me("Content-Length: 1\r\nContent-Length: 2\r\n"), &["400"]),
            ("a length that is none", me("Content-Length: x\r\n"), &["400"]),
            ("a negative length", me("Content-Length: -1\r\n"), &["400"]),
            ("another version", "GET / HTTP/9.9\r\nHost: hub\r\n\r\n".to_owned(), &["400", "505"]),
        ] {
            let mut raw = Raw::connect(&hub).await;
            raw.send(request.as_bytes()).await;
            while raw.more().await {}
            let reply = String::from_utf8_lossy(&raw.received).into_owned();
            let status = reply.split(' ').nth(1).unwrap_or_default();
            // A connection that was closed during the flood has no reply.
            let cut = reply.is_empty() && request.len() > 64 * KIB;
            assert!(cut || allowed.contains(&status), "{what}: {allowed:?} expected, got {reply:.300}");
        }
        // Missing and truncated bodies.
        for cut in [
            format!("POST /v1/agent/sessions HTTP/1.1\r\nHost: hub\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"),
            format!("POST /v1/agent/sessions HTTP/1.1\r\nHost: hub\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        ] {
            let mut raw = Raw::connect(&hub).await;
            raw.send(cut.as_bytes()).await;
            drop(raw);
        }
        // Duplicated and contradictory headers.
        let both = fixture.host.with("x-api-key", fixture.manager.secret()).with("authorization", "Bearer x").with("x-hiloop", "a").with("x-hiloop", "b");
        assert!(both.get("/v1/agent/me").await.status < 500);
        still_works(&hub, &fixture).await;
        assert_eq!(fixture.host.get("/v1/agent/sessions").await.expect(200)["total"], 1, "half a body opens no session");
    }
}
