//! Nothing crosses a tenant, a session or a permission.
//!
//! One table of every route, asked by everyone who has no business there, then by those who have. A route without a
//! row here fails [`every_route_has_its_row`].

use crate::support::hub::{at_agent, at_human, say, text};
use crate::support::keys::{Keys, publish, publisher};
use crate::support::socket::End;
use crate::support::{Client, Hub, PATIENCE, Socket, Stopwatch, eventually, on_both_engines, timeout};
use futures::future::join_all;
use hiloop::domain::Permission;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// How long a revocation may take to end what is live (contract section 2), and a little for the test itself.
const REVOKED_WITHIN: Duration = Duration::from_millis(2500);

/// Who may call a route.
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

const fn route(method: &'static str, path: &'static str, who: Who, body: &'static str) -> Route {
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

/// Every frame that a client may send, with what it needs besides its type.
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

fn frame(kind: &str, rest: &str, session: &str) -> Value {
    let mut frame: Value = serde_json::from_str(&rest.replace("{session}", session)).expect("JSON");
    frame["type"] = json!(kind);
    frame
}

/// What a credential is, to those who ask the table.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// No credential, or one that does not count.
    Nobody,
    Key {
        permission: Permission,
        foreign: bool,
        sees: bool,
    },
    /// A key of permission `agent` under another agent's name or id.
    Disguised,
    Provisioner,
    Human {
        sees: bool,
    },
    /// A human who is an admin and takes part in nothing.
    Admin {
        foreign: bool,
    },
    Guest {
        sees: bool,
    },
}

struct Stranger {
    name: &'static str,
    client: Client,
    kind: Kind,
}

impl Route {
    /// The status with which this caller is refused; none for one who may.
    fn refuses(&self, kind: Kind) -> Option<u16> {
        let about_one = self.path.contains("{id}") || self.path.contains("{principalId}");
        let key = |needed: Permission, hidden: fn(bool, bool) -> bool| match kind {
            Kind::Nobody | Kind::Human { .. } | Kind::Admin { .. } | Kind::Guest { .. } => Some(401),
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
                Kind::Nobody | Kind::Key { .. } | Kind::Disguised | Kind::Provisioner => Some(401),
                Kind::Guest { .. } if self.who == Who::Member => Some(403),
                Kind::Admin { .. } => about_one.then_some(404),
                Kind::Human { sees } | Kind::Guest { sees } => (about_one && !sees).then_some(404),
            },
        }
    }
}

/// A space with one of everybody, and a session in which some of them take part, which is an interaction.
pub struct House {
    pub host: Client,
    pub space: Client,
    pub manager: Client,
    pub owner: Client,
    pub provisioner: Client,
    pub human: Client,
    pub admin: Client,
    pub guest: Client,
    pub session: String,
    /// What stands for a parameter of a path or a body.
    ids: HashMap<&'static str, String>,
}

/// The id of a new guest token, with the client that brings it.
async fn invite(hub: &Hub, agent: &Client, session: &str, body: Value) -> (String, Client) {
    let guest = agent.post(&at_agent(session, "/guest-tokens"), body).await.expect(201);
    let client = hub.anonymous().with("authorization", &format!("Bearer {}", text(&guest["token"])));
    (text(&guest["id"]).to_owned(), client)
}

/// A human who is signed in, with the id of another sign-in of theirs.
async fn signed_in(hub: &Hub, manager: &Client) -> (Client, String) {
    let email = format!("{}@example.org", hub.name("human"));
    let person = json!({ "email": email, "name": hub.name("human"), "password": "correct horse" });
    manager.post("/v1/manage/humans", person).await.expect(201);
    let mut human = hub.anonymous();
    for _ in 0..2 {
        let login = json!({ "email": email, "password": "correct horse" });
        let tokens = hub.anonymous().post("/v1/auth/login", login).await.expect(200);
        human = bearer(hub, text(&tokens["accessToken"]));
    }
    let listed = human.get("/v1/human/sign-ins").await.expect(200);
    let other = listed["data"].as_array().expect("a list").iter().find(|found| found["current"] == false);
    (human, text(&other.expect("the first one")["id"]).to_owned())
}

/// A human who is an admin of the manager's space.
async fn admin_of(hub: &Hub, manager: &Client) -> Client {
    let body = json!({ "email": format!("{}@example.org", hub.name("admin")), "name": "A", "role": "Admin" });
    let admin = manager.post("/v1/manage/humans", body).await.expect(201);
    bearer(hub, &hub.token(&admin, 3600).await)
}

/// Lets an agent into a session; the participant's id.
async fn admit(host: &Client, session: &str, agent: &Client) -> String {
    let me = agent.get("/v1/agent/me").await.expect(200);
    let body = json!({ "type": "Agent", "agentId": me["id"] });
    let participant = host.post(&at_agent(session, "/participants"), body).await.expect(201);
    text(&participant["id"]).to_owned()
}

async fn remove(host: &Client, session: &str, participant: &str) {
    host.delete(&at_agent(session, &format!("/participants/{participant}"))).await.expect(204);
}

/// A key with the id of its record.
async fn key(hub: &Hub, manager: &Client, body: Value) -> (String, Client) {
    let key = manager.post("/v1/manage/keys", body).await.expect(201);
    (text(&key["id"]).to_owned(), hub.anonymous().with("x-api-key", text(&key["apiKey"])))
}

fn bearer(hub: &Hub, token: &str) -> Client {
    hub.anonymous().with("authorization", &format!("Bearer {token}"))
}

fn setup_token(human: &Value) -> &str {
    text(&human["setupUrl"]).split_once("#setup=").expect("a setup link").1
}

impl House {
    pub async fn of(hub: &Hub) -> Self {
        let owner = hub.owner.clone();
        let manager = hub.agent("manage").await;
        let host = hub.agent("agent").await;
        let (human, other_sign_in) = signed_in(hub, &owner).await;
        let session = hub.interaction(&host).await;
        let guest = hub.guest(&host, &session).await;
        let (_, provisioner) = key(hub, &manager, json!({ "permission": "provision" })).await;
        let mut ids = HashMap::from([("sessions", session.clone()), ("interactions", session.clone())]);
        ids.insert("sign-ins", other_sign_in);

        let question = json!({ "encryptedContent": "?", "responseRequired": true });
        let question = host.post(&at_agent(&session, "/messages"), question).await.expect(201);
        ids.insert("messageId", text(&question["id"]).to_owned());
        ids.insert("participantId", admit(&host, &session, &hub.agent("agent").await).await);
        ids.insert("tokenId", invite(hub, &host, &session, json!({})).await.0);
        ids.insert("keys", key(hub, &manager, json!({ "permission": "agent" })).await.0);
        for (kind, body) in [
            ("agents", json!({ "name": hub.name("spare") })),
            ("agent", json!({ "name": hub.name("spare") })),
            ("spaces", json!({ "name": hub.name("spare") })),
            ("humans", json!({ "email": format!("{}@example.org", hub.name("spare")), "name": "Spare" })),
        ] {
            let plural = if kind == "agent" { "agents" } else { kind };
            let made = owner.post(&format!("/v1/manage/{plural}"), body).await.expect(201);
            ids.insert(kind, text(&made["id"]).to_owned());
            if kind == "humans" {
                ids.insert("setup", setup_token(&made).to_owned());
            }
        }
        let email = format!("{}@example.org", hub.name("signs-in"));
        let person = json!({ "email": email, "name": "P", "password": "correct horse" });
        owner.post("/v1/manage/humans", person).await.expect(201);
        let login = json!({ "email": email, "password": "correct horse" });
        for token in ["refresh", "logout"] {
            let signed_in = hub.anonymous().post("/v1/auth/login", login.clone()).await.expect(200);
            ids.insert(token, text(&signed_in["refreshToken"]).to_owned());
        }
        ids.insert("email", email);
        let (keys, host_id) = publish(&host).await;
        ids.insert("hostEntry", keys.entry(&host_id).to_string());
        let attestation =
            json!({ "keyId": keys.id(), "notAfter": "2099-01-01T00:00:00.000Z", "signature": keys.sign(b"") });
        ids.insert("attestation", attestation.to_string());
        ids.insert("principalId", host_id);
        for (name, client) in [("humanEntry", &human), ("guestEntry", &guest)] {
            let (id, _) = publisher(client).await;
            ids.insert(name, Keys::new().entry(&id).to_string());
        }
        let space = hub.agent("space").await;
        let admin = admin_of(hub, &manager).await;
        Self { host, space, manager, owner, provisioner, human, admin, guest, session, ids }
    }

