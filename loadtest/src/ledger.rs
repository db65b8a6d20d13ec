//! Delivery accounting: the events at each socket against the acknowledged messages.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// How often something happened, and at which `seq` first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    pub(crate) first: u64,
}

impl Tally {
    fn add(&mut self, count: u64, seq: u64) {
        if self.count == 0 {
            self.first = seq;
        }
        self.count += count;
    }
}

/// The classification of an arriving event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Later than everything before it.
    Fresh,
    /// Seen for the first time, but after a later one.
    Late,
    /// Seen before.
    Again,
}

/// The events that one socket has received; a few dozen bytes unless there are errors.
#[derive(Debug)]
pub(crate) struct SocketLedger {
    last: u64,
    holes: Vec<Range<u64>>,
    messages: u64,
    digest: u64,
    doubled: Tally,
    misordered: Tally,
}

/// The result of the check of one socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Audit {
    pub(crate) lost: Tally,
    pub(crate) doubled: Tally,
    pub(crate) misordered: Tally,
    /// Nothing was lost or duplicated, but the messages differ from the acknowledged ones.
    pub(crate) mismatched: bool,
}

impl SocketLedger {
    /// `head` is the last `seq` before the subscription.
    pub(crate) fn new(head: u64) -> Self {
        Self {
            last: head,
            holes: Vec::new(),
            messages: 0,
            digest: 0,
            doubled: Tally::default(),
            misordered: Tally::default(),
        }
    }

    /// The highest `seq` received.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Records an event; `message` is the index in the content of a `message.created`.
    pub(crate) fn observe(&mut self, seq: u64, message: Option<u64>) -> Arrival {
        let arrival = if seq > self.last {
            if seq > self.last + 1 {
                self.holes.push(self.last + 1..seq);
            }
            self.last = seq;
            Arrival::Fresh
        } else if self.fill_hole(seq) {
            self.misordered.add(1, seq);
            Arrival::Late
        } else {
            self.doubled.add(1, seq);
            return Arrival::Again;
        };
        if let Some(index) = message {
            self.messages += 1;
            self.digest ^= mix(seq, index);
        }
        arrival
    }

    /// Compares with the acknowledged messages of the session.
    pub(crate) fn audit(&self, session: &SessionLedger) -> Audit {
        let mut lost = Tally::default();
        for hole in &self.holes {
            lost.add(hole.end - hole.start, hole.start);
        }
        if session.last > self.last {
            lost.add(session.last - self.last, self.last + 1);
        }
        let differs = self.messages != session.messages || self.digest != session.digest;
        Audit {
            lost,
            doubled: self.doubled,
            misordered: self.misordered,
            mismatched: differs && lost.count == 0 && self.doubled.count == 0,
        }
    }

    fn fill_hole(&mut self, seq: u64) -> bool {
        let Some(at) = self.holes.iter().position(|hole| hole.contains(&seq)) else {
            return false;
        };
        let hole = self.holes.remove(at);
        if seq + 1 < hole.end {
            self.holes.insert(at, seq + 1..hole.end);
        }
        if hole.start < seq {
            self.holes.insert(at, hole.start..seq);
        }
        true
    }
}

/// The messages of one session that the hub acknowledged. Serialised, it is what an audit needs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct SessionLedger {
    last: u64,
    messages: u64,
    digest: u64,
    #[serde(skip)]
    seqs: Vec<u64>,
}

impl SessionLedger {
    /// Records that the message with this index was committed as `seq`.
    pub(crate) fn acknowledge(&mut self, seq: u64, index: u64) {
        self.last = self.last.max(seq);
        self.messages += 1;
        self.digest ^= mix(seq, index);
        self.seqs.push(seq);
    }

    /// The session ended with this `seq`, of an event of whatever type.
    pub(crate) fn ends_at(&mut self, seq: u64) {
        self.last = self.last.max(seq);
    }

    /// The highest `seq` acknowledged.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    pub(crate) fn messages(&self) -> u64 {
        self.messages
    }

    /// Replies with a `seq` that another reply had.
    pub(crate) fn repeated(&mut self) -> Tally {
        self.seqs.sort_unstable();
        let mut repeated = Tally::default();
        for pair in self.seqs.windows(2) {
            if pair[0] == pair[1] {
                repeated.add(1, pair[0]);
            }
        }
        repeated
    }

    /// Whether the acknowledged messages are exactly the events after `head` up to `end`.
    pub(crate) fn fills(&mut self, head: u64, end: u64) -> bool {
        self.seqs.sort_unstable();
        self.seqs.iter().copied().eq(head + 1..end + 1)
    }
}

