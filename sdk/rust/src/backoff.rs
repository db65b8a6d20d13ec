//! How long to wait before the next attempt.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Waits that double from one attempt to the next, each random within its second half.
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { next: FIRST }
    }

    /// After a success the next wait is short again.
    pub(crate) fn reset(&mut self) {
        self.next = FIRST;
    }

    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(LONGEST);
        between(wait / 2, wait)
    }
}

/// A random time from `least` to `most`.
pub(crate) fn between(least: Duration, most: Duration) -> Duration {
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