    /// The route's path with the house's own ids.
    pub fn path(&self, route: &Route) -> String {
        self.path_with(route, |_| None)
    }

    /// The same, where `other` may put something else for a parameter.
    pub fn path_with(&self, route: &Route, other: impl Fn(&str) -> Option<String>) -> String {
        let mut before = "";
        let mut path = String::new();
        for segment in route.path.split('/').skip(1) {
            path.push('/');
            match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                None => path.push_str(segment),
                Some(name) => {
                    let key = if name == "id" { before } else { name };
                    let own = || self.ids.get(key).unwrap_or_else(|| panic!("something for {key}")).clone();
                    path.push_str(&other(name).unwrap_or_else(own));
                }
            }
            before = segment;
        }
        if route.path.ends_with("/await") {
            path.push_str("?timeout=0");
        }
        path
    }

    /// The route's body with the house's own ids and new names.
    pub fn body(&self, hub: &Hub, route: &Route) -> String {
        let mut body = route.body.replace("{new}", &hub.name("new"));
        for (name, value) in &self.ids {
            body = body.replace(&format!("{{{name}}}"), value);
        }
        body
    }

    /// Those who may call a route, the first of them first.
    pub fn callers(&self, route: &Route) -> Vec<&Client> {
        let reads = route.method == "GET";
        match route.who {
            Who::Anyone | Who::Socket => vec![],
            Who::Agent if reads => vec![&self.host, &self.space, &self.manager, &self.owner],
            Who::Agent => vec![&self.host],
            Who::Person => vec![&self.human, &self.guest],
            Who::Member => vec![&self.human],
            Who::Manager if reads => vec![&self.manager, &self.owner, &self.admin],
            Who::ManagerKey if reads => vec![&self.manager, &self.owner],
            Who::Manager | Who::ManagerKey => vec![&self.manager],
            Who::Owner => vec![&self.owner],
            Who::Provisioner => vec![&self.provisioner],
        }
    }

    /// All that could have changed.
    async fn snapshot(&self) -> Vec<Value> {
        let mut all = Vec::new();
        all.push(self.owner.get(&format!("/v1/agent/interactions/{}", self.session)).await.expect(200));
        for rest in ["", "/timeline?limit=1000", "/participants?pageSize=100", "/messages?pageSize=100"] {
            all.push(self.owner.get(&at_agent(&self.session, rest)).await.expect(200));
        }
        for list in ["keys", "agents", "humans", "spaces"] {
            let mut page = self.owner.get(&format!("/v1/manage/{list}?pageSize=100")).await.expect(200);
            // A key that is refused has been used all the same.
            for entry in page["data"].as_array_mut().expect("a list") {
                entry.as_object_mut().expect("an entry").remove("lastUsedAt");
            }
            all.push(page);
        }
        all
    }

    /// Everybody, with what the table says of them.
    async fn everybody(&self, hub: &Hub) -> Vec<Stranger> {
        let key_of = |permission, foreign, sees| Kind::Key { permission, foreign, sees };
        let mut all = nobodies(hub, self).await;
        let mut add = |name, client: &Client, kind| all.push(Stranger { name, client: client.clone(), kind });
        add("the host", &self.host, key_of(Permission::Agent, false, true));
        add("the space's key", &self.space, key_of(Permission::Space, false, true));
        add("the manager", &self.manager, key_of(Permission::Manage, false, true));
        add("the owner", &self.owner, key_of(Permission::Owner, false, true));
        add("the provisioner", &self.provisioner, Kind::Provisioner);
        let owner = self.owner.get("/v1/agent/me").await.expect(200);
        for (name, agent) in [("the host under the owner's name", "name"), ("the host under the owner's id", "id")] {
            add(name, &self.host.with("x-hiloop", text(&owner[agent])), Kind::Disguised);
        }
        add("the human", &self.human, Kind::Human { sees: true });
        add("the admin", &self.admin, Kind::Admin { foreign: false });
        add("the guest", &self.guest, Kind::Guest { sees: true });

        let outsider = hub.agent("agent").await;
        let elsewhere = hub.session(&outsider).await;
        add("an agent that is no participant", &outsider, key_of(Permission::Agent, false, false));
        add("a guest of another session", &hub.guest(&outsider, &elsewhere).await, Kind::Guest { sees: false });
        add("a human who came later", &hub.human().await, Kind::Human { sees: false });
        let removed = hub.agent("agent").await;
        let participant = admit(&self.host, &self.session, &removed).await;
        remove(&self.host, &self.session, &participant).await;
        add("a removed agent", &removed, key_of(Permission::Agent, false, false));
        let removed = hub.human().await;
        let me = removed.get("/v1/human/me").await.expect(200);
        let person = json!({ "type": "Human", "humanId": me["id"] });
        let participant = self.host.post(&at_agent(&self.session, "/participants"), person).await.expect(201);
        remove(&self.host, &self.session, text(&participant["id"])).await;
        add("a removed human", &removed, Kind::Human { sees: false });

        let foreign = hub.other_space().await;
        let agent = hub.agent_of(&foreign, "agent").await;
        let session = hub.session(&agent).await;
        add("another space's agent", &agent, key_of(Permission::Agent, true, false));
        add("another space's key", &hub.agent_of(&foreign, "space").await, key_of(Permission::Space, true, false));
        add("another space's manager", &foreign, key_of(Permission::Manage, true, false));
        add("another space's human", &hub.human_of(&foreign).await, Kind::Human { sees: false });
        let admin = admin_of(hub, &foreign).await;
        add("another space's admin", &admin, Kind::Admin { foreign: true });
        let same = json!({ "email": self.human.get("/v1/human/me").await.expect(200)["email"], "name": "The same" });
        let same = foreign.post("/v1/manage/humans", same).await.expect(201);
        let same = bearer(hub, &hub.token(&same, 3600).await);
        add("another space's human of the same address", &same, Kind::Human { sees: false });
        add("another space's guest", &hub.guest(&agent, &session).await, Kind::Guest { sees: false });
        let (_, provisioner) = key(hub, &foreign, json!({ "permission": "provision" })).await;
        add("another space's provisioner", &provisioner, Kind::Provisioner);
        all
    }
}

