//! Every POST, and whether it takes an idempotency key.

use crate::permissions::{Fixture, ROUTES, Route};
use crate::support::{Client, Hub};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What an `Idempotency-Key` does on a POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyed {
    /// The first reply is kept, with this status.
    Kept(u16),
    /// It creates and settles nothing: the key changes nothing. Why that is.
    NotApplicable(#[allow(dead_code)] &'static str),
}

use Keyed::{Kept, NotApplicable};

const EPHEMERAL: &str = "shown to those who look, and gone";
const FORWARD_ONLY: &str = "moves a mark forward; again, it stays";

const SIGN_IN: &str =
    "gives out tokens, which are never kept; there is no credential yet that a key could be scoped by";

/// What is cancelled can't be answered, so that this one has an interaction of its own.
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
    ("/v1/human/password", NotApplicable("sets what is given; a second time the current password is another")),
    ("/v1/auth/login", NotApplicable(SIGN_IN)),
    ("/v1/auth/refresh", NotApplicable(SIGN_IN)),
    ("/v1/auth/logout", NotApplicable("ends tokens; again, they stay ended")),
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

/// The one who may call a route.
pub(super) fn caller(hub: &Hub, fixture: &Fixture, row: &Route) -> Client {
    fixture.callers(row).first().map_or_else(|| hub.anonymous(), |client| (*client).clone())
}

/// The body of a route with one more field, which nobody reads.
pub(super) fn with_more(body: &str) -> Value {
    let mut body: Value = serde_json::from_str(body).expect("JSON");
    body["unread"] = json!(1);
    body
}
