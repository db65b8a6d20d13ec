//! The public keys of others, as they were first seen: a change is taken only if the key before signed it.

use super::encoding::{Bytes, KeyId};
use super::entry::{Attestor, Entry};
use super::folder;
use super::header::Party;
use super::keys::PublicKeys;
use super::refusal::Refusal;
use crate::types::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// A pinned principal, as its file has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pin {
    principal_id: Uuid,
    #[serde(flatten)]
    keys: PinnedKeys,
    pinned_at: Timestamp,
    #[serde(default)]
    earlier: Vec<PinnedKeys>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PinnedKeys {
    key_id: KeyId,
    public_key: Bytes<32>,
    signing_key: Bytes<32>,
}

impl PinnedKeys {
    fn of(keys: &PublicKeys) -> Self {
        Self { key_id: keys.key_id(), public_key: keys.receiving, signing_key: keys.signing }
    }

    fn keys(&self) -> PublicKeys {
        PublicKeys { signing: self.signing_key, receiving: self.public_key }
    }
}

/// What came of showing an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pinning {
    /// It is the pinned one.
    Same,
    /// It was pinned as the first one.
    First,
    /// It was pinned because the key before signed it.
    Chained,
    /// It is another one, which nobody has confirmed.
    Changed,
    /// It is not attested by the owner of the space, or not valid at all.
    Refused,
}

/// The pins of one client.
pub(crate) struct Pins {
    /// Where they are kept; in memory only without.
    folder: Option<PathBuf>,
    attestor: Option<Attestor>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pins: HashMap<Uuid, Pin>,
    /// The unconfirmed entry of each principal whose key has changed.
    changed: HashMap<Uuid, Entry>,
}

impl Pins {
    pub(crate) fn in_memory(attestor: Option<Attestor>) -> Self {
        Self { folder: None, attestor, state: Mutex::default() }
    }

    /// Pins in the folder of a principal of a hub, below `…/hiloop`.
    pub(crate) fn in_folder(settings: &Path, hub: &str, principal: Uuid, attestor: Option<Attestor>) -> Self {
        let folder = settings.join("pins").join(folder::file_name(hub, principal));
        Self { folder: Some(folder), ..Self::in_memory(attestor) }
    }

    /// Takes note of the entry that the hub shows of a principal.
    pub(crate) fn show(&self, principal: Uuid, entry: &Entry) -> io::Result<Pinning> {
        let mut state = self.state();
        self.load(&mut state, principal)?;
        if state.pins.get(&principal).is_some_and(|pin| pin.keys.key_id == entry.key_id) {
            return Ok(if state.changed.contains_key(&principal) { Pinning::Changed } else { Pinning::Same });
        }
        let Some(keys) = entry.verify(principal) else { return Ok(Pinning::Refused) };
        if self.attestor.as_ref().is_some_and(|by| !entry.is_attested(principal, by, Timestamp::now())) {
            return Ok(Pinning::Refused);
        }
        let Some(pin) = state.pins.get(&principal) else {
            let pin = Pin {
                principal_id: principal,
                keys: PinnedKeys::of(&keys),
                pinned_at: Timestamp::now(),
                earlier: Vec::new(),
            };
            if !self.create(&pin)? {
                // Another process was first.
                drop(state);
                return self.show(principal, entry);
            }
            state.pins.insert(principal, pin);
            return Ok(Pinning::First);
        };
        if !state.changed.contains_key(&principal) && entry.is_signed_by(principal, &pin.keys.keys()) {
            let next = pin.followed_by(&keys);
            self.replace(&next)?;
            state.pins.insert(principal, next);
            return Ok(Pinning::Chained);
        }
        state.changed.insert(principal, entry.clone());
        Ok(Pinning::Changed)
    }

    /// Confirms the key of a principal: the one that has changed to, or the one that is pinned.
    pub(crate) fn trust(&self, principal: Uuid, key: KeyId) -> io::Result<bool> {
        let mut state = self.state();
        self.load(&mut state, principal)?;
        let Some(pin) = state.pins.get(&principal) else { return Ok(false) };
        if pin.keys.key_id != key {
            let shown = state.changed.get(&principal).filter(|entry| entry.key_id == key);
            let Some(keys) = shown.and_then(|entry| entry.verify(principal)) else { return Ok(false) };
            let next = pin.followed_by(&keys);
            self.replace(&next)?;
            state.pins.insert(principal, next);
        }
        state.changed.remove(&principal);
        Ok(true)
    }

    /// The key to seal to; none where there is none, or its change is not confirmed.
    pub(crate) fn recipient(&self, principal: Uuid) -> Option<PublicKeys> {
        let state = self.state();
        let pin = state.pins.get(&principal)?;
        (!state.changed.contains_key(&principal)).then(|| pin.keys.keys())
    }

    /// The unconfirmed key of a principal.
    pub(crate) fn changed(&self, principal: Uuid) -> Option<KeyId> {
        self.state().changed.get(&principal).map(|entry| entry.key_id)
    }

    /// The keys that a party signs with, current or earlier.
    pub(crate) fn signing(&self, party: &Party) -> Result<PublicKeys, Refusal> {
        let state = self.state();
        let pin = state.pins.get(&party.id).ok_or(Refusal::UnknownKey)?;
        let mut pinned = std::iter::once(&pin.keys).chain(&pin.earlier);
        match pinned.find(|keys| keys.key_id == party.key_id) {
            Some(keys) => Ok(keys.keys()),
            None if state.changed.contains_key(&party.id) => Err(Refusal::KeyChanged),
            None => Err(Refusal::UnknownKey),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, principal: Uuid) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(format!("{principal}.json")))
    }

    /// Reads what other processes have pinned.
    fn load(&self, state: &mut State, principal: Uuid) -> io::Result<()> {
        let Some(path) = self.path(principal) else { return Ok(()) };
        let Some(text) = folder::read(&path)? else { return Ok(()) };
        let pin: Pin = serde_json::from_str(&text)?;
        if pin.principal_id != principal || pin.keys.keys().key_id() != pin.keys.key_id {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} is malformed", path.display())));
        }
        let shown = state.changed.get(&principal).map(|entry| entry.key_id);
        if shown == Some(pin.keys.key_id) {
            // Another process has confirmed it.
            state.changed.remove(&principal);
        }
        state.pins.insert(principal, pin);
        Ok(())
    }

    fn create(&self, pin: &Pin) -> io::Result<bool> {
        let Some(path) = self.path(pin.principal_id) else { return Ok(true) };
        folder::create(&path, &serde_json::to_vec(pin)?)
    }

    fn replace(&self, pin: &Pin) -> io::Result<()> {
        let Some(path) = self.path(pin.principal_id) else { return Ok(()) };
        folder::replace(&path, &serde_json::to_vec(pin)?)
    }
}

impl Pin {
    fn followed_by(&self, keys: &PublicKeys) -> Self {
        let mut next = self.clone();
        next.earlier.push(next.keys);
        next.keys = PinnedKeys::of(keys);
        next.pinned_at = Timestamp::now();
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn with_an_attestor_only_attested_keys_are_pinned() {
        let by = Attestor { space: Uuid::from_u128(9), key: SecretKeys::generate().public().signing };
        let pins = Pins::in_memory(Some(by));
        assert_eq!(
            pins.show(ANN, &Entry::make(ANN, &SecretKeys::generate(), None)).expect("no error"),
            Pinning::Refused
        );
        assert_eq!(pins.recipient(ANN), None);
    }
}
