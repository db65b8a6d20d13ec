//! Who signs in and how: the hub's own accounts, and tokens of outside issuers.

use crate::support::client::Reply;
use crate::support::hub::{Engine, text};
use crate::support::{Client, Hub, PATIENCE, Port, Socket, Stopwatch, on_both_engines, timeout};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use futures::future::join_all;
use hiloop::clock::{Clock as _, SystemClock};
use hiloop::domain::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rsa::RsaPrivateKey;
use rsa::pkcs1::{EncodeRsaPrivateKey as _, EncodeRsaPublicKey as _};
use rsa::pkcs8::{EncodePublicKey as _, LineEnding};
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub const PASSWORD: &str = "correct horse battery staple";
/// Who signs outside, in every token.
const ISSUER: &str = "https://idp.example";
pub const SECRET: &str = "a secret of at least thirty-two characters";

/// A human with a password; what `POST /v1/manage/humans` replied.
pub async fn human_with_password(hub: &Hub, email: &str) -> Value {
    let body = json!({ "email": email, "name": "Ada", "password": PASSWORD });
    hub.owner.post("/v1/manage/humans", body).await.expect(201)
}

pub async fn login(hub: &Hub, email: &str, password: &str) -> Reply {
    hub.anonymous().post("/v1/auth/login", json!({ "email": email, "password": password })).await
}

async fn refresh(hub: &Hub, token: &Value) -> Reply {
    hub.anonymous().post("/v1/auth/refresh", json!({ "refreshToken": token })).await
}

pub fn bearer(hub: &Hub, token: &str) -> Client {
    hub.anonymous().with("authorization", &format!("Bearer {token}"))
}

pub async fn me(hub: &Hub, token: &str) -> Reply {
    bearer(hub, token).get("/v1/human/me").await
}

pub async fn refused(hub: &Hub, token: &str, why: &str) {
    let reply = me(hub, token).await;
    assert_eq!(reply.status, 401, "{why}: {}", reply.body);
    assert_eq!(reply.body["error"]["code"], "UNAUTHORIZED", "{why}");
}

/// The part of a link that stands behind `mark` in its fragment.
fn behind<'a>(url: &'a str, mark: &str) -> &'a str {
    url.split_once(mark).unwrap_or_else(|| panic!("{mark} in {url}")).1
}

