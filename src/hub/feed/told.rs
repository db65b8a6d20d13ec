//! How far the feeds have been told of each session, so that nothing is told twice and a hole is noticed.
//!
//! What has been idle for long is forgotten. A session that is not known here has therefore had no event in the
//! [`FRESH_MILLIS`] before the last look except those that have yet to be told, which is how a lost hint is
//! recognised without an entry for every session that ever was.

use crate::domain::{SessionId, SpaceId, Timestamp};
use std::collections::HashMap;

/// Events of an unknown session from this long before the last look, or later, have not been told. Nodes' clocks differ
/// by less, and no transaction may last that long: the database ends its statements after 30 s, and one that lies still
/// after 4 s.
pub(super) const FRESH_MILLIS: i64 = 60_000;
/// Sessions are forgotten after being idle for this long.
pub(super) const REMEMBER_MILLIS: i64 = 2 * FRESH_MILLIS;

struct Entry {
    space: SpaceId,
    seq: i64,
    at: Timestamp,
    /// The store went back behind it: what it has now was written later than `at`.
    is_undone: bool,
}

pub(super) struct Told {
    /// When the last look found that nothing was missing.
    pub(super) looked: Timestamp,
    sessions: HashMap<SessionId, Entry>,
    /// The spaces that somebody follows, or did a moment ago: events of others are told to nobody.
    spaces: HashMap<SpaceId, Followed>,
}

#[derive(Default)]
struct Followed {
    /// By how many feeds.
    feeds: usize,
    /// Whether its recently active sessions are all in `sessions`.
    is_tracked: bool,
}

/// What an event is, seen from what has been told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// Told before.
    Known,
    /// The one after the last that was told.
    Next,
    /// Those after this `seq` come before it.
    Ahead(i64),
    /// Nothing of its session has been told lately.
    Unknown,
    /// The store went back behind what was told, and this was written since: later than this time.
    Undone(Timestamp),
}

