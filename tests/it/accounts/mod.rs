//! Authentication of humans: the hub's own accounts, and tokens of external issuers.

mod hub_accounts;
mod issuer;
mod key_sets;
mod shared_secret;

use crate::support::client::Reply;
use crate::support::{Client, Hub};
pub use issuer::Issuer;
pub use issuer::SECRET;
pub use issuer::claims;
pub use issuer::ed_jwk;
pub use issuer::eddsa;
pub use issuer::hs256;
pub use issuer::new_ed_key;
pub use issuer::trusting;
pub use issuer::with;
use serde_json::{Value, json};

pub const PASSWORD: &str = "correct horse battery staple";

/// The `iss` of the external issuer.
const ISSUER: &str = "https://idp.example";

/// A human with a password; what `POST /v1/manage/humans` replied.
pub async fn human_with_password(hub: &Hub, email: &str) -> Value {
    let body = json!({ "email": email, "name": "Ada", "password": PASSWORD });
    hub.owner.post("/v1/manage/humans", body).await.expect(201)
}

pub async fn login(hub: &Hub, email: &str, password: &str) -> Reply {
    hub.anonymous().post("/v1/auth/login", json!({ "email": email, "password": password })).await
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
