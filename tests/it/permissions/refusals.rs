//! Every route as every principal that may not use it.

use super::code_of;
use super::fixture::{Fixture, bearer};
use super::routes::{ROUTES, Route, Who};
use crate::support::{Client, Hub, Socket, on_both_engines};
use futures::future::join_all;
use serde_json::Value;

/// Calls a route with its body; reads only the status of an endless reply.
async fn ask(hub: &Hub, fixture: &Fixture, row: &Route, path: &str, client: &Client) -> (u16, Value) {
    if row.path.ends_with("/events") {
        let reply = client.stream(path).await;
        let status = reply.status().as_u16();
        let body = if status < 400 { Value::Null } else { reply.json().await.expect("JSON") };
        return (status, body);
    }
    let mut body = fixture.body(hub, row);
    if row.body == "{humanEntry}" && client.secret_if_any() == Some(fixture.guest.secret()) {
        // An entry is for one principal alone.
        body.clone_from(&fixture.ids["guestEntry"]);
    }
    let kind = (!body.is_empty()).then_some("application/json");
    let reply = client.raw(row.method, path, kind, body.into_bytes()).await;
    (reply.status, reply.body)
}

on_both_engines! {
    async fn every_route_refuses_unauthorized_principals(hub: Hub) {
        let fixture = Fixture::of(&hub).await;
        let principals = fixture.principals(&hub).await;
        let before = fixture.snapshot().await;
        let mut wrong = Vec::new();
        let mut asked = 0;
        for row in ROUTES {
            let path = fixture.path(row);
            let refused = principals.iter().filter_map(|principal| Some((principal, row.refuses(principal.kind)?)));
            let replies = join_all(refused.map(async |(principal, status)| {
                (principal.name, status, ask(&hub, &fixture, row, &path, &principal.client).await)
            }));
            for (name, status, (got, body)) in replies.await {
                asked += 1;
                if (got, body["error"]["code"].as_str()) != (status, Some(code_of(status))) {
                    wrong.push(format!("{} {} by {name}: {status} expected, got {got} {body}", row.method, row.path));
                }
            }
        }
        assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
        assert!(asked > 1000, "only {asked} requests were made");
        assert_eq!(fixture.snapshot().await, before, "refused requests have changed nothing");

        // The same requests by permitted callers; those that end the session come last.
        let ends = |row: &&Route| row.path.ends_with("/close") || row.path.ends_with("/archive");
        for row in ROUTES.iter().filter(|row| !ends(row)).chain(ROUTES.iter().filter(ends)) {
            let path = fixture.path(row);
            let anonymous = hub.anonymous();
            let callers = match row.who {
                Who::Anyone => vec![&anonymous],
                _ => fixture.callers(row),
            };
            for caller in callers {
                let (status, body) = ask(&hub, &fixture, row, &path, caller).await;
                // The interaction was cancelled by then, so a permitted answerer gets 409.
                let late = row.path.ends_with("/respond") && body["error"]["code"] == "ALREADY_SETTLED";
                assert!((200..300).contains(&status) || late, "{} {}: {status} {body}", row.method, row.path);
            }
        }
        assert_ne!(fixture.snapshot().await, before, "permitted requests have changed the state");
    }

    /// A cached credential is valid only in the header where it belongs.
    async fn a_cached_credential_is_valid_only_in_its_own_header(hub: Hub) {
        let fixture = Fixture::of(&hub).await;
        let as_key = |client: &Client| hub.anonymous().with("x-api-key", client.secret());
        let as_bearer = |client: &Client| bearer(&hub, client.secret());
        let mut wrong = Vec::new();
        for (name, own, path, other) in [
            ("a human's JWT as a key", &fixture.human, "/v1/human/me", as_key(&fixture.human)),
            ("a guest's token as a key", &fixture.guest, "/v1/human/me", as_key(&fixture.guest)),
            ("an agent's key as a bearer token", &fixture.host, "/v1/agent/me", as_bearer(&fixture.host)),
            ("an owner's key as a bearer token", &fixture.owner, "/v1/agent/me", as_bearer(&fixture.owner)),
        ] {
            let destroys = |row: &&Route| row.method == "DELETE" || row.path.ends_with("/archive") || row.path.ends_with("/close");
            for row in ROUTES.iter().filter(|row| !matches!(row.who, Who::Anyone | Who::Socket)).filter(|row| !destroys(row)) {
                own.get(path).await.expect(200);
                let (status, _) = ask(&hub, &fixture, row, &fixture.path(row), &other).await;
                if status != 401 {
                    wrong.push(format!("{} {} by {name}: 401 expected, got {status}", row.method, row.path));
                }
            }
            own.get(path).await.expect(200);
            if Socket::try_open(&other).await.err() != Some(401) {
                wrong.push(format!("a socket by {name} opens"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
