//! The last delivered event of each recently active session, so that no event is delivered twice and a gap is noticed.
//!
//! Sessions that have been idle for long are removed. So an unknown session had no event in the [`FRESH_MILLIS`]
//! before the last comparison with the store, except events that are still to be delivered. That is how a lost hint is
//! noticed without an entry for every session.

use crate::domain::{SessionId, SpaceId, Timestamp};
use crate::timeline::reader::Position;
use std::collections::HashMap;

/// Events of an unknown session that are not older than this before the last comparison were not delivered. Nodes'
/// clocks differ by less, and no transaction may take that long: the database ends its statements after 30 s, and an
/// idle one after 4 s.
pub(super) const FRESH_MILLIS: i64 = 60_000;
/// Sessions are removed after they have been idle for this long.
pub(super) const RETAIN_MILLIS: i64 = 2 * FRESH_MILLIS;

struct Entry {
    space: SpaceId,
    seq: i64,
    at: Timestamp,
    /// The store was restored to a state before this event: its present events were written later than `at`.
    is_undone: bool,
}

pub(super) struct FeedProgress {
    /// When a comparison with the store last found nothing missing.
    pub(super) compared_at: Timestamp,
    sessions: HashMap<SessionId, Entry>,
    /// The spaces that have feeds, or had until a moment ago. Events of other spaces are not delivered.
    spaces: HashMap<SpaceId, SpaceFeeds>,
}

#[derive(Default)]
struct SpaceFeeds {
    feeds: usize,
    /// Whether all recently active sessions of the space are in `sessions`.
    is_tracked: bool,
}

/// An event, compared with what was delivered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Arrival {
    /// Delivered before.
    Duplicate,
    Next,
    /// Events after this position come before it.
    Gap(Position),
    /// No event of its session was delivered lately.
    Unknown,
    /// The store was restored to a state before the delivered events, and this event was written since: later than this
    /// time.
    Restored(Timestamp),
}

