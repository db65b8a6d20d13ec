//! The public keys of others, as they were first seen: a change is taken only if the key before signed it.

use super::encoding::{Bytes, KeyId};
use super::entry::{Attestation, Attestor, Entry};
use super::folder;
use super::header::Party;
use super::keys::PublicKeys;
use super::refusal::Refusal;
use crate::types::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
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
    /// What the owner of the space has attested, by key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    attestations: BTreeMap<KeyId, Attestation>,
    /// That of the current key, where another client has written it so.
    #[serde(default, skip_serializing)]
    attestation: Option<Attestation>,
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
        folder::sweep(&folder);
        Self { folder: Some(folder), ..Self::in_memory(attestor) }
    }

    /// Takes note of the entry that the hub shows of a principal.
    pub(crate) fn show(&self, principal: Uuid, entry: &Entry) -> io::Result<Pinning> {
        let mut state = self.state();
        self.load(&mut state, principal)?;
        let Some(keys) = entry.verify(principal) else { return Ok(Pinning::Refused) };
        let is_attested = self.is_attested(principal, entry.key_id, entry.attestation.as_ref());
        let Some(pin) = state.pins.get(&principal) else {
            if !is_attested {
                return Ok(Pinning::Refused);
            }
            let pin = self.attested(Pin::first(principal, &keys), entry);
            if !self.create(&pin)? {
                // Another process was first.
                drop(state);
                return self.show(principal, entry);
            }
            state.pins.insert(principal, pin);
            return Ok(Pinning::First);
        };
        if pin.keys.key_id == entry.key_id {
            if is_attested {
                let next = self.attested(pin.clone(), entry);
                if next != *pin {
                    self.replace(&next)?;
                    state.pins.insert(principal, next);
                }
            }
            return Ok(match state.changed.contains_key(&principal) {
                true => Pinning::Changed,
                false if self.holds(&state.pins[&principal], entry.key_id) => Pinning::Same,
                false => Pinning::Refused,
            });
        }
        // A key that was replaced, for its theft perhaps, does not come back.
        let is_old = pin.earlier.iter().any(|keys| keys.key_id == entry.key_id);
        let is_chained = !is_old && entry.is_signed_by(principal, &pin.keys.keys());
        if is_attested && is_chained && !state.changed.contains_key(&principal) {
            let next = self.attested(pin.followed_by(&keys), entry);
            self.replace(&next)?;
            state.pins.insert(principal, next);
            return Ok(Pinning::Chained);
        }
        state.changed.insert(principal, entry.clone());
        Ok(Pinning::Changed)
    }

    /// Follows changes of a principal's key that each key before has signed, where some were missed; whether that ends at
    /// the one that the hub shows now. The entries come oldest first.
    pub(crate) fn follow<'a>(
        &self,
        principal: Uuid,
        entries: impl Iterator<Item = &'a Entry> + Clone,
    ) -> io::Result<bool> {
        let mut state = self.state();
        self.load(&mut state, principal)?;
        let Some(mut pin) = state.pins.get(&principal).cloned() else { return Ok(false) };
        let shown = state.changed.get(&principal).map(|entry| entry.key_id);
        let is_last = |pin: &Pin| shown == Some(pin.keys.key_id);
        let mut followed = false;
        for entry in entries {
            let is_old = pin.earlier.iter().any(|keys| keys.key_id == entry.key_id);
            let is_attested = self.is_attested(principal, entry.key_id, entry.attestation.as_ref());
            if is_old || !is_attested || !entry.is_signed_by(principal, &pin.keys.keys()) {
                continue;
            }
            let Some(keys) = entry.verify(principal) else { continue };
            pin = self.attested(pin.followed_by(&keys), entry);
            followed = true;
        }
        // A chain that leads elsewhere is no reason to leave the pinned key.
        if !followed || !is_last(&pin) {
            return Ok(false);
        }
        self.replace(&pin)?;
        state.pins.insert(principal, pin);
        state.changed.remove(&principal);
        Ok(true)
    }

    /// Confirms the key of a principal: the one that has changed to, or the one that is pinned.
    pub(crate) fn trust(&self, principal: Uuid, key: KeyId) -> io::Result<bool> {
        let mut state = self.state();
        self.load(&mut state, principal)?;
        let Some(pin) = state.pins.get(&principal) else { return Ok(false) };
        if pin.keys.key_id != key {
            let shown = state.changed.get(&principal).filter(|entry| entry.key_id == key);
            let Some(keys) = shown.and_then(|entry| entry.verify(principal)) else { return Ok(false) };
            let mut next = pin.followed_by(&keys);
            if let Some(entry) = shown {
                next = self.attested(next, entry);
            }
            self.replace(&next)?;
            state.pins.insert(principal, next);
        }
        state.changed.remove(&principal);
        Ok(true)
    }

    /// The key to seal to; none where there is none, its change is not confirmed, or it is not attested now.
    pub(crate) fn recipient(&self, principal: Uuid) -> Option<PublicKeys> {
        let mut state = self.state();
        if state.changed.contains_key(&principal) {
            return None;
        }
        let pin = self.pin(&mut state, principal)?;
        self.holds(pin, pin.keys.key_id).then(|| pin.keys.keys())
    }

    /// The unconfirmed key of a principal.
    pub(crate) fn changed(&self, principal: Uuid) -> Option<KeyId> {
        self.state().changed.get(&principal).map(|entry| entry.key_id)
    }

    /// The keys that a party signs with, current or earlier.
    pub(crate) fn signing(&self, party: &Party) -> Result<PublicKeys, Refusal> {
        let mut state = self.state();
        let is_changed = state.changed.contains_key(&party.id);
        let pin = self.pin(&mut state, party.id).ok_or(Refusal::UnknownKey)?;
        let mut pinned = std::iter::once(&pin.keys).chain(&pin.earlier);
        match pinned.find(|keys| keys.key_id == party.key_id) {
            Some(keys) if self.holds(pin, keys.key_id) => Ok(keys.keys()),
            Some(_) => Err(Refusal::NotAttested),
            None if is_changed => Err(Refusal::KeyChanged),
            None => Err(Refusal::UnknownKey),
        }
    }

    /// The pin of a principal, from its file if need be: a hub that hides a key takes nothing away.
    fn pin<'a>(&self, state: &'a mut State, principal: Uuid) -> Option<&'a Pin> {
        if !state.pins.contains_key(&principal) {
            // A file that can't be read is reported when the hub shows a key.
            let _ = self.load(state, principal);
        }
        state.pins.get(&principal)
    }

    /// Whether a pinned key may be used now: with a space key, only while an attestation holds.
    fn holds(&self, pin: &Pin, key: KeyId) -> bool {
        self.is_attested(pin.principal_id, key, pin.attestations.get(&key))
    }

    fn is_attested(&self, principal: Uuid, key: KeyId, attestation: Option<&Attestation>) -> bool {
        let now = Timestamp::now();
        let holds = |by: &Attestor| attestation.is_some_and(|attestation| attestation.holds(principal, key, by, now));
        self.attestor.as_ref().is_none_or(holds)
    }

    /// The pin with the attestation of an entry, of those that hold the one that ends last.
    fn attested(&self, mut pin: Pin, entry: &Entry) -> Pin {
        let shown = entry.attestation.as_ref().filter(|_| self.attestor.is_some());
        let Some(shown) = shown.filter(|shown| self.is_attested(pin.principal_id, entry.key_id, Some(shown))) else {
            return pin;
        };
        let known = pin.attestations.get(&entry.key_id);
        if known.is_none_or(|known| known.ends() < shown.ends()) {
            pin.attestations.insert(entry.key_id, shown.clone());
        }
        pin
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
        let mut pin: Pin = serde_json::from_str(&text)?;
        if let Some(attestation) = pin.attestation.take() {
            pin.attestations.entry(pin.keys.key_id).or_insert(attestation);
        }
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
    fn first(principal: Uuid, keys: &PublicKeys) -> Self {
        Self {
            principal_id: principal,
            keys: PinnedKeys::of(keys),
            pinned_at: Timestamp::now(),
            earlier: Vec::new(),
            attestations: BTreeMap::new(),
            attestation: None,
        }
    }

    fn followed_by(&self, keys: &PublicKeys) -> Self {
        let mut next = self.clone();
        next.earlier.retain(|earlier| earlier.key_id != keys.key_id());
        next.earlier.push(next.keys);
        next.keys = PinnedKeys::of(keys);
        next.pinned_at = Timestamp::now();
        next
    }
}

#[cfg(test)]
mod tests;
