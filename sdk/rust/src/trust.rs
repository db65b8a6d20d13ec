//! The agent's own keys, and those of others: made, published, pinned, confirmed.

use crate::call::Call;
use crate::client::Client;
use crate::e2e::encoding::KeyId;
use crate::e2e::entry::{Attestor, Entry};
use crate::e2e::folder::{is_readable_by_others, is_writable};
use crate::e2e::identity::Identity;
use crate::e2e::key_file::{KeyFile, Keyring};
use crate::e2e::notes::Notes;
use crate::e2e::pins::{Pinning, Pins};
use crate::e2e::safety::safety_number;
use crate::error::Error;
use crate::noting::note_space;
use crate::sessions::at;
use crate::types::participant::Participant;
use serde::Deserialize as _;
use serde_json::{Value, json};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

const KEYS: &str = "the keys";
/// Before the next attempt to take the lock of another process.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// # Keys
///
/// With [`Encryption::Required`](crate::Encryption), the first call that needs them makes the agent's keys and
/// publishes them.
impl Client {
    /// The id of the agent's current key, which the hub has.
    ///
    /// # Errors
    /// Of the hub; `KEY_EXISTS` if it has keys of this agent that were made elsewhere.
    pub async fn key_id(&self) -> Result<KeyId, Error> {
        Ok(self.identity().await?.keys().public().key_id())
    }

    /// Makes new keys of the agent, signed by the ones before, which are kept to read old messages.
    ///
    /// # Errors
    /// Of the hub; `VALIDATION_ERROR` if the keys come from [`secret_key`](crate::ClientBuilder::secret_key).
    pub async fn rotate_keys(&self) -> Result<KeyId, Error> {
        let identity = self.identity().await?;
        let file = self.key_file(self.me().await?.id)?;
        let kept = |error: io::Error| kept(file.path(), &error);
        let _lock = loop {
            match file.try_lock().map_err(kept)? {
                Some(lock) => break lock,
                None => tokio::time::sleep(LOCK_PAUSE).await,
            }
        };
        if identity.reload(&file).map_err(kept)? {
            // Another process has rotated: its keys are published before they are replaced.
            self.publish(&identity.entry(), false).await?;
        }
        identity.rotate(Some(&file)).map_err(kept)?;
        self.publish(&identity.entry(), false).await?;
        Ok(identity.keys().public().key_id())
    }

    /// Publishes the keys of this machine in place of others that the hub has of this agent. People are warned of the
    /// change, and must confirm it.
    ///
    /// # Errors
    /// Of the hub.
    pub async fn replace_keys(&self) -> Result<KeyId, Error> {
        let identity = match self.inner.identity.get() {
            Some(identity) => Arc::clone(identity),
            None => self.make_identity().await?,
        };
        self.publish(&identity.entry(), true).await?;
        Ok(self.inner.identity.get_or_init(|| async { identity }).await.keys().public().key_id())
    }

    /// Confirms a changed key of a principal, after the change was checked with the person: messages are sealed to this
    /// key, and accepted from it, from now on.
    ///
    /// # Errors
    /// `VALIDATION_ERROR` if the hub has not shown this key.
    pub async fn trust(&self, principal: Uuid, key: KeyId) -> Result<(), Error> {
        let identity = self.identity().await?;
        let trust = || identity.pins().trust(principal, key).map_err(|error| not_pinned(&error));
        if trust()? {
            return Ok(());
        }
        // This process was not shown the change yet.
        let contacts = [self.humans().await?, self.agents().await?].concat();
        let contact = contacts.iter().find(|contact| contact.id == principal);
        if let Some(entry) = contact.and_then(|contact| Entry::deserialize(&contact.key).ok()) {
            identity.show(principal, &entry).map_err(|error| not_pinned(&error))?;
        }
        if trust()? {
            return Ok(());
        }
        Err(Error::invalid("key", "is no key that the hub has shown of this principal"))
    }

    /// The safety number of this agent and another principal, to be compared with the one that they see; none where no
    /// key of the principal is pinned.
    ///
    /// # Errors
    /// As [`Self::key_id`].
    pub async fn safety_number(&self, principal: Uuid) -> Result<Option<String>, Error> {
        let identity = self.identity().await?;
        let (me, keys) = (self.me().await?.id, identity.keys());
        let theirs = identity.pins().recipient(principal);
        Ok(theirs.map(|theirs| safety_number((me, keys.public()), (principal, &theirs))))
    }

    /// Whether everything is sealed that this client sends, and only that counts which is.
    #[must_use]
    pub fn encrypts(&self) -> bool {
        self.inner.security.is_required
    }

    /// The agent's identity, with published keys.
    pub(crate) async fn identity(&self) -> Result<Arc<Identity>, Error> {
        let published = async {
            let identity = self.make_identity().await?;
            self.publish(&identity.entry(), false).await?;
            Ok(identity)
        };
        // Large, and awaited by almost every call.
        self.inner.identity.get_or_try_init(|| Box::pin(published)).await.cloned()
    }

