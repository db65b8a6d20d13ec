//! The queue of signals to publish, which is bounded and never blocks a commit.

use super::message::size;
use crate::broker::Signal;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::mpsc;

/// Limits of the queue, in signals and in approximate bytes.
const MAX_QUEUE: usize = 8192;
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// The sending end of the queue.
pub(super) struct Outgoing {
    queue: mpsc::Sender<Signal>,
    bytes: AtomicUsize,
    /// Whether there is a connection. Without one nothing is queued, since old hints are useless.
    is_open: AtomicBool,
}

impl Outgoing {
    pub(super) fn new() -> (Self, mpsc::Receiver<Signal>) {
        let (queue, signals) = mpsc::channel(MAX_QUEUE);
        (Self { queue, bytes: AtomicUsize::new(0), is_open: AtomicBool::new(false) }, signals)
    }

    /// Queues a signal if there is room and a connection; `false` if it was dropped.
    pub(super) fn offer(&self, signal: Signal) -> bool {
        if !self.is_open.load(Ordering::Acquire) {
            return false;
        }
        let bytes = size(&signal);
        if self.bytes.fetch_add(bytes, Ordering::AcqRel) + bytes <= MAX_BYTES && self.queue.try_send(signal).is_ok() {
            return true;
        }
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        false
    }

    /// Begins to accept signals.
    pub(super) fn open(&self) {
        self.is_open.store(true, Ordering::Release);
    }

    /// Drops later signals, until there is a connection again.
    pub(super) fn close(&self) {
        self.is_open.store(false, Ordering::Release);
    }

    /// Counts signals that were taken from the queue.
    pub(super) fn taken(&self, signals: &[Signal]) {
        self.bytes.fetch_sub(signals.iter().map(size).sum(), Ordering::AcqRel);
    }
}
