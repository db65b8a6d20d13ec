//! The counters that all reading tasks of a fleet share.

use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{Notify, watch};

use super::{habits::Marks, orders::Orders, seat::Group, wire::Totals};
use crate::{
    client::{Cause, Causes, Session, wire_size},
    latency::Latencies,
    live::Live,
    problems::Problems,
    schedule::Schedule,
};

/// A schedule that messages are measured against.
pub(super) struct Followed {
    pub(super) schedule: Schedule,
    /// The latencies of its messages at [`Group::Steady`] alone, besides those of all.
    pub(super) apart: Option<Latencies>,
}

pub(super) struct Shared {
    pub(super) sessions: Arc<[Session]>,
    pub(super) problems: Arc<Problems>,
    pub(super) live: Arc<Live>,
    pub(super) subscribe: bool,
    pub(super) schedules: RwLock<Vec<Followed>>,
    /// Of [`Group::Steady`] and [`Group::Disturbed`].
    pub(super) latency: [Latencies; 2],
    /// From an order to return until everything missed has been read.
    pub(super) back: Latencies,
    /// Sockets that are back, or have failed, since the last order.
    pub(super) settled: AtomicU64,
    /// Sockets of each group that have failed for good.
    pub(super) gone: [AtomicU64; 2],
    pub(super) delivered: AtomicU64,
    pub(super) replayed: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) awaited: AtomicU64,
    pub(super) progress: Notify,
    pub(super) orders: watch::Sender<Orders>,
    pub(super) causes: Mutex<Causes>,
    pub(super) marks: Marks,
    /// Habits rest.
    pub(super) quiet: AtomicBool,
}

/// Whether a message was missed while its socket or stream was away.
#[derive(Debug, Clone, Copy)]
pub(super) struct Missed {
    pub(super) replayed: bool,
    /// Those that were due before were.
    pub(super) before: Option<Instant>,
}

impl Shared {
    pub(super) fn new(sessions: Arc<[Session]>, problems: Arc<Problems>, live: Arc<Live>, subscribe: bool) -> Self {
        Self {
            sessions,
            problems,
            live,
            subscribe,
            schedules: RwLock::default(),
            latency: [Latencies::new(), Latencies::new()],
            back: Latencies::new(),
            settled: AtomicU64::new(0),
            gone: [AtomicU64::new(0), AtomicU64::new(0)],
            delivered: AtomicU64::new(0),
            replayed: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            awaited: AtomicU64::new(u64::MAX),
            progress: Notify::new(),
            orders: watch::Sender::new(Orders::default()),
            causes: Mutex::default(),
            marks: Marks::new(),
            quiet: AtomicBool::new(false),
        }
    }

    pub(super) fn follow(&self, schedules: Vec<Followed>) {
        *self.schedules.write().unwrap_or_else(PoisonError::into_inner) = schedules;
    }

    /// Counts a message; one that was missed has no latency of its own.
    pub(super) fn count(&self, group: Group, index: u64, missed: Missed, arrived: Instant, payload: usize) {
        let schedules = self.schedules.read().unwrap_or_else(PoisonError::into_inner);
        let followed = schedules.iter().find_map(|followed| Some((followed.schedule.due(index)?, &followed.apart)));
        let due = followed.map(|(due, _)| due);
        match followed {
            _ if missed.replayed || (due.is_some() && due < missed.before) => {
                self.replayed.fetch_add(1, Ordering::Relaxed);
            }
            Some((due, apart)) => {
                let latency = arrived.saturating_duration_since(due);
                self.latency[group as usize].record(latency);
                if let (Some(apart), Group::Steady) = (apart, group) {
                    apart.record(latency);
                }
            }
            None => {}
        }
        drop(schedules);
        self.live.delivered();
        self.bytes.fetch_add(wire_size(payload) as u64, Ordering::Relaxed);
        let delivered = self.delivered.fetch_add(1, Ordering::SeqCst) + 1;
        if delivered >= self.awaited.load(Ordering::SeqCst) {
            self.progress.notify_one();
        }
    }

    pub(super) fn cause(&self, cause: Cause) {
        *self.causes.lock().unwrap_or_else(PoisonError::into_inner).entry(cause).or_default() += 1;
    }

    /// Counts a socket that has returned after this time, or failed to.
    pub(super) fn settle(&self, back_after: Option<Duration>) {
        if let Some(time) = back_after {
            self.back.record(time);
        }
        self.settled.fetch_add(1, Ordering::SeqCst);
        self.progress.notify_one();
    }

    /// Adds what a worker has counted.
    pub(super) fn add(&self, totals: &Totals) {
        self.live.delivered_elsewhere(totals.delivered);
        self.replayed.fetch_add(totals.replayed, Ordering::Relaxed);
        self.bytes.fetch_add(totals.bytes, Ordering::Relaxed);
        self.latency.iter().zip(&totals.latency).for_each(|(latency, counts)| latency.add_counts(counts));
        let mut causes = self.causes.lock().unwrap_or_else(PoisonError::into_inner);
        totals.causes.iter().for_each(|(cause, count)| *causes.entry(*cause).or_default() += count);
        self.delivered.fetch_add(totals.delivered, Ordering::SeqCst);
        self.progress.notify_one();
    }

    /// What was counted since the call before, in a worker.
    pub(super) fn take(&self) -> Totals {
        Totals {
            delivered: self.delivered.swap(0, Ordering::SeqCst),
            replayed: self.replayed.swap(0, Ordering::Relaxed),
            bytes: self.bytes.swap(0, Ordering::Relaxed),
            latency: [0, 1].map(|group: usize| self.latency[group].take().counts()),
            causes: std::mem::take(&mut *self.causes.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// Waits until the counter has reached the number, or the time is up.
    pub(super) async fn reached(&self, counter: &AtomicU64, number: u64, limit: Duration) -> bool {
        let reached = async {
            while counter.load(Ordering::SeqCst) < number {
                self.progress.notified().await;
            }
        };
        tokio::time::timeout(limit, reached).await.is_ok()
    }
}