on_both_engines! {
    async fn a_human_signs_in_stays_and_signs_out(hub: Hub) {
        let human = human_with_password(&hub, "Ada@Example.org").await;
        assert_eq!((&human["email"], &human["setupUrl"]), (&json!("ada@example.org"), &Value::Null));
        assert!(human.get("passwordHash").is_none() && human.get("password").is_none());
        let before = hub.context().clock.now();
        let tokens = login(&hub, "ADA@example.org", PASSWORD).await.expect(200);
        let keys: BTreeSet<_> = tokens.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys, BTreeSet::from(["accessToken", "expiresAt", "refreshToken", "tokenType"]));
        assert_eq!(tokens["tokenType"], "Bearer");
        let expires = Timestamp::parse(text(&tokens["expiresAt"])).expect("a time");
        assert_eq!(expires.to_string(), text(&tokens["expiresAt"]));
        assert!(expires > before);
        assert_eq!(me(&hub, text(&tokens["accessToken"])).await.expect(200)["id"], human["id"]);
        // The scheme's name has no case.
        let lower = hub.anonymous().with("authorization", &format!("bearer {}", text(&tokens["accessToken"])));
        lower.get("/v1/human/me").await.expect(200);
        // A refresh token is no access token.
        refused(&hub, text(&tokens["refreshToken"]), "a refresh token").await;

        let next = refresh(&hub, &tokens["refreshToken"]).await.expect(200);
        assert_ne!(next["refreshToken"], tokens["refreshToken"]);
        me(&hub, text(&next["accessToken"])).await.expect(200);
        let signed_out = hub.anonymous().post("/v1/auth/logout", json!({ "refreshToken": next["refreshToken"] })).await;
        signed_out.expect(204);
        refresh(&hub, &next["refreshToken"]).await.expect_error(401, "UNAUTHORIZED");
        // Once more is no error: it is what was asked for.
        hub.anonymous().post("/v1/auth/logout", json!({ "refreshToken": next["refreshToken"] })).await.expect(204);
    }

    async fn a_wrong_password_says_no_more_than_an_unknown_address(hub: Hub) {
        human_with_password(&hub, "ada@example.org").await;
        let body = json!({ "email": "setup@example.org", "name": "No password yet" });
        hub.owner.post("/v1/manage/humans", body).await.expect(201);
        let wrong = login(&hub, "ada@example.org", "wrong password").await.expect_error(401, "UNAUTHORIZED");
        for (email, password) in [
            ("nobody@example.org", PASSWORD),
            ("setup@example.org", ""),
            ("setup@example.org", PASSWORD),
            ("ada@example.org", ""),
            ("", ""),
        ] {
            let error = login(&hub, email, password).await.expect_error(401, "UNAUTHORIZED");
            assert_eq!(error["message"], wrong["message"], "{email} {password}");
        }
        let long = "x".repeat(10_000);
        login(&hub, "ada@example.org", &long).await.expect_error(401, "UNAUTHORIZED");
        let too_long = "x".repeat(17 * 1024);
        login(&hub, "ada@example.org", &too_long).await.expect_error(413, "PAYLOAD_TOO_LARGE");
        for (body, field) in [
            (json!({ "password": PASSWORD }), "email"),
            (json!({ "email": "ada@example.org" }), "password"),
            (json!({ "email": 1, "password": PASSWORD }), "email"),
        ] {
            let error = hub.anonymous().post("/v1/auth/login", body).await.expect_error(400, "VALIDATION_ERROR");
            assert!(text(&error["message"]).contains(&format!("'{field}'")), "{error}");
        }
        for path in ["/v1/auth/refresh", "/v1/auth/logout"] {
            let error = hub.anonymous().post(path, json!({})).await.expect_error(400, "VALIDATION_ERROR");
            assert!(text(&error["message"]).contains("'refreshToken'"), "{error}");
        }
    }

    async fn a_refresh_token_that_comes_twice_ends_its_family(hub: Hub) {
        human_with_password(&hub, "ada@example.org").await;
        let tokens = login(&hub, "ada@example.org", PASSWORD).await.expect(200);
        let other = login(&hub, "ada@example.org", PASSWORD).await.expect(200);
        let second = refresh(&hub, &tokens["refreshToken"]).await.expect(200);
        let third = refresh(&hub, &second["refreshToken"]).await.expect(200);
        refresh(&hub, &tokens["refreshToken"]).await.expect_error(401, "UNAUTHORIZED");
        for token in [&second["refreshToken"], &third["refreshToken"], &json!("hlr_unknown"), &json!("")] {
            refresh(&hub, token).await.expect_error(401, "UNAUTHORIZED");
        }
        // Another sign-in is another family.
        let other = refresh(&hub, &other["refreshToken"]).await.expect(200);
        // Of many at once one gets through, and the others have ended its family.
        let raced = join_all((0..10).map(|_| refresh(&hub, &other["refreshToken"]))).await;
        let statuses: Vec<_> = raced.iter().map(|reply| reply.status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 9, "{statuses:?}");
        let winner = raced.into_iter().find(|reply| reply.status == 200).expect("one").body;
        refresh(&hub, &winner["refreshToken"]).await.expect_error(401, "UNAUTHORIZED");
    }

    async fn tokens_end_in_their_time(hub: Hub) {
        human_with_password(&hub, "ada@example.org").await;
        let tokens = login(&hub, "ada@example.org", PASSWORD).await.expect(200);
        let access = text(&tokens["accessToken"]);
        me(&hub, access).await.expect(200);
        let left = Timestamp::parse(text(&tokens["expiresAt"])).expect("a time").millis_since(hub.context().clock.now());
        hub.clock.advance(left);
        refused(&hub, access, "at its end").await;
        let next = refresh(&hub, &tokens["refreshToken"]).await.expect(200);
        me(&hub, text(&next["accessToken"])).await.expect(200);
        hub.clock.advance(366 * 24 * 60 * 60 * 1000);
        refresh(&hub, &next["refreshToken"]).await.expect_error(401, "UNAUTHORIZED");
    }

    async fn a_setup_link_is_good_once(hub: Hub) {
        let body = json!({ "email": "new@example.org", "name": "New" });
        let human = hub.owner.post("/v1/manage/humans", body.clone()).await.expect(201);
        let url = text(&human["setupUrl"]);
        assert!(url.starts_with(&format!("{}/#", hub.base)), "the token stands in the fragment: {url}");
        let token = behind(url, "#setup=");
        hub.owner.post("/v1/manage/humans", body).await.expect_error(409, "CONFLICT");
        let setup = async |token: &str, password: &str| {
            hub.anonymous().post("/v1/auth/setup", json!({ "token": token, "password": password })).await
        };
        // A bad password does not use it up.
        let error = setup(token, "short").await.expect_error(400, "VALIDATION_ERROR");
        assert!(text(&error["message"]).contains("'password'"), "{error}");
        setup("hls_unknown", PASSWORD).await.expect_error(401, "UNAUTHORIZED");
        for body in [json!({ "token": token }), json!({ "password": PASSWORD })] {
            hub.anonymous().post("/v1/auth/setup", body).await.expect_error(400, "VALIDATION_ERROR");
        }
        let tokens = setup(token, PASSWORD).await.expect(200);
        assert_eq!(me(&hub, text(&tokens["accessToken"])).await.expect(200)["id"], human["id"]);
        refresh(&hub, &tokens["refreshToken"]).await.expect(200);
        setup(token, "another password").await.expect_error(401, "UNAUTHORIZED");
        login(&hub, "new@example.org", "another password").await.expect_error(401, "UNAUTHORIZED");
        login(&hub, "new@example.org", PASSWORD).await.expect(200);

        let late = json!({ "email": "late@example.org", "name": "Late" });
        let late = hub.owner.post("/v1/manage/humans", late).await.expect(201);
        hub.clock.advance(366 * 24 * 60 * 60 * 1000);
        setup(behind(text(&late["setupUrl"]), "#setup="), PASSWORD).await.expect_error(401, "UNAUTHORIZED");
    }

    async fn who_is_deactivated_is_out_at_once(hub: Hub) {
        let human = human_with_password(&hub, "ada@example.org").await;
        let tokens = login(&hub, "ada@example.org", PASSWORD).await.expect(200);
        me(&hub, text(&tokens["accessToken"])).await.expect(200);
        let pending = json!({ "email": "pending@example.org", "name": "P" });
        let pending = hub.owner.post("/v1/manage/humans", pending).await.expect(201);
        for human in [&human, &pending] {
            hub.owner.delete(&format!("/v1/manage/humans/{}", text(&human["id"]))).await.expect(204);
        }
        refused(&hub, text(&tokens["accessToken"]), "deactivated").await;
        refresh(&hub, &tokens["refreshToken"]).await.expect_error(401, "UNAUTHORIZED");
        login(&hub, "ada@example.org", PASSWORD).await.expect_error(401, "UNAUTHORIZED");
        let body = json!({ "token": behind(text(&pending["setupUrl"]), "#setup="), "password": PASSWORD });
        hub.anonymous().post("/v1/auth/setup", body).await.expect_error(401, "UNAUTHORIZED");
    }

    async fn another_tenant_gets_no_way_into_an_account(hub: Hub) {
        let body = json!({ "email": "victim@example.org", "name": "Victim" });
        let victim = hub.owner.post("/v1/manage/humans", body).await.expect(201);
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let other = hub.other_space().await;
        let body = json!({ "email": "VICTIM@example.org", "name": "Mine", "password": "the attacker's own" });
        let twin = other.post("/v1/manage/humans", body).await.expect(201);
        // The password of the one is no way to the other.
        let stolen = login(&hub, "victim@example.org", "the attacker's own").await.expect(200);
        let client = bearer(&hub, text(&stolen["accessToken"]));
        assert_eq!(client.get("/v1/human/me").await.expect(200)["id"], twin["id"]);
        client.get(&format!("/v1/human/sessions/{session}")).await.expect_error(404, "NOT_FOUND");
        // The real link still works, and shows what is the victim's.
        let body = json!({ "token": behind(text(&victim["setupUrl"]), "#setup="), "password": "the victim's own" });
        let tokens = hub.anonymous().post("/v1/auth/setup", body).await.expect(200);
        let client = bearer(&hub, text(&tokens["accessToken"]));
        client.get(&format!("/v1/human/sessions/{session}")).await.expect(200);
        // Each password signs in to its own account, whichever space is the older; a space that is named is that one.
        let me = async |password: &str, space: Option<&str>| {
            let body = json!({ "email": "victim@example.org", "password": password, "space": space });
            let reply = hub.anonymous().post("/v1/auth/login", body).await;
            if reply.status == 401 {
                return Value::Null;
            }
            let tokens = reply.expect(200);
            bearer(&hub, text(&tokens["accessToken"])).get("/v1/human/me").await.expect(200)["id"].clone()
        };
        let theirs = other.get("/v1/agent/me").await.expect(200);
        let theirs = text(&theirs["spaceId"]);
        assert_eq!(me("the victim's own", None).await, victim["id"]);
        assert_eq!(me("the attacker's own", None).await, twin["id"]);
        assert_eq!(me("the victim's own", Some("default")).await, victim["id"]);
        assert_eq!(me("the attacker's own", Some(theirs)).await, twin["id"]);
        for space in [theirs, "nowhere", ""] {
            assert_eq!(me("the victim's own", Some(space)).await, Value::Null, "{space}");
        }
    }

    async fn the_address_of_who_was_deactivated_is_free_for_somebody_new(hub: Hub) {
        let email = "back@example.org";
        let body = json!({ "email": email, "name": "Before", "password": PASSWORD });
        let before = hub.owner.post("/v1/manage/humans", body).await.expect(201);
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let old = login(&hub, email, PASSWORD).await.expect(200);
        let (old_token, old_refresh) = (text(&old["accessToken"]), json!({ "refreshToken": old["refreshToken"] }));
        me(&hub, old_token).await.expect(200);
        let again = json!({ "email": email, "name": "After" });
        hub.owner.post("/v1/manage/humans", again.clone()).await.expect_error(409, "CONFLICT");
        hub.owner.delete(&format!("/v1/manage/humans/{}", text(&before["id"]))).await.expect(204);
        login(&hub, email, PASSWORD).await.expect_error(401, "UNAUTHORIZED");
        refused(&hub, old_token, "while they are removed").await;

        let after = hub.owner.post("/v1/manage/humans", again.clone()).await.expect(201);
        assert!(after["id"] != before["id"] && after["name"] == "After", "{after}");
        // Nothing of before lets them in, nor whoever had the address then: they choose a new password.
        login(&hub, email, PASSWORD).await.expect_error(401, "UNAUTHORIZED");
        refused(&hub, old_token, "of before").await;
        assert_eq!(Socket::try_open(&bearer(&hub, old_token)).await.err(), Some(401));
        hub.anonymous().post("/v1/auth/refresh", old_refresh).await.expect_error(401, "UNAUTHORIZED");
        let chosen = json!({ "token": behind(text(&after["setupUrl"]), "#setup="), "password": "another horse battery" });
        hub.anonymous().post("/v1/auth/setup", chosen).await.expect(200);
        let new = login(&hub, email, "another horse battery").await.expect(200);
        let new = bearer(&hub, text(&new["accessToken"]));
        assert_eq!(new.get("/v1/human/me").await.expect(200)["id"], after["id"]);
        // They see nothing of before.
        assert_eq!(new.get("/v1/human/sessions").await.expect(200)["total"], 0);
        new.get(&format!("/v1/human/sessions/{session}")).await.expect_error(404, "NOT_FOUND");
        hub.owner.post("/v1/manage/humans", again).await.expect_error(409, "CONFLICT");
    }

    async fn an_address_has_no_case_but_for_ascii(hub: Hub) {
        human_with_password(&hub, "Kay@Example.org").await;
        login(&hub, "kAY@eXAMPLE.ORG", PASSWORD).await.expect(200);
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        for other in ["\u{212a}ay@example.org", "\u{ff4b}ay@example.org", "kay@example.org\u{200b}"] {
            login(&hub, other, PASSWORD).await.expect_error(401, "UNAUTHORIZED");
            let named = json!({ "type": "Human", "email": other });
            let path = format!("/v1/agent/sessions/{session}/participants");
            let status = agent.post(&path, named).await.status;
            assert!([400, 404].contains(&status), "{other:?}: {status}");
        }
    }

    async fn an_admin_manages_their_space_and_no_more(hub: Hub) {
        let create = |name: &str, role: &str| json!({ "email": format!("{name}@example.org"), "name": name, "role": role, "password": PASSWORD });
        let admin = hub.owner.post("/v1/manage/humans", create("admin", "Admin")).await.expect(201);
        assert_eq!(admin["role"], "Admin");
        let error = hub.owner.post("/v1/manage/humans", create("x", "Owner")).await.expect_error(400, "VALIDATION_ERROR");
        assert!(text(&error["message"]).contains("'role'"), "{error}");
        let tokens = login(&hub, "admin@example.org", PASSWORD).await.expect(200);
        let admin = bearer(&hub, text(&tokens["accessToken"]));
        assert_eq!(admin.get("/v1/human/me").await.expect(200)["role"], "Admin");
        let member = admin.post("/v1/manage/humans", create("member", "Member")).await.expect(201);
        let listed = admin.get("/v1/manage/humans?pageSize=100").await.expect(200);
        let role = |id: &Value| {
            let found = listed["data"].as_array().expect("a list").iter().find(|human| human["id"] == *id);
            found.expect("listed")["role"].clone()
        };
        assert_eq!(role(&member["id"]), "Member");
        let key = admin.post("/v1/manage/keys", json!({ "permission": "manage" })).await.expect(201);
        admin.delete(&format!("/v1/manage/keys/{}", text(&key["id"]))).await.expect(204);
        admin.post("/v1/manage/keys", json!({ "permission": "owner" })).await.expect_error(403, "FORBIDDEN");
        for list in ["keys", "agents"] {
            admin.get(&format!("/v1/manage/{list}")).await.expect(200);
        }
        // Spaces are for an owner's key, metrics for a key, and what agents do for agents.
        for path in ["/v1/manage/spaces", "/metrics"] {
            admin.get(path).await.expect_error(403, "FORBIDDEN");
        }
        for path in ["/v1/agent/me", "/v1/agent/sessions"] {
            admin.get(path).await.expect_error(401, "UNAUTHORIZED");
        }
        // Another space's people are not there.
        let other = hub.other_space().await;
        let foreign = other.post("/v1/manage/humans", create("foreign", "Member")).await.expect(201);
        admin.delete(&format!("/v1/manage/humans/{}", text(&foreign["id"]))).await.expect_error(404, "NOT_FOUND");
        // A retry after new tokens finds the same link.
        let body = json!({ "email": "linked@example.org", "name": "L" });
        let once = admin.with("idempotency-key", "once").post("/v1/manage/humans", body.clone()).await.expect(201);
        let refreshed = refresh(&hub, &tokens["refreshToken"]).await.expect(200);
        let admin = bearer(&hub, text(&refreshed["accessToken"]));
        let again = admin.with("idempotency-key", "once").post("/v1/manage/humans", body).await.expect(201);
        assert_eq!(once, again);
        // A member manages nothing.
        let tokens = login(&hub, "member@example.org", PASSWORD).await.expect(200);
        let member = bearer(&hub, text(&tokens["accessToken"]));
        assert_eq!(member.get("/v1/human/me").await.expect(200)["role"], "Member");
        member.get("/v1/manage/humans").await.expect_error(403, "FORBIDDEN");
    }

    async fn a_name_of_a_deactivated_agent_is_told_so(hub: Hub) {
        let agent = hub.owner.post("/v1/manage/agents", json!({ "name": "once" })).await.expect(201);
        let exists = hub.owner.post("/v1/manage/agents", json!({ "name": "once" })).await;
        assert_eq!(exists.expect_error(409, "CONFLICT")["message"], "Field 'name' names an agent that exists");
        hub.owner.delete(&format!("/v1/manage/agents/{}", text(&agent["id"]))).await.expect(204);
        let gone = hub.owner.post("/v1/manage/agents", json!({ "name": "once" })).await;
        assert_eq!(gone.expect_error(409, "CONFLICT")["message"], "Field 'name' names an agent that is deactivated");
    }

    async fn a_name_of_a_deactivated_space_is_no_failure_of_the_hub(hub: Hub) {
        let space = hub.owner.post("/v1/manage/spaces", json!({ "name": "once" })).await.expect(201);
        hub.owner.delete(&format!("/v1/manage/spaces/{}", text(&space["id"]))).await.expect(204);
        let again = hub.owner.post("/v1/manage/spaces", json!({ "name": "once" })).await;
        assert!([201, 409].contains(&again.status), "{}: {}", again.status, again.body);
    }
}

