//! The schema of every request body: its fields, their types, and invalid values for each.

use crate::permissions::{ROUTES, Route};
use serde_json::Value;

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Text,
    Whole,
    Flag,
    Word,
    Time,
    Id,
    Object,
    List,
    Envelope,
}

use Holds::{Envelope, Flag, Id, List, Object, Text, Time, Whole, Word};

/// The fields of a route's body; the first `required` ones are required.
pub(super) struct Form {
    pub(super) route: &'static str,
    pub(super) required: usize,
    pub(super) fields: &'static [(&'static str, Holds)],
}

pub(super) const fn form(route: &'static str, required: usize, fields: &'static [(&'static str, Holds)]) -> Form {
    Form { route, required, fields }
}

const SESSION: &[(&str, Holds)] = &[
    ("id", Id),
    ("title", Text),
    ("encryptedTitle", Envelope),
    ("priority", Word),
    ("metadata", Object),
    ("participants", List),
];

const PUBLIC_KEY: &[(&str, Holds)] = &[
    ("publicKey", Text),
    ("signingKey", Text),
    ("keyId", Text),
    ("proof", Text),
    ("previous", Object),
    ("replace", Flag),
];

const AGENT: &[(&str, Holds)] = &[("name", Text), ("description", Text)];

/// Every body that the hub reads.
pub(super) const FORMS: &[Form] = &[
    form("PUT /v1/agent/public-key", 4, PUBLIC_KEY),
    form("POST /v1/agent/sessions", 0, SESSION),
    form(
        "PATCH /v1/agent/sessions/{id}",
        0,
        &[("title", Text), ("encryptedTitle", Envelope), ("priority", Word), ("metadata", Object)],
    ),
    form(
        "POST /v1/agent/sessions/{id}/messages",
        1,
        &[
            ("encryptedContent", Envelope),
            ("encryptedComponents", Envelope),
            ("responseRequired", Flag),
            ("priority", Word),
            ("deadlineAt", Time),
            ("answerers", List),
            ("inReplyTo", Id),
        ],
    ),
    form("POST /v1/agent/sessions/{id}/messages/{messageId}/cancel", 0, &[]),
    form("POST /v1/agent/sessions/{id}/messages/{messageId}/acknowledge", 0, &[("exclusive", Flag)]),
    form("POST /v1/agent/sessions/{id}/close", 0, &[]),
    form("POST /v1/agent/sessions/{id}/archive", 0, &[]),
    form(
        "POST /v1/agent/sessions/{id}/participants",
        1,
        &[("type", Word), ("agentId", Id), ("humanId", Id), ("email", Text), ("name", Text), ("role", Text)],
    ),
    form("POST /v1/agent/sessions/{id}/guest-tokens", 0, &[("name", Text), ("expiresInSeconds", Whole)]),
    form("POST /v1/agent/sessions/{id}/typing", 0, &[("typing", Flag)]),
    form(
        "POST /v1/agent/interactions",
        1,
        &[
            ("encryptedContent", Envelope),
            ("encryptedComponents", Envelope),
            ("type", Text),
            ("title", Text),
            ("priority", Word),
            ("deadlineAt", Time),
            ("id", Id),
            ("answerers", List),
            ("participants", List),
        ],
    ),
    form(
        "POST /v1/agent/interactions/{id}/messages",
        1,
        &[
            ("encryptedContent", Envelope),
            ("encryptedComponents", Envelope),
            ("responseRequired", Flag),
            ("priority", Word),
            ("deadlineAt", Time),
            ("answerers", List),
            ("inReplyTo", Id),
        ],
    ),
    form("POST /v1/agent/interactions/{id}/blocks", 1, &[("encryptedBlocks", Envelope)]),
    form("POST /v1/agent/interactions/{id}/cancel", 0, &[]),
    form("POST /v1/agent/interactions/{id}/acknowledge", 0, &[]),
    form("PUT /v1/human/public-key", 4, PUBLIC_KEY),
    form("PUT /v1/human/key-backup", 0, &[]),
    form("PUT /v1/manage/attestations/{principalId}", 3, &[("keyId", Text), ("notAfter", Time), ("signature", Text)]),
    form(
        "POST /v1/human/sessions",
        1,
        &[
            ("participants", List),
            ("id", Id),
            ("title", Text),
            ("encryptedTitle", Envelope),
            ("priority", Word),
            ("metadata", Object),
        ],
    ),
    form(
        "POST /v1/human/sessions/{id}/messages",
        1,
        &[
            ("encryptedContent", Envelope),
            ("encryptedComponents", Envelope),
            ("priority", Word),
            ("inReplyTo", Id),
            ("settles", Flag),
            ("outcome", Word),
        ],
    ),
    form("POST /v1/human/sessions/{id}/close", 0, &[]),
    form("POST /v1/human/sessions/{id}/typing", 0, &[("typing", Flag)]),
    form("POST /v1/human/sessions/{id}/read", 1, &[("seq", Whole)]),
    form(
        "POST /v1/human/interactions/{id}/respond",
        1,
        &[("encryptedContent", Envelope), ("encryptedComponents", Envelope), ("outcome", Word)],
    ),
    form("POST /v1/auth/login", 2, &[("email", Text), ("password", Text), ("space", Text)]),
    form("POST /v1/auth/refresh", 1, &[("refreshToken", Text)]),
    form("POST /v1/auth/logout", 1, &[("refreshToken", Text), ("everywhere", Flag)]),
    form("POST /v1/auth/setup", 2, &[("token", Text), ("password", Text)]),
    form("POST /v1/manage/keys", 1, &[("permission", Word), ("agent", Text), ("expiresInSeconds", Whole)]),
    form("POST /v1/manage/agents", 1, AGENT),
    form("POST /v1/manage/humans", 2, &[("email", Text), ("name", Text), ("role", Word), ("password", Text)]),
    form("POST /v1/manage/humans/{id}/setup-link", 0, &[]),
    form("POST /v1/human/password", 2, &[("current", Text), ("new", Text)]),
    form("POST /v1/manage/spaces", 1, &[("name", Text)]),
    form("POST /v1/provision/agents", 1, AGENT),
];

/// Plain text that people read, by the route that takes it.
pub(super) const PLAIN_TEXT: &[(&str, &str)] = &[
    ("POST /v1/agent/sessions", "title"),
    ("PATCH /v1/agent/sessions/{id}", "title"),
    ("POST /v1/human/sessions", "title"),
    ("POST /v1/agent/interactions", "title"),
    ("POST /v1/agent/interactions", "type"),
    ("POST /v1/agent/sessions/{id}/participants", "role"),
    ("POST /v1/agent/sessions/{id}/guest-tokens", "name"),
    ("PUT /v1/agent/public-key", "keyId"),
    ("PUT /v1/human/public-key", "keyId"),
    ("POST /v1/manage/keys", "agent"),
    ("POST /v1/manage/agents", "name"),
    ("POST /v1/manage/agents", "description"),
    ("POST /v1/manage/humans", "email"),
    ("POST /v1/manage/humans", "name"),
    ("POST /v1/manage/spaces", "name"),
    ("POST /v1/provision/agents", "name"),
    ("POST /v1/provision/agents", "description"),
];

pub(super) fn is_form(row: &Route) -> bool {
    matches!(row.method, "POST" | "PUT" | "PATCH")
}

pub(super) fn find(route: &str) -> &'static Route {
    let found = ROUTES.iter().find(|row| format!("{} {}", row.method, row.path) == route);
    found.unwrap_or_else(|| panic!("a row for {route}"))
}

/// Invalid JSON values for such a field.
pub(super) fn wrong_values(holds: Holds) -> &'static [&'static str] {
    match holds {
        Text => &["1", "true", "[]", "{}", r#""\ud800""#],
        Whole => &[
            "\"1\"",
            "1.5",
            "true",
            "[]",
            "{}",
            "-1",
            "1e400",
            "-1e400",
            "1e30",
            "1000000000000000000000000000000",
            "9223372036854775808",
            "\"\"",
        ],
        Flag => &["\"true\"", "1", "0", "[]", "{}", "\"\""],
        Word => &["\"Nope\"", "\"\"", "1", "[]", "{}", "true", "\"high\\u0000\""],
        Time => {
            &["1", "\"yesterday\"", "\"\"", "\"2026-13-45T00:00:00Z\"", "\"2026-03-25\"", "[]", "{}", "true", "1e400"]
        }
        Id => &[
            "1",
            "\"x\"",
            "\"\"",
            "[]",
            "{}",
            "\"0198f7b200007000800000000000abcd\"",
            "\"0198f7b2-0000-7000-8000-000000000000\\u0000\"",
        ],
        Object => &["1", "\"x\"", "\"{}\"", "true", "[]", "[{}]"],
        List => &["1", "\"x\"", "{}", "true", "[1]", "[null]", "[[]]", "[{}]", "[{\"type\":\"Agent\"}]"],
        Envelope => &[
            "1",
            "true",
            "[]",
            "{}",
            r#"{"ciphertext":1,"wrappings":[]}"#,
            r#"{"ciphertext":"x"}"#,
            r#"{"wrappings":[]}"#,
            r#"{"ciphertext":"x","wrappings":{}}"#,
            r#"{"ciphertext":"x","wrappings":[1]}"#,
            r#"{"ciphertext":"x","wrappings":[[]]}"#,
            r#"{"ciphertext":null,"wrappings":[]}"#,
            r#"{"ciphertext":"\ud800","wrappings":[]}"#,
            r#"{"ciphertext":"\udc00\ud800","wrappings":[]}"#,
            r#"{"ciphertext":"x","wrappings":[],"n":1e400}"#,
        ],
    }
}

/// `body` with one field put in or replaced by this JSON text.
pub(super) fn with_field(body: &str, field: &str, value: &str) -> String {
    let mut rest: serde_json::Map<String, Value> = serde_json::from_str(body).expect("an object");
    rest.remove(field);
    let rest = Value::Object(rest).to_string();
    let separator = if rest == "{}" { "" } else { "," };
    format!("{{\"{field}\":{value}{separator}{}", &rest[1..])
}

pub(super) fn nested(levels: usize, open: &str, close: &str) -> String {
    open.repeat(levels) + &close.repeat(levels)
}

#[test]
fn every_request_body_has_a_schema() {
    let forms: Vec<_> = FORMS.iter().map(|form| form.route.to_owned()).collect();
    for row in ROUTES.iter().filter(|row| is_form(row)) {
        let route = format!("{} {}", row.method, row.path);
        assert_eq!(forms.iter().filter(|form| **form == route).count(), 1, "{route}");
    }
    for (route, field) in PLAIN_TEXT {
        let form = FORMS.iter().find(|form| form.route == *route).expect("a form");
        assert!(form.fields.contains(&(field, Text)), "{route} {field}");
    }
}
