//! Reads missing events of a reader from the store.

use super::position::{Gap, Position};
use crate::domain::{CommittedEvent, Scope, SessionId};
use crate::store::{EventPage, Head, Store, StoreResult};
use std::ops::ControlFlow;

/// Most events, and about how many bytes of them, of one read.
const PAGE_EVENTS: i64 = 256;
const PAGE_BYTES: i64 = 256 * 1024;

/// The result of a read from the store for a reader that is behind.
#[derive(Clone, Debug)]
pub enum CatchUp {
    Page(Page),
    /// The store was restored to a state before the position.
    Restored(Head),
    /// The session is out of scope: it was deleted, or access to it was taken away.
    OutOfScope,
}

/// The events after a position.
#[derive(Clone, Debug)]
pub struct Page {
    /// Consecutive events. None if the store has nothing after the position.
    pub events: Vec<CommittedEvent>,
    pub head: Head,
    /// The high-water mark for which the page was read.
    pub(super) wanted: i64,
}

impl Page {
    /// The first `seq` that still exists after the position: retention may have deleted events.
    pub(super) fn first(&self) -> i64 {
        self.events.first().map_or(self.head.first_seq, |event| event.seq)
    }
}

/// Reads one page of a reader's missing events.
pub async fn catch_up(store: &dyn Store, scope: Scope, session: SessionId, mut gap: Gap) -> StoreResult<CatchUp> {
    loop {
        let page = store.events_after(scope, session, start(gap), PAGE_EVENTS, PAGE_BYTES).await?;
        match compare(gap, page) {
            ControlFlow::Break(outcome) => return Ok(outcome),
            ControlFlow::Continue(narrower) => gap = narrower,
        }
    }
}

/// Whether the store has another event at a position than the one that was passed on.
pub async fn is_replaced(store: &dyn Store, scope: Scope, session: SessionId, position: Position) -> StoreResult<bool> {
    let page = store.events_after(scope, session, position.seq - 1, 1, i64::MAX).await?;
    let event = page.and_then(|page| page.events.into_iter().next()).filter(|event| event.seq == position.seq);
    Ok(event.is_some_and(|event| position.is_replaced_by(event.at)))
}

/// The `seq` after which to read. The event at the position is read too where its time is known, to see whether it is
/// still the same one.
pub(super) fn start(gap: Gap) -> i64 {
    if gap.after.time.is_some() { (gap.after.seq - 1).max(0) } else { gap.after.seq }
}

/// Compares what was read after [`start`] with the position. Continues with a gap that has to be read instead.
pub(super) fn compare(gap: Gap, page: Option<EventPage>) -> ControlFlow<CatchUp, Gap> {
    let Gap { after: position, to } = gap;
    let Some(mut page) = page else { return ControlFlow::Break(CatchUp::OutOfScope) };
    let is_replaced = |event: &CommittedEvent| event.seq == position.seq && position.is_replaced_by(event.at);
    if position.is_undone_by(&page.head) || page.events.first().is_some_and(is_replaced) {
        return ControlFlow::Break(CatchUp::Restored(page.head));
    }
    page.events.retain(|event| event.seq > position.seq);
    if page.events.is_empty() && start(gap) < position.seq && page.head.last_seq > position.seq {
        // The event at the position was so large that it filled the page.
        return ControlFlow::Continue(Gap { after: Position::untimed(position.seq), to });
    }
    ControlFlow::Break(CatchUp::Page(Page { events: page.events, head: page.head, wanted: to }))
}

#[cfg(test)]
mod tests {
    use super::super::simulation::Log;
    use super::*;

    fn timed(log: &Log, seq: i64) -> Gap {
        Gap { after: log.event(seq).into(), to: seq + 1 }
    }

    #[test]
    fn a_page_begins_after_the_position_even_if_the_event_there_fills_a_page() {
        let log = Log::of(5);
        for limit in 1..4 {
            let CatchUp::Page(page) = log.catch_up(timed(&log, 3), limit) else { panic!("a page") };
            assert_eq!(page.events[0].seq, 4, "{limit}");
        }
        let CatchUp::Page(page) = log.catch_up(timed(&log, 5), 4) else { panic!("a page") };
        assert!(page.events.is_empty());
    }

    #[test]
    fn a_restored_store_is_detected_by_its_head_or_by_the_event_at_the_position() {
        let mut log = Log::of(5);
        let (timed, untimed) = (timed(&log, 5), Gap { after: Position::untimed(5), to: 6 });
        log.restore(3);
        assert!(matches!(log.catch_up(timed, 4), CatchUp::Restored(head) if head.last_seq == 3));
        assert!(matches!(log.catch_up(untimed, 4), CatchUp::Restored(_)));
        (0..4).for_each(|_| log.commit());
        assert!(matches!(log.catch_up(timed, 4), CatchUp::Restored(head) if head.last_seq == 7));
    }

    #[test]
    fn a_session_that_is_out_of_scope_ends_the_reader() {
        let outcome = compare(Gap { after: Position::untimed(0), to: 1 }, None);
        assert!(matches!(outcome, ControlFlow::Break(CatchUp::OutOfScope)));
    }
}
