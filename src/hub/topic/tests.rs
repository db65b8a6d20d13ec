//! A topic and its readers.

use super::*;
use crate::domain::MessageId;
use crate::timeline::reader::CatchUp;
use crate::timeline::reader::simulation::Log;

struct Fixture {
    topic: Topic,
    log: Log,
    metrics: Metrics,
}

impl Fixture {
    /// A topic without subscribers, of a timeline of so many events.
    fn new(events: i64) -> Self {
        let log = Log::of(events);
        let metrics = Metrics::new().expect("valid metric names");
        Self { topic: Topic::new(log.session, 0), log, metrics }
    }

    /// The hint of an event arrives.
    fn accept(&self, seq: i64) -> Accepted {
        self.topic.accept(&[self.log.event(seq).clone()], &[], &self.metrics)
    }

    fn observe(&self, head: &Head) -> Accepted {
        self.topic.observe(head, &[], &self.metrics)
    }
}

/// The settling event is published before this node is subscribed to the session, a later one after. The long-poll has
/// read the store before both.
#[test]
fn a_long_poll_is_woken_by_a_settlement_that_was_published_before_the_subscription() {
    let (mut fixture, message) = (Fixture::new(2), MessageId::new());
    let head = fixture.log.head();
    let mut long_poll = fixture.topic.add_long_poll(message);
    fixture.log.commit();
    fixture.log.commit_with(Some(message));
    fixture.log.commit();
    assert_eq!(fixture.accept(5), Accepted::InOrder, "the head is not known yet");
    assert_eq!(fixture.observe(&head), Accepted::Gap);
    let (_, gap) = fixture.topic.gap().expect("events are missing");
    assert_eq!((gap.after.seq, gap.to), (2, 5));
    let CatchUp::Page(page) = fixture.log.catch_up(gap, 10) else { panic!("a page") };
    assert_eq!(fixture.topic.accept_page(&page, &[], &fixture.metrics), Accepted::InOrder);
    assert_eq!(long_poll.try_recv(), Ok(Wake::Settled));
}

#[test]
fn a_long_poll_is_woken_by_a_held_event_once_the_head_is_known() {
    let (mut fixture, message) = (Fixture::new(3), MessageId::new());
    let head = fixture.log.head();
    fixture.log.commit_with(Some(message));
    let mut long_poll = fixture.topic.add_long_poll(message);
    fixture.accept(3);
    fixture.accept(4);
    assert_eq!(fixture.observe(&head), Accepted::InOrder);
    assert_eq!(long_poll.try_recv(), Ok(Wake::Settled));
    assert_eq!(fixture.topic.position().expect("a position").seq, 4);
}

#[test]
fn a_reset_ends_the_watches_and_begins_anew() {
    let mut fixture = Fixture::new(7);
    fixture.observe(&fixture.log.head());
    let mut watch = fixture.topic.add_watch();
    fixture.log.restore(5);
    (0..3).for_each(|_| fixture.log.commit());
    assert_eq!(fixture.accept(6), Accepted::Suspect);
    fixture.topic.reset(&[]);
    assert!(watch.has_changed().is_err(), "the watch ends");
    watch = fixture.topic.add_watch();
    assert_eq!(fixture.observe(&fixture.log.head()), Accepted::InOrder);
    assert_eq!(*watch.borrow(), 8);
}

/// A worker whose queue was full gets the end later, and it alone: subscribers of the others may have come back since.
#[test]
fn the_end_of_a_session_is_sent_to_every_worker_once() {
    let topic = Topic::new(SessionId::new(), 3);
    let (workers, mut queues): (Vec<_>, Vec<_>) = (0..3).map(|_| WorkerHandle::detached(1)).unzip();
    topic.add_subscriber(0);
    topic.add_subscriber(1);
    let filler = WorkerMessage::HighWaterMark { session: SessionId::new(), seq: 0 };
    assert!(workers[1].try_send(filler), "it is full now");
    let mut ends = |worker: usize| {
        let queued = std::iter::from_fn(|| queues[worker].try_recv().ok());
        queued.filter(|message| matches!(message, WorkerMessage::Evict { reason: EndReason::Reset, .. })).count()
    };
    topic.reset(&workers);
    assert_eq!((ends(0), ends(2)), (1, 0));
    topic.resend(&workers);
    assert_eq!((ends(0), ends(1)), (0, 0), "the queue is still full, and the other worker got the message before");
    topic.resend(&workers);
    assert_eq!((ends(0), ends(1), ends(2)), (0, 1, 0));
    topic.resend(&workers);
    assert_eq!((ends(0), ends(1), ends(2)), (0, 0, 0));
}
