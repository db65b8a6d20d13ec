//! Sign-ins: what ends one, and that every token and connection of it ends with it.

use crate::support::hub::{at_human, text};
use crate::support::socket::End;
use crate::support::{Client, Events, Hub, Socket, on_both_engines, timeout};
use serde_json::{Value, json};
use std::time::Duration;

const PASSWORD: &str = "correct horse battery";
/// How soon live connections end (contract section 2).
const ENDED_WITHIN: Duration = Duration::from_secs(2);

/// A human with a password; returns the record.
async fn person(hub: &Hub) -> Value {
    let email = format!("{}@example.org", hub.name("person"));
    let body = json!({ "email": email, "name": "P", "password": PASSWORD });
    hub.owner.post("/v1/manage/humans", body).await.expect(201)
}

async fn login(hub: &Hub, person: &Value) -> Value {
    let body = json!({ "email": person["email"], "password": PASSWORD });
    hub.anonymous().post("/v1/auth/login", body).await.expect(200)
}

fn client(hub: &Hub, tokens: &Value) -> Client {
    hub.anonymous().with("authorization", &format!("Bearer {}", text(&tokens["accessToken"])))
}

/// The live connections of a sign-in.
struct Live {
    client: Client,
    socket: Socket,
    events: Events,
}

impl Live {
    async fn of(hub: &Hub, tokens: &Value, session: &str) -> Self {
        let client = client(hub, tokens);
        client.get("/v1/human/me").await.expect(200);
        let socket = hub.socket(&client).await;
        let events = Events::open(&client, &at_human(session, "/events")).await;
        Self { client, socket, events }
    }

    /// All connections have ended, and new requests are refused immediately.
    async fn has_ended(mut self) {
        self.client.get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
        assert_eq!(Socket::try_open(&self.client).await.err(), Some(401));
        let end = timeout(ENDED_WITHIN, self.socket.end()).await.expect("an end in time");
        assert_eq!(end, End::Code(4403));
        let rest = async { while self.events.next().await.is_some() {} };
        timeout(ENDED_WITHIN, rest).await.expect("the event stream ends in time");
    }

    async fn goes_on(&mut self) {
        self.client.get("/v1/human/me").await.expect(200);
        assert_eq!(self.socket.ask(json!({ "type": "ping" })).await["type"], "pong");
    }
}

async fn session(hub: &Hub) -> String {
    let agent = hub.agent("agent").await;
    hub.session(&agent).await
}

