//! A timeline in memory, and the steps of the property tests: hints that are lost, repeated and reordered.

use super::catch_up::{CatchUp, compare, start};
use super::position::Gap;
use crate::domain::{CommittedEvent, EventType, MessageId, SessionId, SpaceId, Timestamp};
use crate::store::{EventPage, Head};
use proptest::prelude::*;
use std::ops::ControlFlow;
use std::sync::Arc;

/// The steps of a reader and a growing timeline.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The next event is committed. Its hint gets lost, or arrives later.
    Commit { is_lost: bool },
    /// One of the hints arrives, in any order; a repeated one arrives again later.
    Deliver { pick: usize, is_repeated: bool },
    /// One of the hints arrives while the reader has no room for the event.
    DropForLackOfRoom { pick: usize },
    /// The reader, if it is behind, reads at most `limit` events from the store.
    BeginRead { limit: usize },
    /// The reader handles the page, with room for `room` events.
    EndRead { room: usize },
    /// The reader gets the head of the timeline.
    Open,
    /// The reconcile tick announces the head of the timeline.
    Reconcile,
    /// A hint announces events that the store does not have.
    WrongHint { beyond: i64 },
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<bool>().prop_map(|is_lost| Step::Commit { is_lost }),
        6 => (any::<usize>(), any::<bool>()).prop_map(|(pick, is_repeated)| Step::Deliver { pick, is_repeated }),
        1 => any::<usize>().prop_map(|pick| Step::DropForLackOfRoom { pick }),
        3 => (1..5_usize).prop_map(|limit| Step::BeginRead { limit }),
        3 => (0..5_usize).prop_map(|room| Step::EndRead { room }),
        1 => Just(Step::Open),
        1 => Just(Step::Reconcile),
        1 => (1..4_i64).prop_map(|beyond| Step::WrongHint { beyond }),
    ]
}

/// A timeline with events without content.
pub(crate) struct Log {
    pub(crate) space: SpaceId,
    pub(crate) session: SessionId,
    first: i64,
    events: Vec<CommittedEvent>,
    /// Added to the time of each event, so that a restored timeline has others.
    shift: i64,
}

impl Log {
    /// A timeline of so many events.
    pub(crate) fn of(events: i64) -> Self {
        let mut log = Self { space: SpaceId::new(), session: SessionId::new(), first: 1, events: Vec::new(), shift: 0 };
        (0..events).for_each(|_| log.commit());
        log
    }

    pub(crate) fn last_seq(&self) -> i64 {
        self.events.len() as i64
    }

    pub(crate) fn head(&self) -> Head {
        let at = self.events.last().map_or(Timestamp(0), |event| event.at);
        Head { space: self.space, last_seq: self.last_seq(), first_seq: self.first, at }
    }

    pub(crate) fn event(&self, seq: i64) -> &CommittedEvent {
        &self.events[usize::try_from(seq - 1).expect("a seq")]
    }

    pub(crate) fn commit(&mut self) {
        self.commit_with(None);
    }

    /// Commits an event that settles a message.
    pub(crate) fn commit_with(&mut self, settles: Option<MessageId>) {
        let seq = self.last_seq() + 1;
        self.events.push(CommittedEvent {
            space: self.space,
            session: self.session,
            seq,
            kind: EventType::MessageCompleted,
            at: Timestamp(seq + self.shift),
            pending: 0,
            settles,
            removes: None,
            text: Arc::from("{}"),
        });
    }

    /// Goes back to an earlier state. Events that are committed later have later times than any before.
    pub(crate) fn restore(&mut self, seq: i64) {
        self.shift += 1000;
        self.events.truncate(usize::try_from(seq).expect("a seq"));
    }

    /// Deletes the events before `first`, as retention does.
    pub(crate) fn delete_before(&mut self, first: i64) {
        self.first = self.first.max(first);
    }

    /// A read of at most `limit` events, by the same rules as from a real store.
    pub(crate) fn catch_up(&self, mut gap: Gap, limit: usize) -> CatchUp {
        loop {
            let after = start(gap).max(self.first - 1);
            let events = self.events.iter().filter(|event| event.seq > after).take(limit).cloned().collect();
            match compare(gap, Some(EventPage { events, head: self.head() })) {
                ControlFlow::Break(outcome) => return outcome,
                ControlFlow::Continue(narrower) => gap = narrower,
            }
        }
    }
}
