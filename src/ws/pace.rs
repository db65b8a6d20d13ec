//! How fast a client may send frames: the same rate as requests have, each socket for itself.

use crate::config::RateLimit;
use std::time::Duration;
use tokio::time::Instant;

/// The generic cell rate algorithm: one point in time stands for the whole bucket.
#[derive(Debug)]
pub(super) struct Pace {
    limit: Option<RateLimit>,
    /// When the bucket would be full again, if nothing more came.
    full_at: Instant,
}

impl Pace {
    /// No limit at all without a rate.
    pub(super) fn new(limit: Option<RateLimit>, now: Instant) -> Self {
        Self { limit, full_at: now }
    }

    /// Counts one frame; `false` if it is one too many.
    pub(super) fn allows(&mut self, now: Instant) -> bool {
        let Some(limit) = self.limit else { return true };
        let each = Duration::from_secs(1) / limit.per_second;
        let next = self.full_at.max(now) + each;
        if next.duration_since(now) > each * limit.burst {
            return false;
        }
        self.full_at = next;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate_holds() {
        let now = Instant::now();
        let mut pace = Pace::new(Some(RateLimit { per_second: 10, burst: 20 }), now);
        assert_eq!((0..100).filter(|_| pace.allows(now)).count(), 20);
        let later = now + Duration::from_millis(500);
        assert_eq!((0..100).filter(|_| pace.allows(later)).count(), 5);
        let mut free = Pace::new(None, now);
        assert!((0..10_000).all(|_| free.allows(now)));
    }
}