/// Everyone whose credential does not count. Moves the hub's clock.
async fn nobodies(hub: &Hub, house: &House) -> Vec<Stranger> {
    let api_key = |key: &str| hub.anonymous().with("x-api-key", key);
    let (_, expired_key) = key(hub, &house.manager, json!({ "permission": "manage", "expiresInSeconds": 60 })).await;
    let (_, expired_provisioner) =
        key(hub, &house.manager, json!({ "permission": "provision", "expiresInSeconds": 60 })).await;
    let (_, expired_guest) = invite(hub, &house.host, &house.session, json!({ "expiresInSeconds": 60 })).await;
    let person = json!({ "email": format!("{}@example.org", hub.name("late")), "name": "Late" });
    let person = hub.owner.post("/v1/manage/humans", person).await.expect(201);
    let expired_human = bearer(hub, &hub.token(&person, 60).await);
    for (client, path) in
        [(&expired_key, "/v1/agent/me"), (&expired_guest, "/v1/human/me"), (&expired_human, "/v1/human/me")]
    {
        client.get(path).await.expect(200);
    }
    hub.clock.advance(61_000);
    for (client, path) in
        [(&expired_key, "/v1/agent/me"), (&expired_guest, "/v1/human/me"), (&expired_human, "/v1/human/me")]
    {
        eventually("the end of a credential", async || (client.get(path).await.status == 401).then_some(())).await;
    }

    let (id, revoked_key) = key(hub, &house.manager, json!({ "permission": "manage" })).await;
    revoked_key.get("/v1/agent/me").await.expect(200);
    house.manager.delete(&format!("/v1/manage/keys/{id}")).await.expect(204);
    let (id, revoked_guest) = invite(hub, &house.host, &house.session, json!({})).await;
    revoked_guest.get("/v1/human/me").await.expect(200);
    house.host.delete(&at_agent(&house.session, &format!("/guest-tokens/{id}"))).await.expect(204);

    let me = house.human.get("/v1/human/me").await.expect(200);
    let claims = json!({
        "sub": me["id"], "email": me["email"], "name": me["name"], "iss": "hiloop", "iat": 1, "exp": 4_000_000_000_i64,
    });
    let secret = jsonwebtoken::EncodingKey::from_secret(b"another secret of at least 32 characters");
    let forged = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &secret).expect("a token");
    let base64 = |text: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
    };
    let unsigned = format!("{}.{}.", base64(r#"{"alg":"none","typ":"JWT"}"#), base64(&claims.to_string()));
    // The host's human's claims under the signature of somebody else's token.
    let other = hub.human().await;
    let signature = other.secret().rsplit('.').next().expect("a signature").to_owned();
    let swapped = house.human.secret().rsplit_once('.').expect("a JWT").0.to_owned() + "." + &signature;

    let host = house.host.secret();
    let zeros = "0".repeat(64);
    let mut all = vec![
        ("no credential", hub.anonymous()),
        ("an empty key", api_key("")),
        ("a key that is cut", api_key(&host[..host.len() - 1])),
        ("a key that is too long", api_key(&format!("{host}0"))),
        ("a key in upper case", api_key(&host.to_uppercase())),
        ("a key of other letters", api_key("hlp_' OR 1=1 --")),
        ("an unknown key", api_key(&format!("hlp_{zeros}"))),
        ("an unknown provisioner key", api_key(&format!("hlp_prov_{zeros}"))),
        ("a revoked key", revoked_key),
        ("an expired key", expired_key),
        ("an expired provisioner key", expired_provisioner),
        ("another scheme", hub.anonymous().with("authorization", "Basic dXNlcjpwYXNz")),
        ("a scheme alone", hub.anonymous().with("authorization", "Bearer")),
        ("an empty token", hub.anonymous().with("authorization", "Bearer ")),
        ("a token that is no JWT", bearer(hub, "not.a.jwt")),
        ("an unknown guest token", bearer(hub, &format!("hlg_{zeros}"))),
        ("a cut guest token", bearer(hub, &house.guest.secret()[..20])),
        ("a revoked guest", revoked_guest),
        ("an expired guest", expired_guest),
        ("an expired JWT", expired_human),
        ("a JWT that has long ended", hub.human_with_token(&hub.owner, -3600).await),
        ("a JWT signed with another secret", bearer(hub, &forged)),
        ("an unsigned JWT", bearer(hub, &unsigned)),
        ("a JWT with another one's signature", bearer(hub, &swapped)),
    ];
    // The right secrets in the wrong header.
    for (name, client) in
        [("the host's key as a bearer token", &house.host), ("a provisioner key as a bearer token", &house.provisioner)]
    {
        all.push((name, bearer(hub, client.secret())));
    }
    for (name, client) in [("the human's JWT as a key", &house.human), ("the guest's token as a key", &house.guest)] {
        all.push((name, api_key(client.secret())));
    }
    all.into_iter().map(|(name, client)| Stranger { name, client, kind: Kind::Nobody }).collect()
}

fn code_of(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHORIZED",
        403 => "FORBIDDEN",
        _ => "NOT_FOUND",
    }
}

/// Asks a route with its body; of an endless reply only the status is taken.
async fn ask(hub: &Hub, house: &House, row: &Route, path: &str, client: &Client) -> (u16, Value) {
    if row.path.ends_with("/events") {
        let reply = client.stream(path).await;
        let status = reply.status().as_u16();
        let body = if status < 400 { Value::Null } else { reply.json().await.expect("JSON") };
        return (status, body);
    }
    let mut body = house.body(hub, row);
    if row.body == "{humanEntry}" && client.secret_if_any() == Some(house.guest.secret()) {
        // An entry is for one principal alone.
        body.clone_from(&house.ids["guestEntry"]);
    }
    let kind = (!body.is_empty()).then_some("application/json");
    let reply = client.raw(row.method, path, kind, body.into_bytes()).await;
    (reply.status, reply.body)
}

fn ids_of(page: &Value) -> BTreeSet<&str> {
    page["data"].as_array().expect("a list").iter().map(|item| text(&item["id"])).collect()
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
        assert!(found.len() > before, "a method that this test knows in .route({call})");
    }
    for call in body.split(".nest(").skip(1) {
        let nested = call.split(',').nth(1).and_then(|rest| rest.split('(').next()).expect("a function").trim();
        collect_routes(source, nested, &format!("{prefix}{}", first_text(call)), found);
    }
}

