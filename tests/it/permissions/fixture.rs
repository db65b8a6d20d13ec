//! One space with every kind of principal, and the callers that each of its routes must refuse.

use super::routes::{Route, Who};
use crate::support::hub::{at_agent, text};
use crate::support::keys::{Keys, publish, publisher};
use crate::support::{Client, Hub, eventually};
use hiloop::domain::Permission;
use serde_json::{Value, json};
use std::collections::HashMap;

/// The kind of a credential.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// No credential, or an invalid one.
    Invalid,
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
    /// A human who is an admin and not a participant.
    Admin {
        foreign: bool,
    },
    Guest {
        sees: bool,
    },
}

pub(super) struct TestPrincipal {
    pub(super) name: &'static str,
    pub(super) client: Client,
    pub(super) kind: Kind,
}

/// A space with one principal of each kind, and an interaction with some of them as participants.
pub struct Fixture {
    pub host: Client,
    pub space: Client,
    pub manager: Client,
    pub owner: Client,
    pub provisioner: Client,
    pub human: Client,
    pub admin: Client,
    pub guest: Client,
    pub session: String,
    /// The value of a parameter of a path or a body.
    pub(super) ids: HashMap<&'static str, String>,
}

/// The id of a new guest token, with a client that uses it.
async fn invite(hub: &Hub, agent: &Client, session: &str, body: Value) -> (String, Client) {
    let guest = agent.post(&at_agent(session, "/guest-tokens"), body).await.expect(201);
    let client = hub.anonymous().with("authorization", &format!("Bearer {}", text(&guest["token"])));
    (text(&guest["id"]).to_owned(), client)
}

