//! Security headers of the pages: the hosts that they may connect to, and the browser features that they never use.

use crate::support::{Client, Engine, Hub};
use std::collections::BTreeSet;

/// The pages, and all files to which they refer.
async fn pages(anyone: &Client) -> BTreeSet<String> {
    let mut paths: BTreeSet<_> = ["/", "/docs", "/docs/", "/openapi.json", "/asyncapi.json"].map(str::to_owned).into();
    for page in ["/", "/docs"] {
        let html = anyone.get(page).await.expect(200);
        let html = html.as_str().expect("a page");
        for attribute in ["src=\"", "href=\""] {
            for link in html.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()) {
                if !link.starts_with("data:") {
                    paths.insert(format!("/{}", link.trim_start_matches('/')));
                }
            }
        }
    }
    assert!(paths.len() > 9, "{paths:?}");
    paths
}

#[tokio::test]
async fn the_security_headers_of_pages_allow_only_the_hub_itself() {
    let hub = Hub::start(Engine::Sqlite).await;
    let anyone = hub.anonymous();
    for path in pages(&anyone).await {
        let reply = anyone.get(&path).await;
        assert_eq!(reply.status, 200, "{path}");
        let header = |name: &str| reply.header(name).unwrap_or_else(|| panic!("{path} has no {name}")).to_owned();
        let policy = header("content-security-policy");
        let directives: BTreeSet<_> = policy.split(';').map(str::trim).collect();
        for directive in ["connect-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(directives.contains(directive), "{path}: {directive} in {policy}");
        }
        assert!(!policy.contains("unsafe-") && !policy.contains("ws") && !policy.contains("http"), "{path}: {policy}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{path}");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin", "{path}");
        let permissions = header("permissions-policy");
        for device in ["camera", "microphone", "geolocation", "display-capture", "usb", "payment"] {
            assert!(permissions.split(", ").any(|one| one == format!("{device}=()")), "{path}: {permissions}");
        }
        // The same headers on a 304.
        let Some(tag) = reply.header("etag") else { continue };
        let known = anyone.with("if-none-match", tag).get(&path).await;
        assert_eq!(known.status, 304, "{path}");
        assert_eq!(known.header("content-security-policy"), Some(&*policy), "{path}");
    }
}