/// What an outside issuer says about somebody, valid for an hour.
pub fn claims(sub: &str, email: &str) -> Value {
    let now = SystemClock.now().0 / 1000;
    json!({
        "sub": sub, "email": email, "email_verified": true, "name": "Outside", "iat": now, "exp": now + 3600,
        "iss": ISSUER, "aud": "hub",
    })
}

/// The claims with one of them set to something else; null takes it out.
pub fn with(mut claims: Value, name: &str, value: Value) -> Value {
    let object = claims.as_object_mut().expect("an object");
    if value.is_null() {
        object.remove(name);
    } else {
        object.insert(name.to_owned(), value);
    }
    claims
}

pub fn hs256(secret: &[u8], kid: Option<&str>, claims: &Value) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::HS256) };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret)).expect("a token")
}

/// A token whose header says what the test wants, with a signature that is nobody's.
fn unsigned(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

fn ago(seconds: i64) -> Value {
    json!(SystemClock.now().plus_seconds(-seconds).0 / 1000)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_secret_lets_an_outside_issuer_in() {
    let flags = ["--jwt-secret", SECRET, "--jwt-space", "theirs"];
    let hub = Hub::start_with(Engine::Sqlite, &flags, |_| {}).await;
    let theirs = hub.owner.post("/v1/manage/spaces", json!({ "name": "theirs" })).await.expect(201);
    let theirs = hub.anonymous().with("x-api-key", text(&theirs["apiKey"]));
    let token = hs256(SECRET.as_bytes(), None, &claims("idp|1", "Grace@Example.org"));
    let grace = me(&hub, &token).await.expect(200);
    assert_eq!((&grace["email"], &grace["name"]), (&json!("grace@example.org"), &json!("Outside")));
    // The same person comes back, whatever the name says by now, and is a member of the configured space alone.
    let again = with(claims("idp|1", "grace@example.org"), "name", json!("Renamed"));
    assert_eq!(me(&hub, &hs256(SECRET.as_bytes(), None, &again)).await.expect(200)["id"], grace["id"]);
    let people = theirs.get("/v1/agent/humans").await.expect(200);
    assert_eq!((&people["total"], &people["data"][0]["id"]), (&json!(1), &grace["id"]));
    assert_eq!(hub.owner.get("/v1/agent/humans").await.expect(200)["total"], 0);
    // Many first requests at once make one human.
    let token = hs256(SECRET.as_bytes(), None, &claims("idp|2", "many@example.org"));
    let ids = join_all((0..10).map(|_| async { me(&hub, &token).await.expect(200)["id"].clone() })).await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    // Without a name, or with one that can't be shown, there is still something to call them by.
    for (index, name) in [Value::Null, json!(""), json!("\u{7}\n")].into_iter().enumerate() {
        let claims = with(claims(&format!("idp|n{index}"), &format!("n{index}@example.org")), "name", name);
        let person = me(&hub, &hs256(SECRET.as_bytes(), None, &claims)).await.expect(200);
        assert_eq!(person["name"], format!("n{index}"), "what stands before the @, and no more of the address");
    }
    // Times may have fractions (RFC 7519 section 2).
    let grace_claims = claims("idp|1", "grace@example.org");
    let exp = grace_claims["exp"].as_f64().expect("a number");
    for (name, value) in [
        ("exp", json!(exp + 0.75)),
        ("exp", json!(4e9)),
        ("iat", json!(exp - 3600.25)),
        ("exp", json!(1e18)),
        ("email_verified", json!(true)),
        // Who they are is settled by now.
        ("email_verified", json!(false)),
        ("email", Value::Null),
        ("email", json!("another@example.org")),
    ] {
        let token = hs256(SECRET.as_bytes(), None, &with(grace_claims.clone(), name, value));
        assert_eq!(me(&hub, &token).await.expect(200)["id"], grace["id"], "{name}");
    }
    // The hub's own tokens are still good.
    human_with_password(&hub, "own@example.org").await;
    let own = login(&hub, "own@example.org", PASSWORD).await.expect(200);
    me(&hub, text(&own["accessToken"])).await.expect(200);

    let good = claims("idp|9", "bad@example.org");
    for (why, token) in [
        ("another secret", hs256(b"another secret of more than thirty-two", None, &good)),
        ("expired", hs256(SECRET.as_bytes(), None, &with(good.clone(), "exp", ago(1)))),
        ("expired by a fraction", hs256(SECRET.as_bytes(), None, &with(good.clone(), "exp", json!(1e9 + 0.5)))),
        ("no exp", hs256(SECRET.as_bytes(), None, &with(good.clone(), "exp", Value::Null))),
        ("not their address", hs256(SECRET.as_bytes(), None, &with(good.clone(), "email_verified", json!(false)))),
        ("not theirs, as text", hs256(SECRET.as_bytes(), None, &with(good.clone(), "email_verified", json!("false")))),
        ("exp as text", hs256(SECRET.as_bytes(), None, &with(good.clone(), "exp", json!("2099-01-01")))),
        ("no sub", hs256(SECRET.as_bytes(), None, &with(good.clone(), "sub", Value::Null))),
        ("not yet valid", hs256(SECRET.as_bytes(), None, &with(good.clone(), "nbf", ago(-3600)))),
        ("no email", hs256(SECRET.as_bytes(), None, &with(good.clone(), "email", Value::Null))),
        ("no address", hs256(SECRET.as_bytes(), None, &with(good.clone(), "email", json!("nobody")))),
        ("no iat", hs256(SECRET.as_bytes(), None, &with(good.clone(), "iat", Value::Null))),
        ("iat as text", hs256(SECRET.as_bytes(), None, &with(good.clone(), "iat", json!("lately")))),
        ("nbf as text", hs256(SECRET.as_bytes(), None, &with(good.clone(), "nbf", json!("1")))),
        ("sub as a number", hs256(SECRET.as_bytes(), None, &with(good.clone(), "sub", json!(7)))),
        ("no subject", hs256(SECRET.as_bytes(), None, &with(good.clone(), "sub", json!("")))),
        ("a subject without end", hs256(SECRET.as_bytes(), None, &with(good.clone(), "sub", json!("s".repeat(256))))),
        ("name as a list", hs256(SECRET.as_bytes(), None, &with(good.clone(), "name", json!(["x"])))),
        ("email as a list", hs256(SECRET.as_bytes(), None, &with(good.clone(), "email", json!(["bad@example.org"])))),
        ("aud as a number", hs256(SECRET.as_bytes(), None, &with(good.clone(), "aud", json!([1])))),
        ("iss as a list", hs256(SECRET.as_bytes(), None, &with(good.clone(), "iss", json!([ISSUER])))),
        ("none", unsigned(&json!({ "alg": "none", "typ": "JWT" }), &good, "")),
        ("None", unsigned(&json!({ "alg": "None", "typ": "JWT" }), &good, "")),
        ("no signature", unsigned(&json!({ "alg": "HS256", "typ": "JWT" }), &good, "")),
        ("RS256 unasked", unsigned(&json!({ "alg": "RS256", "typ": "JWT" }), &good, "AAAA")),
        ("HS512", {
            let key = EncodingKey::from_secret(SECRET.as_bytes());
            jsonwebtoken::encode(&Header::new(Algorithm::HS512), &good, &key).expect("a token")
        }),
        ("no JWT", "nonsense".to_owned()),
        ("empty", String::new()),
    ] {
        refused(&hub, &token, why).await;
    }
    assert_eq!(theirs.get("/v1/agent/humans").await.expect(200)["total"], 5, "nobody came in by a bad token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_configured_secret_nobody_outside_signs() {
    let hub = Hub::start(Engine::Sqlite).await;
    let good = claims("idp|1", "grace@example.org");
    for secret in ["", "secret", "hiloop", SECRET] {
        refused(&hub, &hs256(secret.as_bytes(), None, &good), secret).await;
    }
    assert_eq!(hub.owner.get("/v1/agent/humans").await.expect(200)["total"], 0);
}

static RSA: LazyLock<RsaPrivateKey> =
    LazyLock::new(|| RsaPrivateKey::new(&mut rand::thread_rng(), 2048).expect("an RSA key"));

fn rsa_jwk(kid: &str) -> Value {
    let n = URL_SAFE_NO_PAD.encode(RSA.n().to_bytes_be());
    let e = URL_SAFE_NO_PAD.encode(RSA.e().to_bytes_be());
    json!({ "kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256", "n": n, "e": e })
}

fn rs256(kid: Option<&str>, claims: &Value) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::RS256) };
    let der = RSA.to_pkcs1_der().expect("DER");
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_rsa_der(der.as_bytes())).expect("a token")
}

