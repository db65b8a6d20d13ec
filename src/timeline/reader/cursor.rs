//! The cursor of a reader: the state that merges events from the store with live ones.

use super::catch_up::Page;
use super::position::{Gap, Position};

/// A position on one timeline, and the high-water mark: the highest `seq` that was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    position: i64,
    high_water_mark: i64,
    /// The head of the timeline when the reader's access was checked.
    checked_at: i64,
    is_open: bool,
}

/// An event, compared with the position of a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// The next event: pass it on, then call [`Cursor::advance`].
    Next,
    /// The event was passed on before.
    Duplicate,
    /// Earlier events are missing, or the cursor is not open yet: the store has them.
    Gap,
}

impl Cursor {
    /// A cursor that takes no events until it is opened, and only notes the high-water mark.
    pub const fn closed() -> Self {
        Self { position: 0, high_water_mark: 0, checked_at: 0, is_open: false }
    }

    /// An open cursor that has passed on everything up to `position`.
    pub const fn at(position: i64) -> Self {
        Self { position, high_water_mark: position, checked_at: position, is_open: true }
    }

    /// Opens a closed cursor at `position`, on a timeline that reaches at least to `head`.
    pub fn open(&mut self, position: i64, head: i64) {
        self.position = position;
        self.high_water_mark = self.high_water_mark.max(head).max(position);
        self.checked_at = head;
        self.is_open = true;
    }

    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// The last event that was passed on.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// The highest `seq` that was announced.
    pub fn high_water_mark(&self) -> i64 {
        self.high_water_mark
    }

    /// Whether events have to be read from the store.
    pub fn is_behind(&self) -> bool {
        self.is_open && self.high_water_mark > self.position
    }

    /// The events that are to be read from the store.
    pub fn gap(&self) -> Option<Gap> {
        self.is_behind().then(|| Gap { after: Position::untimed(self.position), to: self.high_water_mark })
    }

    /// Whether the event at `seq`, which takes away the reader's access, ends it: not if it comes before the position
    /// or before the check that found the reader to have access.
    pub fn is_ended_by(&self, seq: i64) -> bool {
        self.is_open && seq > self.position && seq > self.checked_at
    }

    /// Raises the high-water mark to `seq`.
    pub fn note_high_water_mark(&mut self, seq: i64) {
        self.high_water_mark = self.high_water_mark.max(seq);
    }

    /// Compares the event at `seq` with the position, without taking it.
    pub fn offer(&mut self, seq: i64) -> Offer {
        self.note_high_water_mark(seq);
        if !self.is_open || seq > self.position + 1 {
            Offer::Gap
        } else if seq == self.position + 1 {
            Offer::Next
        } else {
            Offer::Duplicate
        }
    }

    /// Takes the next event.
    pub fn advance(&mut self) {
        self.position += 1;
        self.note_high_water_mark(self.position);
    }

