//! Humans of an external issuer: how tokens are matched to humans, and which matches are refused.

use crate::accounts::{
    Issuer, SECRET, bearer, claims, ed_jwk, eddsa, hs256, human_with_password, login, me, new_ed_key,
};
use crate::accounts::{PASSWORD, refused, trusting, with};
use crate::support::hub::{Engine, text};
use crate::support::sql::Database;
use crate::support::{Hub, Socket, on_both_engines, timeout};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::join_all;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use std::time::Duration;

async fn sharing() -> Hub {
    Hub::start_with(Engine::Sqlite, &["--jwt-secret", SECRET], |_| {}).await
}

fn signed(claims: &Value) -> String {
    hs256(SECRET.as_bytes(), None, claims)
}

on_both_engines! {
    async fn a_token_with_unstorable_claims_is_refused(engine: Engine) {
        let hub = Hub::start_with(engine, &["--jwt-secret", SECRET], |_| {}).await;
        for (claim, value) in [("sub", "a\0"), ("sub", "\0"), ("iss", "i\0"), ("email", "a\0@example.org")] {
            let mut token = claims("a", "a@example.org");
            token[claim] = json!(value);
            me(&hub, &signed(&token)).await.expect_error(401, "UNAUTHORIZED");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_does_not_match_a_human_by_id_or_unverified_address() {
    let hub = sharing().await;
    let victim = human_with_password(&hub, "victim@example.org").await;
    let other = hub.other_space().await;
    let elsewhere = json!({ "email": "elsewhere@example.org", "name": "E" });
    let elsewhere = other.post("/v1/manage/humans", elsewhere).await.expect(201);
    // A subject is not matched with the id of a human.
    for (human, email) in [(&victim, "a@example.org"), (&elsewhere, "b@example.org")] {
        let person = me(&hub, &signed(&claims(text(&human["id"]), email))).await.expect(200);
        assert_ne!(person["id"], human["id"]);
        assert_eq!(person["email"], email);
    }
    // An address is matched only if the issuer has verified it.
    for verified in [Value::Null, json!(false), json!("true"), json!(1)] {
        let token = signed(&with(claims("idp|v", "victim@example.org"), "email_verified", verified.clone()));
        refused(&hub, &token, &format!("email_verified {verified}")).await;
    }
    let joined = me(&hub, &signed(&claims("idp|v", "VICTIM@example.org"))).await.expect(200);
    assert_eq!(joined["id"], victim["id"]);
    // From then on only the subject identifies the human.
    let renamed = with(claims("idp|v", "new@example.org"), "email_verified", Value::Null);
    assert_eq!(me(&hub, &signed(&renamed)).await.expect(200)["id"], victim["id"]);
    let stranger = with(claims("idp|v", "victim@example.org"), "iss", json!("https://other.example"));
    refused(&hub, &signed(&with(stranger, "email_verified", Value::Null)), "another issuer").await;
    // A human of another space is not linked.
    let person = me(&hub, &signed(&claims("idp|e", "elsewhere@example.org"))).await.expect(200);
    assert_ne!(person["id"], elsewhere["id"]);
    // Confusable letters, and letters with the same lower case, make another address.
    human_with_password(&hub, "k@example.org").await;
    let kelvin = me(&hub, &signed(&claims("idp|k", "\u{212a}@example.org"))).await;
    assert!(kelvin.status == 401 || kelvin.body["email"] != "k@example.org", "{}", kelvin.body);
}

/// A token with an unverified address.
fn unverified(sub: &str, email: &str) -> String {
    signed(&with(claims(sub, email), "email_verified", Value::Null))
}

/// Whether the address of a human is verified, in the list of managers.
async fn is_verified(hub: &Hub, human: &Value) -> bool {
    let listed = hub.owner.get("/v1/manage/humans?pageSize=100").await.expect(200);
    let listed = listed["data"].as_array().expect("a list");
    let found = listed.iter().find(|listed| listed["id"] == human["id"]).expect("listed");
    assert_eq!(found["email"], human["email"]);
    found["emailVerified"].as_bool().unwrap_or(true)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unverified_address_is_neither_matched_nor_reserved() {
    let hub = sharing().await;
    let squatter = me(&hub, &unverified("idp|squatter", "ceo@example.org")).await.expect(200);
    assert_eq!(squatter["email"], "ceo@example.org", "it is shown");
    assert!(!is_verified(&hub, &squatter).await);
    // A human with the same address is another human, regardless of how they were created.
    let holder = me(&hub, &signed(&claims("idp|ceo", "ceo@example.org"))).await.expect(200);
    assert_ne!(holder["id"], squatter["id"]);
    assert!(is_verified(&hub, &holder).await);
    let other = me(&hub, &unverified("idp|other", "ann@example.org")).await.expect(200);
    let ann = human_with_password(&hub, "ann@example.org").await;
    assert_ne!(ann["id"], other["id"]);
    login(&hub, "ann@example.org", PASSWORD).await.expect(200);
    // An invitation by address finds the human who owns it.
    let agent = hub.agent("agent").await;
    for (email, human, stranger) in [("ceo@example.org", &holder, &squatter), ("ann@example.org", &ann, &other)] {
        let only = json!({ "participants": [{ "type": "Human", "email": email }] });
        let session = agent.post("/v1/agent/sessions", only).await.expect(201);
        let people = agent.get(&format!("/v1/agent/sessions/{}/participants", text(&session["id"]))).await.expect(200);
        let people = people["data"].as_array().expect("a list").clone();
        assert!(people.iter().any(|one| one["humanId"] == human["id"]), "{people:?}");
        assert!(people.iter().all(|one| one["humanId"] != stranger["id"]), "{people:?}");
    }
    let claimed = me(&hub, &unverified("idp|nobody", "nobody@example.org")).await.expect(200);
    let only = json!({ "participants": [{ "type": "Human", "email": claimed["email"] }] });
    agent.post("/v1/agent/sessions", only).await.expect_error(404, "NOT_FOUND");
    // The humans stay the same, and an address in use is not taken over.
    assert_eq!(me(&hub, &unverified("idp|squatter", "ceo@example.org")).await.expect(200)["id"], squatter["id"]);
    refused(&hub, &unverified("idp|late", "ceo@example.org"), "the address is in use").await;
    // A deactivated human with an unverified address does not reserve it either.
    hub.owner.delete(&format!("/v1/manage/humans/{}", text(&claimed["id"]))).await.expect(204);
    refused(&hub, &unverified("idp|nobody", "nobody@example.org"), "deactivated").await;
    me(&hub, &signed(&claims("idp|somebody", "nobody@example.org"))).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verified_address_is_assigned_to_its_human() {
    let hub = sharing().await;
    let ann = me(&hub, &unverified("idp|1", "ann@example.org")).await.expect(200);
    let bob = me(&hub, &unverified("idp|2", "bob@example.org")).await.expect(200);
    let verified = me(&hub, &signed(&claims("idp|1", "Ann@example.org"))).await.expect(200);
    assert_eq!((&verified["id"], &verified["email"]), (&ann["id"], &json!("ann@example.org")));
    assert!(is_verified(&hub, &ann).await);
    let create = json!({ "email": "ann@example.org", "name": "A" });
    hub.owner.post("/v1/manage/humans", create).await.expect_error(409, "CONFLICT");
    // An address that belongs to another human by then stays with that human.
    human_with_password(&hub, "bob@example.org").await;
    assert_eq!(me(&hub, &signed(&claims("idp|2", "bob@example.org"))).await.expect(200)["id"], bob["id"]);
    assert!(!is_verified(&hub, &bob).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_human_has_one_subject_of_an_issuer() {
    let hub = sharing().await;
    let ann = human_with_password(&hub, "ann@example.org").await;
    let tokens: Vec<_> = (0..6).map(|number| signed(&claims(&format!("idp|{number}"), "ann@example.org"))).collect();
    let replies = join_all(tokens.iter().map(|token| me(&hub, token))).await;
    let joined: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
    assert_eq!(joined.len(), 1, "{replies:?}");
    assert_eq!(joined[0].body["id"], ann["id"]);
    assert!(replies.iter().all(|reply| [200, 401].contains(&reply.status)), "{replies:?}");
    // The same for a human that was created by a token.
    let bob = me(&hub, &signed(&claims("idp|bob", "bob@example.org"))).await.expect(200);
    refused(&hub, &signed(&claims("idp|another", "bob@example.org")), "another subject").await;
    assert_eq!(me(&hub, &signed(&claims("idp|bob", "bob@example.org"))).await.expect(200)["id"], bob["id"]);
    // The subjects of another issuer are independent.
    let elsewhere = with(claims("idp|another", "bob@example.org"), "iss", json!("https://other.example"));
    assert_eq!(me(&hub, &signed(&elsewhere)).await.expect(200)["id"], bob["id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn external_tokens_are_refused_for_a_deactivated_space() {
    let hub = Hub::start_with(Engine::Sqlite, &["--jwt-secret", SECRET, "--jwt-space", "theirs"], |_| {}).await;
    hub.owner.post("/v1/manage/spaces", json!({ "name": "theirs" })).await.expect(201);
    let token = signed(&claims("idp|1", "ann@example.org"));
    me(&hub, &token).await.expect(200);
    // A human who was being created meanwhile is left active.
    let database = Database::open(&hub.database_url).await;
    database.execute("UPDATE spaces SET deactivated_at = 1 WHERE name = 'theirs'").await;
    hub.context().authenticator.clear_cache();
    refused(&hub, &token, "the space is deactivated").await;
    refused(&hub, &signed(&claims("idp|2", "bob@example.org")), "new humans are not created either").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn humans_of_an_external_issuer_count_for_the_quota() {
    let hub = Hub::start_with(Engine::Sqlite, &["--jwt-secret", SECRET, "--space-humans", "2"], |_| {}).await;
    for number in 0..2 {
        me(&hub, &signed(&claims(&format!("idp|{number}"), &format!("p{number}@example.org")))).await.expect(200);
    }
    let one_more = me(&hub, &signed(&claims("idp|2", "p2@example.org"))).await;
    assert_eq!(one_more.body["error"]["details"]["limit"], 2, "{}", one_more.body);
    one_more.expect_error(409, "LIMIT_REACHED");
    // Existing humans are still accepted.
    me(&hub, &signed(&claims("idp|0", "p0@example.org"))).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shared_secret_cannot_sign_tokens_of_the_hub() {
    let hub = sharing().await;
    let victim = human_with_password(&hub, "victim@example.org").await;
    let own = login(&hub, "victim@example.org", PASSWORD).await.expect(200);
    let own = text(&own["accessToken"]);
    me(&hub, own).await.expect(200);
    let payload = own.split('.').nth(1).expect("a payload");
    let payload: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64")).expect("JSON");
    assert_eq!((&payload["sub"], payload["sid"].is_string()), (&victim["id"], true));
    // The very claims of a token of the hub, signed anew.
    refused(&hub, &signed(&payload), "the hub's claims by the shared secret").await;
    let mut without = payload.clone();
    without.as_object_mut().expect("an object").remove("sid");
    refused(&hub, &signed(&without), "without a sign-in").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deactivated_human_of_an_external_issuer_stays_deactivated() {
    let hub = sharing().await;
    let token = signed(&claims("idp|1", "ann@example.org"));
    let ann = me(&hub, &token).await.expect(200);
    hub.owner.delete(&format!("/v1/manage/humans/{}", text(&ann["id"]))).await.expect(204);
    let late = |email: &str, verified: Value| {
        let later = claims("idp|1", email)["iat"].as_i64().expect("a time") + 100;
        signed(&with(with(claims("idp|1", email), "iat", json!(later)), "email_verified", verified))
    };
    refused(&hub, &token, "deactivated").await;
    refused(&hub, &late("ann@example.org", json!(true)), "the human was not created again").await;
    refused(&hub, &late("other@example.org", json!(true)), "by another address").await;
    // A deactivated human without an external identity can't return either.
    let bob = human_with_password(&hub, "bob@example.org").await;
    hub.owner.delete(&format!("/v1/manage/humans/{}", text(&bob["id"]))).await.expect(204);
    refused(&hub, &signed(&claims("idp|bob", "bob@example.org")), "deactivated, and unknown to the issuer").await;

    // A human who is created again is a new one, whom old tokens do not match.
    hub.clock.advance(10_000);
    let again = human_with_password(&hub, "ann@example.org").await;
    assert_ne!(again["id"], ann["id"]);
    refused(&hub, &token, "of before").await;
    refused(&hub, &signed(&claims("idp|2", "ann@example.org")), "issued before, with another subject").await;
    refused(&hub, &late("ann@example.org", Value::Null), "not verified").await;
    let person = me(&hub, &late("ann@example.org", json!(true))).await.expect(200);
    assert_eq!(person["id"], again["id"]);
}

/// The JWT library ignores `crit`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_with_an_unsupported_crit_header_is_refused() {
    let hub = sharing().await;
    let sign = |header: &Value| {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signing = format!("{}.{}", part(header), part(&claims("idp|1", "a@example.org")));
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
        mac.update(signing.as_bytes());
        format!("{signing}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    };
    me(&hub, &sign(&json!({ "alg": "HS256", "typ": "JWT" }))).await.expect(200);
    for crit in [json!(["x"]), json!(["exp"]), json!([]), json!("x"), Value::Null] {
        let header = json!({ "alg": "HS256", "typ": "JWT", "crit": crit, "x": 1 });
        refused(&hub, &sign(&header), &format!("crit {crit}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_with_a_huge_exp_expires_at_the_latest_time() {
    let hub = sharing().await;
    for exp in [json!(1e15), json!(i64::MAX), json!(253_402_300_800_i64)] {
        let token = signed(&with(claims("idp|1", "a@example.org"), "exp", exp.clone()));
        let person = me(&hub, &token).await.expect(200);
        assert_eq!(person["expiresAt"], "9999-12-31T23:59:59.999Z", "{exp}");
        let socket = hub.socket(&bearer(&hub, &token)).await;
        assert_eq!(socket.hello["expiresAt"], "9999-12-31T23:59:59.999Z", "{exp}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_human_without_a_name_is_not_named_by_their_address() {
    let hub = sharing().await;
    for (index, (name, email, shown)) in [
        (Value::Null, "grace.h@example.org", "grace.h"),
        (json!(" \u{202e}\u{7} "), "ada@example.org", "ada"),
        (json!("Eve\u{200b}lyn\u{202e}"), "eve@example.org", "Evelyn"),
    ]
    .into_iter()
    .enumerate()
    {
        let token = signed(&with(claims(&format!("idp|{index}"), email), "name", name));
        assert_eq!(me(&hub, &token).await.expect(200)["name"], shown);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nbf_is_checked_by_the_clock_of_the_hub() {
    let hub = sharing().await;
    let now = claims("idp|1", "a@example.org")["iat"].as_i64().expect("a time");
    let token = signed(&with(claims("idp|1", "a@example.org"), "nbf", json!(now + 600)));
    refused(&hub, &token, "not valid yet").await;
    hub.clock.advance(601_000);
    me(&hub, &token).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_with_unknown_keys_share_one_fetch() {
    let ed = new_ed_key();
    let issuer = Issuer::start(&[ed_jwk("ed", &ed)]).await;
    let hub = trusting(&issuer, &[]).await;
    me(&hub, &eddsa(Some("ed"), &ed, &claims("a", "a@example.org"))).await.expect(200);
    let port = issuer.stop().await;
    let silent = tokio::net::TcpListener::bind(port.address()).await.expect("the same port");
    let unknown: Vec<_> = (0..10).map(|n| eddsa(Some(&format!("k{n}")), &ed, &claims("b", "b@example.org"))).collect();
    let asked = join_all(unknown.iter().map(|token| refused(&hub, token, "an unknown key")));
    // Each waits for one fetch, not for ten in sequence; the bound has a margin for a busy machine.
    timeout(Duration::from_secs(25), asked).await.expect("they are refused soon");
    let mut connections = 0;
    while tokio::time::timeout(Duration::from_millis(50), silent.accept()).await.is_ok() {
        connections += 1;
    }
    assert!((1..=2).contains(&connections), "{connections} fetches");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unsupported_keys_of_a_key_set_are_ignored() {
    let ed = new_ed_key();
    let strange = json!({ "kty": "AKP", "kid": "pq", "alg": "ML-DSA-44", "pub": "AAAA" });
    let issuer = Issuer::start(&[strange, json!({ "kty": "RSA", "kid": "broken" }), ed_jwk("ed", &ed)]).await;
    let hub = trusting(&issuer, &[]).await;
    let token = eddsa(Some("ed"), &ed, &claims("a", "a@example.org"));
    me(&hub, &token).await.expect(200);
    assert!(Socket::try_open(&bearer(&hub, &token)).await.is_ok());
    // Without a `kid` the set has only one usable key.
    me(&hub, &eddsa(None, &ed, &claims("a", "a@example.org"))).await.expect(200);
}
