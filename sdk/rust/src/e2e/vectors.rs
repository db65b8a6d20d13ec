//! The published vectors of the scheme, and attacks on it.

use super::answer::AskedQuestion;
use super::encoding::{Bytes, Digest, encode, labelled};
use super::entry::Entry;
use super::header::{Header, Kind, Party};
use super::identity::Identity;
use super::journal::Carrier;
use super::key_file::Keyring;
use super::keys::{PublicKeys, SecretKeys};
use super::open::Open;
use super::padding::padded_length;
use super::pins::{Pinning, Pins};
use super::receipt::Receipt;
use super::refusal::Refusal;
use super::safety::safety_number;
use super::seal::Draft;
use crate::types::envelope::Envelope;
use crate::types::outcome::Outcome;
use crate::types::timestamp::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::HashMap;
use uuid::Uuid;

fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/e2e-v2.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the vectors")).expect("JSON")
}

fn part<T: DeserializeOwned>(value: &Value) -> T {
    T::deserialize(value).unwrap_or_else(|error| panic!("{error}: {value}"))
}

fn id(vectors: &Value, name: &str) -> Uuid {
    part(&vectors["identities"][name]["id"])
}

fn secret(identity: &Value) -> SecretKeys {
    let half = |name: &str| part::<Bytes<32>>(&identity[name]).0;
    SecretKeys::from_text(&encode([half("signing"), half("kem")].concat())).expect("keys")
}

/// The bot, which knows everybody's entry.
fn bot(vectors: &Value) -> Identity {
    let keyring = Keyring { current: secret(&vectors["identities"]["bot"]), earlier: Vec::new() };
    let bot = Identity::new(id(vectors, "bot"), keyring, Pins::in_memory(None));
    for name in ["ann", "guest"] {
        let shown = bot.show(id(vectors, name), &part(&vectors["identities"][name]["entry"]));
        assert_eq!(shown.expect("in memory"), Pinning::First);
    }
    bot
}

fn accept(bot: &Identity, vector: &Value, session: &Value) -> Result<Open, Refusal> {
    let carrier = Carrier { id: Uuid::now_v7(), seq: Some(1) };
    bot.accept(&part(&vector["envelope"]), part(&vector["sender"]), part(session), carrier)
}

#[test]
fn entries_hold() {
    let vectors = vectors();
    for (name, identity) in vectors["identities"].as_object().expect("an object") {
        let (entry, keys): (Entry, _) = (part(&identity["entry"]), secret(identity));
        assert_eq!(entry.verify(part(&identity["id"])), Some(*keys.public()), "{name}");
        assert_eq!(Entry::make(part(&identity["id"]), &keys, None), entry, "signatures are deterministic");
    }
    let rotation = &vectors["rotation"];
    let pins = Pins::in_memory(None);
    let ann = part(&rotation["principal"]);
    pins.show(ann, &part(&vectors["identities"]["ann"]["entry"])).expect("in memory");
    assert_eq!(pins.show(ann, &part(&rotation["entry"])).expect("in memory"), Pinning::Chained);
}

#[test]
fn good_envelopes_open() {
    let vectors = vectors();
    for vector in vectors["good"].as_array().expect("a list") {
        let name = &vector["name"];
        let open =
            accept(&bot(&vectors), vector, &vectors["session"]).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(open.content, vector["plain"], "{name}");
        assert_eq!(open.digest, part(&vector["digest"]), "{name}");
        assert_eq!(open.header.parent, part::<Option<Digest>>(&vector["question"]), "{name}");
    }
}

