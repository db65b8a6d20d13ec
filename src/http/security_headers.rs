//! The security headers of every web page and its files.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Nothing from another host, nothing inline, no embedding in frames. `'self'` covers the hub's own WebSocket too (CSP level 3,
/// section 6.7.2.8; in Safari since 15.4, and the page needs a newer one), so that a script that got in can send nothing
/// to another host.
macro_rules! own_host {
    () => {
        "default-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:; worker-src 'self'; \
         manifest-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    };
}

/// Trusted Types: no text becomes HTML, a script or the address of one, but for the address of the service worker, through
/// the policy that the page creates for it (`web-demo/src/client/worker.ts`).
const POLICY: &str = concat!(own_host!(), "; require-trusted-types-for 'script'; trusted-types hiloop-worker");

/// The documents: Swagger UI makes HTML of the descriptions in the OpenAPI document, which is the hub's own.
const DOCUMENTS_POLICY: &str = own_host!();

/// Denies every feature that the page does not use. Writing to the clipboard is allowed: code can be copied.
const PERMISSIONS: &str = "accelerometer=(), autoplay=(), bluetooth=(), camera=(), clipboard-read=(), \
                           display-capture=(), encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), hid=(), \
                           idle-detection=(), local-fonts=(), magnetometer=(), microphone=(), midi=(), payment=(), \
                           picture-in-picture=(), screen-wake-lock=(), serial=(), usb=(), web-share=(), \
                           xr-spatial-tracking=()";

const HEADERS: [(HeaderName, &str); 6] = [
    (HeaderName::from_static("permissions-policy"), PERMISSIONS),
    // A page that opens this one, or is opened by it, can't reach into it.
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // For browsers that do not support `frame-ancestors`.
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
];

/// For the chat page and its files.
pub(super) fn add(headers: &mut HeaderMap) {
    insert(headers, POLICY);
}

/// For the documents of the interfaces and their pages.
pub(super) fn add_to_documents(headers: &mut HeaderMap) {
    insert(headers, DOCUMENTS_POLICY);
}

fn insert(headers: &mut HeaderMap, policy: &'static str) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
