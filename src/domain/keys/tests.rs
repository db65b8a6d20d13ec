//! The published vectors hold, and weak, malformed or foreign entries are refused.

use super::points::{KEY, key_id_of, signed_by_proof};
use super::{KeyEntry, Placement, ProvenKey, SentKey};
use crate::domain::{PrincipalId, Refusal, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::montgomery::MontgomeryPoint;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp(1_774_434_600_000);

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../tests/vectors/e2e-v2.json")).expect("JSON")
}

/// Checks an entry that was sent.
fn check(entry: &Value, principal: PrincipalId) -> Result<ProvenKey, Refusal> {
    let text = |value: &Value, field: &str| value[field].as_str().map(str::to_owned);
    let previous = entry.get("previous").map(|previous| (text(previous, "keyId"), text(previous, "signature")));
    let sent = SentKey {
        public_key: text(entry, "publicKey"),
        signing_key: text(entry, "signingKey"),
        key_id: text(entry, "keyId"),
        proof: text(entry, "proof"),
        previous,
        replace: entry["replace"].as_bool().unwrap_or(false),
    };
    ProvenKey::check(sent, principal)
}

fn id(text: &Value) -> PrincipalId {
    text.as_str().expect("a string").parse().expect("an id")
}

/// The entry that replaces `current`, and whether that one's key signed it.
fn placed(proven: &ProvenKey, current: Option<&KeyEntry>) -> (KeyEntry, Option<bool>) {
    match proven.against(current, NOW).expect("taken") {
        Placement::New { chained, entry } => (*entry, chained),
        Placement::Current => panic!("it is the current one"),
    }
}

/// Checks that the entry is refused by this field.
#[track_caller]
fn refused(entry: &Value, principal: PrincipalId, field: &str) {
    let refusal = check(entry, principal).expect_err("refused");
    let Refusal::Invalid(text) = &refusal else { panic!("{refusal:?}") };
    assert!(text.starts_with(&format!("Field '{field}'")), "{text}");
}

#[test]
fn the_published_entries_hold_and_their_rotation_is_chained() {
    let vectors = vectors();
    for identity in vectors["identities"].as_object().expect("identities").values() {
        let proven = check(&identity["entry"], id(&identity["id"])).expect("it holds");
        assert_eq!(proven.key_id, identity["keyId"]);
        let (entry, chained) = placed(&proven, None);
        let sent = &identity["entry"];
        let kept = json!(entry);
        assert_eq!(chained, None);
        for field in ["publicKey", "signingKey", "keyId", "proof"] {
            assert_eq!(kept[field], sent[field]);
        }
    }
    let ann = &vectors["identities"]["ann"];
    let principal = id(&vectors["rotation"]["principal"]);
    let (first, _) = placed(&check(&ann["entry"], principal).expect("it holds"), None);
    let next = check(&vectors["rotation"]["entry"], principal).expect("it holds");
    let (second, chained) = placed(&next, Some(&first));
    assert_eq!(chained, Some(true));
    assert_eq!(json!(second)["previous"], vectors["rotation"]["entry"]["previous"]);
    // Entries of one principal are in the order of their times, though the clock stands still.
    assert!(second.created_at > first.created_at);
    assert_eq!(next.against(Some(&second), NOW).expect("taken"), Placement::Current);
    // The older one again is a change that no key signed.
    let replayed = check(&ann["entry"], principal).expect("it holds by itself");
    assert_eq!(replayed.against(Some(&second), NOW).expect_err("refused"), Refusal::KeyExists);
}

#[test]
fn the_entry_of_another_principal_is_no_proof() {
    let vectors = vectors();
    let (ann, guest) = (&vectors["identities"]["ann"], &vectors["identities"]["guest"]);
    refused(&ann["entry"], id(&guest["id"]), "proof");
    // Nor is one whose parts come from two.
    let mut mixed = ann["entry"].clone();
    mixed["publicKey"] = guest["entry"]["publicKey"].clone();
    refused(&mixed, id(&ann["id"]), "keyId");
    let mut mixed = ann["entry"].clone();
    mixed["keyId"] = guest["entry"]["keyId"].clone();
    refused(&mixed, id(&ann["id"]), "keyId");
    let mut mixed = ann["entry"].clone();
    mixed["proof"] = guest["entry"]["proof"].clone();
    refused(&mixed, id(&ann["id"]), "proof");
}

/// An entry of these public keys with a right `keyId`, signed by `signer`.
fn entry_of(signs: [u8; KEY], receives: [u8; KEY], signer: &SigningKey, principal: PrincipalId) -> Value {
    let proof = signer.sign(&signed_by_proof(principal, &signs, &receives)).to_bytes();
    json!({
        "publicKey": URL_SAFE_NO_PAD.encode(receives),
        "signingKey": URL_SAFE_NO_PAD.encode(signs),
        "keyId": URL_SAFE_NO_PAD.encode(key_id_of(&signs, &receives)),
        "proof": URL_SAFE_NO_PAD.encode(proof),
    })
}

fn bytes(hex: &str) -> [u8; KEY] {
    let mut bytes = [0; KEY];
    for (byte, digits) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).expect("text"), 16).expect("hex");
    }
    bytes
}

