//! What a run counts while it goes on, for its series and its live view.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;

use crate::{
    latency::{Latencies, Summary},
    proc_stat::Process,
};

/// Counters that every task of a run adds to. Adding costs a few nanoseconds.
#[derive(Default)]
pub(crate) struct Live {
    sent: AtomicU64,
    acknowledged: AtomicU64,
    deliveries: AtomicU64,
    open: AtomicU64,
    watched: Mutex<Vec<(&'static str, Latencies)>>,
    /// The worker processes of this tester.
    workers: Mutex<Vec<Process>>,
}

/// The counters at one time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
    pub(crate) deliveries: u64,
    pub(crate) open: u64,
}

/// One open socket or long-poll, until dropped.
pub(crate) struct Open(Arc<Live>);

impl Live {
    /// A message is about to be sent.
    pub(crate) fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// A message got its 201.
    pub(crate) fn acknowledged(&self) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    /// A message reached a socket.
    pub(crate) fn delivered(&self) {
        self.deliveries.fetch_add(1, Ordering::Relaxed);
    }

    /// So many messages reached sockets of another process.
    pub(crate) fn delivered_elsewhere(&self, count: u64) {
        self.deliveries.fetch_add(count, Ordering::Relaxed);
    }

    /// Another process has opened so many.
    pub(crate) fn opened_elsewhere(&self, count: u64) {
        self.open.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn add_worker(&self, pid: u32) {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(Process::of(pid));
    }

    /// CPU time of this process and its workers.
    pub(crate) fn tester_cpu(&self) -> Result<Duration> {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        // One that has ended is reported by the fleet.
        let workers: Duration = workers.iter().filter_map(|worker| worker.cpu().ok()).sum();
        Ok(Process::own().cpu()? + workers)
    }

    pub(crate) fn opened(self: &Arc<Self>) -> Open {
        self.open.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(self))
    }

    /// Includes these latencies in the series; several with one key are taken together.
    pub(crate) fn watch(&self, key: &'static str, latencies: &Latencies) {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).push((key, latencies.clone()));
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            sent: self.sent.load(Ordering::Relaxed),
            acknowledged: self.acknowledged.load(Ordering::Relaxed),
            deliveries: self.deliveries.load(Ordering::Relaxed),
            open: self.open.load(Ordering::Relaxed),
        }
    }

    /// What was recorded since the call before, by key, without those of which nothing was.
    pub(super) fn take_latencies(&self) -> Vec<(&'static str, Summary)> {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut taken: Vec<(&'static str, Summary)> = Vec::new();
        for (key, latencies) in watched {
            let interval = latencies.take_interval();
            match taken.iter_mut().find(|(taken, _)| *taken == key) {
                Some((_, summary)) => summary.merge(&interval),
                None => taken.push((key, interval)),
            }
        }
        taken.retain(|(_, summary)| summary.count() > 0);
        taken
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_is_counted_until_it_ends() {
        let live = Arc::new(Live::default());
        let first = live.opened();
        let second = live.opened();
        assert_eq!(live.counts().open, 2);
        drop(first);
        assert_eq!(live.counts().open, 1);
        drop(second);
        assert_eq!(live.counts(), Counts::default());
    }

    #[test]
    fn latencies_of_one_key_are_taken_together_and_once() {
        let live = Live::default();
        let both = [Latencies::new(), Latencies::new()];
        let other = Latencies::new();
        both.iter().for_each(|latencies| live.watch("delivery", latencies));
        live.watch("reply", &other);
        for (latencies, millis) in both.iter().zip([1, 9]) {
            latencies.record(Duration::from_millis(millis));
        }
        let taken = live.take_latencies();
        assert_eq!(taken.len(), 1);
        let (key, summary) = &taken[0];
        assert_eq!((*key, summary.count()), ("delivery", 2));
        assert!(summary.max_ms() > 8.9 && summary.percentile_ms(50.0) < 1.1);
        assert!(live.take_latencies().is_empty());
        assert_eq!(both[0].summary().count(), 1);
    }
}
