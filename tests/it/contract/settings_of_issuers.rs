//! Section 10: the settings of external issuers and of the hub's own tokens.

use super::command_line::serve;
use super::settings::refused;
use crate::accounts::{Issuer, SECRET, ed_jwk, eddsa, hs256, new_ed_key};
use crate::cli::{bearer, failed, line, printed, run};
use crate::support::deployment::{name, now, signed, token};
use crate::support::hub::text;
use crate::support::process::{Process, hiloop};
use crate::support::{Kind, on_every_deployment};
use serde_json::{Value, json};
use tempfile::tempdir;

on_every_deployment! {
    async fn hiloop_jwt_secret(kind: Kind) {
        // Generated once and stored unless it is set: earlier tokens are still valid.
        let folder = tempdir().expect("a folder");
        let url = kind.database_url(folder.path());
        let start = || Process::spawn(hiloop(folder.path()).env("DATABASE_URL", &url).env("HILOOP_LISTEN", "127.0.0.1:0"));
        let mut hub = start();
        let email = printed(&hub, "e-mail").to_owned();
        let kept = run(hiloop(folder.path()).env("DATABASE_URL", &url).args(["token", "--email", &email]));
        let kept = line(&kept).to_owned();
        assert_eq!(hub.terminate(), Some(0));
        let hub = start();
        bearer(&hub, &kept).get("/v1/human/me").await.expect(200);
        // Tokens of another secret are not.
        let stranger = token(&json!({ "id": "x", "email": email, "name": "X" }), 60);
        bearer(&hub, &stranger).get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
        refused(kind, "HILOOP_JWT_SECRET", "short");
    }

    async fn hiloop_jwks_url(kind: Kind) {
        let ed = new_ed_key();
        let issuer = Issuer::start(&[ed_jwk("ed", &ed)]).await;
        let flags = ["--jwks-url", &issuer.url, "--jwt-issuer", "https://idp.example", "--jwt-audience", "hub"];
        let hub = kind.alone(&flags, |_| {}).await;
        let claims = json!({
            "sub": "idp|1", "email": format!("{}@example.org", name("j")), "name": "J", "iat": now(), "exp": now() + 60,
            "iss": "https://idp.example", "aud": "hub",
        });
        let me = hub.with_token(&eddsa(Some("ed"), &ed, &claims)).get("/v1/human/me").await.expect(200);
        assert_eq!(me["email"], claims["email"]);
        let forged = eddsa(Some("ed"), &new_ed_key(), &claims);
        hub.with_token(&forged).get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
        // The settings determine how the issuer signs: with published keys, tokens signed with a secret are refused.
        let by_secret = kind.alone(&[&flags[..], &["--jwt-secret", SECRET]].concat(), |_| {}).await;
        by_secret.with_token(&eddsa(Some("ed"), &ed, &claims)).get("/v1/human/me").await.expect(200);
        let shared = by_secret.with_token(&hs256(SECRET.as_bytes(), None, &claims));
        shared.get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
        for bad in ["ftp://issuer.example/keys", "http://issuer.example/keys", "http://127.0.0.1.example/keys"] {
            refused(kind, "HILOOP_JWKS_URL", bad);
        }
        // The keys of an issuer sign for all its applications: issuer and audience must be configured.
        for (given, missing) in [(None, "HILOOP_JWT_ISSUER"), (Some("https://idp.example"), "HILOOP_JWT_AUDIENCE")] {
            let folder = tempdir().expect("a folder");
            let mut command = serve(kind, folder.path());
            command.env("HILOOP_JWKS_URL", &issuer.url).envs(given.map(|issuer| ("HILOOP_JWT_ISSUER", issuer)));
            failed(&run(&mut command), missing);
        }
    }

    async fn hiloop_jwt_issuer(kind: Kind) {
        let hub = kind.alone(&["--jwt-issuer", "https://idp.example"], |_| {}).await;
        let claims = |issuer: &str| json!({ "sub": "a", "email": "iss@example.org", "email_verified": true, "iat": now(), "exp": now() + 60, "iss": issuer });
        hub.with_token(&signed(&claims("https://idp.example"))).get("/v1/human/me").await.expect(200);
        hub.with_token(&signed(&claims("https://other.example"))).get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
    }

    async fn hiloop_jwt_audience(kind: Kind) {
        let hub = kind.alone(&["--jwt-audience", "hub"], |_| {}).await;
        let claims = |audience: Value| json!({ "sub": "a", "email": "aud@example.org", "email_verified": true, "iat": now(), "exp": now() + 60, "aud": audience });
        for (audience, status) in [(json!("hub"), 200), (json!(["x", "hub"]), 200), (json!("x"), 401), (Value::Null, 401)] {
            assert_eq!(hub.with_token(&signed(&claims(audience))).get("/v1/human/me").await.status, status);
        }
    }

    async fn hiloop_jwt_space(kind: Kind) {
        let space = name("space");
        let hub = kind.alone(&["--jwt-space", &space], |_| {}).await;
        let made = hub.owner.post("/v1/manage/spaces", json!({ "name": space })).await.expect(201);
        let claims = json!({ "sub": "a", "email": "space@example.org", "name": "S", "iat": now(), "exp": now() + 60 });
        let me = hub.with_token(&signed(&claims)).get("/v1/human/me").await.expect(200);
        let people = hub.with_key(text(&made["apiKey"])).get("/v1/agent/humans").await.expect(200);
        assert_eq!((&people["total"], &people["data"][0]["id"]), (&json!(1), &me["id"]));
    }
}
