//! What a client must remember beyond its process: which message carries which question, and whom an address names.
//! Clients in other languages read and write the same files.

use super::encoding::{Bytes, Digest, sha256};
use super::folder;
use crate::bounded::Bounded;
use crate::types::timestamp::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};
use uuid::Uuid;

/// How long notes are kept, and how many of a kind; those of people and spaces without an end.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const MOST: usize = 10_000;
/// Notes that are written between two looks for old ones.
const BETWEEN: usize = 500;

/// Where a kind of notes is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Questions,
    Envelopes,
    Answers,
    Interactions,
    People,
    Spaces,
}

impl Kind {
    fn folder(self) -> &'static str {
        match self {
            Self::Questions => "questions",
            Self::Envelopes => "envelopes",
            Self::Answers => "answers",
            Self::Interactions => "interactions",
            Self::People => "people",
            Self::Spaces => "spaces",
        }
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct QuestionNote {
    session: Uuid,
    digest: Digest,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct MessageNote {
    message: Uuid,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct TimeNote {
    at: Timestamp,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct IdNote {
    id: Uuid,
}

/// The notes of one principal of a hub. The first note of a name stands.
pub(crate) struct Notes {
    /// Where they are kept; in memory only without.
    folder: Option<PathBuf>,
    memory: Mutex<Bounded<(Kind, String), String>>,
    written: AtomicUsize,
}

impl Notes {
    pub(crate) fn in_memory() -> Self {
        Self { folder: None, memory: Mutex::new(Bounded::new(MOST)), written: AtomicUsize::new(0) }
    }

    /// Notes in the folder of a principal of a hub, below `…/hiloop`.
    pub(crate) fn in_folder(settings: &Path, hub: &str, principal: Uuid) -> Self {
        let folder = settings.join("notes").join(folder::file_name(hub, principal));
        for kind in [Kind::Questions, Kind::Envelopes, Kind::Answers, Kind::Interactions, Kind::People, Kind::Spaces] {
            folder::sweep(&folder.join(kind.folder()));
        }
        Self { folder: Some(folder), ..Self::in_memory() }
    }

    /// Whether a message is the question with this digest, as far as it was noted before: one message carries one
    /// question, and one envelope stands in one message.
    pub(crate) fn is_question(&self, message: Uuid, session: Uuid, digest: Digest) -> io::Result<bool> {
        let (note, name) = (QuestionNote { session, digest }, message.to_string());
        // Looked at first, so that a lie is not noted.
        let known = self.load(Kind::Questions, &name)?;
        if known.map(|known| parse::<QuestionNote>(&known)).transpose()?.is_some_and(|known| known != note) {
            return Ok(false);
        }
        Ok(self.is_message(message, digest)? && self.first(Kind::Questions, name, &note)? == note)
    }

    /// Whether the envelope with this digest stands in this message alone.
    pub(crate) fn is_message(&self, message: Uuid, digest: Digest) -> io::Result<bool> {
        Ok(self.first(Kind::Envelopes, folder::hex(&digest.0), &MessageNote { message })?.message == message)
    }

    /// When an answer was verified first, by this process or another one: `at`, unless it was before.
    pub(crate) fn first_seen(&self, answer: Digest, at: Timestamp) -> io::Result<Timestamp> {
        Ok(self.first(Kind::Answers, folder::hex(&answer.0), &TimeNote { at })?.at)
    }

    /// When an answer was verified before; none where it was not.
    pub(crate) fn seen(&self, answer: Digest) -> io::Result<Option<Timestamp>> {
        let text = self.load(Kind::Answers, &folder::hex(&answer.0))?;
        Ok(text.map(|text| parse::<TimeNote>(&text)).transpose()?.map(|note| note.at))
    }

    /// Whether this message is the question of an interaction.
    pub(crate) fn is_interaction(&self, id: Uuid, message: Uuid) -> io::Result<bool> {
        Ok(self.first(Kind::Interactions, id.to_string(), &MessageNote { message })?.message == message)
    }

    /// Whom an address names: `id`, unless it named somebody before.
    pub(crate) fn person(&self, address: &str, id: Uuid) -> io::Result<Uuid> {
        Ok(self.first(Kind::People, name_of(address), &IdNote { id })?.id)
    }

    /// Whom an address named before.
    pub(crate) fn known_person(&self, address: &str) -> io::Result<Option<Uuid>> {
        let text = self.load(Kind::People, &name_of(address))?;
        Ok(text.map(|text| parse::<IdNote>(&text)).transpose()?.map(|note| note.id))
    }

    /// The space of a space key: `id`, unless the hub named another one before.
    pub(crate) fn space(&self, key: &Bytes<32>, id: Uuid) -> io::Result<Uuid> {
        let name = folder::hex(&sha256(key.to_string())[..16]);
        Ok(self.first(Kind::Spaces, name, &IdNote { id })?.id)
    }

    /// The note that stands under a name, which may be an earlier one.
    fn first<T: Serialize + DeserializeOwned>(&self, kind: Kind, name: String, note: &T) -> io::Result<T> {
        if let Some(known) = self.load(kind, &name)? {
            return parse(&known);
        }
        let text = serde_json::to_string(note)?;
        let Some(path) = self.path(kind, &name) else {
            let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            return parse(memory.get_or_insert_with(&(kind, name), || text));
        };
        folder::create(&path, format!("{text}\n").as_bytes())?;
        if !matches!(kind, Kind::People | Kind::Spaces)
            && self.written.fetch_add(1, Ordering::Relaxed).is_multiple_of(BETWEEN)
            && let Some(folder) = path.parent()
        {
            prune(folder);
        }
        // Of several processes one was first.
        parse(&folder::read(&path)?.unwrap_or(text))
    }

    fn load(&self, kind: Kind, name: &str) -> io::Result<Option<String>> {
        match self.path(kind, name) {
            Some(path) => folder::read(&path),
            None => {
                let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(memory.get(&(kind, name.to_owned())).cloned())
            }
        }
    }

    fn path(&self, kind: Kind, name: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(kind.folder()).join(format!("{name}.json")))
    }
}

/// The name of the note of an address.
fn name_of(address: &str) -> String {
    folder::hex(&sha256(address.trim().to_lowercase())[..16])
}

fn parse<T: DeserializeOwned>(text: &str) -> io::Result<T> {
    serde_json::from_str(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Removes notes that are too old, and the oldest ones where there are too many.
fn prune(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let aged = |entry: fs::DirEntry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()));
    let mut files: Vec<(SystemTime, PathBuf)> = entries.filter_map(|entry| aged(entry.ok()?)).collect();
    files.sort_unstable_by(|one, other| other.cmp(one));
    for (number, (time, path)) in files.iter().enumerate() {
        if number >= MOST || time.elapsed().is_ok_and(|age| age > KEPT) {
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUB: &str = "https://hub.example";

    fn check(notes: impl Fn() -> Notes) {
        let notes_before = notes();
        let (message, other, session) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let (question, another) = (Bytes([1; 32]), Bytes([2; 32]));
        assert!(notes_before.is_question(message, session, question).expect("it is kept"));
        for notes in [&notes_before, &notes()] {
            assert!(notes.is_question(message, session, question).expect("it is read"));
            assert!(!notes.is_question(message, session, another).expect("it is read"), "another question");
            assert!(!notes.is_question(message, other, question).expect("it is read"), "another session");
            assert!(!notes.is_message(other, question).expect("it is read"), "another message");
            assert!(notes.is_interaction(session, message).expect("it is read"));
            assert!(!notes.is_interaction(session, other).expect("it is read"));
            assert_eq!(notes.person(" Ada@Example.org", message).expect("it is read"), message);
            assert_eq!(notes.person("ada@example.org", other).expect("it is read"), message);
            assert_eq!(notes.known_person("ada@example.org").expect("it is read"), Some(message));
            assert_eq!(notes.known_person("bob@example.org").expect("it is read"), None);
            assert_eq!(notes.space(&Bytes([7; 32]), session).expect("it is read"), session);
            assert_eq!(notes.space(&Bytes([7; 32]), other).expect("it is read"), session);
        }
    }

    #[test]
    fn the_first_note_stands_also_for_other_processes() {
        let folder = tempfile::tempdir().expect("a folder");
        check(|| Notes::in_folder(folder.path(), HUB, Uuid::from_u128(7)));
        let memory = std::sync::Arc::new(Notes::in_memory());
        assert!(memory.is_question(Uuid::nil(), Uuid::nil(), Bytes([1; 32])).expect("kept"));
        assert!(!memory.is_question(Uuid::nil(), Uuid::nil(), Bytes([2; 32])).expect("kept"));
    }

    #[test]
    fn old_notes_go_and_recent_ones_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let (old, new) = (folder.path().join("old.json"), folder.path().join("new.json"));
        for path in [&old, &new] {
            fs::write(path, "{}").expect("it is written");
        }
        let file = fs::File::options().write(true).open(&old).expect("it is there");
        file.set_modified(SystemTime::now() - KEPT - Duration::from_secs(60)).expect("it is set");
        prune(folder.path());
        assert_eq!((old.exists(), new.exists()), (false, true));
    }
}
