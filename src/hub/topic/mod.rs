//! One session with readers on this node: puts its events back into order before they fan out.

mod release;
#[cfg(test)]
mod tests;

use super::lane::{Lane, LaneMessage};
use super::subscriber::EndReason;
use crate::domain::{CommittedEvent, MessageId, SessionId, SpaceId, Timestamp};
use crate::metrics::Metrics;
use crate::store::Head;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use tokio::sync::{oneshot, watch};

/// Most events that are held back while one before them is missing; the store has the others.
const MAX_HELD: usize = 256;

pub(super) struct Topic {
    pub(super) session: SessionId,
    state: Mutex<TopicState>,
}

struct TopicState {
    /// Known once somebody has looked at the store, or the first event came by.
    space: Option<SpaceId>,
    /// The last event that was released; none until somebody has said where the timeline stands.
    at: Option<i64>,
    /// The time of that event, by which one of another history is told from it.
    at_time: Option<Timestamp>,
    /// How far the timeline is known to reach.
    known: i64,
    held: BTreeMap<i64, CommittedEvent>,
    /// An event has come that the store can't have beside those that were released: it may have gone back to an earlier
    /// state. Nothing is released until that is known.
    is_suspect: bool,
    /// Whether more people take part than are told of each other's presence one by one.
    is_crowd: bool,
    /// Subscribers by lane, plus waiters and streams.
    members: Vec<usize>,
    others: usize,
    waiters: HashMap<MessageId, Vec<oneshot::Sender<Woken>>>,
    reach: watch::Sender<i64>,
    /// What the lanes had no room for.
    missed: Vec<Missed>,
}

/// What a lane had no room for.
#[derive(Clone, Copy, Debug, Default)]
struct Missed {
    /// A run: its subscribers must be told how far to read.
    run: bool,
    /// The end of its subscriptions.
    end: Option<EndReason>,
}

/// What is to do after events were accepted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Accepted {
    InOrder,
    /// Events are missing; the store has them.
    Gap,
    /// The store may have gone back.
    Suspect,
}

/// Why one who waits for a message to settle is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    Settled,
    /// What it has seen of the store may no longer hold.
    LookAgain,
}

/// Where a topic stands: the last event that it has released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standpoint {
    pub(super) space: SpaceId,
    pub(super) seq: i64,
    /// The time of that event, where it is known.
    pub(super) time: Option<Timestamp>,
    /// How far the timeline is known to reach.
    pub(super) known: i64,
}

impl Standpoint {
    /// Whether a timeline that was seen to end like this, later than this standpoint was taken, has lost or replaced the
    /// last event that was released.
    pub(super) fn is_undone_by(&self, head: &Head) -> bool {
        head.last_seq < self.seq || (head.last_seq == self.seq && self.is_another(head.at))
    }

    /// Whether the event at its `seq` is not the one that was released, as its time shows.
    pub(super) fn is_another(&self, time: Timestamp) -> bool {
        self.time.is_some_and(|known| known != time)
    }
}

impl Topic {
    pub(super) fn new(session: SessionId, lanes: usize) -> Self {
        let state = TopicState {
            space: None,
            at: None,
            at_time: None,
            known: 0,
            held: BTreeMap::new(),
            is_suspect: false,
            is_crowd: false,
            members: vec![0; lanes],
            others: 0,
            waiters: HashMap::new(),
            reach: watch::Sender::new(0),
            missed: vec![Missed::default(); lanes],
        };
        Self { session, state: Mutex::new(state) }
    }

    /// Takes events as they come, releases those that are next to the lanes, holds back what is ahead.
    pub(super) fn accept(&self, events: &[CommittedEvent], lanes: &[Lane], metrics: &Metrics) -> Accepted {
        let mut state = self.state.lock();
        let mut ready = Vec::new();
        for event in events {
            state.space = Some(event.space);
            state.known = state.known.max(event.seq);
            match state.at {
                Some(at) if event.seq <= at => state.is_suspect |= state.is_contradicted_by(at, event),
                Some(at) if event.seq == at + 1 && !state.is_suspect => {
                    state.take(event.clone(), &mut ready);
                    state.take_held(&mut ready);
                }
                // Ahead; or nobody has looked at the store yet, and what came before this event is not known.
                _ if state.held.len() < MAX_HELD => drop(state.held.insert(event.seq, event.clone())),
                _ => {}
            }
        }
        if !ready.is_empty() {
            state.release(self.session, &ready, lanes, metrics);
        }
        state.accepted()
    }

    /// Notes where the store says that the timeline stands.
    pub(super) fn observe(&self, head: &Head, lanes: &[Lane], metrics: &Metrics) -> Accepted {
        let mut state = self.state.lock();
        state.space = Some(head.space);
        state.known = state.known.max(head.last_seq);
        if state.at.is_none() {
            (state.at, state.at_time) = (Some(head.last_seq), Some(head.at));
            state.held = state.held.split_off(&(head.last_seq + 1));
            state.reach.send_replace(head.last_seq);
            let mut ready = Vec::new();
            state.take_held(&mut ready);
            if !ready.is_empty() {
                state.release(self.session, &ready, lanes, metrics);
            }
        }
        state.accepted()
    }

    /// Notes a rumour that the timeline reaches to `seq`.
    pub(super) fn hear(&self, space: SpaceId, seq: i64) -> Accepted {
        let mut state = self.state.lock();
        state.space = Some(space);
        state.known = state.known.max(seq);
        state.accepted()
    }

