use super::*;
use crate::e2e::entry::attested_bytes;
use crate::e2e::keys::SecretKeys;

const ANN: Uuid = Uuid::from_u128(1);

fn party(keys: &SecretKeys) -> Party {
    Party { id: ANN, key_id: keys.key_id() }
}

fn check(pins: &Pins) {
    let (first, second, third) = (SecretKeys::generate(), SecretKeys::generate(), SecretKeys::generate());
    let show = |entry: &Entry| pins.show(ANN, entry).expect("it is kept");
    assert_eq!(show(&Entry::make(ANN, &first, None)), Pinning::First);
    assert_eq!(show(&Entry::make(ANN, &first, None)), Pinning::Same);
    assert_eq!(show(&Entry::make(ANN, &second, Some(&first))), Pinning::Chained);
    assert_eq!(pins.recipient(ANN), Some(*second.public()));
    assert_eq!(pins.signing(&party(&first)), Ok(*first.public()));
    for _ in 0..2 {
        assert_eq!(show(&Entry::make(ANN, &third, Some(&first))), Pinning::Changed);
    }
    assert_eq!((pins.recipient(ANN), pins.changed(ANN)), (None, Some(third.key_id())));
    assert_eq!(show(&Entry::make(ANN, &second, None)), Pinning::Changed, "until it is confirmed");
    assert_eq!(pins.signing(&party(&third)), Err(Refusal::KeyChanged));
    assert!(!pins.trust(ANN, first.key_id()).expect("no error"));
    assert!(pins.trust(ANN, third.key_id()).expect("it is kept"));
    assert_eq!(pins.recipient(ANN), Some(*third.public()));
    assert_eq!(pins.signing(&party(&second)), Ok(*second.public()));
    let forged = Entry { key_id: second.key_id(), ..Entry::make(ANN, &first, None) };
    assert_eq!(show(&forged), Pinning::Refused);
}

#[test]
fn the_first_key_is_pinned_and_changes_must_be_signed() {
    check(&Pins::in_memory(None));
}

#[test]
fn pins_are_kept_for_other_processes() {
    let folder = tempfile::tempdir().expect("a folder");
    let pins = || Pins::in_folder(folder.path(), "https://hub.example", Uuid::from_u128(7), None);
    check(&pins());
    let other = pins();
    assert_eq!(other.show(ANN, &Entry::make(ANN, &SecretKeys::generate(), None)).expect("read"), Pinning::Changed);
}

#[test]
fn a_key_that_was_replaced_does_not_come_back() {
    let pins = Pins::in_memory(None);
    let (first, second) = (SecretKeys::generate(), SecretKeys::generate());
    pins.show(ANN, &Entry::make(ANN, &first, None)).expect("it is kept");
    pins.show(ANN, &Entry::make(ANN, &second, Some(&first))).expect("it is kept");
    let back = Entry::make(ANN, &first, Some(&second));
    assert_eq!(pins.show(ANN, &back).expect("it is kept"), Pinning::Changed);
    assert_eq!(pins.recipient(ANN), None);
}

#[test]
fn changes_that_were_missed_are_followed() {
    let pins = Pins::in_memory(None);
    let keys: Vec<SecretKeys> = (0..4).map(|_| SecretKeys::generate()).collect();
    let entry = |at: usize| Entry::make(ANN, &keys[at], at.checked_sub(1).map(|before| &keys[before]));
    let chain: Vec<Entry> = (0..3).map(entry).collect();
    pins.show(ANN, &chain[0]).expect("it is kept");
    assert_eq!(pins.show(ANN, &chain[2]).expect("it is kept"), Pinning::Changed);
    assert!(!pins.follow(ANN, chain[..2].iter()).expect("it is kept"), "it does not lead there");
    assert!(!pins.follow(ANN, [&chain[0], &entry(3), &chain[2]].into_iter()).expect("it is kept"), "a gap");
    assert_eq!(pins.recipient(ANN), None);
    assert!(pins.follow(ANN, chain.iter()).expect("it is kept"));
    assert_eq!(pins.recipient(ANN), Some(*keys[2].public()));
    assert_eq!(pins.signing(&party(&keys[1])), Ok(*keys[1].public()));
}

#[test]
fn a_hidden_key_is_read_from_its_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let pins = || Pins::in_folder(folder.path(), "https://hub.example", Uuid::from_u128(7), None);
    let keys = SecretKeys::generate();
    pins().show(ANN, &Entry::make(ANN, &keys, None)).expect("it is kept");
    assert_eq!(pins().recipient(ANN), Some(*keys.public()));
    assert_eq!(pins().signing(&party(&keys)), Ok(*keys.public()));
}