pub fn ed_jwk(kid: &str, key: &SigningKey) -> Value {
    let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
    json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "use": "sig", "x": x })
}

pub fn eddsa(kid: Option<&str>, key: &SigningKey, claims: &Value) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::EdDSA) };
    let der = key.to_pkcs8_der().expect("DER");
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(der.as_bytes())).expect("a token")
}

pub fn new_ed_key() -> SigningKey {
    SigningKey::generate(&mut rand::thread_rng())
}

/// An outside issuer: a little server whose keys a test can change, and which it can stop.
pub struct Issuer {
    pub url: String,
    keys: Arc<Mutex<Value>>,
    fetches: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
    port: Port,
}

type IssuerState = (Arc<Mutex<Value>>, Arc<AtomicUsize>);

impl Issuer {
    pub async fn start(keys: &[Value]) -> Self {
        let port = Port::reserve();
        let listener = TcpListener::bind(port.address()).await.expect("its port");
        let url = format!("http://{}/jwks.json", port.address());
        let state: IssuerState = (Arc::new(Mutex::new(json!({ "keys": keys }))), Arc::default());
        let (keys, fetches) = state.clone();
        let router = axum::Router::new().route("/jwks.json", get(Self::serve)).with_state(state);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { url, keys, fetches, serving, port }
    }

