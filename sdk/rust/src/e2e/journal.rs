//! What a client has accepted so far, in memory: against replays, and to notice gaps.

use super::content::ContentKey;
use super::encoding::{Bytes, Digest};
use super::header::Header;
use super::refusal::Refusal;
use crate::types::timestamp::Timestamp;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Where an envelope was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Carrier {
    /// The message, or the session of a title.
    pub(crate) id: Uuid,
    /// The place of the message on the timeline; none for a title.
    pub(crate) seq: Option<i64>,
}

#[derive(Default)]
pub(super) struct Journal {
    /// The carrier of each envelope, by its sender and id.
    accepted: HashMap<(Uuid, Bytes<16>), Uuid>,
    sessions: HashMap<Uuid, SessionNotes>,
    /// When each answer was first seen.
    first_seen: HashMap<Digest, Timestamp>,
    /// Content keys that other participants have shared.
    shared: HashMap<Digest, Vec<ContentKey>>,
}

/// Keys of one envelope that are kept: a participant may share wrong ones.
const SHARED: usize = 8;

#[derive(Default)]
struct SessionNotes {
    newest: Option<(i64, Digest)>,
    known: HashSet<Digest>,
}

impl Journal {
    /// Takes an envelope in, unless another carrier had it before.
    pub(super) fn accept(&mut self, header: &Header, digest: Digest, carrier: Carrier) -> Result<(), Refusal> {
        let before = *self.accepted.entry((header.from.id, header.id)).or_insert(carrier.id);
        if before != carrier.id {
            return Err(Refusal::Replayed);
        }
        self.note(header.session, digest, carrier.seq);
        Ok(())
    }

    fn note(&mut self, session: Uuid, digest: Digest, seq: Option<i64>) {
        let notes = self.sessions.entry(session).or_default();
        notes.known.insert(digest);
        if let Some(seq) = seq
            && notes.newest.is_none_or(|(newest, _)| newest < seq)
        {
            notes.newest = Some((seq, digest));
        }
    }

    /// The newest accepted envelope of a session.
    pub(super) fn newest(&self, session: Uuid) -> Option<Digest> {
        Some(self.sessions.get(&session)?.newest?.1)
    }

    pub(super) fn knows(&self, session: Uuid, digest: &Digest) -> bool {
        self.sessions.get(&session).is_some_and(|notes| notes.known.contains(digest))
    }

    /// Whether anything of the session was sealed.
    pub(super) fn is_sealed(&self, session: Uuid) -> bool {
        self.sessions.contains_key(&session)
    }

    /// When an envelope was seen first: now, unless it was before.
    pub(super) fn first_seen(&mut self, digest: Digest) -> Timestamp {
        *self.first_seen.entry(digest).or_insert_with(Timestamp::now)
    }

    pub(super) fn share(&mut self, digest: Digest, key: ContentKey) {
        let keys = self.shared.entry(digest).or_default();
        if keys.len() < SHARED && !keys.contains(&key) {
            keys.push(key);
        }
    }

    pub(super) fn shared(&self, digest: &Digest) -> Vec<ContentKey> {
        self.shared.get(digest).cloned().unwrap_or_default()
    }
}