#[test]
fn every_route_has_its_row() {
    let mut routes = BTreeSet::new();
    collect_routes(include_str!("../../src/http/router.rs"), "router", "", &mut routes);
    let rows: BTreeSet<_> = ROUTES.iter().map(|row| (row.method.to_owned(), row.path.to_owned())).collect();
    assert_eq!(rows.len(), ROUTES.len(), "a row that is there twice");
    let missing: Vec<_> = routes.difference(&rows).collect();
    assert!(missing.is_empty(), "routes without a row: {missing:?}");
    let gone: Vec<_> = rows.difference(&routes).collect();
    assert!(gone.is_empty(), "rows without a route: {gone:?}");

    // No other file adds routes past the table.
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
fn every_frame_has_its_row() {
    let source = include_str!("../../src/protocol/frame/client.rs");
    let fields = source.split("\nfn fields(").nth(1).and_then(|rest| rest.split("\n}\n").next()).expect("its match");
    let arms = fields.lines().filter_map(|line| line.split_once("=>")).map(|(arm, _)| arm.trim());
    let kinds: BTreeSet<_> =
        arms.filter(|arm| arm.starts_with('"')).flat_map(|arm| arm.split('"').skip(1).step_by(2)).collect();
    let rows: BTreeSet<_> = FRAMES.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, rows);
}

