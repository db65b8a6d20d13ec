//! Exponential back-off with jitter. The hub uses it, too.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Waits that double from one attempt to the next, up to 5 s, each random within its second half.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

impl Backoff {
    /// Begins with a short wait.
    #[must_use]
    pub fn new() -> Self {
        Self { next: FIRST }
    }

    /// After a success the next wait is short again.
    pub fn reset(&mut self) {
        self.next = FIRST;
    }

    /// The next wait.
    #[allow(clippy::should_implement_trait)] // it has no end
    pub fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(LONGEST);
        between(wait / 2, wait)
    }
}

/// A random time from `least` to `most`.
#[must_use]
pub fn between(least: Duration, most: Duration) -> Duration {
    let chance = f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX);
    least + most.saturating_sub(least).mul_f64(chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_start_anew() {
        let mut backoff = Backoff::new();
        let waits: Vec<Duration> = (0..10).map(|_| backoff.next()).collect();
        assert!(waits[0] <= FIRST && waits[0] >= FIRST / 2);
        assert!(waits[9] <= LONGEST && waits[9] >= LONGEST / 2);
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }

    #[test]
    fn a_range_upside_down_gives_its_beginning() {
        assert_eq!(between(LONGEST, FIRST), LONGEST);
    }
}