#[test]
fn bad_envelopes_are_refused_for_the_right_reason() {
    let reasons = HashMap::from([
        ("old approval for another question", Refusal::Parent),
        ("insider seals anew under a known content key", Refusal::Ciphertext),
        ("a guest's answer that the hub calls Ann's", Refusal::Sender),
        ("a guest who may not answer", Refusal::Answerer),
        ("plain", Refusal::Scheme),
        ("wrapping dropped", Refusal::Wrapping),
        ("another session", Refusal::Session),
        ("signature changed", Refusal::Signature),
        ("ciphertext changed", Refusal::Ciphertext),
        ("header with blanks", Refusal::NotCanonical),
        ("a message where an answer is due", Refusal::Kind),
    ]);
    let vectors = vectors();
    let bad = vectors["bad"].as_array().expect("a list");
    assert_eq!(bad.len(), reasons.len());
    for vector in bad {
        let name = vector["name"].as_str().expect("a name");
        let bot = bot(&vectors);
        let questions = vectors["good"].as_array().into_iter().flatten();
        let question = questions.filter(|good| good["digest"] == vector["question"]).find_map(|good| {
            let open = accept(&bot, good, &vectors["session"]).ok()?;
            AskedQuestion::new(&open.header, open.digest, &open.content).ok()
        });
        let accepted = accept(&bot, vector, &vector["session"]).and_then(|open| match &question {
            Some(question) => question.check(&open.header, &open.content, open.header.at).map(drop),
            None => Ok(()),
        });
        assert_eq!(accepted, Err(reasons[name].clone()), "{name}");
    }
}

#[test]
fn the_answer_counts() {
    let vectors = vectors();
    let bot = bot(&vectors);
    let [question, answer] =
        [0, 2].map(|at| accept(&bot, &vectors["good"][at], &vectors["session"]).expect("it opens"));
    let mut asked = AskedQuestion::new(&question.header, question.digest, &question.content).expect("a question");
    assert_eq!(asked.check(&answer.header, &answer.content, answer.header.at), Ok(Outcome::Approved));
    asked.deadline = Some(answer.header.at);
    let late = Timestamp::after(std::time::Duration::from_secs(100 * 365 * 86400));
    assert_eq!(asked.check(&answer.header, &answer.content, late), Err(Refusal::Late));
}

#[test]
fn the_receipt_proves_the_answer_and_nothing_that_was_changed() {
    let vectors = vectors();
    let receipt: Receipt = part(&vectors["receipt"]);
    let decided = receipt.verify().expect("it holds");
    assert_eq!((decided.outcome, decided.answered_by.id), (Outcome::Approved, id(&vectors, "ann")));
    assert_eq!(decided.question["components"]["data"]["title"], "Order pizza?");
    let mut other = receipt.clone();
    other.question.envelope = part(&vectors["good"][1]["envelope"]);
    assert_eq!(other.verify().err(), Some(Refusal::Commit));
    let mut other = receipt.clone();
    other.entries.pop();
    assert_eq!(other.verify().err(), Some(Refusal::UnknownKey));
    let mut other = receipt;
    other.answer = other.question.clone();
    assert_eq!(other.verify().err(), Some(Refusal::Kind));
}

#[test]
fn safety_numbers_and_padding() {
    let vectors = vectors();
    let keys = ["ann", "bot"].map(|name| (id(&vectors, name), *secret(&vectors["identities"][name]).public()));
    for [one, other] in [[0, 1], [1, 0]] {
        let number = safety_number((keys[one].0, &keys[one].1), (keys[other].0, &keys[other].1));
        assert_eq!(number, vectors["safetyNumber"]["digits"]);
    }
    for pair in vectors["padding"].as_array().expect("a list") {
        let [length, padded]: [usize; 2] = part(pair);
        assert_eq!(padded_length(length), padded, "{length}");
    }
}

#[test]
fn an_envelope_is_accepted_in_one_message() {
    let vectors = vectors();
    let bot = bot(&vectors);
    let (envelope, ann, session): (Envelope, _, _) =
        (part(&vectors["good"][2]["envelope"]), id(&vectors, "ann"), part(&vectors["session"]));
    let carried = |carrier: u128| {
        let carrier = Carrier { id: Uuid::from_u128(carrier), seq: Some(3) };
        bot.accept(&envelope, ann, session, carrier).map(|open| open.digest)
    };
    assert!(carried(1).is_ok());
    assert!(carried(1).is_ok(), "the same message again");
    assert_eq!(carried(2), Err(Refusal::Replayed));
}

