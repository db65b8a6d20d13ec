//! One session with readers on this node: puts its events back into order before they fan out.

use super::lane::{Lane, LaneMessage};
use super::subscriber::Run;
use crate::domain::{CommittedEvent, MessageId, SessionId, SpaceId};
use crate::metrics::Metrics;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
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
    /// The last event that was released; none before the first is known.
    at: Option<i64>,
    /// How far the timeline is known to reach.
    known: i64,
    held: BTreeMap<i64, CommittedEvent>,
    /// Subscribers by lane, plus waiters and streams.
    members: Vec<usize>,
    others: usize,
    waiters: HashMap<MessageId, Vec<oneshot::Sender<()>>>,
    reach: watch::Sender<i64>,
    /// A lane had no room for a run: its subscribers must be told how far to read.
    lane_missed: bool,
}

/// What is to do after events were accepted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Accepted {
    InOrder,
    /// Events are missing; the store has them.
    Gap,
}

impl Topic {
    pub(super) fn new(session: SessionId, lanes: usize) -> Self {
        let state = TopicState {
            space: None,
            at: None,
            known: 0,
            held: BTreeMap::new(),
            members: vec![0; lanes],
            others: 0,
            waiters: HashMap::new(),
            reach: watch::Sender::new(0),
            lane_missed: false,
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
            let next = state.at.map_or(event.seq, |at| at + 1);
            if event.seq == next {
                state.at = Some(event.seq);
                ready.push(event.clone());
                while let Some(held) = state.at.and_then(|at| state.held.remove(&(at + 1))) {
                    state.at = Some(held.seq);
                    ready.push(held);
                }
            } else if event.seq > next && state.held.len() < MAX_HELD {
                state.held.insert(event.seq, event.clone());
            }
        }
        if !ready.is_empty() {
            state.release(self.session, &ready, lanes, metrics);
        }
        if state.at.is_some_and(|at| at < state.known) { Accepted::Gap } else { Accepted::InOrder }
    }

    /// Notes how far the store says that the timeline reaches.
    pub(super) fn observe(&self, space: SpaceId, head: i64) -> Accepted {
        let mut state = self.state.lock();
        state.space = Some(space);
        state.known = state.known.max(head);
        match state.at {
            None => {
                state.at = Some(head);
                state.reach.send_replace(head);
                Accepted::InOrder
            }
            Some(at) if at < state.known => Accepted::Gap,
            Some(_) => Accepted::InOrder,
        }
    }

    /// From where the store must be read, if events are missing.
    pub(super) fn missing(&self) -> Option<(SpaceId, i64)> {
        let state = self.state.lock();
        let at = state.at?;
        (at < state.known).then_some(())?;
        Some((state.space?, at))
    }

    /// Gives up on events that no longer exist: the timeline begins at `first`.
    pub(super) fn skip_to(&self, first: i64) {
        let mut state = self.state.lock();
        if let Some(at) = state.at
            && at < first - 1
        {
            state.at = Some(first - 1);
        }
    }

    pub(super) fn space(&self) -> Option<SpaceId> {
        self.state.lock().space
    }

    /// Tells subscribers how far to read, if a lane had to drop a run.
    pub(super) fn nudge(&self, lanes: &[Lane]) {
        let mut state = self.state.lock();
        if let (true, Some(seq)) = (state.lane_missed, state.at) {
            state.lane_missed = false;
            for lane in lanes {
                if !lane.offer(LaneMessage::Head { session: self.session, seq }) {
                    state.lane_missed = true;
                }
            }
        }
    }

    pub(super) fn add_member(&self, lane: usize) {
        self.state.lock().members[lane] += 1;
    }

    pub(super) fn remove_member(&self, lane: usize) {
        let mut state = self.state.lock();
        state.members[lane] = state.members[lane].saturating_sub(1);
    }

    /// Sends something to every lane that has subscribers of this session.
    pub(super) fn each_lane(&self, lanes: &[Lane], message: impl Fn() -> LaneMessage) {
        let state = self.state.lock();
        for (lane, count) in lanes.iter().zip(&state.members) {
            if *count > 0 {
                lane.offer(message());
            }
        }
    }

    /// The session is no more: subscribers are told so, streams look at the store and find nothing.
    pub(super) fn retire(&self, lanes: &[Lane]) {
        self.each_lane(lanes, || LaneMessage::Evict { session: self.session });
        self.state.lock().reach.send_replace(i64::MAX);
    }

    /// Registers somebody who waits for a message to settle.
    pub(super) fn add_waiter(&self, message: MessageId) -> oneshot::Receiver<()> {
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

impl TopicState {
    fn release(&mut self, session: SessionId, events: &[CommittedEvent], lanes: &[Lane], metrics: &Metrics) {
        if self.members.iter().any(|count| *count > 0) {
            let run = Arc::new(Run::new(events));
            for (lane, count) in lanes.iter().zip(&self.members) {
                if *count > 0 && !lane.offer(LaneMessage::Run { session, run: Arc::clone(&run) }) {
                    self.lane_missed = true;
                    metrics.lane_drops.inc();
                }
            }
        }
        for message in events.iter().filter_map(|event| event.settles) {
            for waiter in self.waiters.remove(&message).into_iter().flatten() {
                // One that went away is taken out by its own guard.
                let _ = waiter.send(());
            }
        }
        if let Some(at) = self.at {
            self.reach.send_replace(at);
        }
    }
}
