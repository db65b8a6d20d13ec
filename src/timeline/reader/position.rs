//! The position of a reader, compared with the store.

use crate::domain::{CommittedEvent, Timestamp};
use crate::store::Head;

/// The last event that a reader has passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub seq: i64,
    /// The time of that event, where it is known. A restored store uses its `seq` again, for an event of another time.
    pub time: Option<Timestamp>,
}

/// The missing events of a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub after: Position,
    /// The high-water mark of the reader.
    pub to: i64,
}

/// Where a client's subscription begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The `seq` after which it begins.
    pub position: i64,
    /// Whether the client has seen events that the store does not have: it was restored to an earlier state.
    pub is_reset: bool,
}

impl Start {
    /// A new subscription begins after the head, a resumed one after the last event that the client has seen. If the
    /// store does not have that event, it begins with the oldest one.
    pub fn resume(after: Option<i64>, head: &Head) -> Self {
        let is_reset = after.is_some_and(|after| after > head.last_seq);
        let oldest = head.first_seq - 1;
        let position = match after {
            None => head.last_seq,
            Some(_) if is_reset => oldest,
            Some(after) => after.max(oldest),
        };
        Self { position, is_reset }
    }
}

impl Position {
    /// A position whose event cannot be compared with the one in the store.
    pub const fn untimed(seq: i64) -> Self {
        Self { seq, time: None }
    }

    /// Whether the event at `seq` cannot belong to the same history: times never decrease within a timeline.
    pub fn is_contradicted_by(self, seq: i64, time: Timestamp) -> bool {
        (seq == self.seq && self.is_replaced_by(time)) || (seq < self.seq && self.time.is_some_and(|own| time > own))
    }

    /// Whether an event of this time, found at the position, is not the one that was passed on.
    pub fn is_replaced_by(self, time: Timestamp) -> bool {
        self.time.is_some_and(|own| time != own)
    }

    /// Whether a timeline with this head, read after the position was taken, has lost or replaced the event.
    pub fn is_undone_by(self, head: &Head) -> bool {
        head.last_seq < self.seq || (head.last_seq == self.seq && self.is_replaced_by(head.at))
    }
}

impl From<&CommittedEvent> for Position {
    fn from(event: &CommittedEvent) -> Self {
        Self { seq: event.seq, time: Some(event.at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SpaceId;

    #[test]
    fn an_event_of_another_history_is_recognised_by_its_time() {
        let position = Position { seq: 5, time: Some(Timestamp(50)) };
        let contradicted = |seq, time| position.is_contradicted_by(seq, Timestamp(time));
        assert!(!contradicted(5, 50) && !contradicted(4, 50) && !contradicted(4, 40) && !contradicted(6, 60));
        assert!(contradicted(5, 51) && contradicted(5, 49) && contradicted(4, 51));
        assert!(!Position::untimed(5).is_contradicted_by(5, Timestamp(51)));
    }

    #[test]
    fn a_subscription_begins_after_the_last_event_that_the_client_has_seen() {
        let head = Head { space: SpaceId::new(), last_seq: 9, first_seq: 4, at: Timestamp(90) };
        let start = |after| {
            let start = Start::resume(after, &head);
            (start.position, start.is_reset)
        };
        assert_eq!((start(None), start(Some(9)), start(Some(5))), ((9, false), (9, false), (5, false)));
        assert_eq!(start(Some(1)), (3, false), "retention has deleted what came before");
        assert_eq!(start(Some(10)), (3, true));
    }

    #[test]
    fn a_head_below_the_position_or_of_another_time_undoes_it() {
        let position = Position { seq: 5, time: Some(Timestamp(50)) };
        let head = |seq, time| Head { space: SpaceId::new(), last_seq: seq, first_seq: 1, at: Timestamp(time) };
        assert!(!position.is_undone_by(&head(5, 50)) && !position.is_undone_by(&head(6, 60)));
        assert!(position.is_undone_by(&head(4, 40)) && position.is_undone_by(&head(5, 51)));
        let untimed = Position::untimed(5);
        assert!(untimed.is_undone_by(&head(4, 40)) && !untimed.is_undone_by(&head(5, 51)));
    }
}
