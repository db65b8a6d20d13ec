//! Lists of sessions: which entries make up each, and which sessions stand on a page.
//!
//! Entries are written some time after a session has changed. Sessions of which they are not right yet are few; a page
//! leaves out their entries as they are stored, and ranks them as they are.

use crate::domain::{MessageStatus, SessionId, SessionStatus};
use crate::protocol::page::PageRequest;
use std::cmp::Reverse;
use std::collections::HashSet;

/// A list of sessions that is read page by page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// By activity; without a status, all but archived ones.
    Sessions(Option<SessionStatus>),
    /// What waits for an answer by urgency, deadline and activity; then the rest by activity.
    Feed,
    /// By activity, of a status of their question.
    Interactions(Option<MessageStatus>),
}

/// Classes of entries. The store's SQL (`sql/lists.rs`) gives them to sessions.
const ACTIVE_WAITING: i64 = 0;
const ACTIVE: i64 = 1;
const CLOSED: i64 = 2;
const ARCHIVED: i64 = 3;
/// What waits for an answer, once more in the order of feeds.
const FEED_WAITING: i64 = 4;
const PENDING: i64 = 10;
const COMPLETED: i64 = 11;
const CANCELLED: i64 = 12;
const EXPIRED: i64 = 13;

impl List {
    /// The classes of its entries: those of a part are merged, and one part comes after the other.
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

/// One session's place in a list. Of two of one part, the greater stands first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub urgency: i64,
    pub nearness: i64,
    pub at: i64,
    pub session: SessionId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub class: i64,
    pub place: Place,
}

/// What is known of a subject's lists before their stored entries are read.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// How many entries of a class are stored; the sum of all rows of the class.
    pub counts: Vec<(i64, i64)>,
    /// The stored entries of sessions that are not listed as they are.
    pub stale: Vec<Entry>,
    /// The entries that these sessions should have.
    pub current: Vec<Entry>,
}

impl Known {
    /// How many sessions the list has.
    pub fn total(&self, list: List) -> i64 {
        let is_part = |class: i64| list.part_of(class).is_some();
        let number = |entries: &[Entry]| {
            i64::try_from(entries.iter().filter(|entry| is_part(entry.class)).count()).unwrap_or(i64::MAX)
        };
        let stored: i64 = self.counts.iter().filter(|(class, _)| is_part(*class)).map(|(_, count)| count).sum();
        stored - number(&self.stale) + number(&self.current)
    }

    /// Of which classes stored entries are to be read, and how many of each, the first ones, so that the page can be
    /// made out of them.
    pub fn to_read(&self, list: List, page: PageRequest) -> Vec<(i64, i64)> {
        let classes = list.parts().iter().copied().flatten();
        let reads = classes.map(|class| {
            // Those that are left out, or will be because they have been listed meanwhile.
            let passed_over = self.stale.iter().chain(&self.current).filter(|entry| entry.class == *class).count();
            (*class, page.offset() + page.size + i64::try_from(passed_over).unwrap_or(i64::MAX))
        });
        reads.filter(|(class, _)| self.counts.iter().any(|(stored, _)| stored == class)).collect()
    }

    /// The sessions of a page, from what is stored of the list.
    pub fn page(&self, list: List, page: PageRequest, stored: Vec<Entry>) -> Vec<SessionId> {
        let unlisted: HashSet<_> = self.stale.iter().chain(&self.current).map(|entry| entry.place.session).collect();
        let listed = stored.into_iter().filter(|entry| !unlisted.contains(&entry.place.session));
        let entries = listed.chain(self.current.iter().copied());
        let mut places: Vec<_> =
            entries.filter_map(|entry| Some((list.part_of(entry.class)?, Reverse(entry.place)))).collect();
        places.sort_unstable();
        let skipped = usize::try_from(page.offset()).unwrap_or(usize::MAX);
        let size = usize::try_from(page.size).unwrap_or(0);
        places.into_iter().skip(skipped).take(size).map(|(_, Reverse(place))| place.session).collect()
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
        Entry { class, place: Place { urgency, nearness: 0, at, session } }
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
            let mut known = Known::default();
            let (mut stored, mut wanted) = (Vec::new(), Vec::new());
            for (index, (before, now, is_listed)) in given.into_iter().enumerate() {
                let (before, now, is_listed): Given = (before, now, is_listed);
                let (before, now) = (before.map(|it| entry(index, it)), now.map(|it| entry(index, it)));
                if is_listed {
                    stored.extend(now);
                } else {
                    stored.extend(before);
                    known.stale.extend(before);
                    known.current.extend(now);
                }
                wanted.extend(now);
            }
            known.counts.extend(stored.iter().map(|entry| (entry.class, 1)));
            wanted.retain(|entry| list.part_of(entry.class).is_some());
            wanted.sort_by_key(|entry| (list.part_of(entry.class), Reverse(entry.place)));
            prop_assert_eq!(known.total(list), i64::try_from(wanted.len()).expect("few"));
            for (index, expected) in wanted.chunks(usize::try_from(size).expect("few")).enumerate() {
                let page = PageRequest { page: i64::try_from(index).expect("few") + 1, size };
                let mut read = Vec::new();
                for (class, limit) in known.to_read(list, page) {
                    let mut of_class: Vec<_> = stored.iter().copied().filter(|entry| entry.class == class).collect();
                    of_class.sort_by_key(|entry| Reverse(entry.place));
                    read.extend(of_class.into_iter().take(usize::try_from(limit).expect("few")));
                }
                let expected: Vec<_> = expected.iter().map(|entry| entry.place.session).collect();
                prop_assert_eq!(known.page(list, page, read), expected);
            }
        }
    }
}
