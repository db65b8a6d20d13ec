//! Releases the events of a topic in order: to the workers, to long-polls, to those that follow its reach.

use super::{Accepted, TopicState, Woken};
use crate::domain::{CommittedEvent, SessionId};
use crate::hub::lane::{Lane, LaneMessage};
use crate::hub::subscriber::{EndReason, Run};
use crate::metrics::Metrics;
use std::sync::Arc;

impl TopicState {
    pub(super) fn accepted(&self) -> Accepted {
        match self.at {
            _ if self.is_suspect => Accepted::Suspect,
            Some(at) if at < self.known => Accepted::Gap,
            _ => Accepted::InOrder,
        }
    }

    /// Whether an event at or before `at` can't belong to the same history as the one that was released there: within a
    /// timeline, times never go back.
    pub(super) fn is_contradicted_by(&self, at: i64, event: &CommittedEvent) -> bool {
        self.at_time.is_some_and(|time| event.at > time || (event.seq == at && event.at != time))
    }

    pub(super) fn take(&mut self, event: CommittedEvent, ready: &mut Vec<CommittedEvent>) {
        (self.at, self.at_time) = (Some(event.seq), Some(event.at));
        ready.push(event);
    }

    /// Takes what was held back and is next.
    pub(super) fn take_held(&mut self, ready: &mut Vec<CommittedEvent>) {
        while let Some(held) = self.at.and_then(|at| self.held.remove(&(at + 1))) {
            self.take(held, ready);
        }
    }

    pub(super) fn release(&mut self, session: SessionId, events: &[CommittedEvent], lanes: &[Lane], metrics: &Metrics) {
        if self.members.iter().any(|count| *count > 0) {
            let run = Arc::new(Run::new(events));
            for ((lane, count), missed) in lanes.iter().zip(&self.members).zip(&mut self.missed) {
                if *count > 0 && !lane.offer(LaneMessage::Run { session, run: Arc::clone(&run) }) {
                    missed.run = true;
                    metrics.lane_drops.inc();
                }
            }
        }
        for message in events.iter().filter_map(|event| event.settles) {
            for waiter in self.waiters.remove(&message).into_iter().flatten() {
                // One that went away is taken out by its own guard.
                let _ = waiter.send(Woken::Settled);
            }
        }
        if events.iter().any(|event| event.removes.is_some()) {
            // Whoever was removed must not go on waiting; the others look once more in vain.
            self.wake_all();
        }
        if let Some(at) = self.at {
            self.reach.send_replace(at);
        }
    }

    pub(super) fn evict(&mut self, session: SessionId, reason: EndReason, lanes: &[Lane]) {
        for ((lane, count), missed) in lanes.iter().zip(&self.members).zip(&mut self.missed) {
            if *count > 0 {
                missed.end = (!lane.offer(LaneMessage::Evict { session, reason })).then_some(reason);
            }
        }
    }

    pub(super) fn wake_all(&mut self) {
        for waiter in self.waiters.drain().flat_map(|(_, waiters)| waiters) {
            let _ = waiter.send(Woken::LookAgain);
        }
    }
}
