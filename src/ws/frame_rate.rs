//! The rate at which a client may send frames: that of HTTP requests, counted for each connection.

use crate::config::RateLimit;
use crate::domain::rate::{Bucket, Rate};
use tokio::time::Instant;

/// The frame budget of one connection.
#[derive(Debug)]
pub(super) struct FrameRate {
    rate: Option<Rate>,
    bucket: Bucket<std::time::Instant>,
}

impl FrameRate {
    /// Without a rate there is no limit.
    pub(super) fn new(limit: Option<RateLimit>, now: Instant) -> Self {
        Self { rate: limit.map(Rate::from), bucket: Bucket::full(now.into_std()) }
    }

    /// Counts one frame; `false` if it exceeds the rate.
    pub(super) fn allows(&mut self, now: Instant) -> bool {
        self.rate.is_none_or(|rate| self.bucket.take(rate, now.into_std()).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn frames_are_limited_to_a_burst_and_then_the_rate() {
        let now = Instant::now();
        let mut frame_rate = FrameRate::new(Some(RateLimit { per_second: 10, burst: 20 }), now);
        assert_eq!((0..100).filter(|_| frame_rate.allows(now)).count(), 20);
        let later = now + Duration::from_millis(500);
        assert_eq!((0..100).filter(|_| frame_rate.allows(later)).count(), 5);
        let mut free = FrameRate::new(None, now);
        assert!((0..10_000).all(|_| free.allows(now)));
    }
}
