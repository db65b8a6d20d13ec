//! Rate limit buckets by key, all with the same rate.

use crate::config::RateLimit;
use crate::domain::rate::{Bucket, Rate};
use dashmap::DashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Full buckets are removed once in so many requests.
const SWEEP_EVERY: u64 = 10_000;

/// A bucket for each key.
pub(super) struct Buckets<K: Eq + Hash> {
    rate: Rate,
    buckets: DashMap<K, Bucket<Instant>>,
    taken: AtomicU64,
}

impl<K: Eq + Hash> Buckets<K> {
    pub(super) fn new(limit: RateLimit) -> Self {
        Self { rate: limit.into(), buckets: DashMap::new(), taken: AtomicU64::new(0) }
    }

    /// Takes a token; returns how many are left, or how long to wait for one.
    pub(super) fn take(&self, key: K, now: Instant) -> Result<u32, Duration> {
        if self.taken.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
            self.buckets.shrink_to_fit();
        }
        self.buckets.entry(key).or_insert_with(|| Bucket::full(now)).take(self.rate, now)
    }

    /// Returns a token that was taken.
    pub(super) fn put_back(&self, key: &K) {
        if let Some(mut bucket) = self.buckets.get_mut(key) {
            bucket.put_back(self.rate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets() -> Buckets<u32> {
        Buckets::new(RateLimit { per_second: 10, burst: 20 })
    }

    #[test]
    fn each_key_has_its_own_burst_and_rate() {
        let (buckets, now) = (buckets(), Instant::now());
        for left in (0..20).rev() {
            assert_eq!(buckets.take(1, now), Ok(left));
        }
        assert_eq!(buckets.take(1, now), Err(Duration::from_millis(100)));
        assert_eq!(buckets.take(1, now + Duration::from_millis(40)), Err(Duration::from_millis(60)));
        assert_eq!(buckets.take(2, now), Ok(19));
        assert_eq!(buckets.take(1, now + Duration::from_millis(100)), Ok(0));
        assert_eq!(buckets.take(1, now + Duration::from_secs(60)), Ok(19));
    }

    #[test]
    fn a_returned_token_can_be_taken_again_up_to_the_burst() {
        let (buckets, now) = (buckets(), Instant::now());
        while buckets.take(1, now).is_ok() {}
        buckets.put_back(&1);
        assert_eq!(buckets.take(1, now), Ok(0));
        for _ in 0..100 {
            buckets.put_back(&1);
        }
        buckets.put_back(&2);
        assert_eq!((buckets.take(1, now), buckets.take(2, now)), (Ok(19), Ok(19)));
    }

    #[test]
    fn full_buckets_are_removed() {
        let (buckets, start) = (buckets(), Instant::now());
        for number in 0..30_000_u32 {
            let now = start + Duration::from_millis(number.into());
            assert_eq!(buckets.take(number, now), Ok(19));
        }
        assert!(buckets.buckets.len() <= 10_100, "{}", buckets.buckets.len());
    }
}
