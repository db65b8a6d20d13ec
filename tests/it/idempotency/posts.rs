//! Every POST, and whether it takes an idempotency key.

use crate::permissions::{Fixture, ROUTES, Route};
use crate::support::{Client, Hub};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The effect of an `Idempotency-Key` on a POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyed {
    /// The first reply is kept, with this status.
    Kept(u16),
    /// The key has no effect, for this reason.
    NotApplicable(#[allow(dead_code)] &'static str),
}

use Keyed::{Kept, NotApplicable};

const EPHEMERAL: &str = "ephemeral";
const FORWARD_ONLY: &str = "moves a mark forward; a repetition has no effect";

const SIGN_IN: &str = "returns tokens, which are never stored; there is no credential to scope a key";

/// Uses its own interaction, since a cancelled one can't be answered.
const CANCEL: &str = "/v1/agent/interactions/{id}/cancel";

/// Every POST of the hub, in an order in which they can be tried on one session.
pub(super) const POSTS: &[(&str, Keyed)] = &[
    ("/v1/agent/sessions", Kept(201)),
    ("/v1/agent/sessions/{id}/messages", Kept(201)),
    ("/v1/agent/sessions/{id}/messages/{messageId}/cancel", Kept(200)),
    ("/v1/agent/sessions/{id}/messages/{messageId}/acknowledge", Kept(200)),
    ("/v1/agent/sessions/{id}/participants", Kept(201)),
    ("/v1/agent/sessions/{id}/guest-tokens", Kept(201)),
    ("/v1/agent/sessions/{id}/typing", NotApplicable(EPHEMERAL)),
    ("/v1/agent/interactions", Kept(201)),
    ("/v1/agent/interactions/{id}/messages", Kept(201)),
    ("/v1/agent/interactions/{id}/blocks", Kept(201)),
    (CANCEL, Kept(200)),
    ("/v1/human/interactions/{id}/respond", Kept(200)),
    ("/v1/agent/interactions/{id}/acknowledge", Kept(200)),
    ("/v1/human/sessions", Kept(201)),
    ("/v1/human/sessions/{id}/messages", Kept(201)),
    ("/v1/human/sessions/{id}/typing", NotApplicable(EPHEMERAL)),
    ("/v1/human/sessions/{id}/read", NotApplicable(FORWARD_ONLY)),
    ("/v1/human/password", NotApplicable("sets a value; a repetition fails, since the current password has changed")),
    ("/v1/auth/login", NotApplicable(SIGN_IN)),
    ("/v1/auth/refresh", NotApplicable(SIGN_IN)),
    ("/v1/auth/logout", NotApplicable("ends tokens; a repetition has no effect")),
    ("/v1/auth/setup", NotApplicable(SIGN_IN)),
    ("/v1/manage/keys", Kept(201)),
    ("/v1/manage/agents", Kept(201)),
    ("/v1/manage/humans", Kept(201)),
    ("/v1/manage/humans/{id}/setup-link", Kept(201)),
    ("/v1/manage/spaces", Kept(201)),
    ("/v1/provision/agents", Kept(201)),
    ("/v1/human/sessions/{id}/close", Kept(200)),
    ("/v1/agent/sessions/{id}/close", Kept(200)),
    ("/v1/agent/sessions/{id}/archive", Kept(200)),
];

pub(super) fn row_of(path: &str) -> &'static Route {
    ROUTES.iter().find(|row| row.method == "POST" && row.path == path).expect("a row")
}

#[test]
fn every_post_route_is_listed() {
    let routed: BTreeSet<_> = ROUTES.iter().filter(|row| row.method == "POST").map(|row| row.path).collect();
    let listed: BTreeSet<_> = POSTS.iter().map(|(path, _)| *path).collect();
    assert_eq!(listed, routed);
    assert_eq!(listed.len(), POSTS.len());
}

/// Where to post.
pub(super) async fn path_of(hub: &Hub, fixture: &Fixture, row: &Route) -> String {
    let own = match row.path {
        CANCEL => Some(hub.interaction(&fixture.host).await),
        _ => None,
    };
    fixture.path_with(row, |_| own.clone())
}

/// A client that may call a route.
pub(super) fn caller(hub: &Hub, fixture: &Fixture, row: &Route) -> Client {
    fixture.callers(row).first().map_or_else(|| hub.anonymous(), |client| (*client).clone())
}

/// The body of a route with an additional unknown field.
pub(super) fn with_more(body: &str) -> Value {
    let mut body: Value = serde_json::from_str(body).expect("JSON");
    body["unread"] = json!(1);
    body
}
