//! When each server is asked next. Pure: the caller has the clock.

use std::time::Duration;

use tokio::time::Instant;

/// Time after which an available server is asked again, and the longest time between two attempts to reach another.
const INTERVAL: Duration = Duration::from_secs(30);
/// Time after which one that is not available is asked again; twice as long after each failure.
const RETRY: Duration = Duration::from_secs(2);
/// Time for which changes of endpoints are gathered.
const BATCH: Duration = Duration::from_millis(100);

/// The next question to one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: Instant,
    failures: u32,
}

impl Due {
    /// At once.
    pub(super) fn now(now: Instant) -> Self {
        Self { at: now, failures: 0 }
    }

    /// After an answer.
    pub(super) fn after(self, is_available: bool, now: Instant) -> Self {
        if is_available {
            return Self { at: now + INTERVAL, failures: 0 };
        }
        let pause = RETRY.saturating_mul(1 << self.failures.min(8)).min(INTERVAL);
        Self { at: now + pause, failures: self.failures + 1 }
    }

    /// After a change of its Service or endpoints.
    pub(super) fn soon(self, now: Instant) -> Self {
        Self { at: self.at.min(now + BATCH), failures: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_not_available_is_asked_less_and_less_often() {
        let start = Instant::now();
        let mut due = Due::now(start);
        let mut pauses = Vec::new();
        for _ in 0..6 {
            due = due.after(false, start);
            pauses.push((due.at - start).as_secs());
        }
        assert_eq!(pauses, [2, 4, 8, 16, 30, 30]);
        assert_eq!(due.soon(start).at - start, BATCH, "a change of its endpoints");
        assert_eq!(due.soon(start).after(false, start).at - start, RETRY);
        let available = due.after(true, start);
        assert_eq!(available.at - start, INTERVAL);
        assert_eq!(available.after(false, start).at - start, RETRY, "the first failure");
        assert_eq!(Due::now(start).soon(start).at, start);
    }
}
