//! Tokens of an external issuer with published keys (JWKS).

use super::issuer::{Issuer, RSA, ago, claims, ed_jwk, eddsa, hs256, new_ed_key, rs256, trusting, unsigned, with};
use super::{PASSWORD, bearer, human_with_password, login, me, refused};
use crate::support::hub::text;
use crate::support::{PATIENCE, Stopwatch, timeout};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::join_all;
use hiloop::domain::Timestamp;
use rsa::pkcs1::EncodeRsaPublicKey as _;
use rsa::pkcs8::{EncodePublicKey as _, LineEnding};
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use tokio::net::TcpListener;

fn rsa_jwk(kid: &str) -> Value {
    let n = URL_SAFE_NO_PAD.encode(RSA.n().to_bytes_be());
    let e = URL_SAFE_NO_PAD.encode(RSA.e().to_bytes_be());
    json!({ "kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256", "n": n, "e": e })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_signed_with_published_keys_are_accepted() {
    let ed = new_ed_key();
    let issuer = Issuer::start(&[rsa_jwk("rsa"), ed_jwk("ed", &ed)]).await;
    let hub = trusting(&issuer, &[]).await;
    assert_eq!(issuer.fetches.load(Ordering::SeqCst), 0, "nothing is fetched before it is needed");
    let by_rsa = me(&hub, &rs256(Some("rsa"), &claims("a", "a@example.org"))).await.expect(200);
    let by_ed = me(&hub, &eddsa(Some("ed"), &ed, &claims("b", "b@example.org"))).await.expect(200);
    assert_ne!(by_rsa["id"], by_ed["id"]);
    assert_eq!(hub.owner.get("/v1/agent/humans").await.expect(200)["total"], 2);
    assert_eq!(issuer.fetches.load(Ordering::SeqCst), 1);
    // The hub's own accounts still work.
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
    assert_eq!(hub.owner.get("/v1/agent/humans").await.expect(200)["total"], 3, "an invalid token was accepted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_key_needs_no_kid() {
    let issuer = Issuer::start(&[rsa_jwk("rsa")]).await;
    let hub = trusting(&issuer, &[]).await;
    me(&hub, &rs256(None, &claims("a", "a@example.org"))).await.expect(200);
    me(&hub, &rs256(Some("rsa"), &claims("a", "a@example.org"))).await.expect(200);
    refused(&hub, &rs256(Some("other"), &claims("a", "a@example.org")), "another name").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotated_key_is_fetched_and_the_old_one_rejected() {
    let (old, new) = (new_ed_key(), new_ed_key());
    let issuer = Issuer::start(&[ed_jwk("old", &old)]).await;
    let hub = trusting(&issuer, &[]).await;
    me(&hub, &eddsa(Some("old"), &old, &claims("a", "a@example.org"))).await.expect(200);
    issuer.publish(&[ed_jwk("new", &new)]);
    // An unknown key makes the hub fetch the keys again.
    me(&hub, &eddsa(Some("new"), &new, &claims("a", "a@example.org"))).await.expect(200);
    let late = with(claims("a", "a@example.org"), "jti", json!("late"));
    refused(&hub, &eddsa(Some("old"), &old, &late), "withdrawn").await;
    me(&hub, &eddsa(Some("new"), &new, &late)).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetches_for_unknown_keys_are_rate_limited() {
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
async fn known_keys_stay_valid_while_the_issuer_is_unavailable() {
    let ed = new_ed_key();
    let issuer = Issuer::start(&[ed_jwk("ed", &ed)]).await;
    let hub = trusting(&issuer, &[]).await;
    let token = |jti: &str| eddsa(Some("ed"), &ed, &with(claims("a", "a@example.org"), "jti", json!(jti)));
    me(&hub, &token("1")).await.expect(200);
    issuer.fail();
    refused(&hub, &eddsa(Some("no"), &ed, &claims("a", "a@example.org")), "unknown while it fails").await;
    me(&hub, &token("2")).await.expect(200);
    let _nobody = issuer.stop().await;
    refused(&hub, &eddsa(Some("nor"), &ed, &claims("a", "a@example.org")), "unknown while it is stopped").await;
    me(&hub, &token("3")).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_issuer_is_a_401_and_not_a_500() {
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
async fn a_hanging_issuer_does_not_delay_tokens_with_known_keys() {
    let ed = new_ed_key();
    let issuer = Issuer::start(&[ed_jwk("ed", &ed)]).await;
    let hub = trusting(&issuer, &[]).await;
    let token = |jti: &str| eddsa(Some("ed"), &ed, &with(claims("a", "a@example.org"), "jti", json!(jti)));
    me(&hub, &token("1")).await.expect(200);
    // On the issuer's port, a server that accepts connections and never replies.
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
async fn configured_issuer_and_audience_are_checked() {
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
async fn a_socket_closes_when_its_token_expires() {
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