    /// Where it stands, if that is known.
    pub(super) fn standpoint(&self) -> Option<Standpoint> {
        let state = self.state.lock();
        Some(Standpoint { space: state.space?, seq: state.at?, time: state.at_time, known: state.known })
    }

    /// From where the store must be read, if events are missing.
    pub(super) fn missing(&self) -> Option<Standpoint> {
        self.standpoint().filter(|at| at.seq < at.known && !self.is_suspect())
    }

    pub(super) fn is_suspect(&self) -> bool {
        self.state.lock().is_suspect
    }

    /// What was released is what the store has.
    pub(super) fn is_cleared(&self) -> Accepted {
        let mut state = self.state.lock();
        state.is_suspect = false;
        state.accepted()
    }

    /// Gives up on events that no longer exist: the timeline begins at `first`.
    pub(super) fn skip_to(&self, first: i64) {
        let mut state = self.state.lock();
        if let Some(at) = state.at
            && at < first - 1
        {
            (state.at, state.at_time) = (Some(first - 1), None);
        }
    }

    /// Forgets that the timeline reaches to `known`, which the store does not bear out; unless more was heard meanwhile.
    pub(super) fn retract(&self, known: i64) {
        let mut state = self.state.lock();
        if let Some(at) = state.at
            && state.known == known
        {
            state.known = at;
            state.held.clear();
        }
    }

    pub(super) fn space(&self) -> Option<SpaceId> {
        self.state.lock().space
    }

    /// Tells the subscribers of each lane what it had no room for: that they have nothing to read any more, or how far
    /// to read. Those of the other lanes have had it.
    pub(super) fn nudge(&self, lanes: &[Lane]) {
        let mut state = self.state.lock();
        let TopicState { missed, at, .. } = &mut *state;
        for (lane, missed) in lanes.iter().zip(missed) {
            missed.end = missed.end.filter(|reason| {
                let end = LaneMessage::Evict { session: self.session, reason: *reason };
                !lane.offer(end)
            });
            if let (true, Some(seq)) = (missed.run, *at) {
                missed.run = !lane.offer(LaneMessage::Head { session: self.session, seq });
            }
        }
    }

    pub(super) fn note_crowd(&self, is_crowd: bool) {
        self.state.lock().is_crowd = is_crowd;
    }

    pub(super) fn is_crowd(&self) -> bool {
        self.state.lock().is_crowd
    }

    pub(super) fn add_member(&self, lane: usize) {
        self.state.lock().members[lane] += 1;
    }

    pub(super) fn remove_member(&self, lane: usize) {
        let mut state = self.state.lock();
        state.members[lane] = state.members[lane].saturating_sub(1);
    }

    /// Sends something ephemeral to every lane that has subscribers of this session.
    pub(super) fn each_lane(&self, lanes: &[Lane], message: impl Fn() -> LaneMessage) {
        let state = self.state.lock();
        for (lane, _) in lanes.iter().zip(&state.members).filter(|(_, count)| **count > 0) {
            // One that has no room goes without.
            let _ = lane.offer(message());
        }
    }

    /// Ends every subscription.
    pub(super) fn evict(&self, reason: EndReason, lanes: &[Lane]) {
        self.state.lock().evict(self.session, reason, lanes);
    }

    /// The session is no more: subscribers are told so, streams look at the store and find nothing.
    pub(super) fn retire(&self, lanes: &[Lane]) {
        let mut state = self.state.lock();
        state.evict(self.session, EndReason::Retired, lanes);
        state.reach.send_replace(i64::MAX);
        state.wake_all();
    }

    /// The store has gone back behind what was released: every reader begins anew, and so does this topic.
    pub(super) fn reset(&self, lanes: &[Lane]) {
        let mut state = self.state.lock();
        state.evict(self.session, EndReason::Reset, lanes);
        (state.at, state.at_time, state.known, state.is_suspect) = (None, None, 0, false);
        state.held.clear();
        state.missed.iter_mut().for_each(|missed| missed.run = false);
        state.wake_all();
        // Whoever follows the one before sees its end.
        state.reach = watch::Sender::new(0);
    }

    /// Registers somebody who waits for a message to settle.
    pub(super) fn add_waiter(&self, message: MessageId) -> oneshot::Receiver<Woken> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state.lock();
        state.others += 1;
        state.waiters.entry(message).or_default().push(sender);
        receiver
    }

    /// Takes out a waiter that has gone: its receiver is closed by now.
    pub(super) fn remove_waiter(&self, message: MessageId) {
        let mut state = self.state.lock();
        state.others = state.others.saturating_sub(1);
        if let Some(list) = state.waiters.get_mut(&message) {
            list.retain(|waiter| !waiter.is_closed());
            if list.is_empty() {
                state.waiters.remove(&message);
            }
        }
    }

    /// Follows how far events have been released.
    pub(super) fn add_stream(&self) -> watch::Receiver<i64> {
        let mut state = self.state.lock();
        state.others += 1;
        state.reach.subscribe()
    }

    pub(super) fn remove_stream(&self) {
        let mut state = self.state.lock();
        state.others = state.others.saturating_sub(1);
    }

    pub(super) fn has_readers(&self) -> bool {
        let state = self.state.lock();
        state.others > 0 || state.members.iter().any(|count| *count > 0)
    }
}