#[test]
fn points_that_are_weak_or_not_canonical_are_refused() {
    let signer = SigningKey::from_bytes(&[7; 32]);
    let (signs, receives) = (signer.verifying_key().to_bytes(), MontgomeryPoint::mul_base_clamped([9; 32]).0);
    let principal = PrincipalId(uuid::Uuid::now_v7());
    assert!(check(&entry_of(signs, receives, &signer, principal), principal).is_ok());
    // Of order 1, 2, 4 and 8, on the curve and on its twist, and what is above the prime or has a spare bit.
    for receives in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0900000000000000000000000000000000000000000000000000000000000080",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ] {
        refused(&entry_of(signs, bytes(receives), &signer, principal), principal, "publicKey");
    }
    for low in curve25519_dalek::constants::EIGHT_TORSION {
        let weak = low.compress().0;
        refused(&entry_of(weak, receives, &signer, principal), principal, "signingKey");
        // A good key and a component of low order: verifiers may disagree on it.
        let good = CompressedEdwardsY(signs).decompress().expect("a point");
        let mixed = (good + low).compress().0;
        if mixed != signs {
            refused(&entry_of(mixed, receives, &signer, principal), principal, "signingKey");
        }
    }
    for signs in [
        // Above the prime, with and without the sign, and a negative zero.
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0100000000000000000000000000000000000000000000000000000000000080",
        // On no curve.
        "0200000000000000000000000000000000000000000000000000000000000000",
    ] {
        refused(&entry_of(bytes(signs), receives, &signer, principal), principal, "signingKey");
    }
}

#[test]
fn only_canonical_base64url_is_read() {
    let vectors = vectors();
    let ann = &vectors["identities"]["ann"];
    for (field, length) in [("publicKey", 43), ("signingKey", 43), ("keyId", 22), ("proof", 86)] {
        let good = ann["entry"][field].as_str().expect("text");
        assert_eq!(good.len(), length);
        // The same bytes by another spelling: padded, of the other alphabet, or with bits behind the last byte.
        let last = good.chars().last().expect("one");
        let bits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let next = bits.chars().nth(bits.find(last).expect("a digit") + 1).expect("another");
        let spelled = format!("{}{next}", &good[..length - 1]);
        let wrong =
            [format!("{good}="), format!("{good}=="), good.replace(['-', '_'], "+") + "/", spelled, String::new()];
        for wrong in wrong {
            let mut entry = ann["entry"].clone();
            entry[field] = json!(wrong);
            refused(&entry, id(&ann["id"]), field);
        }
        let mut entry = ann["entry"].clone();
        entry.as_object_mut().expect("an object").remove(field);
        refused(&entry, id(&ann["id"]), field);
    }
    for field in ["keyId", "signature"] {
        let mut entry = vectors["rotation"]["entry"].clone();
        entry["previous"][field] = json!("AAAA");
        refused(&entry, id(&ann["id"]), &format!("previous.{field}"));
    }
}

#[test]
fn a_change_needs_the_current_key_or_to_be_asked_for() {
    let principal = PrincipalId(uuid::Uuid::now_v7());
    let keys = |seed: u8| {
        let signer = SigningKey::from_bytes(&[seed; 32]);
        let receives = MontgomeryPoint::mul_base_clamped([seed; 32]).0;
        let entry = entry_of(signer.verifying_key().to_bytes(), receives, &signer, principal);
        let signed = signed_by_proof(principal, &signer.verifying_key().to_bytes(), &receives);
        (signer, entry, signed)
    };
    let ((first, one, _), (second, _, _), (_, three, signed)) = (keys(1), keys(2), keys(3));
    let (current, _) = placed(&check(&one, principal).expect("it holds"), None);
    let with = |key_id: &str, signer: &SigningKey, replace: bool| {
        let mut entry = three.clone();
        let signature = URL_SAFE_NO_PAD.encode(signer.sign(&signed).to_bytes());
        entry["previous"] = json!({ "keyId": key_id, "signature": signature });
        entry["replace"] = json!(replace);
        check(&entry, principal).expect("it holds by itself")
    };
    let (entry, chained) = placed(&with(&current.key_id, &first, false), Some(&current));
    assert_eq!((entry.previous.is_some(), chained), (true, Some(true)));
    let (other_id, _) = placed(&check(&keys(4).1, principal).expect("it holds"), None);
    // The signature of another key, or of the right one under another name, is none, and is not kept.
    for (key_id, signer) in [(&current.key_id, &second), (&other_id.key_id, &first)] {
        let refusal = with(key_id, signer, false).against(Some(&current), NOW).expect_err("refused");
        assert_eq!(refusal, Refusal::KeyExists);
        let (entry, chained) = placed(&with(key_id, signer, true), Some(&current));
        assert_eq!((entry.previous, chained), (None, Some(false)));
    }
    let (entry, chained) = placed(&with(&current.key_id, &first, false), None);
    assert_eq!((entry.previous, chained), (None, None));
    // The signature of one principal is not valid for another.
    let other = PrincipalId(uuid::Uuid::now_v7());
    refused(&three, other, "proof");
}
