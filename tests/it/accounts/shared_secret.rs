//! Tokens of an external issuer with a shared secret.

use super::issuer::{SECRET, ago, claims, hs256, unsigned, with};
use super::{ISSUER, PASSWORD, human_with_password, login, me, refused};
use crate::support::Hub;
use crate::support::hub::{Engine, text};
use futures::future::join_all;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_signed_with_the_shared_secret_are_accepted() {
    let flags = ["--jwt-secret", SECRET, "--jwt-space", "theirs"];
    let hub = Hub::start_with(Engine::Sqlite, &flags, |_| {}).await;
    let theirs = hub.owner.post("/v1/manage/spaces", json!({ "name": "theirs" })).await.expect(201);
    let theirs = hub.anonymous().with("x-api-key", text(&theirs["apiKey"]));
    let token = hs256(SECRET.as_bytes(), None, &claims("idp|1", "Grace@Example.org"));
    let grace = me(&hub, &token).await.expect(200);
    assert_eq!((&grace["email"], &grace["name"]), (&json!("grace@example.org"), &json!("Outside")));
    // The same human is found again, even with another name, and is a member of the configured space only.
    let again = with(claims("idp|1", "grace@example.org"), "name", json!("Renamed"));
    assert_eq!(me(&hub, &hs256(SECRET.as_bytes(), None, &again)).await.expect(200)["id"], grace["id"]);
    let people = theirs.get("/v1/agent/humans").await.expect(200);
    assert_eq!((&people["total"], &people["data"][0]["id"]), (&json!(1), &grace["id"]));
    assert_eq!(hub.owner.get("/v1/agent/humans").await.expect(200)["total"], 0);
    // Many first requests at once make one human.
    let token = hs256(SECRET.as_bytes(), None, &claims("idp|2", "many@example.org"));
    let ids = join_all((0..10).map(|_| async { me(&hub, &token).await.expect(200)["id"].clone() })).await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    // Without a displayable name, a default is used.
    for (index, name) in [Value::Null, json!(""), json!("\u{7}\n")].into_iter().enumerate() {
        let claims = with(claims(&format!("idp|n{index}"), &format!("n{index}@example.org")), "name", name);
        let person = me(&hub, &hs256(SECRET.as_bytes(), None, &claims)).await.expect(200);
        assert_eq!(person["name"], format!("n{index}"), "only the local part of the address");
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
        // The human is linked to the subject by now.
        ("email_verified", json!(false)),
        ("email", Value::Null),
        ("email", json!("another@example.org")),
    ] {
        let token = hs256(SECRET.as_bytes(), None, &with(grace_claims.clone(), name, value));
        assert_eq!(me(&hub, &token).await.expect(200)["id"], grace["id"], "{name}");
    }
    // The hub's own tokens are still valid.
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
        ("a huge subject", hs256(SECRET.as_bytes(), None, &with(good.clone(), "sub", json!("s".repeat(256))))),
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
    assert_eq!(theirs.get("/v1/agent/humans").await.expect(200)["total"], 5, "an invalid token was accepted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_shared_secret_external_tokens_are_refused() {
    let hub = Hub::start(Engine::Sqlite).await;
    let good = claims("idp|1", "grace@example.org");
    for secret in ["", "secret", "hiloop", SECRET] {
        refused(&hub, &hs256(secret.as_bytes(), None, &good), secret).await;
    }
    assert_eq!(hub.owner.get("/v1/agent/humans").await.expect(200)["total"], 0);
}
