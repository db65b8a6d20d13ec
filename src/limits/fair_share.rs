//! Fair shares of a scarce resource: a number of permits for all holders together, and of these a share for each holder.
//!
//! A holder queues for its own share first, while it holds none of the common permits. However many requests one holder
//! makes, no more of them than its share are in the common queue, and the requests of others come after those few.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Number of known holders at which those without requests are removed.
const MAX_IDLE_HOLDERS: usize = 1024;

/// The share of one holder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    /// Most permits at a time.
    pub(crate) permits: usize,
    /// Most requests at a time, both waiting and served.
    pub(crate) requests: usize,
}

/// The holder has as many requests as it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyRequests;

/// Permits for all holders, with a share for each.
pub(crate) struct FairShares<K> {
    all: Arc<Permits>,
    /// The permits of each holder. Every request of a holder, waiting or served, keeps one reference to them.
    own: Mutex<HashMap<K, Weak<Permits>>>,
}

impl<K: Copy + Eq + Hash> FairShares<K> {
    pub(crate) fn new(permits: usize) -> Self {
        Self { all: Permits::new(permits), own: Mutex::default() }
    }

    /// The permits of all holders, to be acquired last.
    pub(crate) fn all(&self) -> Arc<Permits> {
        Arc::clone(&self.all)
    }

    /// Number of permits that are free.
    pub(crate) fn available(&self) -> usize {
        self.all.semaphore.available_permits()
    }

    /// The holder's own permits. Until this, and the permit acquired from it, is dropped, it counts as one request.
    pub(crate) fn own(&self, holder: K, share: Share) -> Result<Arc<Permits>, TooManyRequests> {
        let mut own = self.own.lock();
        if let Some(permits) = own.get(&holder).and_then(Weak::upgrade) {
            // This request included.
            return if Arc::strong_count(&permits) <= share.requests { Ok(permits) } else { Err(TooManyRequests) };
        }
        if own.len() >= MAX_IDLE_HOLDERS {
            own.retain(|_, permits| permits.strong_count() > 0);
        }
        let permits = Permits::new(share.permits);
        own.insert(holder, Arc::downgrade(&permits));
        Ok(permits)
    }
}

/// A number of permits, acquired in the order of the requests.
pub(crate) struct Permits {
    semaphore: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Permits {
    fn new(count: usize) -> Arc<Self> {
        Arc::new(Self { semaphore: Arc::new(Semaphore::new(count)), waiting: AtomicUsize::new(0) })
    }

    /// Acquires `count` permits as one. None only if the semaphore is closed, which never happens.
    pub(crate) async fn acquire(self: Arc<Self>, count: u32) -> Option<Permit> {
        let permit = match Arc::clone(&self.semaphore).try_acquire_many_owned(count) {
            Ok(permit) => permit,
            Err(_) => {
                self.waiting.fetch_add(1, Ordering::Relaxed);
                let _waiting = Waiting(&self);
                Arc::clone(&self.semaphore).acquire_many_owned(count).await.ok()?
            }
        };
        Some(Permit { of: self, _permit: permit })
    }
}

/// Permits that are held until this is dropped.
pub(crate) struct Permit {
    of: Arc<Permits>,
    _permit: OwnedSemaphorePermit,
}

impl Permit {
    /// Whether requests wait for these permits.
    pub(crate) fn is_wanted(&self) -> bool {
        self.of.waiting.load(Ordering::Relaxed) > 0
    }
}

/// Counts as one waiting request until it is dropped.
struct Waiting<'a>(&'a Permits);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    const SHARE: Share = Share { permits: 2, requests: 3 };

    #[test]
    fn requests_of_a_holder_are_bounded_whether_they_wait_or_are_served() {
        let shares: FairShares<u8> = FairShares::new(4);
        let own = || shares.own(1, SHARE);
        let first = own().expect("below the limit").acquire(1).now_or_never().expect("at once").expect("open");
        let _second = own().expect("below the limit").acquire(1).now_or_never().expect("at once").expect("open");
        let mut third = Box::pin(own().expect("below the limit").acquire(1));
        assert!(third.as_mut().now_or_never().is_none(), "two at a time");
        assert_eq!(own().err(), Some(TooManyRequests));
        shares.own(2, SHARE).expect("another holder");
        drop(first);
        let third = third.as_mut().now_or_never();
        assert!(third.is_some());
        own().expect("below the limit again");
    }

    #[test]
    fn holders_without_requests_are_forgotten() {
        let shares: FairShares<usize> = FairShares::new(4);
        for holder in 0..10 * MAX_IDLE_HOLDERS {
            shares.own(holder, SHARE).expect("below the limit");
        }
        assert!(shares.own.lock().len() <= MAX_IDLE_HOLDERS);
    }

    #[tokio::test]
    async fn permits_are_wanted_while_a_request_waits_for_them() {
        let shares: FairShares<u8> = FairShares::new(2);
        let held = shares.all().acquire(2).await.expect("open");
        assert!(!held.is_wanted());
        let mut waits = Box::pin(shares.all().acquire(1));
        assert!(futures::poll!(waits.as_mut()).is_pending());
        assert!(held.is_wanted());
        drop(waits);
        assert!(!held.is_wanted(), "a request that was dropped no longer waits");
    }
}
