//! The readers of one session on this node: subscribers, by fan-out worker; long-polls; watches.

use crate::domain::{CommittedEvent, MessageId, SessionId};
use crate::hub::event_batch::EventBatch;
use crate::hub::fan_out::{WorkerHandle, WorkerMessage};
use crate::hub::subscriber::EndReason;
use crate::metrics::Metrics;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{oneshot, watch};

/// Why a long-poll is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The message has settled.
    Settled,
    /// Earlier reads of the store may be outdated.
    ReadAgain,
}

pub(super) struct Readers {
    /// How many subscribers each worker has.
    subscribers: Vec<usize>,
    /// Messages that did not fit into the queue of each worker.
    undelivered: Vec<Undelivered>,
    long_polls: HashMap<MessageId, Vec<oneshot::Sender<Wake>>>,
    /// How many long-polls and watches there are.
    waiting: usize,
    /// The `seq` up to which events were released.
    released: watch::Sender<i64>,
}

/// Messages that did not fit into the queue of a worker.
#[derive(Clone, Copy, Debug, Default)]
struct Undelivered {
    /// Events: its subscribers have to read the store.
    events: bool,
    /// The end of its subscriptions.
    end: Option<EndReason>,
}

impl Readers {
    pub(super) fn new(workers: usize) -> Self {
        Self {
            subscribers: vec![0; workers],
            undelivered: vec![Undelivered::default(); workers],
            long_polls: HashMap::new(),
            waiting: 0,
            released: watch::Sender::new(0),
        }
    }

    /// Releases consecutive events, at least one.
    pub(super) fn release(
        &mut self,
        session: SessionId,
        events: &[CommittedEvent],
        workers: &[WorkerHandle],
        metrics: &Metrics,
    ) {
        if self.subscribers.iter().any(|count| *count > 0) {
            let batch = Arc::new(EventBatch::new(events));
            for ((worker, count), undelivered) in workers.iter().zip(&self.subscribers).zip(&mut self.undelivered) {
                let message = || WorkerMessage::Events { session, batch: Arc::clone(&batch) };
                if *count > 0 && !worker.try_send(message()) {
                    undelivered.events = true;
                    metrics.fan_out_drops.inc();
                }
            }
        }
        for message in events.iter().filter_map(|event| event.settles) {
            for long_poll in self.long_polls.remove(&message).into_iter().flatten() {
                // One that has ended is removed by its own guard.
                let _ = long_poll.send(Wake::Settled);
            }
        }
        if events.iter().any(|event| event.removes.is_some()) {
            // A removed participant must not go on waiting. The others read the store once more.
            self.wake_all();
        }
        if let Some(last) = events.last() {
            self.set_released(last.seq);
        }
    }

    pub(super) fn set_released(&self, seq: i64) {
        self.released.send_replace(seq);
    }

    /// Sends to each worker the messages that did not fit into its queue: the end of its subscriptions, or the high-water mark.
    /// A worker that got everything is not sent it again.
    pub(super) fn resend(&mut self, session: SessionId, released: Option<i64>, workers: &[WorkerHandle]) {
        for (worker, undelivered) in workers.iter().zip(&mut self.undelivered) {
            undelivered.end =
                undelivered.end.filter(|reason| !worker.try_send(WorkerMessage::Evict { session, reason: *reason }));
            if let (true, Some(seq)) = (undelivered.events, released) {
                undelivered.events = !worker.try_send(WorkerMessage::HighWaterMark { session, seq });
            }
        }
    }

    /// Sends an ephemeral message to every worker that has subscribers. A full queue drops it.
    pub(super) fn send_to_workers(&self, workers: &[WorkerHandle], message: impl Fn() -> WorkerMessage) {
        for (worker, _) in workers.iter().zip(&self.subscribers).filter(|(_, count)| **count > 0) {
            let _ = worker.try_send(message());
        }
    }

    /// Ends every subscription.
    pub(super) fn evict(&mut self, session: SessionId, reason: EndReason, workers: &[WorkerHandle]) {
        for ((worker, count), undelivered) in workers.iter().zip(&self.subscribers).zip(&mut self.undelivered) {
            if *count > 0 {
                let is_sent = worker.try_send(WorkerMessage::Evict { session, reason });
                undelivered.end = (!is_sent).then_some(reason);
            }
        }
    }

    /// The session was deleted: subscriptions end, the other readers read the store and find nothing.
    pub(super) fn retire(&mut self, session: SessionId, workers: &[WorkerHandle]) {
        self.evict(session, EndReason::Retired, workers);
        self.set_released(i64::MAX);
        self.wake_all();
    }

    /// The store was restored: subscriptions and watches end, long-polls read the store again.
    pub(super) fn reset(&mut self, session: SessionId, workers: &[WorkerHandle]) {
        self.evict(session, EndReason::Reset, workers);
        self.undelivered.iter_mut().for_each(|undelivered| undelivered.events = false);
        self.wake_all();
        // Dropping the sender ends the watches.
        self.released = watch::Sender::new(0);
    }

    fn wake_all(&mut self) {
        for long_poll in self.long_polls.drain().flat_map(|(_, long_polls)| long_polls) {
            let _ = long_poll.send(Wake::ReadAgain);
        }
    }

    pub(super) fn add_subscriber(&mut self, worker: usize) {
        self.subscribers[worker] += 1;
    }

    pub(super) fn remove_subscriber(&mut self, worker: usize) {
        self.subscribers[worker] = self.subscribers[worker].saturating_sub(1);
    }

    pub(super) fn add_long_poll(&mut self, message: MessageId) -> oneshot::Receiver<Wake> {
        let (sender, receiver) = oneshot::channel();
        self.waiting += 1;
        self.long_polls.entry(message).or_default().push(sender);
        receiver
    }

    pub(super) fn remove_long_poll(&mut self, message: MessageId) {
        self.waiting = self.waiting.saturating_sub(1);
        if let Some(list) = self.long_polls.get_mut(&message) {
            list.retain(|long_poll| !long_poll.is_closed());
            if list.is_empty() {
                self.long_polls.remove(&message);
            }
        }
    }

    pub(super) fn add_watch(&mut self) -> watch::Receiver<i64> {
        self.waiting += 1;
        self.released.subscribe()
    }

    pub(super) fn remove_watch(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting == 0 && self.subscribers.iter().all(|count| *count == 0)
    }
}
