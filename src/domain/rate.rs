//! Rate limits by the generic cell rate algorithm (GCRA): a burst, and then one at each interval. The state of a bucket
//! is a single point in time, at which it will be full if nothing more is taken.
//!
//! The `governor` crate implements GCRA too, but has no check without taking, no refund and no fractional cost, which
//! sign-ins need (a failed token counts a twentieth of a failed password). Its state can't be computed from timestamps in
//! the database, by which all nodes agree on the rate of key changes. `make bench` compares the speed of the common case.

use super::Timestamp;
use std::time::{Duration, Instant};

/// The capacity of a bucket, and the interval at which it refills.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    each: Duration,
    burst: u32,
}

impl Rate {
    /// A capacity of `burst`, refilled by one in each interval of `each`.
    pub fn new(each: Duration, burst: u32) -> Self {
        Self { each: each.max(Duration::from_nanos(1)), burst: burst.max(1) }
    }

    /// The time in which an empty bucket fills up.
    fn whole(self) -> Duration {
        self.each * self.burst
    }
}

/// A point in time of some clock.
pub trait Time: Copy {
    fn plus(self, time: Duration) -> Self;
    /// The time from `earlier` to this; zero if this is before it.
    fn since(self, earlier: Self) -> Duration;
}

impl Time for Instant {
    fn plus(self, time: Duration) -> Self {
        self + time
    }

    fn since(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

/// In whole milliseconds.
impl Time for Timestamp {
    fn plus(self, time: Duration) -> Self {
        self.plus_millis(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
    }

    fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.millis_since(earlier)).unwrap_or(0))
    }
}

/// The state of one caller under a [`Rate`].
#[derive(Clone, Copy, Debug)]
pub struct Bucket<T> {
    full_at: T,
}

impl<T: Time> Bucket<T> {
    /// A full bucket.
    pub fn full(now: T) -> Self {
        Self { full_at: now }
    }

    /// Whether the bucket is full, so that it need not be kept.
    pub fn is_full(&self, now: T) -> bool {
        self.lacks(now).is_zero()
    }

    /// Whether `cost`, given as the time in which it refills, can be taken: how many are left after it, or how long to wait
    /// for it.
    pub fn check(&self, rate: Rate, cost: Duration, now: T) -> Result<u32, Duration> {
        let (lacks, whole) = (self.lacks(now) + cost, rate.whole());
        let room = whole.checked_sub(lacks).ok_or_else(|| lacks - whole)?;
        Ok(u32::try_from(room.as_nanos() / rate.each.as_nanos()).unwrap_or(u32::MAX))
    }

    /// Takes one, if there is one: how many are left, or how long to wait for one.
    pub fn take(&mut self, rate: Rate, now: T) -> Result<u32, Duration> {
        let left = self.check(rate, rate.each, now)?;
        self.drain(rate, rate.each, now);
        Ok(left)
    }

    /// Takes `cost`, given as the time in which it refills, or as much of it as is left.
    pub fn drain(&mut self, rate: Rate, cost: Duration, now: T) {
        self.full_at = now.plus((self.lacks(now) + cost).min(rate.whole()));
    }

    /// The time until the bucket is full.
    fn lacks(&self, now: T) -> Duration {
        self.full_at.since(now)
    }
}

impl Bucket<Instant> {
    /// Puts back one that was taken.
    pub fn put_back(&mut self, rate: Rate) {
        if let Some(before) = self.full_at.checked_sub(rate.each) {
            self.full_at = before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rate() -> Rate {
        Rate::new(SECOND, 3)
    }

    #[test]
    fn some_at_once_then_as_they_come_back() {
        let now = Instant::now();
        let mut bucket = Bucket::full(now);
        assert_eq!([0; 4].map(|_| bucket.take(rate(), now)), [Ok(2), Ok(1), Ok(0), Err(SECOND)]);
        assert_eq!(bucket.take(rate(), now + SECOND / 4), Err(SECOND * 3 / 4), "a refused attempt costs nothing");
        assert_eq!(bucket.take(rate(), now + SECOND), Ok(0));
        assert_eq!(bucket.take(rate(), now + SECOND * 3 / 2), Err(SECOND / 2));
        let full_at = now + SECOND * 4;
        assert!(!bucket.is_full(full_at - Duration::from_nanos(1)) && bucket.is_full(full_at));
        assert_eq!(bucket.take(rate(), full_at + SECOND * 100), Ok(2), "never more than all");
    }

    #[test]
    fn what_costs_less_or_more_than_one() {
        let now = Timestamp(0);
        let mut bucket = Bucket::full(now);
        bucket.drain(rate(), SECOND * 5 / 2, now);
        assert_eq!(bucket.check(rate(), SECOND / 2, now), Ok(0));
        assert_eq!(bucket.check(rate(), SECOND, now), Err(SECOND / 2));
        assert_eq!(bucket.check(rate(), SECOND, now.plus_millis(499)), Err(Duration::from_millis(1)));
        assert_eq!(bucket.check(rate(), SECOND, now.plus_millis(500)), Ok(0));
        bucket.drain(rate(), SECOND * 100, now);
        assert_eq!(bucket.check(rate(), SECOND, now), Err(SECOND), "it is no emptier than empty");
        assert_eq!(bucket.check(rate(), SECOND * 4, now.plus_millis(9_000)), Err(SECOND), "more than all there is");
    }

    #[test]
    fn what_is_put_back_can_be_taken_again() {
        let now = Instant::now();
        let mut bucket = Bucket::full(now);
        while bucket.take(rate(), now).is_ok() {}
        bucket.put_back(rate());
        assert_eq!([0; 2].map(|_| bucket.take(rate(), now)), [Ok(0), Err(SECOND)]);
        for _ in 0..10 {
            bucket.put_back(rate());
        }
        assert_eq!(bucket.take(rate(), now), Ok(2));
    }

    #[test]
    fn a_rate_of_nothing_is_the_least_there_is() {
        let now = Instant::now();
        let (rate, mut bucket) = (Rate::new(Duration::ZERO, 0), Bucket::full(now));
        assert_eq!([0; 2].map(|_| bucket.take(rate, now)), [Ok(0), Err(Duration::from_nanos(1))]);
    }

    proptest! {
        /// Whenever they are asked for, no span of time yields more than the burst and what came back in it, and a
        /// caller that waits for the returned time gets one.
        #[test]
        fn no_more_than_the_burst_and_what_came_back(
            each in 1_u64..2_000,
            burst in 1_u32..20,
            steps in prop::collection::vec(0_i64..3_000, 1..200),
        ) {
            let rate = Rate::new(Duration::from_millis(each), burst);
            let (mut now, mut taken) = (Timestamp(1_000_000), Vec::new());
            let mut bucket = Bucket::full(now);
            for step in steps {
                now = now.plus_millis(step);
                match bucket.take(rate, now) {
                    Ok(left) => {
                        prop_assert!(left < burst);
                        taken.push(now);
                    }
                    Err(wait) => prop_assert_eq!(bucket.check(rate, rate.each, now.plus(wait)), Ok(0)),
                }
            }
            for (first, start) in taken.iter().enumerate() {
                for (last, end) in taken.iter().enumerate().skip(first) {
                    let most = u64::from(burst) + end.since(*start).as_millis() as u64 / each;
                    prop_assert!(((last - first) as u64) < most);
                }
            }
        }
    }
}
