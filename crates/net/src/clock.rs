//! The time, as a value that can be replaced in tests.
//!
//! Shells own a clock and hand instants to the pure cores. A manual clock moves only when told, also backwards, which
//! wall clocks of real machines do as well.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::Mutex;

/// Wall time and monotonic time from one source; clones share it.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System { start: Instant },
    Manual(Arc<Mutex<Reading>>),
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    wall: Timestamp,
    elapsed: Duration,
}

impl Clock {
    /// The clock of the machine.
    pub fn system() -> Self {
        Self(Source::System { start: Instant::now() })
    }

    /// A clock that stands at `wall` until its other half moves it.
    pub fn manual(wall: Timestamp) -> (Self, ManualClock) {
        let reading = Arc::new(Mutex::new(Reading { wall, elapsed: Duration::ZERO }));
        (Self(Source::Manual(Arc::clone(&reading))), ManualClock(reading))
    }

    /// The wall time. May jump, in both directions.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System { .. } => Timestamp::now(),
            Source::Manual(reading) => reading.lock().wall,
        }
    }

    /// Time since the clock was made. Never jumps; measures durations.
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            Source::System { start } => start.elapsed(),
            Source::Manual(reading) => reading.lock().elapsed,
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

/// Moves a manual [`Clock`].
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<Reading>>);

impl ManualClock {
    /// Lets time pass, on the wall and elapsed. The wall stops at the end of representable time.
    pub fn advance(&self, by: Duration) {
        let mut reading = self.0.lock();
        reading.elapsed += by;
        reading.wall = reading.wall.checked_add(by).unwrap_or(Timestamp::MAX);
    }

    /// Sets the wall, as an operator or a time server does; no time passes.
    pub fn set_wall(&self, wall: Timestamp) {
        self.0.lock().wall = wall;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_when_told() {
        let start = Timestamp::from_second(1_000).expect("in range");
        let (clock, hand) = Clock::manual(start);
        assert_eq!((clock.now(), clock.elapsed()), (start, Duration::ZERO));
        hand.advance(Duration::from_secs(5));
        hand.set_wall(Timestamp::UNIX_EPOCH);
        assert_eq!((clock.now(), clock.elapsed()), (Timestamp::UNIX_EPOCH, Duration::from_secs(5)));
    }

    #[test]
    fn the_system_clock_advances() {
        let clock = Clock::system();
        let before = clock.elapsed();
        assert!(clock.now() > Timestamp::UNIX_EPOCH);
        assert!(clock.elapsed() >= before);
    }
}