/// Hashes a pair so that the XOR over a set of pairs identifies the set.
fn mix(seq: u64, index: u64) -> u64 {
    let mut value = seq.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ index.rotate_left(32);
    value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acknowledged(seqs: Range<u64>) -> SessionLedger {
        let mut session = SessionLedger::default();
        seqs.for_each(|seq| session.acknowledge(seq, seq * 10));
        session
    }

    fn audit(seqs: &[u64]) -> Audit {
        let mut socket = SocketLedger::new(1);
        for seq in seqs {
            socket.observe(*seq, Some(seq * 10));
        }
        socket.audit(&acknowledged(2..7))
    }

    #[test]
    fn each_once_in_order_is_clean() {
        assert_eq!(audit(&[2, 3, 4, 5, 6]), Audit::default());
    }

    #[test]
    fn lost_in_the_middle_at_the_start_and_at_the_end() {
        assert_eq!(audit(&[2, 3, 5, 6]).lost, Tally { count: 1, first: 4 });
        assert_eq!(audit(&[4, 5, 6]).lost, Tally { count: 2, first: 2 });
        assert_eq!(audit(&[2, 3]).lost, Tally { count: 3, first: 4 });
        assert_eq!(audit(&[]).lost, Tally { count: 5, first: 2 });
    }

    #[test]
    fn doubled_is_neither_lost_nor_misordered() {
        let audit = audit(&[2, 3, 3, 4, 5, 6, 2]);
        assert_eq!(audit.doubled, Tally { count: 2, first: 3 });
        assert_eq!((audit.lost.count, audit.misordered.count), (0, 0));
    }

    #[test]
    fn misordered_is_neither_lost_nor_doubled() {
        let audit = audit(&[2, 4, 3, 6, 5]);
        assert_eq!(audit.misordered, Tally { count: 2, first: 3 });
        assert_eq!((audit.lost.count, audit.doubled.count), (0, 0));
    }

    #[test]
    fn a_hole_is_filled_from_its_middle_and_only_once() {
        let audit = audit(&[6, 4, 4]);
        assert_eq!(audit.misordered, Tally { count: 1, first: 4 });
        assert_eq!(audit.doubled, Tally { count: 1, first: 4 });
        assert_eq!(audit.lost, Tally { count: 3, first: 2 });
    }

    #[test]
    fn an_event_from_before_the_subscription_is_a_double() {
        assert_eq!(audit(&[1, 2, 3, 4, 5, 6]).doubled, Tally { count: 1, first: 1 });
    }

    #[test]
    fn other_content_under_the_right_seq_is_a_mismatch() {
        let mut socket = SocketLedger::new(1);
        for (seq, index) in [(2, 20), (3, 40), (4, 30), (5, 50), (6, 60)] {
            socket.observe(seq, Some(index));
        }
        assert!(socket.audit(&acknowledged(2..7)).mismatched);
    }

    #[test]
    fn a_message_without_acknowledgement_is_a_mismatch() {
        assert!(audit(&[2, 3, 4, 5, 6, 7]).mismatched);
    }

    #[test]
    fn other_events_take_a_seq_but_are_no_message() {
        let mut session = acknowledged(2..4);
        session.acknowledge(5, 50);
        let mut socket = SocketLedger::new(1);
        for (seq, index) in [(2, Some(20)), (3, Some(30)), (4, None), (5, Some(50))] {
            assert_eq!(socket.observe(seq, index), Arrival::Fresh);
        }
        assert_eq!(socket.audit(&session), Audit::default());
    }

    #[test]
    fn an_event_that_is_no_message_may_be_lost_at_the_end() {
        let mut session = acknowledged(2..7);
        session.ends_at(7);
        let mut socket = SocketLedger::new(1);
        for seq in 2..7 {
            socket.observe(seq, Some(seq * 10));
        }
        assert_eq!(socket.audit(&session).lost, Tally { count: 1, first: 7 });
        socket.observe(7, None);
        assert_eq!(socket.audit(&session), Audit::default());
    }

    #[test]
    fn replies_that_repeat_or_skip_a_seq_are_found() {
        let mut session = acknowledged(2..5);
        assert!(session.fills(1, 4));
        assert!(!session.fills(1, 5));
        assert_eq!(session.repeated().count, 0);
        session.acknowledge(3, 99);
        assert_eq!(session.repeated(), Tally { count: 1, first: 3 });
        assert!(!session.fills(1, 4));
    }
}
