//! Where a reader stands on a timeline: the one piece of state that joins replay to live.
//!
//! A reader has been given every event up to `at` and knows of events up to `known`. It takes an event only if it
//! is the next one; whatever else it hears of is a rumour that says how far there is to read. While it is behind it
//! reads the store, which has no hole. So a reader gets every event once and in order, however hints are lost,
//! repeated or reordered.

/// A reader's place on one timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    at: i64,
    known: i64,
    /// How far the timeline reached when its reader was found to take part.
    vetted: i64,
    open: bool,
}

/// What to do with an event that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It is the next one: hand it on, then [`Cursor::advance`].
    Next,
    /// It was handed on before.
    Old,
    /// Something before it is missing (or the cursor is not open yet): the store has it.
    Gap,
}

impl Cursor {
    /// A cursor that only listens for rumours until it is opened.
    pub const fn closed() -> Self {
        Self { at: 0, known: 0, vetted: 0, open: false }
    }

    /// A cursor that has been given everything up to `at`.
    pub const fn at(at: i64) -> Self {
        Self { at, known: at, vetted: at, open: true }
    }

    /// Places a closed cursor at `at`, on a timeline that reaches at least to `head`.
    pub fn open(&mut self, at: i64, head: i64) {
        self.at = at;
        self.known = self.known.max(head).max(at);
        self.vetted = head;
        self.open = true;
    }

    /// Whether an event that takes away its reader's access is news to it: it stands neither before what the reader has
    /// been given nor before the moment at which the reader was found to take part.
    pub fn is_ended_by(&self, seq: i64) -> bool {
        self.open && seq > self.at && seq > self.vetted
    }

    /// How far the timeline is said to reach.
    pub fn known(&self) -> i64 {
        self.known
    }

    /// Forgets that the timeline reaches to `known`, since the store has nothing more; unless it was told of more while
    /// the store was asked.
    pub fn retract(&mut self, known: i64) {
        if self.known == known {
            self.known = self.at;
        }
    }

    /// The last event that was handed on.
    pub fn position(&self) -> i64 {
        self.at
    }

    /// Whether it has been placed on the timeline.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether there is something to read from the store.
    pub fn is_behind(&self) -> bool {
        self.open && self.known > self.at
    }

    /// Notes that the timeline reaches to `seq`.
    pub fn hear(&mut self, seq: i64) {
        self.known = self.known.max(seq);
    }

    /// Looks at the event `seq` without taking it.
    pub fn offer(&mut self, seq: i64) -> Offer {
        self.hear(seq);
        if !self.open || seq > self.at + 1 {
            Offer::Gap
        } else if seq == self.at + 1 {
            Offer::Next
        } else {
            Offer::Old
        }
    }

    /// Takes the next event.
    pub fn advance(&mut self) {
        self.at += 1;
        self.known = self.known.max(self.at);
    }

    /// Jumps over events that no longer exist: retention has kept those from `first` on.
    pub fn skip_to(&mut self, first: i64) {
        self.at = self.at.max(first - 1);
        self.known = self.known.max(self.at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What can happen to a reader while a timeline grows.
    #[derive(Clone, Debug)]
    enum Step {
        /// The next event is committed; its hint is lost, or delivered later.
        Commit { lost: bool },
        /// One of the hints that are under way arrives (any of them: reordering), and perhaps stays under way
        /// (a duplicate).
        Deliver { pick: usize, again: bool },
        /// The reader reads at most so many events from the store, if it is behind.
        Read { limit: usize },
        /// The reader opens, if it has not yet.
        Open,
        /// The reconcile tick tells the reader how far the timeline reaches.
        Reconcile,
        /// The reader's outbox is full while a hint arrives: the event is dropped.
        DeliverFull { pick: usize },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => any::<bool>().prop_map(|lost| Step::Commit { lost }),
            6 => (any::<usize>(), any::<bool>()).prop_map(|(pick, again)| Step::Deliver { pick, again }),
            3 => (1..5_usize).prop_map(|limit| Step::Read { limit }),
            1 => Just(Step::Open),
            1 => Just(Step::Reconcile),
            1 => any::<usize>().prop_map(|pick| Step::DeliverFull { pick }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn every_event_once_and_in_order(before in 0..20_i64, after in 0..20_i64, steps in proptest::collection::vec(step(), 0..120)) {
            let after = after.min(before);
            let mut log: i64 = before;
            let mut under_way: Vec<i64> = Vec::new();
            let mut given: Vec<i64> = Vec::new();
            let mut cursor = Cursor::closed();
            let mut opened = false;

            let read = |cursor: &mut Cursor, given: &mut Vec<i64>, log: i64, limit: usize| {
                if cursor.is_behind() {
                    for seq in (cursor.position() + 1..=log).take(limit) {
                        if cursor.offer(seq) == Offer::Next {
                            given.push(seq);
                            cursor.advance();
                        }
                    }
                }
            };
            for step in steps {
                match step {
                    Step::Commit { lost } => {
                        log += 1;
                        if !lost {
                            under_way.push(log);
                        }
                    }
                    Step::Deliver { pick, again } if !under_way.is_empty() => {
                        let index = pick % under_way.len();
                        let seq = if again { under_way[index] } else { under_way.swap_remove(index) };
                        if cursor.offer(seq) == Offer::Next {
                            given.push(seq);
                            cursor.advance();
                        }
                    }
                    Step::DeliverFull { pick } if !under_way.is_empty() => {
                        let seq = under_way.swap_remove(pick % under_way.len());
                        let _ = cursor.offer(seq);
                    }
                    Step::Read { limit } => read(&mut cursor, &mut given, log, limit),
                    Step::Open if !opened => {
                        cursor.open(after, log);
                        opened = true;
                    }
                    Step::Reconcile => cursor.hear(log),
                    _ => {}
                }
            }
            // In the end the reader is open, hears of the tail, and reads what it lacks.
            if !opened {
                cursor.open(after, log);
            }
            cursor.hear(log);
            while cursor.is_behind() {
                read(&mut cursor, &mut given, log, 3);
            }
            prop_assert_eq!(given, (after + 1..=log).collect::<Vec<_>>());
        }
    }
}