on_both_engines! {
    async fn every_route_refuses_all_but_its_own(hub: Hub) {
        let house = House::of(&hub).await;
        let everybody = house.everybody(&hub).await;
        let before = house.snapshot().await;
        let mut wrong = Vec::new();
        let mut asked = 0;
        for row in ROUTES {
            let path = house.path(row);
            let refused = everybody.iter().filter_map(|stranger| Some((stranger, row.refuses(stranger.kind)?)));
            let replies = join_all(refused.map(async |(stranger, status)| {
                (stranger.name, status, ask(&hub, &house, row, &path, &stranger.client).await)
            }));
            for (name, status, (got, body)) in replies.await {
                asked += 1;
                if (got, body["error"]["code"].as_str()) != (status, Some(code_of(status))) {
                    wrong.push(format!("{} {} by {name}: {status} expected, got {got} {body}", row.method, row.path));
                }
            }
        }
        assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
        assert!(asked > 1000, "{asked} questions are too few to mean anything");
        assert_eq!(house.snapshot().await, before, "nobody who was refused has changed anything");

        // The same requests by those who may; what ends the session comes last.
        let ends = |row: &&Route| row.path.ends_with("/close") || row.path.ends_with("/archive");
        for row in ROUTES.iter().filter(|row| !ends(row)).chain(ROUTES.iter().filter(ends)) {
            let path = house.path(row);
            let anonymous = hub.anonymous();
            let callers = match row.who {
                Who::Anyone => vec![&anonymous],
                _ => house.callers(row),
            };
            for caller in callers {
                let (status, body) = ask(&hub, &house, row, &path, caller).await;
                // The interaction was cancelled by then: whoever may answer is told so.
                let late = row.path.ends_with("/respond") && body["error"]["code"] == "ALREADY_SETTLED";
                assert!((200..300).contains(&status) || late, "{} {}: {status} {body}", row.method, row.path);
            }
        }
        assert_ne!(house.snapshot().await, before, "those who may have changed something");
    }

    /// The hub remembers a credential for a moment: in the header where it belongs, and there alone.
    async fn a_remembered_credential_works_in_its_own_header_alone(hub: Hub) {
        let house = House::of(&hub).await;
        let as_key = |client: &Client| hub.anonymous().with("x-api-key", client.secret());
        let as_bearer = |client: &Client| bearer(&hub, client.secret());
        let mut wrong = Vec::new();
        for (name, own, path, other) in [
            ("a human's JWT as a key", &house.human, "/v1/human/me", as_key(&house.human)),
            ("a guest's token as a key", &house.guest, "/v1/human/me", as_key(&house.guest)),
            ("an agent's key as a bearer token", &house.host, "/v1/agent/me", as_bearer(&house.host)),
            ("an owner's key as a bearer token", &house.owner, "/v1/agent/me", as_bearer(&house.owner)),
        ] {
            let destroys = |row: &&Route| row.method == "DELETE" || row.path.ends_with("/archive") || row.path.ends_with("/close");
            for row in ROUTES.iter().filter(|row| !matches!(row.who, Who::Anyone | Who::Socket)).filter(|row| !destroys(row)) {
                own.get(path).await.expect(200);
                let (status, _) = ask(&hub, &house, row, &house.path(row), &other).await;
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

    async fn ids_of_another_session_are_not_found_under_ones_own(hub: Hub) {
        let house = House::of(&hub).await;
        let agent = hub.agent("agent").await;
        let own = hub.session(&agent).await;
        let human = hub.human().await;
        let me = human.get("/v1/human/me").await.expect(200);
        let invitation = json!({ "type": "Human", "humanId": me["id"] });
        agent.post(&at_agent(&own, "/participants"), invitation).await.expect(201);
        let guest = hub.guest(&agent, &own).await;
        let before = house.snapshot().await;
        for row in ROUTES.iter().filter(|row| row.path.contains("/sessions/{id}/") && row.path.matches('{').count() > 1) {
            let path = house.path_with(row, |name| (name == "id").then(|| own.clone()));
            let callers = if row.who == Who::Agent { vec![&agent, &house.manager] } else { vec![&human, &guest] };
            for caller in callers {
                let reply = caller.raw(row.method, &path, None, Vec::new()).await;
                reply.expect_error(404, "NOT_FOUND");
            }
        }
        for (caller, path) in [(&agent, at_agent(&own, "/messages")), (&human, at_human(&own, "/messages")), (&guest, at_human(&own, "/messages"))] {
            let answer = json!({ "encryptedContent": "yes", "inReplyTo": house.ids["messageId"] });
            caller.post(&path, answer).await.expect_error(404, "NOT_FOUND");
        }
        assert_eq!(house.snapshot().await, before);
    }

    async fn nobody_of_another_space_can_be_named(hub: Hub) {
        let house = House::of(&hub).await;
        let foreign = hub.other_space().await;
        let agent = hub.agent_of(&foreign, "agent").await;
        let human = hub.human_of(&foreign).await;
        let session = hub.session(&agent).await;
        let host = house.host.get("/v1/agent/me").await.expect(200);
        let person = house.human.get("/v1/human/me").await.expect(200);
        for named in [
            json!({ "type": "Agent", "agentId": host["id"] }),
            json!({ "type": "Agent", "name": host["name"] }),
            json!({ "type": "Human", "humanId": person["id"] }),
            json!({ "type": "Human", "email": person["email"] }),
        ] {
            let path = at_agent(&session, "/participants");
            agent.post(&path, named.clone()).await.expect_error(404, "NOT_FOUND");
            let opened = json!({ "participants": [named] });
            agent.post("/v1/agent/sessions", opened.clone()).await.expect_error(404, "NOT_FOUND");
            let mut mixed = opened;
            let own = agent.get("/v1/agent/me").await.expect(200);
            mixed["participants"].as_array_mut().expect("a list").insert(0, json!({ "type": "Agent", "agentId": own["id"] }));
            human.post("/v1/human/sessions", mixed).await.expect_error(404, "NOT_FOUND");
        }
        let stolen = json!({ "permission": "agent", "agent": host["id"] });
        foreign.post("/v1/manage/keys", stolen).await.expect_error(404, "NOT_FOUND");
        assert_eq!(agent.get("/v1/agent/sessions").await.expect(200)["total"], 1, "what was refused left no session");
    }

    async fn lists_show_ones_own_alone(hub: Hub) {
        let house = House::of(&hub).await;
        let foreign = hub.other_space().await;
        let agent = hub.agent_of(&foreign, "agent").await;
        let human = hub.human_of(&foreign).await;
        let session = hub.session(&agent).await;
        let listed = async |client: &Client, path: &str| client.get(&format!("{path}?pageSize=100")).await.expect(200);
        let all = listed(&foreign, "/v1/agent/sessions").await;
        assert_eq!(ids_of(&all), BTreeSet::from([session.as_str()]));
        assert_eq!(listed(&human, "/v1/human/sessions").await["data"], all["data"]);
        let feed = listed(&human, "/v1/human/feed").await;
        assert_eq!((&feed["total"], &feed["data"][0]["session"]["id"]), (&json!(1), &json!(session)));
        let people = listed(&agent, "/v1/agent/humans").await;
        assert_eq!(ids_of(&people), BTreeSet::from([text(&human.get("/v1/human/me").await.expect(200)["id"])]));
        for (theirs, ours) in [
            (listed(&foreign, "/v1/manage/agents").await, listed(&house.manager, "/v1/manage/agents").await),
            (listed(&foreign, "/v1/manage/keys").await, listed(&house.manager, "/v1/manage/keys").await),
            (listed(&foreign, "/v1/manage/humans").await, listed(&house.manager, "/v1/manage/humans").await),
            (listed(&human, "/v1/human/agents").await, listed(&house.human, "/v1/human/agents").await),
        ] {
            assert!(!ids_of(&theirs).is_empty() && ids_of(&theirs).is_disjoint(&ids_of(&ours)));
        }
        // A guest sees one session; an agent and a human those in which they take part.
        let other = hub.session(&house.space).await;
        assert_eq!(ids_of(&listed(&house.guest, "/v1/human/sessions").await), BTreeSet::from([house.session.as_str()]));
        assert_eq!(ids_of(&listed(&house.host, "/v1/agent/sessions").await), BTreeSet::from([house.session.as_str()]));
        let newcomer = hub.human().await;
        assert_eq!(listed(&newcomer, "/v1/human/sessions").await["total"], 0);
        assert_eq!(listed(&newcomer, "/v1/human/feed").await["total"], 0);
        // Keys with `space` and more see every session of the space, and no secret is ever listed.
        for whole in [&house.space, &house.manager, &house.owner] {
            let sessions = listed(whole, "/v1/agent/sessions").await;
            assert!(ids_of(&sessions).is_superset(&BTreeSet::from([house.session.as_str(), other.as_str()])));
            whole.post(&at_agent(&house.session, "/messages"), json!({ "encryptedContent": "x" })).await.expect(201);
        }
        let keys = listed(&house.owner, "/v1/manage/keys").await.to_string();
        for client in [&house.host, &house.provisioner, &house.owner] {
            assert!(!keys.contains(client.secret()));
        }
        assert!(!listed(&house.owner, "/v1/manage/humans").await.to_string().to_lowercase().contains("password"));
    }

    async fn nobody_makes_a_key_above_their_own(hub: Hub) {
        let all = ["provision", "agent", "space", "manage", "owner"];
        let manager = hub.agent("manage").await;
        for (maker, highest) in [(&manager, 3), (&hub.owner, 4)] {
            for (rank, permission) in all.iter().enumerate() {
                let reply = maker.post("/v1/manage/keys", json!({ "permission": permission })).await;
                if rank > highest {
                    reply.expect_error(403, "FORBIDDEN");
                    continue;
                }
                let made = reply.expect(201);
                assert_eq!(made["permission"], *permission);
                let client = hub.anonymous().with("x-api-key", text(&made["apiKey"]));
                let manages = client.get("/v1/manage/keys").await.status;
                assert_eq!(manages, if rank >= 3 { 200 } else { 403 }, "{permission}");
                let owns = client.get("/v1/manage/spaces").await.status;
                assert_eq!(owns, if rank >= 4 { 200 } else { 403 }, "{permission}");
            }
        }
        // Naming another agent gives no other permission.
        let owner = hub.owner.get("/v1/agent/me").await.expect(200);
        let disguised = hub.agent("space").await.with("x-hiloop", text(&owner["id"]));
        assert_eq!(disguised.get("/v1/agent/me").await.expect(200)["permission"], "space");
        disguised.get("/v1/manage/keys").await.expect_error(403, "FORBIDDEN");
        // An agent that was provisioned has `agent` and nothing more.
        let (_, provisioner) = key(&hub, &hub.owner, json!({ "permission": "provision" })).await;
        let made = provisioner.post("/v1/provision/agents", json!({ "name": "provisioned" })).await.expect(201);
        let agent = hub.anonymous().with("x-api-key", text(&made["apiKey"]));
        let me = agent.get("/v1/agent/me").await.expect(200);
        assert_eq!((&me["id"], &me["permission"]), (&made["agent"]["id"], &json!("agent")));
        provisioner.with("x-hiloop", "provisioned").get("/v1/agent/me").await.expect_error(403, "FORBIDDEN");
    }

    async fn a_key_acts_as_whom_it_names(hub: Hub) {
        let key = hub.agent("space").await;
        let own = key.get("/v1/agent/me").await.expect(200);
        let longest = "n".repeat(64);
        for name in ["new-one", "Other_1.x", "7", longest.as_str()] {
            let made = key.with("x-hiloop", name).get("/v1/agent/me").await.expect(200);
            assert_eq!((&made["name"], &made["spaceId"]), (&json!(name), &own["spaceId"]));
            assert_ne!(made["id"], own["id"]);
            let again = key.with("x-hiloop", name).get("/v1/agent/me").await.expect(200);
            let by_id = key.with("x-hiloop", text(&made["id"])).get("/v1/agent/me").await.expect(200);
            assert_eq!((&again["id"], &by_id["id"]), (&made["id"], &made["id"]));
        }
        let too_long = "n".repeat(65);
        for bad in ["", " ", "a b", "a/b", "ä", "a,b", "'; DROP TABLE agents", too_long.as_str()] {
            let refused = key.with("x-hiloop", bad).get("/v1/agent/me").await.expect_error(400, "VALIDATION_ERROR");
            assert!(text(&refused["message"]).contains("X-Hiloop"), "{refused}");
        }
        let foreign = hub.other_space().await;
        let theirs = hub.agent_of(&foreign, "agent").await.get("/v1/agent/me").await.expect(200);
        let unknown = hiloop::domain::AgentId::new().to_string();
        for id in [text(&theirs["id"]), &unknown] {
            let bound = hub.agent("agent").await.with("x-hiloop", id);
            bound.get("/v1/agent/me").await.expect_error(403, "FORBIDDEN");
            assert_eq!(Socket::try_open(&bound).await.err(), Some(403));
            for permission in ["space", "manage", "owner"] {
                let client = hub.agent(permission).await.with("x-hiloop", id);
                client.get("/v1/agent/me").await.expect_error(404, "NOT_FOUND");
                assert_eq!(Socket::try_open(&client).await.err(), Some(404));
            }
        }
        // Another space's name is just a name here.
        let namesake = key.with("x-hiloop", text(&theirs["name"])).get("/v1/agent/me").await.expect(200);
        assert_eq!((&namesake["name"], &namesake["spaceId"]), (&theirs["name"], &own["spaceId"]));
        assert_ne!(namesake["id"], theirs["id"]);
    }

    async fn sockets_refuse_whoever_does_not_count(hub: Hub) {
        let house = House::of(&hub).await;
        let mut wrong = Vec::new();
        let everybody = house.everybody(&hub).await;
        for stranger in &everybody {
            let Stranger { name, client, kind } = stranger;
            let status = match kind {
                Kind::Nobody => 401,
                Kind::Provisioner => 403,
                _ => continue,
            };
            if client.headers.is_empty() {
                continue;
            }
            let opened = Socket::try_open(client).await.err();
            if opened != Some(status) {
                wrong.push(format!("a socket by {name}: {status} expected, got {opened:?}"));
            }
            let token = client.secret();
            let mut socket = Socket::try_open(&hub.anonymous()).await.expect("it opens");
            socket.send(json!({ "type": "auth", "id": 1, "token": token })).await;
            let misplaced = name.ends_with("as a key") || name.ends_with("as a bearer token");
            if misplaced {
                // A first frame takes any kind of token, so these are in no wrong place.
                continue;
            }
            let end = socket.end().await;
            if end != End::Code(4401) {
                wrong.push(format!("auth by {name}: 4401 expected, got {end:?}"));
            }
            let mut socket = hub.socket(&house.host).await;
            let reply = socket.ask(json!({ "type": "refresh", "token": token })).await;
            if reply["type"] != "error" || reply["error"]["code"] != code_of(status) {
                wrong.push(format!("refresh by {name}: {} expected, got {reply}", code_of(status)));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));

        // Somebody else's good token is no new one for this socket.
        let mut socket = hub.socket(&house.host).await;
        let foreign = hub.other_space().await;
        for other in [&foreign, &house.human, &house.guest] {
            let reply = socket.ask(json!({ "type": "refresh", "token": other.secret() })).await;
            assert_eq!(reply["error"]["code"], "FORBIDDEN", "{reply}");
        }
        // Before `auth` nothing works, and nothing is told.
        let mut early = Socket::try_open(&hub.anonymous()).await.expect("it opens");
        for (kind, rest) in FRAMES.iter().filter(|(kind, _)| *kind != "auth") {
            let reply = early.ask(frame(kind, rest, &house.session)).await;
            assert_eq!(reply["error"]["code"], "UNAUTHORIZED", "{kind}: {reply}");
        }
        house.host.post(&at_agent(&house.session, "/messages"), json!({ "encryptedContent": "x" })).await.expect(201);
        early.send(json!({ "type": "auth", "id": 1, "token": house.host.secret() })).await;
        early.expect("hello").await;
        early.expect_none("event").await;
    }

    async fn frames_reach_ones_own_sessions_alone(hub: Hub) {
        let house = House::of(&hub).await;
        let everybody = house.everybody(&hub).await;
        let before = house.snapshot().await;
        let mut watcher = hub.socket(&house.owner).await;
        watcher.subscribe(&house.session, None).await;
        let mut feeds = Vec::new();
        for Stranger { name, client, kind } in &everybody {
            let (Kind::Key { sees: false, .. } | Kind::Human { sees: false } | Kind::Guest { sees: false }) = kind else { continue };
            let mut socket = hub.socket(client).await;
            for (kind, rest) in FRAMES.iter().filter(|(_, rest)| rest.contains("{session}")) {
                let reply = socket.ask(frame(kind, rest, &house.session)).await;
                if *kind == "unsubscribe" {
                    assert_eq!(reply["type"], "unsubscribed", "{name}: {reply}");
                } else {
                    assert_eq!(reply["error"]["code"], "NOT_FOUND", "{kind} by {name}: {reply}");
                }
            }
            assert_eq!(socket.ask(json!({ "type": "subscribe", "feed": true })).await["type"], "subscribed");
            feeds.push((name, socket));
        }
        assert!(feeds.len() >= 8);
        for kind in ["event", "typing", "presence", "receipt"] {
            watcher.expect_none(kind).await;
        }
        let after: Vec<_> = house.snapshot().await;
        // Their own presence aside, nothing is different.
        assert_eq!(after[0], before[0]);
        assert_eq!(after[1], before[1]);

        // The same frames by those who take part.
        for client in [&house.host, &house.human, &house.guest] {
            let mut socket = hub.socket(client).await;
            let me = socket.hello["principal"].clone();
            // First of all: a person who writes has thereby read what stands before.
            socket.send(frame("read", r#"{"sessionId":"{session}","seq":2}"#, &house.session)).await;
            assert_eq!(watcher.find("receipt").await["seq"], 2);
            let mut replies = Vec::new();
            for (kind, rest) in FRAMES.iter().filter(|(kind, _)| !["auth", "refresh", "typing", "read"].contains(kind)) {
                replies.push(text(&socket.ask(frame(kind, rest, &house.session)).await["type"]).to_owned());
            }
            assert_eq!(replies, ["subscribed", "subscribed", "subscribed", "unsubscribed", "unsubscribed", "sent", "pong"]);
            assert_eq!(watcher.event().await["type"], "message.created");
            let refreshed = socket.ask(json!({ "type": "refresh", "token": client.secret() })).await;
            assert_eq!(refreshed["type"], "refreshed");
            socket.send(frame("typing", r#"{"sessionId":"{session}","typing":true}"#, &house.session)).await;
            while watcher.find("typing").await["actor"] != me {}
        }
        for (name, mut socket) in feeds {
            socket.send(json!({ "type": "ping", "id": "last" })).await;
            let frame = socket.next().await;
            assert_eq!(frame["type"], "pong", "{name} heard of a session that is not theirs: {frame}");
        }
    }

    async fn no_space_reaches_the_people_of_another(hub: Hub) {
        let (here, there) = (hub.agent("manage").await, hub.other_space().await);
        let human = hub.human_of(&here).await;
        let me = human.get("/v1/human/me").await.expect(200);
        let again = json!({ "email": me["email"], "name": "Twin" });
        // The same address there is somebody else, whose reply shows nothing of the one here.
        let twin = there.post("/v1/manage/humans", again.clone()).await.expect(201);
        assert!(twin["id"] != me["id"] && twin["name"] == "Twin", "{twin}");
        assert!(twin["setupUrl"].is_string() && twin["key"].is_null(), "{twin}");
        there.post("/v1/manage/humans", again.clone()).await.expect_error(409, "CONFLICT");
        let mut socket = hub.socket(&human).await;
        socket.ask(json!({ "type": "subscribe", "feed": true })).await;
        let foreign = hub.session(&there).await;
        say(&there, &foreign, "not for them").await;
        // Neither what happens there nor the end of the one there reaches the one here.
        there.delete(&format!("/v1/manage/humans/{}", text(&me["id"]))).await.expect_error(404, "NOT_FOUND");
        there.delete(&format!("/v1/manage/humans/{}", text(&twin["id"]))).await.expect(204);
        let own = hub.session(&here).await;
        say(&here, &own, "for them").await;
        let heard = socket.find("feed").await;
        assert_eq!(heard["sessionId"], own.as_str());
        assert_eq!(human.get("/v1/human/me").await.expect(200)["id"], me["id"]);
        human.get(&at_human(&foreign, "")).await.expect_error(404, "NOT_FOUND");
        // Whoever gets the address there next is somebody new again.
        let next = there.post("/v1/manage/humans", again).await.expect(201);
        assert!(next["id"] != twin["id"] && next["id"] != me["id"]);
    }

    async fn a_human_who_is_deactivated_takes_part_no_more(hub: Hub) {
        let here = hub.agent("manage").await;
        let human = hub.human_of(&here).await;
        let me = human.get("/v1/human/me").await.expect(200);
        let session = hub.session(&here).await;
        let mut socket = hub.socket(&human).await;
        socket.ask(json!({ "type": "subscribe", "feed": true })).await;
        say(&here, &session, "as long as they are there").await;
        assert_eq!(socket.find("feed").await["sessionId"], session.as_str());
        here.delete(&format!("/v1/manage/humans/{}", text(&me["id"]))).await.expect(204);
        while let Ok(frame) = socket.next_or_end().await {
            assert_ne!(frame["type"], "feed", "{frame}");
        }
        // Those who take part are those who see it; the next one of the address is none of them.
        let again = json!({ "email": me["email"], "name": "Next" });
        let next = here.post("/v1/manage/humans", again).await.expect(201);
        assert_ne!(next["id"], me["id"]);
        let listed = here.get(&at_agent(&session, "/participants")).await.expect(200);
        assert!(listed["data"].as_array().expect("a list").iter().all(|participant| participant["type"] == "Agent"), "{listed}");
        assert_eq!(listed["total"], listed["data"].as_array().expect("a list").len());
        let next = bearer(&hub, &hub.token(&next, 600).await);
        next.get(&at_human(&session, "")).await.expect_error(404, "NOT_FOUND");
        assert_eq!(next.get("/v1/human/sessions").await.expect(200)["total"], 0);
    }

    async fn a_deactivated_agent_is_out(hub: Hub) {
        let manager = hub.agent("manage").await;
        let host = hub.agent("agent").await;
        let session = hub.session(&host).await;
        let agent = hub.agent("agent").await;
        admit(&host, &session, &agent).await;
        let me = agent.get("/v1/agent/me").await.expect(200);
        let name = text(&me["name"]);
        // A key of another agent that acts as this one.
        let other = hub.agent("space").await;
        let acting = other.with("x-hiloop", name);
        let mut own = hub.socket(&agent).await;
        own.subscribe(&session, None).await;
        let mut named = hub.socket(&acting).await;
        let mut unconcerned = hub.socket(&host).await;
        manager.delete(&format!("/v1/manage/agents/{}", text(&me["id"]))).await.expect(204);
        for socket in [&mut own, &mut named] {
            assert_eq!(timeout(REVOKED_WITHIN, socket.end()).await.expect("an end in time"), End::Code(4403));
        }
        agent.get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");
        agent.get(&at_agent(&session, "")).await.expect_error(401, "UNAUTHORIZED");
        acting.get("/v1/agent/me").await.expect_error(404, "NOT_FOUND");
        other.with("x-hiloop", text(&me["id"])).get("/v1/agent/me").await.expect_error(404, "NOT_FOUND");
        assert_eq!(Socket::try_open(&agent).await.err(), Some(401));
        manager.delete(&format!("/v1/manage/agents/{}", text(&me["id"]))).await.expect_error(404, "NOT_FOUND");
        assert_eq!(unconcerned.ask(json!({ "type": "ping" })).await["type"], "pong");
    }

    async fn a_deactivated_human_is_out(hub: Hub) {
        let manager = hub.agent("manage").await;
        let host = hub.agent("agent").await;
        let email = format!("{}@example.org", hub.name("leaver"));
        let person = json!({ "email": email, "name": "Leaver", "password": "correct horse" });
        let person = manager.post("/v1/manage/humans", person).await.expect(201);
        let session = hub.session(&host).await;
        let login = json!({ "email": email, "password": "correct horse" });
        let signed_in = hub.anonymous().post("/v1/auth/login", login.clone()).await.expect(200);
        let human = bearer(&hub, text(&signed_in["accessToken"]));
        let mut socket = hub.socket(&human).await;
        socket.subscribe(&session, None).await;
        manager.delete(&format!("/v1/manage/humans/{}", text(&person["id"]))).await.expect(204);
        assert_eq!(timeout(REVOKED_WITHIN, socket.end()).await.expect("an end in time"), End::Code(4403));
        human.get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
        human.get(&at_human(&session, "")).await.expect_error(401, "UNAUTHORIZED");
        assert_eq!(Socket::try_open(&human).await.err(), Some(401));
        hub.anonymous().post("/v1/auth/login", login).await.expect_error(401, "UNAUTHORIZED");
        let refresh = json!({ "refreshToken": signed_in["refreshToken"] });
        hub.anonymous().post("/v1/auth/refresh", refresh).await.expect_error(401, "UNAUTHORIZED");
    }

    /// Who creates the same address in another space must not get a way into the account of this one.
    async fn nobody_takes_over_a_person_of_another_space(hub: Hub) {
        let host = hub.agent("agent").await;
        let person = json!({ "email": format!("{}@example.org", hub.name("victim")), "name": "Victim" });
        let foreign = hub.other_space().await;
        // The link of the stranger's own, unused until the victim's space creates the address too.
        let added = foreign.post("/v1/manage/humans", person.clone()).await.expect(201);
        let victim = hub.owner.post("/v1/manage/humans", person.clone()).await.expect(201);
        let session = hub.session(&host).await;
        let chosen = json!({ "token": setup_token(&added), "password": "chosen by a stranger" });
        let reply = hub.anonymous().post("/v1/auth/setup", chosen).await.expect(200);
        let login = json!({ "email": person["email"], "password": "chosen by a stranger" });
        let again = hub.anonymous().post("/v1/auth/login", login).await.expect(200);
        for tokens in [reply, again] {
            let stranger = bearer(&hub, text(&tokens["accessToken"]));
            assert_eq!(stranger.get("/v1/human/me").await.expect(200)["id"], added["id"]);
            stranger.get(&at_human(&session, "")).await.expect_error(404, "NOT_FOUND");
        }
        // The victim's own link still works.
        let chosen = json!({ "token": setup_token(&victim), "password": "my own choice" });
        let tokens = hub.anonymous().post("/v1/auth/setup", chosen).await.expect(200);
        bearer(&hub, text(&tokens["accessToken"])).get(&at_human(&session, "")).await.expect(200);
    }

    async fn a_deactivated_space_is_shut(hub: Hub) {
        let space = hub.owner.post("/v1/manage/spaces", json!({ "name": hub.name("space") })).await.expect(201);
        let manager = hub.anonymous().with("x-api-key", text(&space["apiKey"]));
        let agent = hub.agent_of(&manager, "agent").await;
        let human = hub.human_of(&manager).await;
        let neighbour = hub.human().await;
        let email = neighbour.get("/v1/human/me").await.expect(200)["email"].take();
        manager.post("/v1/manage/humans", json!({ "email": email, "name": "Neighbour" })).await.expect(201);
        let session = hub.session(&agent).await;
        let guest = hub.guest(&agent, &session).await;
        let (_, provisioner) = key(&hub, &manager, json!({ "permission": "provision" })).await;
        let mut sockets = Vec::new();
        for client in [&manager, &agent, &guest, &human] {
            let mut socket = hub.socket(client).await;
            socket.subscribe(&session, None).await;
            sockets.push(socket);
        }
        let mut person = hub.socket(&neighbour).await;
        hub.owner.delete(&format!("/v1/manage/spaces/{}", text(&space["id"]))).await.expect(204);
        for socket in &mut sockets {
            assert_eq!(timeout(REVOKED_WITHIN, socket.end()).await.expect("an end in time"), End::Code(4403));
        }
        manager.get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");
        agent.get(&at_agent(&session, "")).await.expect_error(401, "UNAUTHORIZED");
        guest.get(&at_human(&session, "")).await.expect_error(401, "UNAUTHORIZED");
        provisioner.post("/v1/provision/agents", json!({ "name": "late" })).await.expect_error(401, "UNAUTHORIZED");
        human.get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
        // Whoever has the same address in another space is somebody else, who notices nothing.
        neighbour.get("/v1/human/me").await.expect(200);
        assert_eq!(person.ask(json!({ "type": "ping" })).await["type"], "pong");
    }

    async fn a_socket_ends_with_its_credential(hub: Hub) {
        let host = hub.agent("agent").await;
        let session = hub.session(&host).await;
        let (_, short) = key(&hub, &hub.owner, json!({ "permission": "space", "expiresInSeconds": 5 })).await;
        let person = json!({ "email": format!("{}@example.org", hub.name("brief")), "name": "Brief" });
        let person = hub.owner.post("/v1/manage/humans", person).await.expect(201);
        let token = hub.token(&person, 6).await;
        let started = Stopwatch::start();
        let mut by_header = hub.socket(&short).await;
        by_header.subscribe(&session, None).await;
        let mut by_frame = Socket::try_open(&hub.anonymous()).await.expect("it opens");
        by_frame.send(json!({ "type": "auth", "id": 1, "token": short.secret() })).await;
        by_frame.expect("hello").await;
        let mut jwt = Socket::try_open(&hub.anonymous()).await.expect("it opens");
        jwt.send(json!({ "type": "auth", "id": 1, "token": token })).await;
        jwt.expect("hello").await;
        for (name, socket) in [("by header", &mut by_header), ("by frame", &mut by_frame), ("a JWT by frame", &mut jwt)] {
            let end = timeout(Duration::from_secs(15), socket.end()).await.expect("an end");
            assert_eq!(end, End::Code(4504), "{name}");
            let late = started.elapsed();
            assert!(late < Duration::from_secs(8), "{name}: ended only after {late:?}");
        }
        short.get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");
        assert_eq!(Socket::try_open(&short).await.err(), Some(401));
    }

    /// After `refresh` the new credential is what counts: what it may not see, and when it is revoked.
    async fn a_refreshed_socket_follows_its_new_credential(hub: Hub) {
        let agent = hub.name("agent");
        let stranger = hub.agent("agent").await;
        let session = hub.session(&stranger).await;
        let (_, wide) = key(&hub, &hub.owner, json!({ "permission": "space", "agent": agent })).await;
        let (narrow_id, narrow) = key(&hub, &hub.owner, json!({ "permission": "agent", "agent": agent })).await;
        let mut socket = hub.socket(&wide).await;
        assert_eq!(socket.ask(json!({ "type": "refresh", "token": narrow.secret() })).await["type"], "refreshed");
        let reply = socket.ask(json!({ "type": "subscribe", "sessionId": session })).await;
        let subscribed = reply["error"]["code"] == "NOT_FOUND";
        hub.owner.delete(&format!("/v1/manage/keys/{narrow_id}")).await.expect(204);
        let end = timeout(REVOKED_WITHIN, socket.end()).await;
        assert!(matches!(end, Ok(End::Code(4403))), "the new key is revoked, and the socket: {end:?}");
        assert!(subscribed, "the new key may not see every session, but: {reply}");
    }

    async fn an_event_stream_ends_with_its_key(hub: Hub) {
        let host = hub.agent("agent").await;
        let session = hub.session(&host).await;
        let agent = hub.name("agent");
        let (id, reader) = key(&hub, &hub.owner, json!({ "permission": "agent", "agent": agent })).await;
        admit(&host, &session, &reader).await;
        let mut stream = reader.stream(&at_agent(&session, "/events?after=0")).await;
        let mut received = String::new();
        while !received.contains("participant.added") {
            received += &String::from_utf8_lossy(&stream.chunk().await.expect("a chunk").expect("more"));
        }
        hub.owner.delete(&format!("/v1/manage/keys/{id}")).await.expect(204);
        let ended = timeout(PATIENCE, async { while let Ok(Some(_)) = stream.chunk().await {} });
        ended.await.expect("the stream of a revoked key ends");
    }

    async fn secrets_of_the_front_door_work_once_and_for_one(hub: Hub) {
        let anonymous = hub.anonymous();
        let email = format!("{}@example.org", hub.name("person"));
        let person = hub.owner.post("/v1/manage/humans", json!({ "email": email, "name": "P" })).await.expect(201);
        let login = |password: &str| json!({ "email": email, "password": password });
        // Without a password nobody gets in, with none and with an empty one.
        for password in ["", "correct horse"] {
            anonymous.post("/v1/auth/login", login(password)).await.expect_error(401, "UNAUTHORIZED");
        }
        let setup = |token: &str| json!({ "token": token, "password": "correct horse" });
        anonymous.post("/v1/auth/setup", setup("hls_nothing")).await.expect_error(401, "UNAUTHORIZED");
        let signed_in = anonymous.post("/v1/auth/setup", setup(setup_token(&person))).await.expect(200);
        anonymous.post("/v1/auth/setup", setup(setup_token(&person))).await.expect_error(401, "UNAUTHORIZED");
        anonymous.post("/v1/auth/login", login("Correct horse")).await.expect_error(401, "UNAUTHORIZED");
        let unknown = json!({ "email": "nobody@example.org", "password": "correct horse" });
        anonymous.post("/v1/auth/login", unknown).await.expect_error(401, "UNAUTHORIZED");
        // A refresh token is no access token, and the other way round.
        let (access, refresh) = (text(&signed_in["accessToken"]), text(&signed_in["refreshToken"]));
        bearer(&hub, refresh).get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
        bearer(&hub, access).get("/v1/human/me").await.expect(200);
        let refreshed = |token: &str| json!({ "refreshToken": token });
        anonymous.post("/v1/auth/refresh", refreshed(access)).await.expect_error(401, "UNAUTHORIZED");
        let next = anonymous.post("/v1/auth/refresh", refreshed(refresh)).await.expect(200);
        // One that is used twice was stolen: its whole family ends.
        anonymous.post("/v1/auth/refresh", refreshed(refresh)).await.expect_error(401, "UNAUTHORIZED");
        anonymous.post("/v1/auth/refresh", refreshed(text(&next["refreshToken"]))).await.expect_error(401, "UNAUTHORIZED");
        let again = anonymous.post("/v1/auth/login", login("correct horse")).await.expect(200);
        anonymous.post("/v1/auth/logout", refreshed(text(&again["refreshToken"]))).await.expect(204);
        anonymous.post("/v1/auth/refresh", refreshed(text(&again["refreshToken"]))).await.expect_error(401, "UNAUTHORIZED");
    }
}
