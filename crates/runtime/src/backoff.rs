//! Exponential back-off with an upper bound and random spread, for caches and the work queue.
//!
//! The spread prevents that the watches of a restarted server all reconnect at the same moment.

use std::time::Duration;

/// Doubling delays between two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first delay.
    pub first: Duration,
    /// The longest delay.
    pub longest: Duration,
}

impl Backoff {
    /// Delays from `first` to `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// The delay after `failures` failures in a row (0 counts as 1). `spread` in `0.0..1.0` subtracts up to a quarter.
    pub fn delay(&self, failures: u32, spread: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let full = self.first.saturating_mul(1 << doublings).min(self.longest);
        full.mul_f64(1.0 - 0.25 * spread.clamp(0.0, 1.0))
    }

    /// [`Backoff::delay`] with a random spread.
    pub(crate) fn random_delay(&self, failures: u32) -> Duration {
        self.delay(failures, rand::random::<f64>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_cap() {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let cases = [(0, 100), (1, 100), (2, 200), (3, 400), (4, 800), (5, 1000), (60, 1000)];
        for (failures, millis) in cases {
            assert_eq!(backoff.delay(failures, 0.0), Duration::from_millis(millis), "{failures} failures");
        }
        assert_eq!(backoff.delay(1, 1.0), Duration::from_millis(75), "the spread takes a quarter");
    }
}