    /// Prepares for the events of a page: skips those that retention has deleted. If the store has nothing after the
    /// position, retracts the high-water mark, unless it was raised while the store was read.
    pub fn begin_page(&mut self, page: &Page) {
        self.position = self.position.max(page.first() - 1);
        self.note_high_water_mark(self.position);
        if page.events.is_empty() && self.high_water_mark == page.wanted {
            self.high_water_mark = self.position;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::simulation::{Log, Step, step};
    use super::super::{CatchUp, Page};
    use super::*;
    use proptest::prelude::*;

    /// Passes on the events of a page for which there is room.
    fn take_page(cursor: &mut Cursor, passed_on: &mut Vec<i64>, page: &Page, room: usize) {
        cursor.begin_page(page);
        for event in page.events.iter().take(room) {
            take(cursor, passed_on, event.seq);
        }
    }

    fn take(cursor: &mut Cursor, passed_on: &mut Vec<i64>, seq: i64) {
        if cursor.offer(seq) == Offer::Next {
            passed_on.push(seq);
            cursor.advance();
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn every_event_is_passed_on_once_and_in_order(
            before in 0..20_i64,
            after in 0..20_i64,
            steps in proptest::collection::vec(step(), 0..120),
        ) {
            let after = after.min(before);
            let mut log = Log::of(before);
            let (mut hints, mut passed_on) = (Vec::new(), Vec::new());
            let mut cursor = Cursor::closed();
            // A page that was read and is still to be handled: hints arrive meanwhile.
            let mut reading: Option<Page> = None;
            for step in steps {
                match step {
                    Step::Commit { is_lost } => {
                        log.commit();
                        if !is_lost {
                            hints.push(log.last_seq());
                        }
                    }
                    Step::Deliver { pick, is_repeated } if !hints.is_empty() => {
                        let index = pick % hints.len();
                        let seq = if is_repeated { hints[index] } else { hints.swap_remove(index) };
                        take(&mut cursor, &mut passed_on, seq);
                    }
                    Step::DropForLackOfRoom { pick } if !hints.is_empty() => {
                        let seq = hints.swap_remove(pick % hints.len());
                        let _ = cursor.offer(seq);
                    }
                    Step::BeginRead { limit } => {
                        if let Some(gap) = cursor.gap()
                            && let CatchUp::Page(page) = log.catch_up(gap, limit)
                        {
                            reading = Some(page);
                        }
                    }
                    Step::EndRead { room } => {
                        if let Some(page) = reading.take() {
                            take_page(&mut cursor, &mut passed_on, &page, room);
                        }
                    }
                    Step::Open if !cursor.is_open() => cursor.open(after, log.last_seq()),
                    Step::Reconcile => cursor.note_high_water_mark(log.last_seq()),
                    Step::WrongHint { beyond } => cursor.note_high_water_mark(log.last_seq() + beyond),
                    _ => {}
                }
            }
            // In the end the cursor is open, the tick announces the head, and the store is read.
            if !cursor.is_open() {
                cursor.open(after, log.last_seq());
            }
            cursor.note_high_water_mark(log.last_seq());
            let mut reads = 0;
            while let Some(gap) = cursor.gap() {
                let CatchUp::Page(page) = log.catch_up(gap, 3) else { panic!("a page") };
                take_page(&mut cursor, &mut passed_on, &page, 3);
                reads += 1;
                prop_assert!(reads < 1000, "it reads the store repeatedly");
            }
            prop_assert_eq!(passed_on, (after + 1..=log.last_seq()).collect::<Vec<_>>());
        }

        #[test]
        fn events_that_retention_deletes_are_skipped(
            before in 1..40_i64,
            after in 0..40_i64,
            first in 1..40_i64,
            limit in 1..5_usize,
        ) {
            let (after, first) = (after.min(before), first.min(before + 1));
            let mut log = Log::of(before);
            let mut cursor = Cursor::at(after);
            log.delete_before(first);
            cursor.note_high_water_mark(before);
            let mut passed_on = Vec::new();
            while let Some(gap) = cursor.gap() {
                let CatchUp::Page(page) = log.catch_up(gap, limit) else { panic!("a page") };
                take_page(&mut cursor, &mut passed_on, &page, limit);
            }
            prop_assert_eq!(passed_on, (first.max(after + 1)..=before).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_high_water_mark_beyond_the_store_is_retracted_unless_it_rose_meanwhile() {
        let log = Log::of(5);
        let mut cursor = Cursor::at(5);
        cursor.note_high_water_mark(9);
        let read = |cursor: &Cursor| match log.catch_up(cursor.gap().expect("it is behind"), 4) {
            CatchUp::Page(page) => page,
            other => panic!("{other:?}"),
        };
        let page = read(&cursor);
        cursor.note_high_water_mark(10);
        cursor.begin_page(&page);
        assert!(cursor.is_behind(), "more was announced since");
        cursor.begin_page(&read(&cursor));
        assert!(!cursor.is_behind());
        assert_eq!(cursor.offer(6), Offer::Next);
    }

    #[test]
    fn an_event_before_the_check_of_access_does_not_end_a_reader() {
        let mut cursor = Cursor::closed();
        assert!(!cursor.is_ended_by(7), "a closed cursor is checked when it opens");
        cursor.open(3, 6);
        assert!(!cursor.is_ended_by(6) && cursor.is_ended_by(7));
    }
}