impl Told {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { looked: now, sessions: HashMap::new(), spaces: HashMap::new() }
    }

    /// The place of an event of the time `at`. Within a timeline, times never go back.
    pub(super) fn place(&self, session: SessionId, seq: i64, at: Timestamp) -> Place {
        match self.sessions.get(&session) {
            None => Place::Unknown,
            Some(told) if told.is_undone || (seq <= told.seq && at > told.at) => Place::Undone(told.at),
            Some(told) if seq == told.seq && at != told.at => Place::Undone(told.at),
            Some(told) if seq <= told.seq => Place::Known,
            Some(told) if seq == told.seq + 1 => Place::Next,
            Some(told) => Place::Ahead(told.seq),
        }
    }

    /// The store went back behind what was told of a session.
    pub(super) fn undo(&mut self, session: SessionId) {
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.is_undone = true;
        }
    }

    /// Notes that everything up to `seq`, which came `at`, is told or need not be.
    pub(super) fn note(&mut self, space: SpaceId, session: SessionId, seq: i64, at: Timestamp) {
        let entry = self.sessions.entry(session).or_insert(Entry { space, seq, at, is_undone: false });
        if entry.is_undone {
            *entry = Entry { space, seq, at, is_undone: false };
        } else if entry.seq <= seq {
            (entry.seq, entry.at) = (seq, entry.at.max(at));
        }
    }

    /// Notes a feed of a space; `true` if it is the first, and nothing of the space was told before.
    pub(super) fn follow(&mut self, space: SpaceId) -> bool {
        let is_new = !self.spaces.contains_key(&space);
        self.spaces.entry(space).or_default().feeds += 1;
        is_new
    }

    /// Notes that a feed of a space has ended. What is told of it goes on until [`Self::let_go`].
    pub(super) fn unfollow(&mut self, space: SpaceId) {
        if let Some(followed) = self.spaces.get_mut(&space) {
            followed.feeds = followed.feeds.saturating_sub(1);
        }
    }

    /// Whether events of a space are told to anybody.
    pub(super) fn is_followed(&self, space: SpaceId) -> bool {
        self.spaces.contains_key(&space)
    }

    pub(super) fn is_tracked(&self, space: SpaceId) -> bool {
        self.spaces.get(&space).is_some_and(|followed| followed.is_tracked)
    }

    /// Notes that the recently active sessions of a space are all in here.
    pub(super) fn track(&mut self, space: SpaceId) {
        if let Some(followed) = self.spaces.get_mut(&space) {
            followed.is_tracked = true;
        }
    }

    pub(super) fn tracked(&self) -> Vec<SpaceId> {
        self.spaces.iter().filter(|(_, followed)| followed.is_tracked).map(|(space, _)| *space).collect()
    }

    /// How many spaces are followed.
    pub(super) fn followed(&self) -> usize {
        self.spaces.len()
    }

    /// Forgets the spaces that nobody follows any more; returns them.
    pub(super) fn let_go(&mut self) -> Vec<SpaceId> {
        let gone = self.spaces.extract_if(|_, followed| followed.feeds == 0);
        let gone: Vec<_> = gone.map(|(space, _)| space).collect();
        if !gone.is_empty() {
            self.sessions.retain(|_, entry| self.spaces.contains_key(&entry.space));
        }
        gone
    }

    /// Notes that nothing that was committed before `now` is missing, and forgets what has long been idle.
    pub(super) fn looked_at(&mut self, now: Timestamp) {
        self.looked = now;
        let before = now.plus_millis(-REMEMBER_MILLIS);
        self.sessions.retain(|_, entry| entry.at >= before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_and_a_repetition_are_noticed() {
        let (mut told, space, session) = (Told::new(Timestamp(0)), SpaceId::new(), SessionId::new());
        let place = |told: &Told, seq, at| told.place(session, seq, Timestamp(at));
        assert_eq!(place(&told, 4, 10), Place::Unknown);
        told.note(space, session, 4, Timestamp(10));
        assert_eq!(place(&told, 4, 10), Place::Known);
        assert_eq!(place(&told, 3, 9), Place::Known);
        assert_eq!(place(&told, 5, 20), Place::Next);
        assert_eq!(place(&told, 7, 20), Place::Ahead(4));
        told.note(space, session, 2, Timestamp(5));
        assert_eq!(place(&told, 5, 20), Place::Next, "it never goes back");
        // Of another history.
        let undone = Place::Undone(Timestamp(10));
        assert_eq!((place(&told, 4, 11), place(&told, 4, 9), place(&told, 2, 11)), (undone, undone, undone));
        told.undo(session);
        assert_eq!(place(&told, 7, 20), undone);
        told.note(space, session, 2, Timestamp(11));
        assert_eq!((place(&told, 2, 11), place(&told, 3, 12)), (Place::Known, Place::Next));
    }

    #[test]
    fn what_is_idle_or_of_no_interest_is_forgotten() {
        let (mut told, spaces) = (Told::new(Timestamp(0)), [SpaceId::new(), SpaceId::new()]);
        let sessions = [SessionId::new(), SessionId::new(), SessionId::new()];
        for space in spaces {
            assert!(told.follow(space) && !told.is_tracked(space));
            told.track(space);
        }
        told.note(spaces[0], sessions[0], 1, Timestamp(10));
        told.note(spaces[0], sessions[1], 1, Timestamp(20));
        told.note(spaces[1], sessions[2], 1, Timestamp(20));
        told.looked_at(Timestamp(15 + REMEMBER_MILLIS));
        assert_eq!(told.place(sessions[0], 1, Timestamp(10)), Place::Unknown);
        assert_eq!(told.place(sessions[1], 1, Timestamp(20)), Place::Known);
        assert!(!told.follow(spaces[0]));
        spaces.iter().for_each(|space| told.unfollow(*space));
        assert!(told.is_followed(spaces[1]) && told.is_tracked(spaces[1]), "for a moment");
        assert_eq!(told.let_go(), [spaces[1]]);
        assert!(told.is_tracked(spaces[0]) && !told.is_followed(spaces[1]));
        assert_eq!(told.place(sessions[1], 1, Timestamp(20)), Place::Known);
        assert_eq!(told.place(sessions[2], 1, Timestamp(20)), Place::Unknown);
        // Whoever comes back finds it as one that was never followed.
        told.track(spaces[1]);
        assert!(!told.is_tracked(spaces[1]) && told.follow(spaces[1]) && !told.is_tracked(spaces[1]));
    }
}
