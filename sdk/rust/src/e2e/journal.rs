//! What a client has accepted so far, in memory: against replays, and to notice gaps.

use super::content::ContentKey;
use super::encoding::{Bytes, Digest};
use super::header::Header;
use super::refusal::Refusal;
use crate::bounded::Bounded;
use uuid::Uuid;

/// Where an envelope was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Carrier {
    /// The message, or the session of a title.
    pub(crate) id: Uuid,
    /// The place of the message on the timeline; none for a title.
    pub(crate) seq: Option<i64>,
}

pub(super) struct Journal {
    /// The carrier of each envelope, by its sender and id.
    accepted: Bounded<(Uuid, Bytes<16>), Uuid>,
    sessions: Bounded<Uuid, SessionNotes>,
    /// Content keys that other participants have shared.
    shared: Bounded<Digest, Vec<ContentKey>>,
}

/// Envelopes that are remembered.
const ENVELOPES: usize = 50_000;
/// Sessions that are remembered, and envelopes of each.
const SESSIONS: usize = 2_000;
const OF_SESSION: usize = 1_000;

/// Keys of one envelope that are kept: a participant may share wrong ones.
const SHARED: usize = 8;

struct SessionNotes {
    newest: Option<(i64, Digest)>,
    known: Bounded<Digest, ()>,
}

impl Default for SessionNotes {
    fn default() -> Self {
        Self { newest: None, known: Bounded::new(OF_SESSION) }
    }
}

impl Default for Journal {
    fn default() -> Self {
        Self { accepted: Bounded::new(ENVELOPES), sessions: Bounded::new(SESSIONS), shared: Bounded::new(ENVELOPES) }
    }
}

impl Journal {
    /// Takes an envelope in, unless another carrier had it before.
    pub(super) fn accept(&mut self, header: &Header, digest: Digest, carrier: Carrier) -> Result<(), Refusal> {
        let before = *self.accepted.get_or_insert_with(&(header.from.id, header.id), || carrier.id);
        if before != carrier.id {
            return Err(Refusal::Replayed);
        }
        self.note(header.session, digest, carrier.seq);
        Ok(())
    }

    fn note(&mut self, session: Uuid, digest: Digest, seq: Option<i64>) {
        let notes = self.sessions.get_or_insert_with(&session, SessionNotes::default);
        notes.known.insert(&digest, ());
        if let Some(seq) = seq
            && notes.newest.is_none_or(|(newest, _)| newest < seq)
        {
            notes.newest = Some((seq, digest));
        }
    }

    /// The newest accepted envelope of a session.
    pub(super) fn newest(&self, session: Uuid) -> Option<Digest> {
        Some(self.sessions.peek(&session)?.newest?.1)
    }

    pub(super) fn knows(&self, session: Uuid, digest: &Digest) -> bool {
        self.sessions.peek(&session).is_some_and(|notes| notes.known.peek(digest).is_some())
    }

    /// Whether anything of the session was sealed.
    pub(super) fn is_sealed(&self, session: Uuid) -> bool {
        self.sessions.peek(&session).is_some()
    }

    pub(super) fn share(&mut self, digest: Digest, key: ContentKey) {
        let keys = self.shared.get_or_insert_with(&digest, Vec::new);
        if keys.len() < SHARED && !keys.contains(&key) {
            keys.push(key);
        }
    }

    pub(super) fn shared(&self, digest: &Digest) -> Vec<ContentKey> {
        self.shared.peek(digest).cloned().unwrap_or_default()
    }
}
