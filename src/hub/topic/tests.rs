//! A topic without readers, and events that say nothing.

use super::*;
use crate::domain::EventType;
use std::sync::Arc;

/// A topic without readers, and events that say nothing.
struct Story {
    topic: Topic,
    space: SpaceId,
    metrics: Metrics,
}

impl Story {
    fn new() -> Self {
        let metrics = Metrics::new().expect("the names are good");
        Self { topic: Topic::new(SessionId::new(), 0), space: SpaceId::new(), metrics }
    }

    /// An event whose time is its `seq`, shifted, and which settles `message`.
    fn event(&self, seq: i64, shift: i64, settles: Option<MessageId>) -> CommittedEvent {
        CommittedEvent {
            space: self.space,
            session: self.topic.session,
            seq,
            kind: EventType::MessageCompleted,
            at: Timestamp(seq + shift),
            pending: 0,
            settles,
            removes: None,
            text: Arc::from("{}"),
        }
    }

    fn head(&self, seq: i64) -> Head {
        Head { space: self.space, last_seq: seq, first_seq: 1, at: Timestamp(seq) }
    }

    fn accept(&self, events: &[CommittedEvent]) -> Accepted {
        self.topic.accept(events, &[], &self.metrics)
    }

    fn observe(&self, seq: i64) -> Accepted {
        self.topic.observe(&self.head(seq), &[], &self.metrics)
    }
}

/// The event that settles is published before this node listens, a later one after; whoever waits has looked before
/// both.
#[test]
fn whoever_waits_is_woken_by_what_was_missed_while_the_subscription_was_under_way() {
    let (story, message) = (Story::new(), MessageId::new());
    let mut waiter = story.topic.add_waiter(message);
    assert_eq!(story.accept(&[story.event(5, 0, None)]), Accepted::InOrder, "where it stands is not known yet");
    assert_eq!(story.observe(2), Accepted::Gap);
    let missing = story.topic.missing().expect("something is missing");
    assert_eq!((missing.seq, missing.known), (2, 5));
    let read = [story.event(3, 0, None), story.event(4, 0, Some(message)), story.event(5, 0, None)];
    assert_eq!(story.accept(&read), Accepted::InOrder);
    assert_eq!(waiter.try_recv(), Ok(Woken::Settled));
}

#[test]
fn what_came_before_anybody_looked_is_released_once_somebody_has() {
    let (story, message) = (Story::new(), MessageId::new());
    let mut waiter = story.topic.add_waiter(message);
    story.accept(&[story.event(3, 0, None), story.event(4, 0, Some(message))]);
    assert_eq!(story.observe(3), Accepted::InOrder);
    assert_eq!(waiter.try_recv(), Ok(Woken::Settled));
    assert_eq!(story.topic.standpoint().expect("it is known").seq, 4);
}

#[test]
fn an_event_of_another_history_is_noticed_and_a_repeated_one_is_none() {
    let story = Story::new();
    story.observe(5);
    story.accept(&[story.event(6, 0, None), story.event(7, 0, None)]);
    let repeated = [story.event(5, 0, None), story.event(7, 0, None)];
    assert_eq!(story.accept(&repeated), Accepted::InOrder);
    // Later than what was released, at a lower seq; and what follows is not released upon it.
    let reused: Vec<_> = (6..=8).map(|seq| story.event(seq, 100, None)).collect();
    assert_eq!(story.accept(&reused), Accepted::Suspect);
    let standpoint = story.topic.standpoint().expect("it is known");
    assert_eq!(standpoint.seq, 7);
    assert!(standpoint.is_undone_by(&story.head(6)) && !standpoint.is_undone_by(&story.head(7)));
    assert!(standpoint.is_undone_by(&Head { at: Timestamp(107), ..story.head(7) }));
    let mut reach = story.topic.add_stream();
    story.topic.reset(&[]);
    assert!(reach.has_changed().is_err(), "whoever follows sees its end");
    reach = story.topic.add_stream();
    assert_eq!(story.observe(8), Accepted::InOrder);
    assert_eq!(*reach.borrow(), 8);
}

/// A lane whose queue was full is told later, and it alone: those who have begun anew meanwhile on the others stay.
#[test]
fn the_end_of_a_session_comes_once_to_every_lane() {
    let topic = Topic::new(SessionId::new(), 3);
    let (lanes, mut queues): (Vec<_>, Vec<_>) = (0..3).map(|_| Lane::with_room(1)).unzip();
    topic.add_member(0);
    topic.add_member(1);
    let filler = LaneMessage::Head { session: SessionId::new(), seq: 0 };
    assert!(lanes[1].offer(filler), "it is full now");
    let mut ends = |lane: usize| {
        let queued = std::iter::from_fn(|| queues[lane].try_recv().ok());
        queued.filter(|message| matches!(message, LaneMessage::Evict { reason: EndReason::Reset, .. })).count()
    };
    topic.reset(&lanes);
    assert_eq!((ends(0), ends(2)), (1, 0));
    topic.nudge(&lanes);
    assert_eq!((ends(0), ends(1)), (0, 0), "still no room, and none is needed");
    topic.nudge(&lanes);
    assert_eq!((ends(0), ends(1), ends(2)), (0, 1, 0));
    topic.nudge(&lanes);
    assert_eq!((ends(0), ends(1), ends(2)), (0, 0, 0));
}

#[test]
fn a_rumour_that_the_store_does_not_bear_out_is_forgotten() {
    let story = Story::new();
    story.observe(5);
    assert_eq!(story.topic.hear(story.space, 9), Accepted::Gap);
    story.topic.retract(8);
    assert!(story.topic.missing().is_some(), "more was heard since");
    story.topic.retract(9);
    assert!(story.topic.missing().is_none());
    assert_eq!(story.accept(&[story.event(6, 0, None)]), Accepted::InOrder);
}
