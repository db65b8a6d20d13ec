//! Message bodies that carry their schedule index, and reading it back from a ciphertext.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;

const OPENING: &[u8] = b"{\"text\":\"";
const CLOSING: &[u8] = b"\"}";
/// Digits of an index: with the opening, a multiple of three bytes, so that both end on a
/// whole base64 group and the index can be replaced and read without decoding the rest.
const DIGITS: usize = 12;
const INDEX_AT: usize = OPENING.len() / 3 * 4;
const INDEX_END: usize = INDEX_AT + DIGITS / 3 * 4;
const BODY_OPENING: &str = r#"{"encryptedContent":{"scheme":"plain","ciphertext":""#;
const BODY_CLOSING: &str = r#"","wrappings":[]}}"#;

/// Builds request bodies whose ciphertexts all have one length.
#[derive(Clone)]
pub(crate) struct Payload {
    template: Vec<u8>,
}

impl Payload {
    /// `size` is the length of the ciphertext; it is rounded to a whole base64 group.
    pub(crate) fn new(size: usize) -> Self {
        let least = OPENING.len() + DIGITS + CLOSING.len();
        let plain_len = (size / 4 * 3).max(least);
        let mut plain = Vec::with_capacity(plain_len);
        plain.extend_from_slice(OPENING);
        plain.resize(OPENING.len() + DIGITS, b'0');
        plain.resize(plain_len - CLOSING.len(), b'x');
        plain.extend_from_slice(CLOSING);
        let mut template = BODY_OPENING.as_bytes().to_vec();
        template.extend_from_slice(STANDARD.encode(plain).as_bytes());
        template.extend_from_slice(BODY_CLOSING.as_bytes());
        Self { template }
    }

    /// The JSON body of the message with this index.
    pub(crate) fn body(&self, index: u64) -> Bytes {
        let mut body = self.template.clone();
        let encoded = STANDARD.encode(format!("{index:0DIGITS$}"));
        let start = BODY_OPENING.len() + INDEX_AT;
        body[start..start + encoded.len()].copy_from_slice(encoded.as_bytes());
        Bytes::from(body)
    }

    /// The same with a further field, `name` with the JSON text `value`.
    pub(crate) fn body_with(&self, index: u64, name: &str, value: &str) -> Bytes {
        let body = self.body(index);
        let open = body.strip_suffix(b"}").unwrap_or(&body);
        Bytes::from([open, format!(r#","{name}":{value}}}"#).as_bytes()].concat())
    }
}

/// The index that [`Payload::body`] put into a ciphertext.
pub(crate) fn index_of(ciphertext: &str) -> Option<u64> {
    let encoded = ciphertext.as_bytes().get(INDEX_AT..INDEX_END)?;
    let mut digits = [0_u8; DIGITS];
    let written = STANDARD.decode_slice(encoded, &mut digits).ok()?;
    std::str::from_utf8(&digits[..written]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ciphertext(body: &[u8]) -> String {
        let body: serde_json::Value = serde_json::from_slice(body).expect("JSON");
        body["encryptedContent"]["ciphertext"].as_str().expect("a string").to_owned()
    }

    #[test]
    fn an_index_survives_the_round_trip() {
        let payload = Payload::new(400);
        for index in [0, 1, 999_999_999_999] {
            let text = ciphertext(&payload.body(index));
            assert_eq!(text.len(), 400);
            assert_eq!(index_of(&text), Some(index));
        }
    }

    #[test]
    fn the_plain_text_is_content_that_a_client_can_show() {
        let plain = STANDARD.decode(ciphertext(&Payload::new(400).body(42))).expect("base64");
        let plain: serde_json::Value = serde_json::from_slice(&plain).expect("JSON");
        assert!(plain["text"].as_str().expect("text").starts_with("000000000042x"));
    }

    #[test]
    fn a_further_field_stands_beside_the_content() {
        let body = Payload::new(400).body_with(3, "inReplyTo", r#""m""#);
        assert_eq!(index_of(&ciphertext(&body)), Some(3));
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(body["inReplyTo"], "m");
    }

    #[test]
    fn a_size_too_small_still_holds_the_index() {
        assert_eq!(index_of(&ciphertext(&Payload::new(0).body(7))), Some(7));
    }

    #[test]
    fn foreign_ciphertexts_have_no_index() {
        assert_eq!(index_of(""), None);
        assert_eq!(index_of("eyJ0ZXh0IjoiaGVsbG8gdGhlcmUsIGhvdyBhcmUgeW91In0="), None);
    }
}
