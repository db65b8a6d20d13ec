//! The order of one session's events: passes on the next one, buffers those ahead, and detects a restored store.

use crate::domain::{CommittedEvent, Timestamp};
use crate::store::Head;
use crate::timeline::reader::{Cursor, Gap, Offer, Page, Position};
use std::collections::BTreeMap;

/// Most events that are held back while an earlier one is missing. The store has the rest.
const MAX_HELD: usize = 256;

/// The next step after events were accepted.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::hub) enum Accepted {
    InOrder,
    /// Events are missing: read them from the store.
    Gap,
    /// The store may have been restored to an earlier state: compare it.
    Suspect,
}

/// A reader that holds back the events that are ahead of its position.
pub(super) struct EventOrder {
    /// Closed until the head of the timeline is known.
    cursor: Cursor,
    /// The time of the event at the cursor's position, where it is known.
    time: Option<Timestamp>,
    held: BTreeMap<i64, CommittedEvent>,
    /// An event has contradicted those that were passed on. Until the store is compared, none is passed on.
    is_suspect: bool,
}

impl Default for EventOrder {
    fn default() -> Self {
        Self { cursor: Cursor::closed(), time: None, held: BTreeMap::new(), is_suspect: false }
    }
}

impl EventOrder {
    /// Accepts events of a hint. Returns the events that are next.
    pub(super) fn accept(&mut self, events: &[CommittedEvent]) -> Vec<CommittedEvent> {
        let mut next = Vec::new();
        for event in events {
            match self.cursor.offer(event.seq) {
                Offer::Duplicate => self.is_suspect |= self.at().is_contradicted_by(event.seq, event.at),
                Offer::Next if !self.is_suspect => {
                    self.take(event.clone(), &mut next);
                    self.take_held(&mut next);
                }
                Offer::Next | Offer::Gap => {
                    if self.held.len() < MAX_HELD {
                        self.held.insert(event.seq, event.clone());
                    }
                }
            }
        }
        next
    }

    /// Accepts events that were read from the store. Returns the events that are next.
    pub(super) fn accept_page(&mut self, page: &Page) -> Vec<CommittedEvent> {
        let before = self.cursor.position();
        self.cursor.begin_page(page);
        if self.cursor.position() != before {
            self.time = None;
        }
        if page.events.is_empty() && !self.cursor.is_behind() {
            self.held.clear();
        }
        self.accept(&page.events)
    }

    /// Notes the head of the timeline. The first one opens the cursor: returns the held events that follow it.
    pub(super) fn observe(&mut self, head: &Head) -> Option<Vec<CommittedEvent>> {
        self.cursor.note_high_water_mark(head.last_seq);
        if self.cursor.is_open() {
            return None;
        }
        self.cursor.open(head.last_seq, head.last_seq);
        self.time = Some(head.at);
        self.held = self.held.split_off(&(head.last_seq + 1));
        let mut next = Vec::new();
        self.take_held(&mut next);
        Some(next)
    }

    pub(super) fn note_high_water_mark(&mut self, seq: i64) {
        self.cursor.note_high_water_mark(seq);
    }

    pub(super) fn accepted(&self) -> Accepted {
        if self.is_suspect {
            Accepted::Suspect
        } else if self.cursor.is_behind() {
            Accepted::Gap
        } else {
            Accepted::InOrder
        }
    }

    /// The last event that was passed on; `None` until the head of the timeline is known.
    pub(super) fn position(&self) -> Option<Position> {
        self.cursor.is_open().then(|| self.at())
    }

    /// The missing events, unless the store has to be compared first.
    pub(super) fn gap(&self) -> Option<Gap> {
        let gap = self.cursor.gap().filter(|_| !self.is_suspect)?;
        Some(Gap { after: self.at(), ..gap })
    }

    pub(super) fn is_suspect(&self) -> bool {
        self.is_suspect
    }

    pub(super) fn clear_suspicion(&mut self) {
        self.is_suspect = false;
    }

    fn at(&self) -> Position {
        Position { seq: self.cursor.position(), time: self.time }
    }

    fn take(&mut self, event: CommittedEvent, next: &mut Vec<CommittedEvent>) {
        self.cursor.advance();
        self.time = Some(event.at);
        next.push(event);
    }

