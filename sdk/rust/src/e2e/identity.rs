//! A principal on this machine: its keys, the keys of others that it has pinned, and what it has accepted.

use super::content::ContentKey;
use super::encoding::{Bytes, Digest, KeyId};
use super::entry::Entry;
use super::header::{Kind, Party};
use super::journal::{Carrier, Journal};
use super::key_file::{KeyFile, Keyring};
use super::keys::{PublicKeys, SecretKeys};
use super::notes::Notes;
use super::open::{Open, Receiver, open};
use super::pins::{Pinning, Pins};
use super::refusal::Refusal;
use super::seal::{Draft, Sealed, seal};
use crate::types::envelope::Envelope;
use serde_json::Value;
use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use uuid::Uuid;
use zeroize::Zeroizing;

/// A principal's private side.
pub(crate) struct Identity {
    id: Uuid,
    keyring: RwLock<Keyring>,
    pins: Pins,
    notes: Notes,
    /// Entries that the hub has shown, for receipts.
    entries: Mutex<HashMap<Party, Entry>>,
    journal: Mutex<Journal>,
}

impl Identity {
    pub(crate) fn new(id: Uuid, keyring: Keyring, pins: Pins) -> Self {
        let notes = Notes::in_memory();
        Self { id, keyring: RwLock::new(keyring), pins, notes, entries: Mutex::default(), journal: Mutex::default() }
    }

    /// With notes that outlast the process.
    pub(crate) fn with_notes(self, notes: Notes) -> Self {
        Self { notes, ..self }
    }

    /// The current keys.
    pub(crate) fn keys(&self) -> SecretKeys {
        self.keyring.read().unwrap_or_else(PoisonError::into_inner).current.clone()
    }

    /// All keys of this principal, the current ones first.
    pub(crate) fn all_keys(&self) -> Vec<SecretKeys> {
        let keyring = self.keyring.read().unwrap_or_else(PoisonError::into_inner);
        std::iter::once(&keyring.current).chain(keyring.earlier.iter().rev()).cloned().collect()
    }

    /// The current entry; signed by the key before, if this principal has made that one as well.
    pub(crate) fn entry(&self) -> Entry {
        let keyring = self.keyring.read().unwrap_or_else(PoisonError::into_inner);
        Entry::make(self.id, &keyring.current, keyring.earlier.last())
    }

    /// Takes over the keys of the file, where another process has rotated them; whether it has.
    pub(crate) fn reload(&self, file: &KeyFile) -> io::Result<bool> {
        let stored = file.load_or_create()?;
        let mut keyring = self.keyring.write().unwrap_or_else(PoisonError::into_inner);
        if stored.current.key_id() == keyring.current.key_id() {
            return Ok(false);
        }
        *keyring = stored;
        Ok(true)
    }

    /// Makes new keys the current ones, in the file first.
    pub(crate) fn rotate(&self, file: Option<&KeyFile>) -> io::Result<()> {
        let next = SecretKeys::generate();
        if let Some(file) = file {
            file.rotate(&next)?;
        }
        let mut keyring = self.keyring.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut keyring.current, next);
        keyring.earlier.push(before);
        Ok(())
    }

    pub(crate) fn pins(&self) -> &Pins {
        &self.pins
    }

    pub(crate) fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Takes note of the entry that the hub shows of another principal.
    pub(crate) fn show(&self, principal: Uuid, entry: &Entry) -> io::Result<Pinning> {
        if principal == self.id {
            return Ok(Pinning::Same);
        }
        let pinning = self.pins.show(principal, entry)?;
        if pinning != Pinning::Refused {
            self.remember(principal, entry);
        }
        Ok(pinning)
    }

    /// Keeps an entry, so that a receipt can bring it.
    pub(crate) fn remember(&self, principal: Uuid, entry: &Entry) {
        self.entries().insert(Party { id: principal, key_id: entry.key_id }, entry.clone());
    }

    /// The entry of a party, if the hub has shown it or it is this principal's own.
    pub(crate) fn entry_of(&self, party: &Party) -> Option<Entry> {
        if party.id == self.id {
            let own = Entry::make(self.id, &self.own_key(party.key_id)?, None);
            let attestation = self.entries().get(party).and_then(|entry| entry.attestation.clone());
            return Some(Entry { attestation, ..own });
        }
        self.entries().get(party).cloned()
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Party, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seals for those of `recipients` that have a confirmed key, and for this principal itself.
    pub(crate) fn seal(&self, mut draft: Draft, content: &Value, recipients: &[Uuid]) -> Sealed {
        draft.seen = draft.seen.or_else(|| self.journal().newest(draft.session));
        let recipients: Vec<(Uuid, PublicKeys)> = recipients
            .iter()
            .filter(|id| **id != self.id)
            .filter_map(|id| Some((*id, self.pins.recipient(*id)?)))
            .collect();
        seal(draft, content, (self.id, &self.keys()), &recipients)
    }

    /// Opens and accepts an envelope that the hub says is of `sender`.
    pub(crate) fn accept(
        &self,
        envelope: &Envelope,
        sender: Uuid,
        session: Uuid,
        carrier: Carrier,
    ) -> Result<Open, Refusal> {
        let open = open(envelope, sender, session, self)?;
        let mut journal = self.journal();
        journal.accept(&open.header, open.digest, carrier)?;
        // Keys that a participant shares. Each is proven by the header that commits to it.
        let shared = open.content["keys"].as_array().filter(|_| open.header.kind == Kind::Message);
        for shared in shared.into_iter().flatten() {
            let text = |name: &str| shared[name].as_str().unwrap_or_default().parse().ok();
            if let (Some(digest), Some(Bytes(key))) = (text("digest"), text("contentKey")) {
                journal.share(digest, Zeroizing::new(key));
            }
        }
        Ok(open)
    }

    /// Whether the session holds sealed messages, of which this client has accepted one.
    pub(crate) fn is_sealed(&self, session: Uuid) -> bool {
        self.journal().is_sealed(session)
    }

    /// Whether the sender of an envelope had seen something that this client has not.
    pub(crate) fn is_something_missing(&self, open: &Open) -> bool {
        open.header.seen.is_some_and(|seen| !self.journal().knows(open.header.session, &seen))
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receiver for Identity {
    fn id(&self) -> Uuid {
        self.id
    }

    fn own_key(&self, key: KeyId) -> Option<SecretKeys> {
        let keyring = self.keyring.read().unwrap_or_else(PoisonError::into_inner);
        std::iter::once(&keyring.current).chain(&keyring.earlier).find(|keys| keys.key_id() == key).cloned()
    }

    fn pinned(&self, party: &Party) -> Result<PublicKeys, Refusal> {
        if party.id == self.id {
            return self.own_key(party.key_id).map(|keys| *keys.public()).ok_or(Refusal::UnknownKey);
        }
        self.pins.signing(party)
    }

    fn shared_keys(&self, digest: &Digest) -> Vec<ContentKey> {
        self.journal().shared(digest)
    }
}
