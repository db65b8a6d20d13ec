//! What stands in headers: credentials, JWTs, and the times that clients write.
#![no_main]

use futures::executor::block_on;
use hiloop::testing::credential::{api_key_of, bearer_of};
use hiloop::testing::secret::has_form;
use hiloop::testing::{JwtConfig, JwtSecrets, Jwts};
use hiloop::domain::Timestamp;
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static JWTS: LazyLock<Jwts> = LazyLock::new(|| {
    let secrets = JwtSecrets::new("a secret that no fuzzer guesses, we may hope", Some("and one that others have"));
    Jwts::new(secrets, JwtConfig::default(), None)
});

fuzz_target!(|data: &[u8]| {
    let (first, second) = data.split_at(data.len() / 2);
    let mut headers = HeaderMap::new();
    for (name, value) in [("x-api-key", first), ("x-hiloop", second), ("authorization", data)] {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.insert(name, value);
        }
    }
    if let Ok(Some((key, agent))) = api_key_of(&headers) {
        has_form(key, "hlp_");
        assert!(agent.is_none_or(|agent| agent.is_ascii()));
    }
    if let Ok(Some(token)) = bearer_of(&headers) {
        assert_eq!(token, token.trim());
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Only the hub signs with this secret.
    assert!(block_on(JWTS.verify(text, Timestamp(0))).is_err());
    if let Some(time) = Timestamp::parse(text) {
        let shown = time.to_string();
        assert_eq!(Timestamp::parse(&shown), Some(time), "{text} is shown as {shown}");
    }
});
