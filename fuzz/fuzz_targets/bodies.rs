//! The JSON of request bodies: messages, sessions, participants, and the envelopes in them.
#![no_main]

use hiloop::domain::{Envelope, Refusal};
use hiloop::protocol::body::{MessageDraft, ParticipantDraft, SessionDraft};
use hiloop::protocol::error::error_object;
use hiloop::protocol::json::parse_object;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use serde_json::value::RawValue;

const MAX_FIELD: usize = 4096;

/// Checks that an error of a body has the documented shape.
fn check_error(refusal: &Refusal) {
    let object = error_object(refusal);
    assert!(object["message"].as_str().is_some_and(|text| !text.is_empty()), "{object}");
    let code = object["code"].as_str();
    assert!(matches!(code, Some("VALIDATION_ERROR" | "PAYLOAD_TOO_LARGE")), "{object}");
}

/// What was stored is an envelope and would be taken again as it is.
fn kept(envelope: &Envelope) {
    let text = envelope.as_str();
    // A string of the largest size, each byte of it escaped, in the envelope that it gets.
    assert!(text.len() <= 6 * MAX_FIELD + 64);
    let sent: &RawValue = serde_json::from_str(text).expect("an envelope is JSON");
    assert!(!text.contains(['\n', '\r']), "it is one line");
    let again = Envelope::from_sent("encryptedContent", sent, text.len()).expect("it is taken again");
    assert_eq!(again.as_str(), text);
    let stored = Envelope::from_stored(text.to_owned()).expect("it comes back from a store");
    assert_eq!(stored.as_str(), text);
}

fuzz_target!(|data: &[u8]| {
    match parse_object::<MessageDraft>(data) {
        Ok(draft) => match draft.check(data.len() % 2 == 0, MAX_FIELD) {
            Ok(message) => {
                [message.encrypted_content, message.encrypted_components].iter().flatten().for_each(kept);
            }
            Err(refusal) => check_error(&refusal),
        },
        Err(refusal) => check_error(&refusal),
    }
    match parse_object::<SessionDraft>(data) {
        Ok(draft) => {
            for (index, participant) in draft.participants.iter().flatten().enumerate() {
                if let Err(refusal) = participant.named(&format!("participants[{index}]")) {
                    check_error(&refusal);
                }
            }
            if let Err(refusal) = draft.check_plain_fields(MAX_FIELD) {
                check_error(&refusal);
            }
            match draft.check(MAX_FIELD) {
                Ok(patch) => patch.encrypted_title.flatten().iter().for_each(kept),
                Err(refusal) => check_error(&refusal),
            }
        }
        Err(refusal) => check_error(&refusal),
    }
    if let Ok(draft) = parse_object::<ParticipantDraft>(data)
        && let Err(refusal) = draft.named("")
    {
        check_error(&refusal);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let sent = RawValue::from_string(Value::String(text.to_owned()).to_string()).expect("a string is JSON");
        match Envelope::from_sent("encryptedContent", &sent, MAX_FIELD) {
            Ok(envelope) => kept(&envelope),
            Err(refusal) => check_error(&refusal),
        }
    }
});
