//! Security headers of the pages: the hosts that they may connect to, and the browser features that they never use.

use crate::support::{Client, Engine, Hub};
use flate2::read::GzDecoder;
use std::collections::BTreeSet;
use std::io::Read as _;

/// The pages, and all files to which they refer.
async fn pages(anyone: &Client) -> BTreeSet<String> {
    let mut paths: BTreeSet<_> =
        ["/", "/sw.js", "/docs", "/docs/", "/openapi.json", "/asyncapi.json"].map(str::to_owned).into();
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
        for directive in [
            "connect-src 'self'",
            "worker-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(directives.contains(directive), "{path}: {directive} in {policy}");
        }
        // Swagger UI, behind the documents, makes HTML of texts.
        let is_document = ["/docs", "/openapi.json", "/asyncapi.json"].iter().any(|start| path.starts_with(start));
        for directive in ["require-trusted-types-for 'script'", "trusted-types hiloop-worker"] {
            assert_eq!(directives.contains(directive), !is_document, "{path}: {directive} in {policy}");
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

#[tokio::test]
async fn the_files_of_an_installed_page_are_checked_for_newer_ones() {
    let hub = Hub::start(Engine::Sqlite).await;
    let anyone = hub.anonymous();
    for (path, kind) in [
        ("/sw.js", "text/javascript"),
        ("/manifest.webmanifest", "application/manifest+json"),
        ("/icons/icon.svg", "image/svg+xml"),
        ("/icons/icon-192.png", "image/png"),
        ("/icons/icon-512.png", "image/png"),
    ] {
        let reply = anyone.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.header("content-type"), Some(kind), "{path}");
        assert_eq!(reply.header("cache-control"), Some("no-cache"), "{path}");
    }
}

#[tokio::test]
async fn scripts_and_styles_are_served_compressed_to_who_accepts_it() {
    let hub = Hub::start(Engine::Sqlite).await;
    let get = async |path: &str, encodings: &str| {
        let url = format!("{}{path}", hub.base);
        let request = reqwest::Client::new().get(url).header("accept-encoding", encodings);
        let reply = request.send().await.expect("a reply");
        assert_eq!(reply.status(), 200, "{path}");
        let header = |name: &str| reply.headers().get(name).map(|value| value.to_str().expect("text").to_owned());
        let headers = [header("content-encoding"), header("content-type"), header("etag"), header("cache-control")];
        assert_eq!(header("vary").as_deref(), Some("accept-encoding"), "{path}");
        (headers, reply.bytes().await.expect("a body"))
    };
    let files = pages(&hub.anonymous()).await;
    let assets: Vec<_> = files.iter().filter(|path| path.ends_with(".js") || path.ends_with(".css")).collect();
    let assets: Vec<_> = assets.into_iter().filter(|path| path.starts_with("/assets/index-")).collect();
    assert_eq!(assets.len(), 2, "{files:?}");
    for path in assets {
        let ([none, kind, whole_tag, caching], whole) = get(path, "identity").await;
        assert_eq!(none, None);
        assert!(caching.expect("a header").contains("immutable"));
        let ([gzip, gzip_kind, gzip_tag, _], packed) = get(path, "gzip, br;q=0").await;
        assert_eq!((gzip.as_deref(), &gzip_kind), (Some("gzip"), &kind));
        assert_ne!(gzip_tag, whole_tag, "the tag names the bytes");
        let mut unpacked = Vec::new();
        GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).expect("gzip");
        assert!(unpacked == whole, "{path}");
        let ([brotli, ..], smallest) = get(path, "gzip, deflate, br, zstd").await;
        assert_eq!(brotli.as_deref(), Some("br"));
        assert!(smallest.len() < packed.len() && packed.len() < whole.len() / 2, "{path}");
        for ending in [".br", ".gz"] {
            hub.anonymous().get(&format!("{path}{ending}")).await.expect(404);
        }
    }
}
