//! The problems of a run, counted by kind, with a few examples of each.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

const EXAMPLES: usize = 5;

/// Any one of these makes a run fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Kind {
    /// A socket could not be opened, authenticated or subscribed.
    ConnectFailed,
    /// A socket ended before the run did.
    ClosedEarly,
    /// A socket did not return after it had lost its connection.
    NotBack,
    /// A POST got no reply, or another one than 201.
    PostFailed,
    /// A committed event never reached a socket.
    Lost,
    /// An event reached a socket twice.
    Doubled,
    /// An event came after a later one.
    Misordered,
    /// A socket got an event of a session without a subscription.
    Foreign,
    /// The delivered messages differ from the acknowledged ones.
    Mismatched,
    /// Replies gave one seq twice, or left one out.
    SeqConflict,
    /// A long-poll got no reply, or another one than 200.
    AwaitFailed,
    /// A long-poll came back pending before its time was up.
    AwaitEarly,
    /// A long-poll was answered with another message, state or answer than its own.
    AwaitWrong,
    /// The hub took two answers to one question.
    NotOnce,
    /// A further guest could not come, or was not disconnected when the token was revoked.
    VisitFailed,
    /// A page had other items than were stored.
    PageWrong,
    /// A step of a sweep could not be carried out.
    StepFailed,
    /// An invalid frame, or an error frame.
    BadFrame,
}

impl Kind {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::ConnectFailed => "connections failed",
            Self::ClosedEarly => "sockets closed early",
            Self::NotBack => "sockets that did not return",
            Self::PostFailed => "POSTs failed",
            Self::Lost => "deliveries lost",
            Self::Doubled => "deliveries duplicated",
            Self::Misordered => "deliveries misordered",
            Self::Foreign => "events of a foreign session",
            Self::Mismatched => "sockets with other messages than acknowledged",
            Self::SeqConflict => "seq conflicts in replies",
            Self::AwaitFailed => "long-polls failed",
            Self::AwaitEarly => "long-polls pending too early",
            Self::AwaitWrong => "long-polls answered wrongly",
            Self::NotOnce => "questions answered more than once",
            Self::VisitFailed => "visits of guests failed",
            Self::PageWrong => "pages with other items than stored",
            Self::StepFailed => "steps that failed",
            Self::BadFrame => "bad frames",
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) count: u64,
    pub(crate) examples: Vec<String>,
}

/// A tally that any task may add to.
#[derive(Debug, Default)]
pub(crate) struct Problems(Mutex<BTreeMap<Kind, Entry>>);

impl Problems {
    pub(crate) fn add(&self, kind: Kind, count: u64, example: impl FnOnce() -> String) {
        if count == 0 {
            return;
        }
        let mut entries = self.lock();
        let entry = entries.entry(kind).or_default();
        entry.count += count;
        if entry.examples.len() < EXAMPLES {
            entry.examples.push(example());
        }
    }

    /// Adds those of another process.
    pub(crate) fn merge(&self, others: BTreeMap<Kind, Entry>) {
        for (kind, other) in others {
            let mut examples = other.examples.into_iter();
            self.add(kind, other.count, || examples.next().unwrap_or_default());
            let mut entries = self.lock();
            let entry = entries.entry(kind).or_default();
            let free = EXAMPLES - entry.examples.len();
            entry.examples.extend(examples.take(free));
        }
    }

    pub(crate) fn snapshot(&self) -> BTreeMap<Kind, Entry> {
        self.lock().clone()
    }

    /// All kinds together.
    pub(crate) fn total(&self) -> u64 {
        self.lock().values().map(|entry| entry.count).sum()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Kind, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_of_other_processes_are_added() {
        let [here, there] = [Problems::default(), Problems::default()];
        here.add(Kind::Lost, 1, || "here".to_owned());
        (0..20).for_each(|number| there.add(Kind::Lost, 1, || format!("there {number}")));
        there.add(Kind::Doubled, 3, || "there".to_owned());
        here.merge(there.snapshot());
        let all = here.snapshot();
        assert_eq!((all[&Kind::Lost].count, all[&Kind::Doubled].count), (21, 3));
        assert_eq!(all[&Kind::Lost].examples.len(), EXAMPLES);
        assert_eq!(all[&Kind::Lost].examples[..2], ["here", "there 0"]);
    }

    #[test]
    fn all_are_counted_and_few_are_shown() {
        let problems = Problems::default();
        for number in 0..20 {
            problems.add(Kind::Lost, 2, || format!("number {number}"));
        }
        problems.add(Kind::Doubled, 0, || "never".to_owned());
        let snapshot = problems.snapshot();
        assert_eq!(snapshot[&Kind::Lost].count, 40);
        assert_eq!(snapshot[&Kind::Lost].examples.len(), EXAMPLES);
        assert_eq!(snapshot.len(), 1);
        problems.add(Kind::Foreign, 1, || "another".to_owned());
        assert_eq!(problems.total(), 41);
    }
}