/// The owner of a space, and what they attest for so many seconds from now.
fn attest(owner: &SecretKeys, entry: &mut Entry, seconds: u64) {
    let not_after = Timestamp::after(std::time::Duration::from_secs(seconds)).to_string();
    let signature = owner.sign(&attested_bytes(SPACE, ANN, entry.key_id, &not_after));
    entry.attestation = Some(Attestation { not_after, signature });
}

const SPACE: Uuid = Uuid::from_u128(9);

#[test]
fn with_an_attestor_only_attested_keys_are_used() {
    let (owner, keys) = (SecretKeys::generate(), SecretKeys::generate());
    let by = Attestor { space: SPACE, key: owner.public().signing };
    let folder = tempfile::tempdir().expect("a folder");
    let pins = |by| Pins::in_folder(folder.path(), "https://hub.example", Uuid::from_u128(7), by);
    let strict = pins(Some(by));
    let mut entry = Entry::make(ANN, &keys, None);
    assert_eq!(strict.show(ANN, &entry).expect("no error"), Pinning::Refused);
    assert_eq!(strict.recipient(ANN), None);

    // Pinned by a process without the space key: it is not used either.
    assert_eq!(pins(None).show(ANN, &entry).expect("it is kept"), Pinning::First);
    assert_eq!(strict.show(ANN, &entry).expect("no error"), Pinning::Refused);
    assert_eq!((strict.recipient(ANN), strict.signing(&party(&keys))), (None, Err(Refusal::NotAttested)));

    attest(&owner, &mut entry, 60);
    assert_eq!(strict.show(ANN, &entry).expect("it is kept"), Pinning::Same);
    // The statement is kept: the hub can't take it back, and another process has it.
    entry.attestation = None;
    assert_eq!(strict.show(ANN, &entry).expect("no error"), Pinning::Same);
    for pins in [&strict, &pins(Some(by))] {
        assert_eq!(pins.recipient(ANN), Some(*keys.public()));
        assert_eq!(pins.signing(&party(&keys)), Ok(*keys.public()));
    }
    let other = Attestor { space: ANN, ..by };
    assert_eq!(pins(Some(other)).recipient(ANN), None, "of another space");

    // A change needs both: the key before, and the owner.
    let next = SecretKeys::generate();
    let mut entry = Entry::make(ANN, &next, Some(&keys));
    let copy = pins(Some(by));
    assert_eq!(copy.show(ANN, &entry).expect("no error"), Pinning::Changed);
    assert_eq!(copy.recipient(ANN), None);
    attest(&owner, &mut entry, 60);
    assert_eq!(strict.show(ANN, &entry).expect("it is kept"), Pinning::Chained);
    assert_eq!(strict.recipient(ANN), Some(*next.public()));
}

#[test]
fn an_attestation_that_has_ended_is_none() {
    let (owner, keys) = (SecretKeys::generate(), SecretKeys::generate());
    let pins = Pins::in_memory(Some(Attestor { space: SPACE, key: owner.public().signing }));
    let mut entry = Entry::make(ANN, &keys, None);
    attest(&owner, &mut entry, 1);
    assert_eq!(pins.show(ANN, &entry).expect("it is kept"), Pinning::First);
    let ends = entry.attestation.as_ref().and_then(Attestation::ends).expect("a time");
    while Timestamp::now() <= ends {
        std::thread::yield_now();
    }
    assert_eq!((pins.recipient(ANN), pins.signing(&party(&keys))), (None, Err(Refusal::NotAttested)));
    assert_eq!(pins.show(ANN, &entry).expect("no error"), Pinning::Refused);
}

#[test]
fn an_attestation_that_another_client_wrote_counts() {
    let (owner, keys) = (SecretKeys::generate(), SecretKeys::generate());
    let by = Attestor { space: SPACE, key: owner.public().signing };
    let mut entry = Entry::make(ANN, &keys, None);
    attest(&owner, &mut entry, 60);
    let mut pin = serde_json::to_value(Pin::first(ANN, keys.public())).expect("JSON");
    pin["attestation"] = serde_json::to_value(&entry.attestation).expect("JSON");
    let folder = tempfile::tempdir().expect("a folder");
    let pins = Pins::in_folder(folder.path(), "https://hub.example", Uuid::from_u128(7), Some(by));
    folder::create(&pins.path(ANN).expect("a path"), pin.to_string().as_bytes()).expect("it is written");
    assert_eq!(pins.recipient(ANN), Some(*keys.public()));
}
