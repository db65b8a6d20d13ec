//! Fair shares of what there is little of: so many permits for everybody, and of these no more than a share for each
//! holder. A holder queues for its own share before it queues with the others, so one that asks a thousand times has no
//! more than its share in the common queue, and everybody else comes after those few.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Weak};
use tokio::sync::Semaphore;

/// So many holders are remembered before those who hold nothing are forgotten.
const MANY: usize = 1024;

/// What one holder may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    /// Permits at a time.
    pub(crate) permits: usize,
    /// Requests at a time: those that have their permits and those that wait for them.
    pub(crate) requests: usize,
}

/// The holder has as many requests under way as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Permits, shared out to holders.
pub(crate) struct Shares<K> {
    all: Arc<Semaphore>,
    /// Each request of a holder, waiting or served, keeps one reference to the holder's own permits.
    own: Mutex<HashMap<K, Weak<Semaphore>>>,
}

impl<K: Copy + Eq + Hash> Shares<K> {
    pub(crate) fn new(permits: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(permits)), own: Mutex::default() }
    }

    /// The permits of everybody, to be acquired last.
    pub(crate) fn all(&self) -> Arc<Semaphore> {
        Arc::clone(&self.all)
    }

    /// A holder's own permits. The request counts for as long as this, or a permit of it, is kept.
    pub(crate) fn own(&self, holder: K, share: Share) -> Result<Arc<Semaphore>, Full> {
        let mut own = self.own.lock();
        if let Some(permits) = own.get(&holder).and_then(Weak::upgrade) {
            // This one included.
            return if Arc::strong_count(&permits) <= share.requests { Ok(permits) } else { Err(Full) };
        }
        if own.len() >= MANY {
            own.retain(|_, permits| permits.strong_count() > 0);
        }
        let permits = Arc::new(Semaphore::new(share.permits));
        own.insert(holder, Arc::downgrade(&permits));
        Ok(permits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    const SHARE: Share = Share { permits: 2, requests: 3 };

    #[test]
    fn requests_of_a_holder_are_bounded_whether_they_wait_or_are_served() {
        let shares: Shares<u8> = Shares::new(4);
        let own = || shares.own(1, SHARE);
        let first = own().expect("a place").acquire_owned().now_or_never().expect("at once").expect("open");
        let _second = own().expect("a place").acquire_owned().now_or_never().expect("at once").expect("open");
        let mut third = Box::pin(own().expect("a place").acquire_owned());
        assert!(third.as_mut().now_or_never().is_none(), "two at a time");
        assert_eq!(own().err(), Some(Full));
        shares.own(2, SHARE).expect("another holder");
        drop(first);
        assert!(third.as_mut().now_or_never().is_some());
        own().expect("a place is free again");
    }

    #[test]
    fn holders_that_hold_nothing_are_forgotten() {
        let shares: Shares<usize> = Shares::new(4);
        for holder in 0..10 * MANY {
            shares.own(holder, SHARE).expect("a place");
        }
        assert!(shares.own.lock().len() <= MANY);
    }
}
