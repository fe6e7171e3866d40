//! The rate at which the events of one server are read. Pure: the caller tells the time.
//!
//! A server that sends events faster is slowed down by the flow control of its connection, so that decoding them does
//! not take the processor from the other servers.

use std::time::Duration;

use tokio::time::Instant;

/// Events per second in the long run. A cluster of 5,000 nodes changes a few hundred Services and EndpointSlices per
/// second.
const EVENTS_PER_SECOND: f64 = 2_000.0;
/// Events that may come at once, for instance after an interruption.
const BURST: f64 = 50_000.0;

/// A token bucket.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    /// Events that count at `last`.
    counted: f64,
    last: Option<Instant>,
}

impl Pace {
    /// Counts one event. Returns how long to wait before the next one is read.
    pub(super) fn count(&mut self, now: Instant) -> Duration {
        let passed = self.last.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        self.counted = (self.counted - passed.as_secs_f64() * EVENTS_PER_SECOND).max(0.0) + 1.0;
        self.last = Some(now);
        Duration::from_secs_f64((self.counted - BURST).max(0.0) / EVENTS_PER_SECOND)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_pass_and_floods_are_slowed_down() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        for _ in 0..50_000 {
            assert_eq!(pace.count(start), Duration::ZERO);
        }
        assert!(pace.count(start) > Duration::ZERO, "the burst is used");
        // After a minute the burst is allowed again.
        assert_eq!(pace.count(start + Duration::from_secs(60)), Duration::ZERO);
    }

    #[test]
    fn a_flood_is_read_at_the_rate_of_the_bucket() {
        let (mut pace, mut now) = (Pace::default(), Instant::now());
        let start = now;
        for _ in 0..150_000 {
            now += pace.count(now);
        }
        let seconds = (now - start).as_secs_f64();
        assert!((49.0..51.0).contains(&seconds), "100,000 events beyond the burst took {seconds} s");
    }
}
