//! Lists of sessions: the entries of each list, and the sessions on a page.
//!
//! Entries are written some time after a session has changed. The few sessions with outdated entries are *unlisted*: a page
//! ignores their stored entries and ranks them by their current state.

use crate::domain::{MessageStatus, SessionId, SessionStatus};
use crate::protocol::page::PageRequest;
use std::cmp::Reverse;
use std::collections::HashSet;

/// A paged list of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// By activity; without a status, all but archived ones.
    Sessions(Option<SessionStatus>),
    /// Pending sessions by urgency, deadline and activity; then the others by activity.
    Feed,
    /// By activity, with a status of their question.
    Interactions(Option<MessageStatus>),
}

/// Classes of entries, as `sql/lists.rs` assigns them.
const ACTIVE_WAITING: i64 = 0;
const ACTIVE: i64 = 1;
const CLOSED: i64 = 2;
const ARCHIVED: i64 = 3;
/// Pending sessions again, in the order of feeds.
const FEED_WAITING: i64 = 4;
const PENDING: i64 = 10;
const COMPLETED: i64 = 11;
const CANCELLED: i64 = 12;
const EXPIRED: i64 = 13;

impl List {
    /// The classes of its entries. The classes of one part are merged; the parts follow each other.
    fn parts(self) -> &'static [&'static [i64]] {
        match self {
            Self::Sessions(None) => &[&[ACTIVE_WAITING, ACTIVE, CLOSED]],
            Self::Sessions(Some(SessionStatus::Active)) => &[&[ACTIVE_WAITING, ACTIVE]],
            Self::Sessions(Some(SessionStatus::Closed)) => &[&[CLOSED]],
            Self::Sessions(Some(SessionStatus::Archived)) => &[&[ARCHIVED]],
            Self::Feed => &[&[FEED_WAITING], &[ACTIVE, CLOSED]],
            Self::Interactions(None) => &[&[PENDING, COMPLETED, CANCELLED, EXPIRED]],
            Self::Interactions(Some(MessageStatus::Pending)) => &[&[PENDING]],
            Self::Interactions(Some(MessageStatus::Completed)) => &[&[COMPLETED]],
            Self::Interactions(Some(MessageStatus::Cancelled)) => &[&[CANCELLED]],
            Self::Interactions(Some(MessageStatus::Expired)) => &[&[EXPIRED]],
        }
    }

    fn part_of(self, class: i64) -> Option<usize> {
        self.parts().iter().position(|classes| classes.contains(&class))
    }
}

/// The rank of a session in a list. Within a part, the greater one is first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    pub urgency: i64,
    pub nearness: i64,
    pub at: i64,
    pub session: SessionId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub class: i64,
    pub rank: Rank,
}

/// The state of a subject's lists, apart from their stored entries.
#[derive(Clone, Debug, Default)]
pub struct ListState {
    /// The number of stored entries of a class; rows of the same class add up.
    pub counts: Vec<(i64, i64)>,
    /// The stored entries of unlisted sessions.
    pub stale: Vec<Entry>,
    /// The entries that these sessions should have.
    pub current: Vec<Entry>,
}

impl ListState {
    /// The number of sessions in the list.
    pub fn total(&self, list: List) -> i64 {
        let is_part = |class: i64| list.part_of(class).is_some();
        let number = |entries: &[Entry]| {
            i64::try_from(entries.iter().filter(|entry| is_part(entry.class)).count()).unwrap_or(i64::MAX)
        };
        let stored: i64 = self.counts.iter().filter(|(class, _)| is_part(*class)).map(|(_, count)| count).sum();
        stored - number(&self.stale) + number(&self.current)
    }

    /// The classes of stored entries to read for a page, and how many of the first entries of each.
    pub fn to_read(&self, list: List, page: PageRequest) -> Vec<(i64, i64)> {
        let classes = list.parts().iter().copied().flatten();
        let reads = classes.map(|class| {
            // Entries that are ignored, or will be because they were listed meanwhile.
            let passed_over = self.stale.iter().chain(&self.current).filter(|entry| entry.class == *class).count();
            (*class, page.offset() + page.size + i64::try_from(passed_over).unwrap_or(i64::MAX))
        });
        reads.filter(|(class, _)| self.counts.iter().any(|(stored, _)| stored == class)).collect()
    }