on_both_engines! {
    async fn logout_revokes_access_tokens_and_closes_connections(hub: Hub) {
        let person = person(&hub).await;
        let session = session(&hub).await;
        let (one, two) = (login(&hub, &person).await, login(&hub, &person).await);
        let (first, mut second) = (Live::of(&hub, &one, &session).await, Live::of(&hub, &two, &session).await);
        let body = json!({ "refreshToken": one["refreshToken"] });
        hub.anonymous().post("/v1/auth/logout", body.clone()).await.expect(204);
        first.has_ended().await;
        second.goes_on().await;
        hub.anonymous().post("/v1/auth/refresh", body.clone()).await.expect_error(401, "UNAUTHORIZED");
        // A repeated logout, and one with an unknown token, succeed without effect.
        for everywhere in [false, true] {
            let mut again = body.clone();
            again["everywhere"] = json!(everywhere);
            hub.anonymous().post("/v1/auth/logout", again).await.expect(204);
        }
        second.goes_on().await;
    }

    async fn logout_with_an_access_token_ends_its_sign_in(hub: Hub) {
        let person = person(&hub).await;
        let session = session(&hub).await;
        let (one, two) = (login(&hub, &person).await, login(&hub, &person).await);
        let (first, mut second) = (Live::of(&hub, &one, &session).await, Live::of(&hub, &two, &session).await);
        client(&hub, &one).post("/v1/auth/logout", json!({})).await.expect(204);
        first.has_ended().await;
        second.goes_on().await;
        let body = json!({ "refreshToken": one["refreshToken"] });
        hub.anonymous().post("/v1/auth/refresh", body).await.expect_error(401, "UNAUTHORIZED");
        client(&hub, &one).post("/v1/auth/logout", json!({})).await.expect_error(401, "UNAUTHORIZED");
        // A token without a sign-in has none to end; with `everywhere` it is revoked too.
        let printed = json!({ "accessToken": hub.token(&person, 3600).await });
        client(&hub, &printed).post("/v1/auth/logout", json!({})).await.expect_error(400, "VALIDATION_ERROR");
        let live = Live::of(&hub, &printed, &session).await;
        client(&hub, &printed).post("/v1/auth/logout", json!({ "everywhere": true })).await.expect(204);
        live.has_ended().await;
        second.has_ended().await;
        hub.anonymous().post("/v1/auth/logout", json!({})).await.expect_error(400, "VALIDATION_ERROR");
    }

    async fn logout_everywhere_revokes_every_token_of_the_human(hub: Hub) {
        let (one, other) = (person(&hub).await, person(&hub).await);
        let session = session(&hub).await;
        let printed = json!({ "accessToken": hub.token(&one, 3600).await });
        let (here, there) = (login(&hub, &one).await, login(&hub, &one).await);
        let mut live = Vec::new();
        for tokens in [&here, &there, &printed] {
            live.push(Live::of(&hub, tokens, &session).await);
        }
        let mut neighbour = Live::of(&hub, &login(&hub, &other).await, &session).await;
        let body = json!({ "refreshToken": here["refreshToken"], "everywhere": true });
        hub.anonymous().post("/v1/auth/logout", body).await.expect(204);
        for live in live {
            live.has_ended().await;
        }
        neighbour.goes_on().await;
        // They can sign in again, and tokens issued from now on are valid.
        client(&hub, &login(&hub, &one).await).get("/v1/human/me").await.expect(200);
        client(&hub, &json!({ "accessToken": hub.token(&one, 60).await })).get("/v1/human/me").await.expect(200);
    }

    async fn reuse_of_a_refresh_token_revokes_access_tokens(hub: Hub) {
        let person = person(&hub).await;
        let session = session(&hub).await;
        let tokens = login(&hub, &person).await;
        let body = json!({ "refreshToken": tokens["refreshToken"] });
        let next = hub.anonymous().post("/v1/auth/refresh", body.clone()).await.expect(200);
        let (old, new) = (Live::of(&hub, &tokens, &session).await, Live::of(&hub, &next, &session).await);
        let mut unconcerned = Live::of(&hub, &login(&hub, &person).await, &session).await;
        hub.anonymous().post("/v1/auth/refresh", body).await.expect_error(401, "UNAUTHORIZED");
        old.has_ended().await;
        new.has_ended().await;
        let last = json!({ "refreshToken": next["refreshToken"] });
        hub.anonymous().post("/v1/auth/refresh", last).await.expect_error(401, "UNAUTHORIZED");
        unconcerned.goes_on().await;
    }

    async fn a_new_password_revokes_tokens_of_the_command_line(hub: Hub) {
        let person = person(&hub).await;
        let session = session(&hub).await;
        let printed = json!({ "accessToken": hub.token(&person, 3600).await });
        let printed = Live::of(&hub, &printed, &session).await;
        let mut here = Live::of(&hub, &login(&hub, &person).await, &session).await;
        let body = json!({ "current": PASSWORD, "new": "a better battery" });
        here.client.post("/v1/human/password", body).await.expect(204);
        printed.has_ended().await;
        here.goes_on().await;
        client(&hub, &json!({ "accessToken": hub.token(&person, 60).await })).get("/v1/human/me").await.expect(200);
    }

    async fn a_sign_in_ends_after_ninety_days_despite_refreshes(hub: Hub) {
        let person = person(&hub).await;
        let mut tokens = login(&hub, &person).await;
        let day = 24 * 60 * 60 * 1000;
        for _ in 0..3 {
            hub.clock.advance(29 * day);
            let body = json!({ "refreshToken": tokens["refreshToken"] });
            tokens = hub.anonymous().post("/v1/auth/refresh", body).await.expect(200);
        }
        client(&hub, &tokens).get("/v1/human/me").await.expect(200);
        hub.clock.advance(3 * day);
        client(&hub, &tokens).get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
        let body = json!({ "refreshToken": tokens["refreshToken"] });
        hub.anonymous().post("/v1/auth/refresh", body).await.expect_error(401, "UNAUTHORIZED");
    }

    async fn common_passwords_are_refused(hub: Hub) {
        let email = format!("{}@example.org", hub.name("careless"));
        let link = json!({ "email": email, "name": "C" });
        for bad in ["password", "12345678", "QwertyUIOP", email.as_str(), email.to_uppercase().as_str(), "short"] {
            let mut create = link.clone();
            create["password"] = json!(bad);
            let error = hub.owner.post("/v1/manage/humans", create).await.expect_error(400, "VALIDATION_ERROR");
            assert!(text(&error["message"]).contains("'password'"), "{error}");
        }
        let human = hub.owner.post("/v1/manage/humans", link).await.expect(201);
        let (_, token) = text(&human["setupUrl"]).split_once("#setup=").expect("a link");
        for bad in ["password", "iloveyou1", email.as_str()] {
            let body = json!({ "token": token, "password": bad });
            let error = hub.anonymous().post("/v1/auth/setup", body).await.expect_error(400, "VALIDATION_ERROR");
            assert!(text(&error["message"]).contains("'password'"), "{error}");
        }
        let body = json!({ "token": token, "password": PASSWORD });
        let tokens = hub.anonymous().post("/v1/auth/setup", body).await.expect(200);
        let body = json!({ "current": PASSWORD, "new": "sunshine" });
        let error = client(&hub, &tokens).post("/v1/human/password", body).await.expect_error(400, "VALIDATION_ERROR");
        assert!(text(&error["message"]).contains("'new'"), "{error}");
    }

    async fn account_events_are_audited(hub: Hub) {
        let person = person(&hub).await;
        let tokens = login(&hub, &person).await;
        let wrong = json!({ "email": person["email"], "password": "a wrong password" });
        hub.anonymous().post("/v1/auth/login", wrong).await.expect_error(401, "UNAUTHORIZED");
        let here = client(&hub, &tokens);
        here.post("/v1/human/password", json!({ "current": PASSWORD, "new": "a better battery" })).await.expect(204);
        let link = format!("/v1/manage/humans/{}/setup-link", text(&person["id"]));
        let link = hub.owner.post(&link, json!({})).await.expect(201);
        let (_, token) = text(&link["setupUrl"]).split_once("#setup=").expect("a link");
        let body = json!({ "token": token, "password": "the third one" });
        let tokens = hub.anonymous().post("/v1/auth/setup", body).await.expect(200);
        let body = json!({ "refreshToken": tokens["refreshToken"] });
        let next = hub.anonymous().post("/v1/auth/refresh", body.clone()).await.expect(200);
        hub.anonymous().post("/v1/auth/refresh", body).await.expect_error(401, "UNAUTHORIZED");
        let audit = hub.owner.get("/v1/manage/audit?pageSize=100").await.expect(200);
        let events: Vec<_> = audit["data"].as_array().expect("a list").iter().map(|entry| {
            format!("{} {}", text(&entry["event"]), text(&entry["outcome"]))
        }).collect();
        for expected in [
            "human.created success", "sign_in success", "sign_in failure", "password.changed success",
            "setup_link.created success", "setup_link.used success", "refresh_token.reused success",
        ] {
            assert!(events.iter().any(|event| event == expected), "{expected}: {events:?}");
        }
        let all = audit.to_string();
        for secret in [PASSWORD, "a wrong password", "a better battery", token, text(&next["refreshToken"])] {
            assert!(!all.contains(secret), "{secret}");
        }
    }
}
