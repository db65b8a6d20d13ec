//! A session with readers on this node: puts its events back into order and releases them to the readers.

mod order;
mod readers;
#[cfg(test)]
mod tests;

pub(super) use order::Accepted;
pub use readers::Wake;

use super::fan_out::{WorkerHandle, WorkerMessage};
use super::subscriber::EndReason;
use crate::domain::{CommittedEvent, MessageId, SessionId, SpaceId};
use crate::metrics::Metrics;
use crate::store::Head;
use crate::timeline::reader::{Gap, Page, Position};
use order::EventOrder;
use parking_lot::Mutex;
use readers::Readers;
use tokio::sync::{oneshot, watch};

pub(super) struct Topic {
    pub(super) session: SessionId,
    state: Mutex<State>,
}

struct State {
    /// Known from the first event, or from the first read of the store.
    space: Option<SpaceId>,
    order: EventOrder,
    readers: Readers,
    /// Whether changes of presence are sent in batches.
    batches_presence: bool,
}

impl Topic {
    pub(super) fn new(session: SessionId, workers: usize) -> Self {
        let state = State {
            space: None,
            order: EventOrder::default(),
            readers: Readers::new(workers),
            batches_presence: false,
        };
        Self { session, state: Mutex::new(state) }
    }

    /// Accepts events from a hint, and releases those that are next.
    pub(super) fn accept(&self, events: &[CommittedEvent], workers: &[WorkerHandle], metrics: &Metrics) -> Accepted {
        let mut state = self.state.lock();
        if let Some(event) = events.first() {
            state.space = Some(event.space);
        }
        let next = state.order.accept(events);
        state.release(self.session, &next, workers, metrics);
        state.order.accepted()
    }

    /// Accepts missing events that were read from the store.
    pub(super) fn accept_page(&self, page: &Page, workers: &[WorkerHandle], metrics: &Metrics) -> Accepted {
        let mut state = self.state.lock();
        let next = state.order.accept_page(page);
        state.release(self.session, &next, workers, metrics);
        state.order.accepted()
    }

    /// Notes the head of the timeline as it was read from the store. The first head is where the topic begins.
    pub(super) fn observe(&self, head: &Head, workers: &[WorkerHandle], metrics: &Metrics) -> Accepted {
        let mut state = self.state.lock();
        state.space = Some(head.space);
        if let Some(next) = state.order.observe(head) {
            state.readers.set_released(head.last_seq);
            state.release(self.session, &next, workers, metrics);
        }
        state.order.accepted()
    }

    /// Raises the high-water mark of the timeline to `seq`.
    pub(super) fn note_high_water_mark(&self, space: SpaceId, seq: i64) -> Accepted {
        let mut state = self.state.lock();
        state.space = Some(space);
        state.order.note_high_water_mark(seq);
        state.order.accepted()
    }

    pub(super) fn space(&self) -> Option<SpaceId> {
        self.state.lock().space
    }

    /// The last released event; `None` until the head of the timeline is known.
    pub(super) fn position(&self) -> Option<Position> {
        self.state.lock().order.position()
    }

    /// The missing events. `None` also while it is not known whether the store was restored.
    pub(super) fn gap(&self) -> Option<(SpaceId, Gap)> {
        let state = self.state.lock();
        Some((state.space?, state.order.gap()?))
    }

    /// Whether an event has contradicted those that were released: the store may have been restored.
    pub(super) fn is_suspect(&self) -> bool {
        self.state.lock().order.is_suspect()
    }

    /// Notes that the store has the events that were released.
    pub(super) fn clear_suspicion(&self) -> Accepted {
        let mut state = self.state.lock();
        state.order.clear_suspicion();
        state.order.accepted()
    }

    /// Begins anew, and ends every reader: the store was restored to a state before the released events.
    pub(super) fn reset(&self, workers: &[WorkerHandle]) {
        let mut state = self.state.lock();
        state.order = EventOrder::default();
        state.readers.reset(self.session, workers);
    }

    /// Ends every subscription.
    pub(super) fn evict(&self, reason: EndReason, workers: &[WorkerHandle]) {
        self.state.lock().readers.evict(self.session, reason, workers);
    }

    /// Ends every reader: the session was deleted.
    pub(super) fn retire(&self, workers: &[WorkerHandle]) {
        self.state.lock().readers.retire(self.session, workers);
    }

    /// Sends to each worker the messages that did not fit into its queue.
    pub(super) fn resend(&self, workers: &[WorkerHandle]) {
        let mut state = self.state.lock();
        let released = state.order.position().map(|position| position.seq);
        state.readers.resend(self.session, released, workers);
    }

    /// Sends an ephemeral message to every worker that has subscribers of this session.
    pub(super) fn send_to_workers(&self, workers: &[WorkerHandle], message: impl Fn() -> WorkerMessage) {
        self.state.lock().readers.send_to_workers(workers, message);
    }

    pub(super) fn set_presence_batching(&self, is_batched: bool) {
        self.state.lock().batches_presence = is_batched;
    }

    pub(super) fn batches_presence(&self) -> bool {
        self.state.lock().batches_presence
    }

    pub(super) fn add_subscriber(&self, worker: usize) {
        self.state.lock().readers.add_subscriber(worker);
    }

    pub(super) fn remove_subscriber(&self, worker: usize) {
        self.state.lock().readers.remove_subscriber(worker);
    }

    /// Registers a long-poll on a message.
    pub(super) fn add_long_poll(&self, message: MessageId) -> oneshot::Receiver<Wake> {
        self.state.lock().readers.add_long_poll(message)
    }

    /// Removes a long-poll whose receiver is closed.
    pub(super) fn remove_long_poll(&self, message: MessageId) {
        self.state.lock().readers.remove_long_poll(message);
    }

    /// Registers a watch on the `seq` up to which events are released.
    pub(super) fn add_watch(&self) -> watch::Receiver<i64> {
        self.state.lock().readers.add_watch()
    }

    pub(super) fn remove_watch(&self) {
        self.state.lock().readers.remove_watch();
    }

    pub(super) fn has_readers(&self) -> bool {
        !self.state.lock().readers.is_empty()
    }
}

impl State {
    fn release(&mut self, session: SessionId, events: &[CommittedEvent], workers: &[WorkerHandle], metrics: &Metrics) {
        if !events.is_empty() {
            self.readers.release(session, events, workers, metrics);
        }
    }
}