    /// The sessions of a page, from the stored entries.
    pub fn page(&self, list: List, page: PageRequest, stored: Vec<Entry>) -> Vec<SessionId> {
        let unlisted: HashSet<_> = self.stale.iter().chain(&self.current).map(|entry| entry.rank.session).collect();
        let listed = stored.into_iter().filter(|entry| !unlisted.contains(&entry.rank.session));
        let entries = listed.chain(self.current.iter().copied());
        let mut ranks: Vec<_> =
            entries.filter_map(|entry| Some((list.part_of(entry.class)?, Reverse(entry.rank)))).collect();
        ranks.sort_unstable();
        let skipped = usize::try_from(page.offset()).unwrap_or(usize::MAX);
        let size = usize::try_from(page.size).unwrap_or(0);
        ranks.into_iter().skip(skipped).take(size).map(|(_, Reverse(rank))| rank.session).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    /// A session as it is stored in a list and as it is now; either may be none.
    type Given = (Option<(i64, i64)>, Option<(i64, i64)>, bool);

    fn entry(index: usize, (class, at): (i64, i64)) -> Entry {
        let urgency = if class == FEED_WAITING { at % 3 } else { 0 };
        let session = SessionId(Uuid::from_u128(index as u128));
        Entry { class, rank: Rank { urgency, nearness: 0, at, session } }
    }

    fn class() -> impl Strategy<Value = (i64, i64)> {
        (prop::sample::select(vec![ACTIVE_WAITING, ACTIVE, CLOSED, ARCHIVED, FEED_WAITING, PENDING]), 0..20_i64)
    }

    fn list() -> impl Strategy<Value = List> {
        prop::sample::select(vec![
            List::Sessions(None),
            List::Sessions(Some(SessionStatus::Active)),
            List::Sessions(Some(SessionStatus::Archived)),
            List::Feed,
            List::Interactions(None),
        ])
    }

    proptest! {
        #[test]
        fn pages_are_those_of_the_list_as_it_is(
            given in prop::collection::vec((prop::option::of(class()), prop::option::of(class()), any::<bool>()), 0..60),
            list in list(),
            size in 1..8_i64,
        ) {
            let mut state = ListState::default();
            let (mut stored, mut wanted) = (Vec::new(), Vec::new());
            for (index, (before, now, is_listed)) in given.into_iter().enumerate() {
                let (before, now, is_listed): Given = (before, now, is_listed);
                let (before, now) = (before.map(|it| entry(index, it)), now.map(|it| entry(index, it)));
                if is_listed {
                    stored.extend(now);
                } else {
                    stored.extend(before);
                    state.stale.extend(before);
                    state.current.extend(now);
                }
                wanted.extend(now);
            }
            state.counts.extend(stored.iter().map(|entry| (entry.class, 1)));
            wanted.retain(|entry| list.part_of(entry.class).is_some());
            wanted.sort_by_key(|entry| (list.part_of(entry.class), Reverse(entry.rank)));
            prop_assert_eq!(state.total(list), i64::try_from(wanted.len()).expect("few"));
            for (index, expected) in wanted.chunks(usize::try_from(size).expect("few")).enumerate() {
                let page = PageRequest { page: i64::try_from(index).expect("few") + 1, size };
                let mut read = Vec::new();
                for (class, limit) in state.to_read(list, page) {
                    let mut of_class: Vec<_> = stored.iter().copied().filter(|entry| entry.class == class).collect();
                    of_class.sort_by_key(|entry| Reverse(entry.rank));
                    read.extend(of_class.into_iter().take(usize::try_from(limit).expect("few")));
                }
                let expected: Vec<_> = expected.iter().map(|entry| entry.rank.session).collect();
                prop_assert_eq!(state.page(list, page, read), expected);
            }
        }
    }
}
