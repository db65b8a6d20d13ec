//! The file that keeps a principal's private keys on this machine.

use super::folder;
use super::keys::SecretKeys;
use crate::types::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use uuid::Uuid;
use zeroize::Zeroizing;

/// The private keys of a principal: the current ones, and those before, which open old messages.
#[derive(Clone, Debug)]
pub(crate) struct Keyring {
    pub(crate) current: SecretKeys,
    pub(crate) earlier: Vec<SecretKeys>,
}

/// The content of the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    hub: String,
    agent_id: Uuid,
    secret_key: Zeroizing<String>,
    created_at: Timestamp,
    #[serde(default)]
    earlier: Vec<Earlier>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Earlier {
    secret_key: Zeroizing<String>,
    replaced_at: Timestamp,
}

/// The file of a principal of a hub.
#[derive(Clone, Debug)]
pub(crate) struct KeyFile {
    path: PathBuf,
    hub: String,
    principal: Uuid,
}

impl KeyFile {
    /// The file in a folder, `…/hiloop`.
    pub(crate) fn of(settings: &Path, hub: &str, principal: Uuid) -> Self {
        let path = settings.join("keys").join(folder::file_name(hub, principal)).with_extension("json");
        Self { path, hub: hub.to_owned(), principal }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The keys of the file, which is made with new keys where there is none.
    pub(crate) fn load_or_create(&self) -> io::Result<Keyring> {
        if let Some(folder) = self.path.parent() {
            folder::sweep(folder);
        }
        if let Some(keyring) = self.load()? {
            return Ok(keyring);
        }
        let keyring = Keyring { current: SecretKeys::generate(), earlier: Vec::new() };
        let stored = Stored {
            hub: self.hub.clone(),
            agent_id: self.principal,
            secret_key: keyring.current.to_text(),
            created_at: Timestamp::now(),
            earlier: Vec::new(),
        };
        if folder::create(&self.path, &to_json(&stored))? {
            return Ok(keyring);
        }
        // Another process was first.
        self.load()?.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn load(&self) -> io::Result<Option<Keyring>> {
        let Some(stored) = self.stored()? else { return Ok(None) };
        let keys = |text: &str| SecretKeys::from_text(text).ok_or_else(|| malformed("a key is malformed"));
        let earlier = stored.earlier.iter().map(|earlier| keys(&earlier.secret_key)).collect::<Result<_, _>>()?;
        Ok(Some(Keyring { current: keys(&stored.secret_key)?, earlier }))
    }

    fn stored(&self) -> io::Result<Option<Stored>> {
        let Some(text) = folder::read(&self.path)?.map(Zeroizing::new) else { return Ok(None) };
        let stored: Stored = serde_json::from_str(&text).map_err(malformed)?;
        if stored.agent_id != self.principal {
            return Err(malformed("the file is of another principal"));
        }
        Ok(Some(stored))
    }

    /// Takes the lock that a rotation holds, unless another process has it.
    pub(crate) fn try_lock(&self) -> io::Result<Option<folder::Lock>> {
        folder::try_lock(&self.path.with_extension("json.lock"))
    }

    /// Makes `next` the current keys; the ones before are kept. The caller holds the lock.
    pub(crate) fn rotate(&self, next: &SecretKeys) -> io::Result<()> {
        let mut stored = self.stored()?.ok_or(io::ErrorKind::NotFound)?;
        let before = std::mem::replace(&mut stored.secret_key, next.to_text());
        stored.earlier.push(Earlier { secret_key: before, replaced_at: Timestamp::now() });
        folder::replace(&self.path, &to_json(&stored))
    }
}

fn to_json(stored: &Stored) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(serde_json::to_vec(stored).expect("the file is JSON"))
}

fn malformed(problem: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENT: Uuid = Uuid::from_u128(7);

    #[test]
    fn keys_are_made_once_and_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = KeyFile::of(folder.path(), "https://hub.example", AGENT);
        let first = file.load_or_create().expect("keys");
        assert_eq!(file.load_or_create().expect("keys").current.key_id(), first.current.key_id());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| std::fs::metadata(path).expect("it exists").permissions().mode() & 0o777;
            assert_eq!(mode(file.path()), 0o600);
            assert_eq!(mode(file.path().parent().expect("a folder")), 0o700);
        }
        let next = SecretKeys::generate();
        file.rotate(&next).expect("it is written");
        let keyring = file.load_or_create().expect("keys");
        assert_eq!(keyring.current.key_id(), next.key_id());
        assert_eq!(keyring.earlier[0].key_id(), first.current.key_id());
        assert_eq!(std::fs::read_dir(folder.path().join("keys")).expect("a folder").count(), 1);
    }

    #[test]
    fn of_many_processes_one_makes_the_keys() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = KeyFile::of(folder.path(), "https://hub.example", AGENT);
        let ids: std::collections::HashSet<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| file.load_or_create().expect("keys"))).collect();
            threads.into_iter().map(|thread| thread.join().expect("it ends").current.key_id()).collect()
        });
        assert_eq!(ids.len(), 1);
    }

    #[test]
    fn one_process_at_a_time_rotates() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = KeyFile::of(folder.path(), "https://hub.example", AGENT);
        file.load_or_create().expect("keys");
        let lock = file.try_lock().expect("a folder").expect("it is free");
        let path = file.path().with_extension("json.lock");
        assert!(path.exists() && file.try_lock().expect("a folder").is_none());
        drop(lock);
        assert!(!path.exists());
        // That of a process that was killed.
        let left = std::fs::File::create(&path).expect("a lock");
        left.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(121)).expect("a time");
        assert!(file.try_lock().expect("a folder").is_none(), "it is removed first");
        assert!(file.try_lock().expect("a folder").is_some());
    }

    #[test]
    fn a_malformed_file_is_not_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = KeyFile::of(folder.path(), "https://hub.example", AGENT);
        file.load_or_create().expect("keys");
        std::fs::write(file.path(), "{}").expect("it is written");
        assert!(file.load_or_create().is_err());
        assert_eq!(std::fs::read_to_string(file.path()).expect("a text"), "{}");
    }
}
