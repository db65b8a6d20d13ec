//! The refresh token of the hub's own page: in a cookie that no script can read and no other site can use.

use crate::support::client::Reply;
use crate::support::{Client, Engine, Hub};
use serde_json::{Value, json};

struct Page {
    hub: Hub,
    login: Value,
}

impl Page {
    async fn open(flags: &[&str]) -> Self {
        let hub = Hub::start_with(Engine::Sqlite, flags, |_| {}).await;
        let person = json!({ "email": "ada@example.org", "name": "Ada", "password": "correct horse battery" });
        hub.owner.post("/v1/manage/humans", person).await.expect(201);
        Self { hub, login: json!({ "email": "ada@example.org", "password": "correct horse battery" }) }
    }

    /// A client with the headers of the hub's own page.
    fn own(&self) -> Client {
        self.of(&self.hub.base)
    }

    fn of(&self, origin: &str) -> Client {
        self.hub.anonymous().with("hiloop-refresh", "cookie").with("origin", origin)
    }
}

/// The cookie as a browser sends it back.
fn cookie(reply: &Reply) -> String {
    let set = reply.header("set-cookie").expect("a cookie");
    set.split(';').next().expect("a name and a value").to_owned()
}

#[tokio::test]
async fn the_refresh_token_is_not_readable_by_scripts() {
    let page = Page::open(&[]).await;
    let reply = page.own().post("/v1/auth/login", page.login.clone()).await;
    let set = reply.header("set-cookie").expect("a cookie").to_owned();
    let attributes: Vec<_> = set.split("; ").skip(1).collect();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/v1/auth"] {
        assert!(attributes.contains(&attribute), "{attribute} in {set}");
    }
    assert!(!attributes.contains(&"Secure"), "a secure cookie would be dropped without HTTPS: {set}");
    let first = cookie(&reply);
    let tokens = reply.expect(200);
    assert_eq!(tokens["refreshToken"], Value::Null);
    assert!(tokens["accessToken"].is_string(), "{tokens}");

    // It is rotated, and deleted at sign-out.
    let renewed = page.own().with("cookie", &format!("other=1; {first}")).post("/v1/auth/refresh", json!({})).await;
    let second = cookie(&renewed);
    assert_eq!(renewed.expect(200)["refreshToken"], Value::Null);
    assert_ne!(first, second);
    let out = page.own().with("cookie", &second).post("/v1/auth/logout", json!({})).await;
    assert_eq!(cookie(&out), "hiloop_refresh=");
    out.expect(204);
    let late = page.own().with("cookie", &second).post("/v1/auth/refresh", json!({})).await;
    assert_eq!(cookie(&late), "hiloop_refresh=", "an invalid cookie is deleted");
    late.expect_error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn another_origin_cannot_use_the_cookie() {
    let page = Page::open(&["--cors-origins", "https://app.example"]).await;
    let kept = cookie(&page.own().post("/v1/auth/login", page.login.clone()).await);
    let elsewhere = ["https://evil.example", "null", "http://127.0.0.1:1"].map(|origin| page.of(origin));
    let none = page.hub.anonymous().with("hiloop-refresh", "cookie");
    let same_site = page.own().with("sec-fetch-site", "same-site");
    for client in elsewhere.into_iter().chain([none, same_site]) {
        let client = client.with("cookie", &kept);
        for path in ["refresh", "logout", "login"] {
            let reply = client.post(&format!("/v1/auth/{path}"), page.login.clone()).await;
            assert_eq!(reply.header("set-cookie"), None, "{path}");
            reply.expect_error(403, "FORBIDDEN");
        }
    }
    // Without the header the cookie is ignored, and a page of another origin may not send the header.
    let reply = page.hub.anonymous().with("cookie", &kept).post("/v1/auth/refresh", json!({})).await;
    reply.expect_error(400, "VALIDATION_ERROR");
    let granted = page.of("https://app.example").with("access-control-request-method", "POST");
    let granted = granted.raw("OPTIONS", "/v1/auth/refresh", None, Vec::new()).await;
    let headers = granted.header("access-control-allow-headers").unwrap_or_default();
    assert!(!headers.contains("hiloop-refresh"), "{headers}");
    assert_eq!(granted.header("access-control-allow-credentials"), None);
    page.own().with("cookie", &kept).post("/v1/auth/refresh", json!({})).await.expect(200);
}

#[tokio::test]
async fn over_https_the_cookie_is_secure_and_other_clients_use_the_body() {
    let page = Page::open(&["--public-url", "https://hub.example"]).await;
    let reply = page.of("https://hub.example").post("/v1/auth/login", page.login.clone()).await;
    assert!(reply.header("set-cookie").is_some_and(|set| set.ends_with("; Secure")), "{reply:?}");
    let reply = page.hub.anonymous().post("/v1/auth/login", page.login.clone()).await;
    assert_eq!(reply.header("set-cookie"), None);
    let token = reply.expect(200)["refreshToken"].as_str().expect("a token").to_owned();
    // A token that an earlier page has kept in its storage moves into the cookie.
    let body = json!({ "refreshToken": token });
    let moved = page.of("https://hub.example").post("/v1/auth/refresh", body).await;
    assert!(cookie(&moved).len() > "hiloop_refresh=".len());
    assert_eq!(moved.expect(200)["refreshToken"], Value::Null);
}