    /// Takes the held events that have become next.
    fn take_held(&mut self, next: &mut Vec<CommittedEvent>) {
        while let Some(event) = self.held.remove(&(self.cursor.position() + 1)) {
            self.take(event, next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::reader::CatchUp;
    use crate::timeline::reader::simulation::{Log, Step, step};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn every_event_is_passed_on_once_and_in_order(
            before in 0..20_i64,
            steps in proptest::collection::vec(step(), 0..120),
        ) {
            let mut log = Log::of(before);
            let (mut hints, mut passed_on) = (Vec::new(), Vec::new());
            let mut order = EventOrder::default();
            let (mut opened_at, mut reading) = (None, None);
            for step in steps {
                match step {
                    Step::Commit { is_lost } => {
                        log.commit();
                        if !is_lost {
                            hints.push(log.event(log.last_seq()).clone());
                        }
                    }
                    Step::Deliver { pick, is_repeated } if !hints.is_empty() => {
                        let index = pick % hints.len();
                        let event = if is_repeated { hints[index].clone() } else { hints.swap_remove(index) };
                        passed_on.extend(order.accept(&[event]));
                    }
                    Step::BeginRead { limit } => {
                        if let Some(gap) = order.gap()
                            && let CatchUp::Page(page) = log.catch_up(gap, limit)
                        {
                            reading = Some(page);
                        }
                    }
                    Step::EndRead { .. } => {
                        if let Some(page) = reading.take() {
                            passed_on.extend(order.accept_page(&page));
                        }
                    }
                    Step::Open | Step::Reconcile => {
                        if let Some(next) = order.observe(&log.head()) {
                            opened_at = Some(log.last_seq());
                            passed_on.extend(next);
                        }
                    }
                    Step::WrongHint { beyond } => order.note_high_water_mark(log.last_seq() + beyond),
                    _ => {}
                }
                prop_assert!(!order.is_suspect());
            }
            if let Some(next) = order.observe(&log.head()) {
                opened_at = Some(log.last_seq());
                passed_on.extend(next);
            }
            let mut reads = 0;
            while let Some(gap) = order.gap() {
                let CatchUp::Page(page) = log.catch_up(gap, 3) else { panic!("a page") };
                passed_on.extend(order.accept_page(&page));
                reads += 1;
                prop_assert!(reads < 1000, "it reads the store repeatedly");
            }
            let passed_on: Vec<_> = passed_on.iter().map(|event| event.seq).collect();
            prop_assert_eq!(passed_on, (opened_at.expect("it is open") + 1..=log.last_seq()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn held_events_are_passed_on_once_the_head_is_known() {
        let (log, mut order) = (Log::of(4), EventOrder::default());
        assert!(order.accept(&[log.event(3).clone(), log.event(4).clone()]).is_empty());
        assert_eq!(order.accepted(), Accepted::InOrder, "nothing is missing while the head is not known");
        let head = Log::of(3).head();
        let next = order.observe(&head).expect("the first head");
        assert_eq!(next.iter().map(|event| event.seq).collect::<Vec<_>>(), [4]);
        assert!(order.observe(&log.head()).is_none());
    }

    #[test]
    fn an_event_of_another_history_is_detected_and_a_repeated_one_is_not_suspect() {
        let (mut log, mut order) = (Log::of(7), EventOrder::default());
        order.observe(&Log::of(5).head());
        assert_eq!(order.accept(&[log.event(6).clone(), log.event(7).clone()]).len(), 2);
        assert!(order.accept(&[log.event(5).clone(), log.event(7).clone()]).is_empty());
        assert_eq!(order.accepted(), Accepted::InOrder);
        // Later than the events that were passed on, at a lower seq. What follows is not passed on after it.
        log.restore(5);
        (6..=8).for_each(|_| log.commit());
        let reused: Vec<_> = (6..=8).map(|seq| log.event(seq).clone()).collect();
        assert!(order.accept(&reused).is_empty());
        assert_eq!((order.accepted(), order.gap()), (Accepted::Suspect, None));
        assert_eq!(order.position().expect("it is open").seq, 7);
    }

    #[test]
    fn a_restored_store_is_detected_by_the_next_read() {
        let (mut log, mut order) = (Log::of(7), EventOrder::default());
        order.observe(&log.head());
        log.restore(6);
        (0..3).for_each(|_| log.commit());
        order.note_high_water_mark(9);
        let gap = order.gap().expect("it is behind");
        assert!(matches!(log.catch_up(gap, 4), CatchUp::Restored(head) if head.last_seq == 9));
    }

    #[test]
    fn a_high_water_mark_beyond_the_store_is_retracted() {
        let (log, mut order) = (Log::of(5), EventOrder::default());
        order.observe(&log.head());
        order.note_high_water_mark(9);
        assert_eq!(order.accepted(), Accepted::Gap);
        let CatchUp::Page(page) = log.catch_up(order.gap().expect("it is behind"), 4) else { panic!("a page") };
        assert!(order.accept_page(&page).is_empty());
        assert_eq!((order.accepted(), order.gap()), (Accepted::InOrder, None));
    }
}
