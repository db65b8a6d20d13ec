//! Invalid input: the hub replies with the documented error, names the invalid part, and keeps running.

mod bodies;
mod envelopes;
mod forms;
mod frames;
mod raw;
mod requests;

use crate::permissions::{Fixture, Route};
use crate::support::hub::at_agent;
use crate::support::{Client, Hub};
use serde_json::json;

const MIB: usize = 1024 * 1024;
const KIB: usize = 1024;
const DEEP: usize = 10_000;

/// Collects all failed checks.
#[derive(Default)]
struct Findings {
    asked: usize,
    wrong: Vec<String>,
}

impl Findings {
    /// Checks that a reply is one of these errors of the contract, and names `named` (if that is not empty).
    fn check(&mut self, what: &str, reply: &crate::support::client::Reply, allowed: &[(u16, &str)], named: &str) {
        self.asked += 1;
        let error = &reply.body["error"];
        let good = allowed.iter().any(|(status, code)| reply.status == *status && error["code"] == **code)
            && error["message"].as_str().is_some_and(|message| !message.is_empty() && message.contains(named))
            && reply.header("content-type") == Some("application/json");
        if !good {
            self.wrong
                .push(format!("{what}: {allowed:?} naming '{named}' expected, got {} {}", reply.status, reply.body));
        }
    }

    fn expect(&mut self, what: &str, reply: &crate::support::client::Reply, status: u16) {
        self.asked += 1;
        if reply.status != status {
            self.wrong.push(format!("{what}: {status} expected, got {} {}", reply.status, reply.body));
        }
    }

    #[track_caller]
    fn none(self) {
        assert!(self.asked > 0, "no request was checked");
        assert!(self.wrong.is_empty(), "{} of {}:\n{}", self.wrong.len(), self.asked, self.wrong.join("\n"));
    }
}

const INVALID: &[(u16, &str)] = &[(400, "VALIDATION_ERROR")];

/// A client that may call the route, or an anonymous one for public routes.
fn caller(hub: &Hub, fixture: &Fixture, row: &Route) -> Client {
    fixture.callers(row).first().map_or_else(|| hub.anonymous(), |client| (*client).clone())
}

async fn send(client: &Client, row: &Route, path: &str, body: impl Into<Vec<u8>>) -> crate::support::client::Reply {
    client.raw(row.method, path, Some("application/json"), body.into()).await
}

/// Checks that the hub accepts a message, and that the session was not closed or changed.
async fn still_works(hub: &Hub, fixture: &Fixture) {
    hub.anonymous().get("/livez").await.expect(200);
    let message = json!({ "encryptedContent": "still here" });
    fixture.host.post(&at_agent(&fixture.session, "/messages"), message).await.expect(201);
}
