//! Fan-out lanes, one a core: each owns a share of the subscribers, so that nothing locks a whole topic.
//!
//! A lane takes its messages in order. Joining is one of them, so whoever has joined sees everything that is
//! released afterwards.

use super::subscriber::{EndReason, Offered, Run, Subscriber};
use crate::domain::{ConnectionId, PrincipalId, SessionId};
use crate::metrics::Metrics;
use crate::supervisor::Supervisor;
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Most messages that wait in one lane. What does not fit is found by the reconcile tick.
const MAX_QUEUE: usize = 8192;
/// Deliveries after which a lane lets other tasks of its thread run.
const DELIVERIES_PER_TURN: usize = 256;

pub(super) enum LaneMessage {
    Join {
        session: SessionId,
        subscriber: Arc<dyn Subscriber>,
        done: oneshot::Sender<()>,
    },
    Leave {
        session: SessionId,
        connection: ConnectionId,
    },
    Run {
        session: SessionId,
        run: Arc<Run>,
    },
    /// The timeline reaches to `seq`, though not every run may have come through here.
    Head {
        session: SessionId,
        seq: i64,
    },
    /// Every subscription to the session ends.
    Evict {
        session: SessionId,
        reason: EndReason,
    },
    Show {
        session: SessionId,
        frame: Bytes,
        except: Option<PrincipalId>,
    },
}

/// The way into a lane.
#[derive(Clone)]
pub(super) struct Lane {
    queue: mpsc::Sender<LaneMessage>,
}

impl Lane {
    pub(super) fn start(supervisor: &Supervisor, metrics: Arc<Metrics>) -> Self {
        let (queue, messages) = mpsc::channel(MAX_QUEUE);
        let worker = Worker { messages, metrics, members: Members::new(), turn: VecDeque::new(), fanning_out: None };
        supervisor.spawn("fan-out", worker, |worker| Box::pin(worker.run()));
        Self { queue }
    }

    /// A lane without a worker, whose messages wait at the other end.
    #[cfg(test)]
    pub(super) fn with_room(messages: usize) -> (Self, mpsc::Receiver<LaneMessage>) {
        let (queue, waiting) = mpsc::channel(messages);
        (Self { queue }, waiting)
    }

    /// Hands on a message if there is room; `false` if it was dropped.
    pub(super) fn offer(&self, message: LaneMessage) -> bool {
        self.queue.try_send(message).is_ok()
    }

    /// Hands on a message that must not be lost.
    pub(super) async fn send(&self, message: LaneMessage) {
        // The lane ends only with the hub itself.
        let _ = self.queue.send(message).await;
    }
}

type Members = HashMap<SessionId, Vec<Arc<dyn Subscriber>>>;

/// The state of a lane. It outlives a panic of its task.
struct Worker {
    messages: mpsc::Receiver<LaneMessage>,
    metrics: Arc<Metrics>,
    members: Members,
    /// Messages that were taken from the queue together.
    turn: VecDeque<LaneMessage>,
    /// The session whose events are going out, and up to which `seq`.
    fanning_out: Option<(SessionId, i64)>,
}

impl Worker {
    async fn run(&mut self) {
        if let Some((session, seq)) = self.fanning_out.take() {
            // The task panicked amid a run: those whom it did not reach read it from the store.
            self.hear(session, seq);
        }
        let mut taken = Vec::new();
        loop {
            while let Some(message) = self.turn.pop_front() {
                self.handle(message).await;
            }
            if self.messages.recv_many(&mut taken, DELIVERIES_PER_TURN).await == 0 {
                return;
            }
            self.turn.extend(taken.drain(..));
        }
    }

    async fn handle(&mut self, message: LaneMessage) {
        match message {
            LaneMessage::Join { session, subscriber, done } => {
                let list = self.members.entry(session).or_default();
                list.retain(|present| present.id() != subscriber.id());
                list.push(subscriber);
                // Whoever no longer waits for it has left or will leave.
                let _ = done.send(());
            }
            LaneMessage::Leave { session, connection } => leave(&mut self.members, session, connection),
            LaneMessage::Run { session, run } => self.fan_out(session, run).await,
            LaneMessage::Head { session, seq } => self.hear(session, seq),
            LaneMessage::Evict { session, reason } => {
                for subscriber in self.members.get(&session).into_iter().flatten() {
                    subscriber.evict(session, reason);
                }
            }
            LaneMessage::Show { session, frame, except } => self.show(session, &frame, except),
        }
    }

    async fn fan_out(&mut self, session: SessionId, run: Arc<Run>) {
        // Runs of one session that have queued up go out in one write a socket.
        let mut runs = vec![run];
        while let Some(LaneMessage::Run { session: next, run }) = self.turn.front()
            && *next == session
            && run.first == runs[runs.len() - 1].end()
        {
            runs.push(Arc::clone(run));
            self.turn.pop_front();
        }
        let run = if runs.len() == 1 { runs.remove(0) } else { Arc::new(Run::merge(&runs)) };
        self.fanning_out = Some((session, run.end() - 1));
        let (mut offered, mut deliveries) = (Offered::default(), 0);
        for subscriber in self.members.get(&session).into_iter().flatten() {
            offered += subscriber.deliver(session, &run);
            deliveries += 1;
            if deliveries % DELIVERIES_PER_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        self.fanning_out = None;
        // Once a run, not once a socket: lanes would take the counter out of each other's caches.
        self.metrics.delivered_live.inc_by(offered.taken);
        if offered.dropped > 0 {
            self.metrics.dropped_events.inc_by(offered.dropped);
        }
    }

    fn hear(&self, session: SessionId, seq: i64) {
        self.members.get(&session).into_iter().flatten().for_each(|subscriber| subscriber.hear(session, seq));
    }

    fn show(&self, session: SessionId, frame: &Bytes, except: Option<PrincipalId>) {
        let mut dropped = 0;
        for subscriber in self.members.get(&session).into_iter().flatten() {
            if except.is_none() || subscriber.principal().map(|principal| principal.id()) != except {
                dropped += u64::from(!subscriber.show(frame));
            }
        }
        if dropped > 0 {
            self.metrics.dropped_ephemeral.inc_by(dropped);
        }
    }
}

fn leave(members: &mut Members, session: SessionId, connection: ConnectionId) {
    if let Some(list) = members.get_mut(&session) {
        list.retain(|present| present.id() != connection);
        if list.is_empty() {
            members.remove(&session);
        }
    }
}