impl FeedProgress {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { compared_at: now, sessions: HashMap::new(), spaces: HashMap::new() }
    }

    /// Compares the event `seq`, which has the time `at`, with what was delivered.
    pub(super) fn compare(&self, session: SessionId, seq: i64, at: Timestamp) -> Arrival {
        let Some(entry) = self.sessions.get(&session) else { return Arrival::Unknown };
        let position = Position { seq: entry.seq, time: Some(entry.at) };
        if entry.is_undone || position.is_contradicted_by(seq, at) {
            Arrival::Restored(entry.at)
        } else if seq <= entry.seq {
            Arrival::Duplicate
        } else if seq == entry.seq + 1 {
            Arrival::Next
        } else {
            Arrival::Gap(position)
        }
    }

    /// Notes that the store was restored to a state before the delivered events of a session.
    pub(super) fn note_restored(&mut self, session: SessionId) {
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.is_undone = true;
        }
    }

    /// Notes that the events up to `seq`, which has the time `at`, are delivered or need not be.
    pub(super) fn note_delivered(&mut self, space: SpaceId, session: SessionId, seq: i64, at: Timestamp) {
        let entry = self.sessions.entry(session).or_insert(Entry { space, seq, at, is_undone: false });
        if entry.is_undone {
            *entry = Entry { space, seq, at, is_undone: false };
        } else if entry.seq <= seq {
            (entry.seq, entry.at) = (seq, entry.at.max(at));
        }
    }

    /// Adds a feed of a space; `true` if the space had none.
    pub(super) fn add_feed(&mut self, space: SpaceId) -> bool {
        let is_new = !self.spaces.contains_key(&space);
        self.spaces.entry(space).or_default().feeds += 1;
        is_new
    }

    /// Removes a feed of a space. Events of the space are delivered until [`Self::release_spaces`].
    pub(super) fn remove_feed(&mut self, space: SpaceId) {
        if let Some(space) = self.spaces.get_mut(&space) {
            space.feeds = space.feeds.saturating_sub(1);
        }
    }

    /// Whether events of a space are delivered.
    pub(super) fn has_feeds(&self, space: SpaceId) -> bool {
        self.spaces.contains_key(&space)
    }

    pub(super) fn is_tracked(&self, space: SpaceId) -> bool {
        self.spaces.get(&space).is_some_and(|space| space.is_tracked)
    }

    /// Notes that all recently active sessions of a space have an entry.
    pub(super) fn set_tracked(&mut self, space: SpaceId) {
        if let Some(space) = self.spaces.get_mut(&space) {
            space.is_tracked = true;
        }
    }

    pub(super) fn tracked(&self) -> Vec<SpaceId> {
        self.spaces.iter().filter(|(_, space)| space.is_tracked).map(|(id, _)| *id).collect()
    }

    /// How many spaces have feeds.
    pub(super) fn spaces(&self) -> usize {
        self.spaces.len()
    }

    /// Removes the spaces without feeds, and returns them.
    pub(super) fn release_spaces(&mut self) -> Vec<SpaceId> {
        let released = self.spaces.extract_if(|_, space| space.feeds == 0);
        let released: Vec<_> = released.map(|(space, _)| space).collect();
        if !released.is_empty() {
            self.sessions.retain(|_, entry| self.spaces.contains_key(&entry.space));
        }
        released
    }

    /// Notes that no event that was committed before `now` is missing, and removes sessions that have long been idle.
    pub(super) fn note_compared(&mut self, now: Timestamp) {
        self.compared_at = now;
        let before = now.plus_millis(-RETAIN_MILLIS);
        self.sessions.retain(|_, entry| entry.at >= before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_duplicates_and_restored_stores_are_detected() {
        let (mut progress, space, session) = (FeedProgress::new(Timestamp(0)), SpaceId::new(), SessionId::new());
        let compare = |progress: &FeedProgress, seq, at| progress.compare(session, seq, Timestamp(at));
        assert_eq!(compare(&progress, 4, 10), Arrival::Unknown);
        progress.note_delivered(space, session, 4, Timestamp(10));
        assert_eq!(compare(&progress, 4, 10), Arrival::Duplicate);
        assert_eq!(compare(&progress, 3, 9), Arrival::Duplicate);
        assert_eq!(compare(&progress, 5, 20), Arrival::Next);
        assert_eq!(compare(&progress, 7, 20), Arrival::Gap(Position { seq: 4, time: Some(Timestamp(10)) }));
        progress.note_delivered(space, session, 2, Timestamp(5));
        assert_eq!(compare(&progress, 5, 20), Arrival::Next, "it never goes back");
        let restored = Arrival::Restored(Timestamp(10));
        let others = (compare(&progress, 4, 11), compare(&progress, 4, 9), compare(&progress, 2, 11));
        assert_eq!(others, (restored, restored, restored));
        progress.note_restored(session);
        assert_eq!(compare(&progress, 7, 20), restored);
        progress.note_delivered(space, session, 2, Timestamp(11));
        assert_eq!((compare(&progress, 2, 11), compare(&progress, 3, 12)), (Arrival::Duplicate, Arrival::Next));
    }

    #[test]
    fn idle_sessions_and_spaces_without_feeds_are_removed() {
        let (mut progress, spaces) = (FeedProgress::new(Timestamp(0)), [SpaceId::new(), SpaceId::new()]);
        let sessions = [SessionId::new(), SessionId::new(), SessionId::new()];
        for space in spaces {
            assert!(progress.add_feed(space) && !progress.is_tracked(space));
            progress.set_tracked(space);
        }
        progress.note_delivered(spaces[0], sessions[0], 1, Timestamp(10));
        progress.note_delivered(spaces[0], sessions[1], 1, Timestamp(20));
        progress.note_delivered(spaces[1], sessions[2], 1, Timestamp(20));
        progress.note_compared(Timestamp(15 + RETAIN_MILLIS));
        assert_eq!(progress.compare(sessions[0], 1, Timestamp(10)), Arrival::Unknown);
        assert_eq!(progress.compare(sessions[1], 1, Timestamp(20)), Arrival::Duplicate);
        assert!(!progress.add_feed(spaces[0]));
        spaces.iter().for_each(|space| progress.remove_feed(*space));
        assert!(progress.has_feeds(spaces[1]) && progress.is_tracked(spaces[1]), "until they are released");
        assert_eq!(progress.release_spaces(), [spaces[1]]);
        assert!(progress.is_tracked(spaces[0]) && !progress.has_feeds(spaces[1]));
        assert_eq!(progress.compare(sessions[1], 1, Timestamp(20)), Arrival::Duplicate);
        assert_eq!(progress.compare(sessions[2], 1, Timestamp(20)), Arrival::Unknown);
        // A space whose feeds return begins as a new one.
        progress.set_tracked(spaces[1]);
        assert!(!progress.is_tracked(spaces[1]) && progress.add_feed(spaces[1]) && !progress.is_tracked(spaces[1]));
    }
}