    async fn make_identity(&self) -> Result<Arc<Identity>, Error> {
        let me = self.me().await?;
        let security = &self.inner.security;
        let keyring = match &security.secret_key {
            Some(keys) => Keyring { current: keys.clone(), earlier: Vec::new() },
            None => {
                let file = self.key_file(me.id)?;
                let keyring = file.load_or_create().map_err(|error| kept(file.path(), &error))?;
                if is_readable_by_others(file.path()) {
                    let path = file.path().display();
                    self.inner.http.report(&format!("WARNING: other users can read the private keys in {path}"));
                }
                keyring
            }
        };
        let attestor = security.space_key.map(|key| Attestor { space: me.space_id, key });
        let (pins, notes) = match &security.folder {
            Some(folder) if security.secret_key.is_none() || is_writable(&folder.join("pins")) => {
                let url = self.base_url();
                (Pins::in_folder(folder, url, me.id, attestor), Notes::in_folder(folder, url, me.id))
            }
            _ => {
                self.inner.http.report("the keys of others are kept in memory only: there is no folder for them");
                (Pins::in_memory(attestor), Notes::in_memory())
            }
        };
        if let Some(key) = &security.space_key {
            note_space(&notes, key, me.space_id)?;
        }
        let identity = Identity::new(me.id, keyring, pins).with_notes(notes);
        // What the owner of the space has attested of the own key, for receipts.
        if let Ok(entry) = Entry::deserialize(&me.key)
            && entry.verify(me.id).is_some()
        {
            identity.remember(me.id, &entry);
        }
        Ok(Arc::new(identity))
    }

    fn key_file(&self, agent: Uuid) -> Result<KeyFile, Error> {
        let security = &self.inner.security;
        if security.secret_key.is_some() {
            return Err(Error::invalid("secret_key", "comes from the settings, and can't be changed here"));
        }
        let folder = security.folder.as_deref().ok_or_else(|| {
            Error::invalid("secret_key", "is required (HILOOP_SECRET_KEY), as there is no folder to keep keys in")
        })?;
        Ok(KeyFile::of(folder, self.base_url(), agent))
    }

    async fn publish(&self, entry: &Entry, replace: bool) -> Result<(), Error> {
        let mut body = json!(entry);
        if replace {
            body["replace"] = json!(true);
        }
        let published = self.send_call(Call::put("/v1/agent/public-key", body)).await;
        published.map_err(|mut error| {
            if error.is("KEY_EXISTS") {
                error.message = "the hub has other public keys of this agent, made on another machine or before its \
                                 key file was lost: bring that file or HILOOP_SECRET_KEY, or call replace_keys, of \
                                 which people are warned"
                    .to_owned();
            } else if error.status == 403 {
                error.message = format!(
                    "{}. An agent that another key acts for can't encrypt: use an API key of the agent's own, or set \
                     the encryption to off",
                    error.message
                );
            }
            error
        })
    }

    /// Who takes part in a session; their keys are pinned.
    pub(crate) async fn members(&self, identity: &Identity, session: Uuid) -> Result<Vec<Participant>, Error> {
        let members: Vec<Participant> = self.participants(session).await?;
        let mut former = None;
        for member in &members {
            let (Some(id), Ok(entry)) = (member.principal_id(), Entry::deserialize(&member.key)) else { continue };
            let before = identity.pins().changed(id);
            let name = &member.name;
            let mut pinning = identity.show(id, &entry).map_err(|error| not_pinned(&error))?;
            if pinning == Pinning::Changed && before.is_none() {
                // The pinned key may have signed one that signed this one.
                if former.is_none() {
                    former = Some(self.former_entries(session).await?);
                }
                let entries = former.iter().flatten().filter(|(of, _)| *of == id).map(|(_, entry)| entry);
                if identity.pins().follow(id, entries).map_err(|error| not_pinned(&error))? {
                    pinning = Pinning::Chained;
                }
            }
            match pinning {
                Pinning::Chained => self.inner.http.report(&format!("{name} ({id}) has a new key, signed by the last")),
                Pinning::Changed if before.is_none() => self.inner.http.report(&format!(
                    "WARNING: the key of {name} ({id}) has changed to {}; nothing is sealed to it until it is trusted",
                    entry.key_id
                )),
                Pinning::Refused => {
                    self.inner.http.report(&format!("the key of {name} ({id}) is not attested, or not valid"));
                }
                Pinning::Same | Pinning::First | Pinning::Changed => {}
            }
        }
        if let Ok(mut crowds) = self.inner.crowds.lock() {
            crowds.insert(session, members.len());
        }
        Ok(members)
    }

    /// Looks up the entry of a party among the former ones of a session, for a receipt.
    pub(crate) async fn recall_entries(&self, identity: &Identity, session: Uuid) -> Result<(), Error> {
        for (principal, entry) in self.former_entries(session).await? {
            if entry.verify(principal).is_some() {
                identity.remember(principal, &entry);
            }
        }
        Ok(())
    }

    /// Every entry of those who ever took part in a session, the oldest first.
    async fn former_entries(&self, session: Uuid) -> Result<Vec<(Uuid, Entry)>, Error> {
        let entries: Vec<Value> = self.all(&at(session, "/keys")).await?;
        let read = |entry: &Value| {
            let principal = entry["principalId"].as_str()?.parse().ok()?;
            Some((principal, Entry::deserialize(entry).ok()?))
        };
        Ok(entries.iter().filter_map(read).collect())
    }
}

/// The error for a principal whose changed key nobody has confirmed.
pub(crate) fn key_changed(identity: &Identity, principal: Uuid) -> Option<Error> {
    let key = identity.pins().changed(principal)?;
    let message = format!("the key of {principal} has changed to {key}: check it with the person, then trust it");
    let mut error = Error::local(KEYS, Error::KEY_CHANGED, message);
    *error.details = json!({ "principalId": principal, "keyId": key });
    Some(error)
}

fn kept(path: &Path, error: &io::Error) -> Error {
    Error::local(KEYS, Error::VALIDATION, format!("{}: {error}", path.display()))
}

pub(crate) fn not_pinned(error: &io::Error) -> Error {
    Error::local(KEYS, Error::VALIDATION, format!("the keys of others: {error}"))
}