/// A human who is signed in, with the id of another sign-in of theirs.
pub(super) async fn signed_in(hub: &Hub, manager: &Client) -> (Client, String) {
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

/// Adds an agent to a session; returns the participant's id.
pub(super) async fn admit(host: &Client, session: &str, agent: &Client) -> String {
    let me = agent.get("/v1/agent/me").await.expect(200);
    let body = json!({ "type": "Agent", "agentId": me["id"] });
    let participant = host.post(&at_agent(session, "/participants"), body).await.expect(201);
    text(&participant["id"]).to_owned()
}

async fn remove(host: &Client, session: &str, participant: &str) {
    host.delete(&at_agent(session, &format!("/participants/{participant}"))).await.expect(204);
}

/// A key with the id of its record.
pub(super) async fn key(hub: &Hub, manager: &Client, body: Value) -> (String, Client) {
    let key = manager.post("/v1/manage/keys", body).await.expect(201);
    (text(&key["id"]).to_owned(), hub.anonymous().with("x-api-key", text(&key["apiKey"])))
}

pub(super) fn bearer(hub: &Hub, token: &str) -> Client {
    hub.anonymous().with("authorization", &format!("Bearer {token}"))
}

pub(super) fn setup_token(human: &Value) -> &str {
    text(&human["setupUrl"]).split_once("#setup=").expect("a setup link").1
}

impl Fixture {
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
            ids.insert(name, Keys::generate().entry(&id).to_string());
        }
        let space = hub.agent("space").await;
        let admin = admin_of(hub, &manager).await;
        Self { host, space, manager, owner, provisioner, human, admin, guest, session, ids }
    }

    /// The route's path with the ids of the fixture.
    pub fn path(&self, route: &Route) -> String {
        self.path_with(route, |_| None)
    }

    /// The same, where `other` may replace a parameter.
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

    /// The route's body with the ids of the fixture and new names.
    pub fn body(&self, hub: &Hub, route: &Route) -> String {
        let mut body = route.body.replace("{new}", &hub.name("new"));
        for (name, value) in &self.ids {
            body = body.replace(&format!("{{{name}}}"), value);
        }
        body
    }

    /// The clients that may call a route, in order.
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

    /// All state that a request could change.
    pub(super) async fn snapshot(&self) -> Vec<Value> {
        let mut all = Vec::new();
        all.push(self.owner.get(&format!("/v1/agent/interactions/{}", self.session)).await.expect(200));
        for rest in ["", "/timeline?limit=1000", "/participants?pageSize=100", "/messages?pageSize=100"] {
            all.push(self.owner.get(&at_agent(&self.session, rest)).await.expect(200));
        }
        for list in ["keys", "agents", "humans", "spaces"] {
            let mut page = self.owner.get(&format!("/v1/manage/{list}?pageSize=100")).await.expect(200);
            // The last use of a refused key is recorded all the same.
            for entry in page["data"].as_array_mut().expect("a list") {
                entry.as_object_mut().expect("an entry").remove("lastUsedAt");
            }
            all.push(page);
        }
        all
    }

    /// All principals with their kinds.
    pub(super) async fn principals(&self, hub: &Hub) -> Vec<TestPrincipal> {
        let key_of = |permission, foreign, sees| Kind::Key { permission, foreign, sees };
        let mut all = invalid_credentials(hub, self).await;
        let mut add = |name, client: &Client, kind| all.push(TestPrincipal { name, client: client.clone(), kind });
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

/// Clients with invalid credentials. Advances the hub's clock.
async fn invalid_credentials(hub: &Hub, fixture: &Fixture) -> Vec<TestPrincipal> {
    let api_key = |key: &str| hub.anonymous().with("x-api-key", key);
    let (_, expired_key) = key(hub, &fixture.manager, json!({ "permission": "manage", "expiresInSeconds": 60 })).await;
    let (_, expired_provisioner) =
        key(hub, &fixture.manager, json!({ "permission": "provision", "expiresInSeconds": 60 })).await;
    let (_, expired_guest) = invite(hub, &fixture.host, &fixture.session, json!({ "expiresInSeconds": 60 })).await;
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

    let (id, revoked_key) = key(hub, &fixture.manager, json!({ "permission": "manage" })).await;
    revoked_key.get("/v1/agent/me").await.expect(200);
    fixture.manager.delete(&format!("/v1/manage/keys/{id}")).await.expect(204);
    let (id, revoked_guest) = invite(hub, &fixture.host, &fixture.session, json!({})).await;
    revoked_guest.get("/v1/human/me").await.expect(200);
    fixture.host.delete(&at_agent(&fixture.session, &format!("/guest-tokens/{id}"))).await.expect(204);

    let me = fixture.human.get("/v1/human/me").await.expect(200);
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
    // The claims of the human with the signature of another token.
    let other = hub.human().await;
    let signature = other.secret().rsplit('.').next().expect("a signature").to_owned();
    let swapped = fixture.human.secret().rsplit_once('.').expect("a JWT").0.to_owned() + "." + &signature;

    let host = fixture.host.secret();
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
        ("a cut guest token", bearer(hub, &fixture.guest.secret()[..20])),
        ("a revoked guest", revoked_guest),
        ("an expired guest", expired_guest),
        ("an expired JWT", expired_human),
        ("a JWT that expired long ago", hub.human_with_token(&hub.owner, -3600).await),
        ("a JWT signed with another secret", bearer(hub, &forged)),
        ("an unsigned JWT", bearer(hub, &unsigned)),
        ("a JWT with another one's signature", bearer(hub, &swapped)),
    ];
    // The right secrets in the wrong header.
    for (name, client) in [
        ("the host's key as a bearer token", &fixture.host),
        ("a provisioner key as a bearer token", &fixture.provisioner),
    ] {
        all.push((name, bearer(hub, client.secret())));
    }
    for (name, client) in [("the human's JWT as a key", &fixture.human), ("the guest's token as a key", &fixture.guest)]
    {
        all.push((name, api_key(client.secret())));
    }
    all.into_iter().map(|(name, client)| TestPrincipal { name, client, kind: Kind::Invalid }).collect()
}