#[test]
fn what_is_sealed_opens_for_its_recipients_alone() {
    let people: Vec<Identity> = (1..=3)
        .map(|id| {
            let keyring = Keyring { current: SecretKeys::generate(), earlier: Vec::new() };
            Identity::new(Uuid::from_u128(id), keyring, Pins::in_memory(None))
        })
        .collect();
    let ids = [1, 2, 3].map(Uuid::from_u128);
    for one in &people {
        for (other, id) in people.iter().zip(ids) {
            one.show(id, &other.entry()).expect("in memory");
        }
    }
    let session = Uuid::from_u128(9);
    let content = json!({ "content": { "text": "Grüße 👋 \u{0} \u{7f} \u{2028} \"\\" } });
    let sealed = people[0].seal(Draft::new(Kind::Message, session), &content, &ids[..2]);
    let carrier = |id| Carrier { id: Uuid::from_u128(id), seq: Some(1) };
    let opened = |reader: usize| people[reader].accept(&sealed.envelope, ids[0], session, carrier(10));
    assert_eq!(opened(1).map(|open| open.content), Ok(content.clone()));
    assert_eq!(opened(0).map(|open| open.content), Ok(content.clone()), "the sender too");
    assert_eq!(opened(2).err(), Some(Refusal::NotForUs));

    // A recipient shares the key with the one who was left out; a wrong key opens nothing.
    for (key, expected) in [(Bytes([1; 32]), Err(Refusal::NotForUs)), (Bytes(*sealed.content_key), Ok(content))] {
        let keys = json!({ "keys": [{ "digest": sealed.digest, "contentKey": key }] });
        let shared = people[1].seal(Draft::new(Kind::Message, session), &keys, &ids[2..]);
        let carrier = Carrier { id: Uuid::now_v7(), seq: Some(2) };
        people[2].accept(&shared.envelope, ids[1], session, carrier).expect("it opens");
        assert_eq!(opened(2).map(|open| open.content), expected);
    }
    let next = people[1].seal(Draft::new(Kind::Message, session), &json!({}), &ids);
    assert!(next.header.seen.is_some());
}

#[test]
fn an_insider_cannot_sign_for_another() {
    let vectors = vectors();
    let bot = bot(&vectors);
    let mut envelope: Envelope = part(&vectors["good"][2]["envelope"]);
    // The header of Ann's answer, signed by the guest.
    let header = super::encoding::decode(envelope.rest["header"].as_str().expect("a text")).expect("bytes");
    let signature = secret(&vectors["identities"]["guest"]).sign(&labelled("hiloop/v2 sign", &[&header]));
    envelope.rest.insert("signature".to_owned(), json!(signature));
    let carrier = Carrier { id: Uuid::now_v7(), seq: Some(1) };
    let refused = bot.accept(&envelope, id(&vectors, "ann"), part(&vectors["session"]), carrier);
    assert_eq!(refused.err(), Some(Refusal::Signature));
}

#[test]
fn a_key_of_low_order_receives_nothing() {
    let keys = SecretKeys::generate();
    let weak = PublicKeys { receiving: Bytes([0; 32]), ..*keys.public() };
    let ann = Uuid::from_u128(1);
    let bytes = labelled("hiloop/v2 entry", &[ann.to_string().as_bytes(), b"\0", &weak.signing.0, &weak.receiving.0]);
    let entry = Entry {
        public_key: weak.receiving,
        key_id: weak.key_id(),
        proof: keys.sign(&bytes),
        ..Entry::make(ann, &keys, None)
    };
    assert_eq!(entry.verify(ann), None);
}

#[test]
fn headers_have_one_form() {
    let vectors = vectors();
    let envelope: Envelope = part(&vectors["good"][0]["envelope"]);
    let bytes = super::encoding::decode(envelope.rest["header"].as_str().expect("a text")).expect("bytes");
    let header = Header::parse(&bytes).expect("it is canonical");
    assert_eq!(header.to_bytes(), bytes);
    let mut swapped = header.clone();
    swapped.to.reverse();
    let mut twice = header.clone();
    twice.to.push(*header.to.last().expect("a recipient"));
    let third = Header { v: 3, ..header };
    for other in [swapped, twice, third] {
        assert_eq!(Header::parse(&other.to_bytes()), Err(Refusal::NotCanonical));
    }
    let unknown = String::from_utf8(bytes).expect("a text").replacen("{\"v\":2,", "{\"v\":2,\"w\":1,", 1);
    assert_eq!(Header::parse(unknown.as_bytes()), Err(Refusal::NotCanonical));
    let _ = Party { id: Uuid::nil(), key_id: Bytes([0; 16]) };
}
