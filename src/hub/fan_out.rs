//! Fan-out workers, one per thread of the runtime. Each owns a share of the subscribers, so that no lock covers a whole topic.
//!
//! A worker handles its messages in order. `Join` is one of them, so a subscriber gets everything that is released
//! after it has joined.

use super::event_batch::EventBatch;
use super::subscriber::{DeliveryCount, EndReason, Subscriber};
use crate::domain::{ConnectionId, PrincipalId, SessionId};
use crate::metrics::Metrics;
use crate::supervisor::Supervisor;
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Most messages in the queue of one worker. Events that do not fit are found by the reconcile tick.
const MAX_QUEUE: usize = 8192;
/// Deliveries after which a worker yields to the other tasks of its thread.
const DELIVERIES_PER_TURN: usize = 256;

pub(super) enum WorkerMessage {
    Join {
        session: SessionId,
        subscriber: Arc<dyn Subscriber>,
        done: oneshot::Sender<()>,
    },
    Leave {
        session: SessionId,
        connection: ConnectionId,
    },
    Events {
        session: SessionId,
        batch: Arc<EventBatch>,
    },
    /// The timeline reaches to `seq`, and an earlier `Events` may not have fit into the queue.
    HighWaterMark {
        session: SessionId,
        seq: i64,
    },
    /// Ends every subscription to the session.
    Evict {
        session: SessionId,
        reason: EndReason,
    },
    Ephemeral {
        session: SessionId,
        frame: Bytes,
        except: Option<PrincipalId>,
    },
}

/// The queue of a worker.
#[derive(Clone)]
pub(super) struct WorkerHandle {
    queue: mpsc::Sender<WorkerMessage>,
}

impl WorkerHandle {
    pub(super) fn start(supervisor: &Supervisor, metrics: Arc<Metrics>) -> Self {
        let (queue, messages) = mpsc::channel(MAX_QUEUE);
        let worker =
            Worker { messages, metrics, subscribers: Subscribers::new(), received: VecDeque::new(), fanning_out: None };
        supervisor.spawn("fan-out", worker, |worker| Box::pin(worker.run()));
        Self { queue }
    }

    /// A queue of this size without a worker behind it.
    #[cfg(test)]
    pub(super) fn detached(size: usize) -> (Self, mpsc::Receiver<WorkerMessage>) {
        let (queue, messages) = mpsc::channel(size);
        (Self { queue }, messages)
    }

    /// Queues a message if there is room; `false` if it was dropped.
    pub(super) fn try_send(&self, message: WorkerMessage) -> bool {
        self.queue.try_send(message).is_ok()
    }

    /// Queues a message that must not be dropped.
    pub(super) async fn send(&self, message: WorkerMessage) {
        // The worker ends only with the hub itself.
        let _ = self.queue.send(message).await;
    }
}

type Subscribers = HashMap<SessionId, Vec<Arc<dyn Subscriber>>>;

/// The state of a worker, which survives a panic of its task.
struct Worker {
    messages: mpsc::Receiver<WorkerMessage>,
    metrics: Arc<Metrics>,
    subscribers: Subscribers,
    /// Messages that were taken from the queue together.
    received: VecDeque<WorkerMessage>,
    /// The session whose events are going out, and up to which `seq`.
    fanning_out: Option<(SessionId, i64)>,
}

impl Worker {
    async fn run(&mut self) {
        if let Some((session, seq)) = self.fanning_out.take() {
            // The task panicked in the middle of a batch: subscribers that did not get it read it from the store.
            self.note_high_water_mark(session, seq);
        }
        let mut taken = Vec::new();
        loop {
            while let Some(message) = self.received.pop_front() {
                self.handle(message).await;
            }
            if self.messages.recv_many(&mut taken, DELIVERIES_PER_TURN).await == 0 {
                return;
            }
            self.received.extend(taken.drain(..));
        }
    }

    async fn handle(&mut self, message: WorkerMessage) {
        match message {
            WorkerMessage::Join { session, subscriber, done } => {
                let list = self.subscribers.entry(session).or_default();
                list.retain(|present| present.id() != subscriber.id());
                list.push(subscriber);
                // A receiver that is gone has left or will leave.
                let _ = done.send(());
            }
            WorkerMessage::Leave { session, connection } => self.leave(session, connection),
            WorkerMessage::Events { session, batch } => self.fan_out(session, batch).await,
            WorkerMessage::HighWaterMark { session, seq } => self.note_high_water_mark(session, seq),
            WorkerMessage::Evict { session, reason } => {
                self.subscribers_of(session).for_each(|subscriber| subscriber.evict(session, reason));
            }
            WorkerMessage::Ephemeral { session, frame, except } => self.send_ephemeral(session, &frame, except),
        }
    }

    fn subscribers_of(&self, session: SessionId) -> impl Iterator<Item = &Arc<dyn Subscriber>> {
        self.subscribers.get(&session).into_iter().flatten()
    }

    async fn fan_out(&mut self, session: SessionId, batch: Arc<EventBatch>) {
        // Consecutive batches of one session that are queued go out in one write per socket.
        let mut batches = vec![batch];
        while let Some(WorkerMessage::Events { session: next, batch }) = self.received.front()
            && *next == session
            && batch.first == batches[batches.len() - 1].end()
        {
            batches.push(Arc::clone(batch));
            self.received.pop_front();
        }
        let batch = if batches.len() == 1 { batches.remove(0) } else { Arc::new(EventBatch::merge(&batches)) };
        self.fanning_out = Some((session, batch.end() - 1));
        let (mut total, mut deliveries) = (DeliveryCount::default(), 0);
        for subscriber in self.subscribers.get(&session).into_iter().flatten() {
            total += subscriber.deliver(session, &batch);
            deliveries += 1;
            if deliveries % DELIVERIES_PER_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        self.fanning_out = None;
        // Counted once per batch, not once per socket: the workers share the counter's cache line.
        self.metrics.delivered_live.inc_by(total.delivered);
        if total.dropped > 0 {
            self.metrics.dropped_events.inc_by(total.dropped);
        }
    }

    fn note_high_water_mark(&self, session: SessionId, seq: i64) {
        self.subscribers_of(session).for_each(|subscriber| subscriber.note_high_water_mark(session, seq));
    }

    fn send_ephemeral(&self, session: SessionId, frame: &Bytes, except: Option<PrincipalId>) {
        let mut dropped = 0;
        for subscriber in self.subscribers_of(session) {
            if except.is_none() || subscriber.principal().map(|principal| principal.id()) != except {
                dropped += u64::from(!subscriber.send_ephemeral(frame));
            }
        }
        if dropped > 0 {
            self.metrics.dropped_ephemeral.inc_by(dropped);
        }
    }

    fn leave(&mut self, session: SessionId, connection: ConnectionId) {
        if let Some(list) = self.subscribers.get_mut(&session) {
            list.retain(|present| present.id() != connection);
            if list.is_empty() {
                self.subscribers.remove(&session);
            }
        }
    }
}
