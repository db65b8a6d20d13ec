//! The table of every route and every frame, each with the permitted callers.

use super::fixture::Kind;
use hiloop::domain::Permission;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The permitted callers of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Anyone,
    Agent,
    Person,
    /// A human, not a guest.
    Member,
    /// A key with `manage`, or an admin.
    Manager,
    /// A key with `manage`.
    ManagerKey,
    Owner,
    Provisioner,
    /// A socket, which may also authenticate by its first frame: see [`FRAMES`].
    Socket,
}

/// A route of the hub, with a body that it takes. `{new}` in a body stands for a new name.
pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub who: Who,
    pub body: &'static str,
}

pub(super) const fn route(method: &'static str, path: &'static str, who: Who, body: &'static str) -> Route {
    Route { method, path, who, body }
}

/// Every route of the hub.
pub const ROUTES: &[Route] = &[
    route("GET", "/", Who::Anyone, ""),
    route("GET", "/docs", Who::Anyone, ""),
    route("GET", "/openapi.json", Who::Anyone, ""),
    route("GET", "/asyncapi.json", Who::Anyone, ""),
    route("GET", "/livez", Who::Anyone, ""),
    route("GET", "/readyz", Who::Anyone, ""),
    route("GET", "/metrics", Who::ManagerKey, ""),
    route("GET", "/v1/ws", Who::Socket, ""),
    route("GET", "/v1/agent/me", Who::Agent, ""),
    route("PUT", "/v1/agent/public-key", Who::Agent, "{hostEntry}"),
    route("GET", "/v1/agent/humans", Who::Agent, ""),
    route("GET", "/v1/agent/agents", Who::Agent, ""),
    route("POST", "/v1/agent/sessions", Who::Agent, r#"{"title":"T"}"#),
    route("GET", "/v1/agent/sessions", Who::Agent, ""),
    route("GET", "/v1/agent/sessions/{id}", Who::Agent, ""),
    route("PATCH", "/v1/agent/sessions/{id}", Who::Agent, r#"{"title":"T"}"#),
    route("POST", "/v1/agent/sessions/{id}/messages", Who::Agent, r#"{"encryptedContent":"x"}"#),
    route("GET", "/v1/agent/sessions/{id}/messages", Who::Agent, ""),
    route("GET", "/v1/agent/sessions/{id}/messages/{messageId}", Who::Agent, ""),
    route("GET", "/v1/agent/sessions/{id}/messages/{messageId}/await", Who::Agent, ""),
    route("POST", "/v1/agent/sessions/{id}/messages/{messageId}/cancel", Who::Agent, "{}"),
    route("POST", "/v1/agent/sessions/{id}/messages/{messageId}/acknowledge", Who::Agent, "{}"),
    route("GET", "/v1/agent/sessions/{id}/await", Who::Agent, ""),
    route("GET", "/v1/agent/answers", Who::Agent, ""),
    route("GET", "/v1/agent/sessions/{id}/timeline", Who::Agent, ""),
    route("GET", "/v1/agent/sessions/{id}/events", Who::Agent, ""),
    route("POST", "/v1/agent/sessions/{id}/close", Who::Agent, "{}"),
    route("POST", "/v1/agent/sessions/{id}/archive", Who::Agent, "{}"),
    route("POST", "/v1/agent/sessions/{id}/participants", Who::Agent, r#"{"type":"Agent","agentId":"{agent}"}"#),
    route("GET", "/v1/agent/sessions/{id}/keys", Who::Agent, ""),
    route("GET", "/v1/agent/sessions/{id}/participants", Who::Agent, ""),
    route("DELETE", "/v1/agent/sessions/{id}/participants/{participantId}", Who::Agent, ""),
    route("POST", "/v1/agent/sessions/{id}/guest-tokens", Who::Agent, "{}"),
    route("GET", "/v1/agent/sessions/{id}/guest-tokens", Who::Agent, ""),
    route("DELETE", "/v1/agent/sessions/{id}/guest-tokens/{tokenId}", Who::Agent, ""),
    route("POST", "/v1/agent/sessions/{id}/typing", Who::Agent, r#"{"typing":true}"#),
    route("POST", "/v1/agent/interactions", Who::Agent, r#"{"encryptedContent":"x"}"#),
    route("GET", "/v1/agent/interactions", Who::Agent, ""),
    route("GET", "/v1/agent/interactions/{id}", Who::Agent, ""),
    route("GET", "/v1/agent/interactions/{id}/await", Who::Agent, ""),
    route("POST", "/v1/agent/interactions/{id}/messages", Who::Agent, r#"{"encryptedContent":"x"}"#),
    route("GET", "/v1/agent/interactions/{id}/messages", Who::Agent, ""),
    route("POST", "/v1/agent/interactions/{id}/blocks", Who::Agent, r#"{"encryptedBlocks":"x"}"#),
    route("POST", "/v1/agent/interactions/{id}/cancel", Who::Agent, "{}"),
    route("POST", "/v1/agent/interactions/{id}/acknowledge", Who::Agent, "{}"),
    route("GET", "/v1/human/me", Who::Person, ""),
    route("PUT", "/v1/human/public-key", Who::Person, "{humanEntry}"),
    route("PUT", "/v1/human/key-backup", Who::Member, r#"{"blob":"x"}"#),
    route("GET", "/v1/human/key-backup", Who::Member, ""),
    route("DELETE", "/v1/human/key-backup", Who::Member, ""),
    route("GET", "/v1/human/sign-ins", Who::Member, ""),
    route("DELETE", "/v1/human/sign-ins/{id}", Who::Member, ""),
    route("POST", "/v1/human/password", Who::Member, r#"{"current":"correct horse","new":"correct horse"}"#),
    route("GET", "/v1/human/feed", Who::Person, ""),
    route("GET", "/v1/human/agents", Who::Member, ""),
    route("POST", "/v1/human/sessions", Who::Member, r#"{"participants":[{"type":"Agent","agentId":"{agent}"}]}"#),
    route("GET", "/v1/human/sessions", Who::Person, ""),
    route("GET", "/v1/human/sessions/{id}", Who::Person, ""),
    route("POST", "/v1/human/sessions/{id}/messages", Who::Person, r#"{"encryptedContent":"x"}"#),
    route("GET", "/v1/human/sessions/{id}/messages", Who::Person, ""),
    route("GET", "/v1/human/sessions/{id}/messages/{messageId}", Who::Person, ""),
    route("GET", "/v1/human/sessions/{id}/timeline", Who::Person, ""),
    route("GET", "/v1/human/sessions/{id}/events", Who::Person, ""),
    route("POST", "/v1/human/sessions/{id}/close", Who::Member, "{}"),
    route("GET", "/v1/human/sessions/{id}/keys", Who::Person, ""),
    route("GET", "/v1/human/sessions/{id}/participants", Who::Person, ""),
    route("POST", "/v1/human/sessions/{id}/typing", Who::Person, r#"{"typing":true}"#),
    route("POST", "/v1/human/sessions/{id}/read", Who::Person, r#"{"seq":1}"#),
    route("GET", "/v1/human/interactions", Who::Person, ""),
    route("GET", "/v1/human/interactions/{id}", Who::Person, ""),
    route("POST", "/v1/human/interactions/{id}/respond", Who::Person, r#"{"encryptedContent":"x"}"#),
    route("POST", "/v1/auth/login", Who::Anyone, r#"{"email":"{email}","password":"correct horse"}"#),
    route("POST", "/v1/auth/refresh", Who::Anyone, r#"{"refreshToken":"{refresh}"}"#),
    route("POST", "/v1/auth/logout", Who::Anyone, r#"{"refreshToken":"{logout}"}"#),
    route("POST", "/v1/auth/setup", Who::Anyone, r#"{"token":"{setup}","password":"correct horse"}"#),
    route("POST", "/v1/manage/keys", Who::Manager, r#"{"permission":"agent","agent":"{new}"}"#),
    route("GET", "/v1/manage/keys", Who::Manager, ""),
    route("DELETE", "/v1/manage/keys/{id}", Who::Manager, ""),
    route("POST", "/v1/manage/agents", Who::Manager, r#"{"name":"{new}"}"#),
    route("GET", "/v1/manage/agents", Who::Manager, ""),
    route("DELETE", "/v1/manage/agents/{id}", Who::Manager, ""),
    route("POST", "/v1/manage/humans", Who::Manager, r#"{"email":"{new}@example.org","name":"N"}"#),
    route("GET", "/v1/manage/humans", Who::Manager, ""),
    route("POST", "/v1/manage/humans/{id}/setup-link", Who::Manager, "{}"),
    route("DELETE", "/v1/manage/humans/{id}", Who::Manager, ""),
    route("POST", "/v1/manage/spaces", Who::Owner, r#"{"name":"{new}"}"#),
    route("GET", "/v1/manage/spaces", Who::Owner, ""),
    route("DELETE", "/v1/manage/spaces/{id}", Who::Owner, ""),
    route("PUT", "/v1/manage/attestations/{principalId}", Who::Manager, "{attestation}"),
    route("GET", "/v1/manage/audit", Who::Manager, ""),
    route("POST", "/v1/provision/agents", Who::Provisioner, r#"{"name":"{new}"}"#),
];

/// Every frame that a client may send, with its required fields.
pub const FRAMES: &[(&str, &str)] = &[
    ("auth", r#"{"token":"hlp_x"}"#),
    ("refresh", r#"{"token":"hlp_x"}"#),
    ("subscribe", r#"{"sessionId":"{session}"}"#),
    ("subscribe", r#"{"sessionId":"{session}","after":0}"#),
    ("subscribe", r#"{"feed":true}"#),
    ("unsubscribe", r#"{"sessionId":"{session}"}"#),
    ("unsubscribe", r#"{"feed":true}"#),
    ("send", r#"{"sessionId":"{session}","encryptedContent":"x"}"#),
    ("typing", r#"{"sessionId":"{session}","typing":true}"#),
    ("read", r#"{"sessionId":"{session}","seq":1}"#),
    ("ping", "{}"),
];

pub(super) fn frame(kind: &str, rest: &str, session: &str) -> Value {
    let mut frame: Value = serde_json::from_str(&rest.replace("{session}", session)).expect("JSON");
    frame["type"] = json!(kind);
    frame
}

impl Route {
    /// The status with which this caller is refused; none if it is permitted.
    pub(super) fn refuses(&self, kind: Kind) -> Option<u16> {
        let about_one = self.path.contains("{id}") || self.path.contains("{principalId}");
        let key = |needed: Permission, hidden: fn(bool, bool) -> bool| match kind {
            Kind::Invalid | Kind::Human { .. } | Kind::Admin { .. } | Kind::Guest { .. } => Some(401),
            Kind::Provisioner | Kind::Disguised => Some(403),
            Kind::Key { permission, .. } if permission < needed => Some(403),
            Kind::Key { foreign, sees, .. } => (about_one && hidden(foreign, sees)).then_some(404),
        };
        match self.who {
            Who::Anyone | Who::Socket => None,
            Who::Agent => key(Permission::Agent, |_, sees| !sees),
            Who::Manager => match kind {
                Kind::Human { .. } | Kind::Guest { .. } => Some(403),
                Kind::Admin { foreign } => (about_one && foreign).then_some(404),
                _ => key(Permission::Manage, |foreign, _| foreign),
            },
            Who::ManagerKey | Who::Owner => match kind {
                Kind::Human { .. } | Kind::Admin { .. } | Kind::Guest { .. } => Some(403),
                _ if self.who == Who::Owner => key(Permission::Owner, |foreign, _| foreign),
                _ => key(Permission::Manage, |foreign, _| foreign),
            },
            Who::Provisioner => match kind {
                Kind::Provisioner => None,
                Kind::Key { .. } | Kind::Disguised => Some(403),
                _ => Some(401),
            },
            Who::Person | Who::Member => match kind {
                Kind::Invalid | Kind::Key { .. } | Kind::Disguised | Kind::Provisioner => Some(401),
                Kind::Guest { .. } if self.who == Who::Member => Some(403),
                Kind::Admin { .. } => about_one.then_some(404),
                Kind::Human { sees } | Kind::Guest { sees } => (about_one && !sees).then_some(404),
            },
        }
    }
}

/// The routes that a function of the router's source adds, and those that it nests.
fn collect_routes(source: &str, function: &str, prefix: &str, found: &mut BTreeSet<(String, String)>) {
    let start = source.find(&format!("fn {function}(")).unwrap_or_else(|| panic!("a function {function}"));
    let body = &source[start..];
    let body = &body[..body.find("\n}").expect("its end")];
    let first_text = |call: &str| call.split('"').nth(1).expect("a path").to_owned();
    for call in body.split(".route(").skip(1) {
        let mut open = 1;
        let end = call.find(|c| {
            open += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            open == 0
        });
        let call = &call[..end.expect("a closing bracket")];
        let path = format!("{prefix}{}", first_text(call));
        let before = found.len();
        for method in ["get", "post", "put", "patch", "delete"] {
            let is_called =
                |(at, _): (usize, &str)| !call[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c));
            if call.match_indices(&format!("{method}(")).any(is_called) {
                found.insert((method.to_uppercase(), path.clone()));
            }
        }
        assert!(found.len() > before, "a supported method in .route({call})");
    }
    for call in body.split(".nest(").skip(1) {
        let nested = call.split(',').nth(1).and_then(|rest| rest.split('(').next()).expect("a function").trim();
        collect_routes(source, nested, &format!("{prefix}{}", first_text(call)), found);
    }
}

#[test]
fn every_route_is_listed() {
    let mut routes = BTreeSet::new();
    collect_routes(include_str!("../../../src/http/router.rs"), "router", "", &mut routes);
    let rows: BTreeSet<_> = ROUTES.iter().map(|row| (row.method.to_owned(), row.path.to_owned())).collect();
    assert_eq!(rows.len(), ROUTES.len(), "a duplicated row");
    let missing: Vec<_> = routes.difference(&rows).collect();
    assert!(missing.is_empty(), "routes without a row: {missing:?}");
    let gone: Vec<_> = rows.difference(&routes).collect();
    assert!(gone.is_empty(), "rows without a route: {gone:?}");

    // No other file adds routes.
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    for file in std::fs::read_dir(folder).expect("a folder").flatten() {
        let is_router = file.file_name() == "router.rs";
        if !is_router && file.path().is_file() {
            let source = std::fs::read_to_string(file.path()).expect("a file");
            assert!(!source.contains(".route(\""), "{:?} adds routes of its own", file.file_name());
        }
    }
}

#[test]
fn every_frame_is_listed() {
    let source = include_str!("../../../src/protocol/frame/client.rs");
    let fields = source.split("\nfn fields(").nth(1).and_then(|rest| rest.split("\n}\n").next()).expect("its match");
    let arms = fields.lines().filter_map(|line| line.split_once("=>")).map(|(arm, _)| arm.trim());
    let kinds: BTreeSet<_> =
        arms.filter(|arm| arm.starts_with('"')).flat_map(|arm| arm.split('"').skip(1).step_by(2)).collect();
    let rows: BTreeSet<_> = FRAMES.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, rows);
}