    /// Each connection serves one request, so that a stopped issuer is out of reach at once.
    async fn serve(State((keys, fetches)): State<IssuerState>) -> impl IntoResponse {
        fetches.fetch_add(1, Ordering::SeqCst);
        let keys = keys.lock().expect("no panic").clone();
        let status = if keys.is_null() { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
        (status, [("connection", "close")], keys.to_string())
    }

    fn publish(&self, keys: &[Value]) {
        *self.keys.lock().expect("no panic") = json!({ "keys": keys });
    }

    /// From now on it answers with an error.
    fn fail(&self) {
        *self.keys.lock().expect("no panic") = Value::Null;
    }

    /// Its port, at which nobody answers any more.
    pub async fn stop(self) -> Port {
        self.serving.abort();
        let _ = self.serving.await;
        self.port
    }
}

/// A hub that trusts this issuer.
pub async fn trusting(issuer: &Issuer, flags: &[&str]) -> Hub {
    let trust = ["--jwks-url", &issuer.url, "--jwt-issuer", ISSUER, "--jwt-audience", "hub"];
    let flags: Vec<_> = trust.iter().chain(flags).copied().collect();
    Hub::start_with(Engine::Sqlite, &flags, |_| {}).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_an_issuer_let_its_people_in() {
    let ed = new_ed_key();
    let issuer = Issuer::start(&[rsa_jwk("rsa"), ed_jwk("ed", &ed)]).await;
    let hub = trusting(&issuer, &[]).await;
    assert_eq!(issuer.fetches.load(Ordering::SeqCst), 0, "nothing is fetched before it is needed");
    let by_rsa = me(&hub, &rs256(Some("rsa"), &claims("a", "a@example.org"))).await.expect(200);
    let by_ed = me(&hub, &eddsa(Some("ed"), &ed, &claims("b", "b@example.org"))).await.expect(200);
    assert_ne!(by_rsa["id"], by_ed["id"]);
    assert_eq!(hub.owner.get("/v1/agent/humans").await.expect(200)["total"], 2);
    assert_eq!(issuer.fetches.load(Ordering::SeqCst), 1);
    // The hub's own accounts are still there.
    human_with_password(&hub, "own@example.org").await;
    let own = login(&hub, "own@example.org", PASSWORD).await.expect(200);
    me(&hub, text(&own["accessToken"])).await.expect(200);

    let good = claims("c", "c@example.org");
    let other = new_ed_key();
    let public = RSA.to_public_key();
    let pem = public.to_public_key_pem(LineEnding::LF).expect("PEM");
    let pkcs1_pem = public.to_pkcs1_pem(LineEnding::LF).expect("PEM");
    let der = public.to_public_key_der().expect("DER");
    let pkcs1 = public.to_pkcs1_der().expect("DER");
    for (why, token) in [
        ("no kid where there are two keys", rs256(None, &good)),
        ("another key under a known kid", eddsa(Some("ed"), &other, &good)),
        ("RS256 under the kid of the EdDSA key", rs256(Some("ed"), &good)),
        ("EdDSA under the kid of the RSA key", eddsa(Some("rsa"), &ed, &good)),
        ("HS256 with the public key in PEM", hs256(pem.as_bytes(), Some("rsa"), &good)),
        ("HS256 with the public key in PEM, trimmed", hs256(pem.trim().as_bytes(), Some("rsa"), &good)),
        ("HS256 with the public key in PKCS #1 PEM", hs256(pkcs1_pem.as_bytes(), Some("rsa"), &good)),
        ("HS256 with the public key in DER", hs256(der.as_bytes(), Some("rsa"), &good)),
        ("HS256 with the public key in PKCS #1 DER", hs256(pkcs1.as_bytes(), Some("rsa"), &good)),
        ("HS256 with the modulus", hs256(&public.n().to_bytes_be(), Some("rsa"), &good)),
        ("HS256 with the public EdDSA key", hs256(ed.verifying_key().as_bytes(), Some("ed"), &good)),
        ("HS256 with nothing", hs256(b"", Some("rsa"), &good)),
        ("none", unsigned(&json!({ "alg": "none", "kid": "rsa" }), &good, "")),
        ("a key of its own in the header", {
            let jwk = ed_jwk("ed", &other);
            let signed = eddsa(Some("ed"), &other, &good);
            let header = json!({ "alg": "EdDSA", "kid": "ed", "jwk": jwk });
            let signature = signed.rsplit('.').next().expect("a signature");
            unsigned(&header, &good, signature)
        }),
        ("expired", rs256(Some("rsa"), &with(good.clone(), "exp", ago(1)))),
        ("no exp", rs256(Some("rsa"), &with(good.clone(), "exp", Value::Null))),
        ("not yet valid", eddsa(Some("ed"), &ed, &with(good.clone(), "nbf", ago(-3600)))),
        ("no email", eddsa(Some("ed"), &ed, &with(good.clone(), "email", Value::Null))),
        ("a changed payload", {
            let signed = eddsa(Some("ed"), &ed, &good);
            let parts: Vec<_> = signed.split('.').collect();
            let forged = URL_SAFE_NO_PAD.encode(claims("a", "a@example.org").to_string());
            format!("{}.{forged}.{}", parts[0], parts[2])
        }),
    ] {
        refused(&hub, &token, why).await;
    }
    assert_eq!(hub.owner.get("/v1/agent/humans").await.expect(200)["total"], 3, "nobody came in by a bad token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_alone_needs_no_name() {
    let issuer = Issuer::start(&[rsa_jwk("rsa")]).await;
    let hub = trusting(&issuer, &[]).await;
    me(&hub, &rs256(None, &claims("a", "a@example.org"))).await.expect(200);
    me(&hub, &rs256(Some("rsa"), &claims("a", "a@example.org"))).await.expect(200);
    refused(&hub, &rs256(Some("other"), &claims("a", "a@example.org")), "another name").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotated_key_is_noticed_and_the_old_one_forgotten() {
    let (old, new) = (new_ed_key(), new_ed_key());
    let issuer = Issuer::start(&[ed_jwk("old", &old)]).await;
    let hub = trusting(&issuer, &[]).await;
    me(&hub, &eddsa(Some("old"), &old, &claims("a", "a@example.org"))).await.expect(200);
    issuer.publish(&[ed_jwk("new", &new)]);
    // A key that nobody has heard of makes the hub look again.
    me(&hub, &eddsa(Some("new"), &new, &claims("a", "a@example.org"))).await.expect(200);
    let late = with(claims("a", "a@example.org"), "jti", json!("late"));
    refused(&hub, &eddsa(Some("old"), &old, &late), "withdrawn").await;
    me(&hub, &eddsa(Some("new"), &new, &late)).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_keys_don_t_make_the_hub_hammer_the_issuer() {
    let ed = new_ed_key();
    let issuer = Issuer::start(&[ed_jwk("ed", &ed)]).await;
    let hub = trusting(&issuer, &[]).await;
    let unknown: Vec<_> =
        (0..60).map(|index| eddsa(Some(&format!("k{index}")), &ed, &claims("a", "a@example.org"))).collect();
    join_all(unknown.iter().map(|token| refused(&hub, token, "an unknown key"))).await;
    let fetches = issuer.fetches.load(Ordering::SeqCst);
    assert!((1..=10).contains(&fetches), "{fetches} fetches");
    me(&hub, &eddsa(Some("ed"), &ed, &claims("a", "a@example.org"))).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn known_keys_outlive_their_issuer() {
    let ed = new_ed_key();
    let issuer = Issuer::start(&[ed_jwk("ed", &ed)]).await;
    let hub = trusting(&issuer, &[]).await;
    let token = |jti: &str| eddsa(Some("ed"), &ed, &with(claims("a", "a@example.org"), "jti", json!(jti)));
    me(&hub, &token("1")).await.expect(200);
    issuer.fail();
    refused(&hub, &eddsa(Some("no"), &ed, &claims("a", "a@example.org")), "unknown while it fails").await;
    me(&hub, &token("2")).await.expect(200);
    let _nobody = issuer.stop().await;
    refused(&hub, &eddsa(Some("nor"), &ed, &claims("a", "a@example.org")), "unknown while it is gone").await;
    me(&hub, &token("3")).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issuer_that_was_never_there_is_no_failure_of_the_hub() {
    let ed = new_ed_key();
    let issuer = Issuer::start(&[]).await;
    let hub = trusting(&issuer, &[]).await;
    let _nobody = issuer.stop().await;
    refused(&hub, &eddsa(Some("ed"), &ed, &claims("a", "a@example.org")), "no keys at all").await;
    human_with_password(&hub, "own@example.org").await;
    let own = login(&hub, "own@example.org", PASSWORD).await.expect(200);
    me(&hub, text(&own["accessToken"])).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issuer_that_hangs_holds_up_nobody_whose_key_is_known() {
    let ed = new_ed_key();
    let issuer = Issuer::start(&[ed_jwk("ed", &ed)]).await;
    let hub = trusting(&issuer, &[]).await;
    let token = |jti: &str| eddsa(Some("ed"), &ed, &with(claims("a", "a@example.org"), "jti", json!(jti)));
    me(&hub, &token("1")).await.expect(200);
    // In the issuer's place stands one that takes connections and never answers.
    let port = issuer.stop().await;
    let silent = TcpListener::bind(port.address()).await.expect("the same port");
    let stranger = bearer(&hub, &eddsa(Some("no"), &ed, &claims("b", "b@example.org")));
    let asked = tokio::spawn(async move { stranger.get("/v1/human/me").await });
    let connection = timeout(PATIENCE, silent.accept()).await.expect("a fetch in time").expect("a fetch");
    let started = Stopwatch::start();
    me(&hub, &token("2")).await.expect(200);
    let waited = started.elapsed();
    assert!(
        waited < std::time::Duration::from_secs(2),
        "a known key waited {waited:?} for the fetch of an unknown one"
    );
    drop((connection, silent));
    asked.await.expect("no panic").expect_error(401, "UNAUTHORIZED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn issuer_and_audience_count_where_they_are_configured() {
    let ed = new_ed_key();
    let issuer = Issuer::start(&[ed_jwk("ed", &ed)]).await;
    let hub = trusting(&issuer, &["--jwt-space", "theirs"]).await;
    hub.owner.post("/v1/manage/spaces", json!({ "name": "theirs" })).await.expect(201);
    let full = claims("a", "a@example.org");
    let sign = |claims: &Value| eddsa(Some("ed"), &ed, claims);
    me(&hub, &sign(&full)).await.expect(200);
    me(&hub, &sign(&with(full.clone(), "aud", json!(["other", "hub"])))).await.expect(200);
    for (name, value) in [
        ("iss", Value::Null),
        ("iss", json!("https://idp.example/")),
        ("iss", json!("hiloop")),
        ("iss", json!(["https://idp.example", "other"])),
        ("aud", Value::Null),
        ("aud", json!("other")),
        ("aud", json!(["other", "hub2"])),
        ("aud", json!([])),
        ("exp", Value::Null),
        ("exp", ago(1)),
    ] {
        refused(&hub, &sign(&with(full.clone(), name, value.clone())), &format!("{name} {value}")).await;
    }
    assert_eq!(hub.owner.get("/v1/agent/humans").await.expect(200)["total"], 0);
    // The hub's own tokens meet what is configured.
    human_with_password(&hub, "own@example.org").await;
    let own = login(&hub, "own@example.org", PASSWORD).await.expect(200);
    me(&hub, text(&own["accessToken"])).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_opens_a_socket_and_closes_it_with_its_end() {
    let ed = new_ed_key();
    let issuer = Issuer::start(&[ed_jwk("ed", &ed)]).await;
    let hub = trusting(&issuer, &[]).await;
    let token = eddsa(Some("ed"), &ed, &claims("a", "a@example.org"));
    let socket = hub.socket(&bearer(&hub, &token)).await;
    assert_eq!(socket.hello["principal"]["name"], "Outside");
    let exp = claims("a", "a@example.org")["exp"].as_i64().expect("a number");
    let expires = Timestamp::parse(text(&socket.hello["expiresAt"])).expect("a time").0 / 1000;
    assert!((exp - expires).abs() <= 60, "{expires} {exp}");
    let guessed = hs256(&RSA.n().to_bytes_be(), Some("ed"), &claims("a", "a@example.org"));
    assert_eq!(crate::support::Socket::try_open(&bearer(&hub, &guessed)).await.err(), Some(401));
}
