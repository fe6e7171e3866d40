//! The clock of the process, replaceable in tests.
//!
//! Shells own a clock and pass instants to pure functions. A manual clock moves only when a test moves it, also
//! backwards, as wall clocks of real machines do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::Mutex;

/// Wall time and monotonic time. Clones share state.
#[derive(Debug, Clone)]
pub struct Clock(ClockSource);

#[derive(Debug, Clone)]
enum ClockSource {
    System { start: Instant },
    Manual(Arc<Mutex<ManualTime>>),
}

#[derive(Debug, Clone, Copy)]
struct ManualTime {
    wall: Timestamp,
    elapsed: Duration,
}

impl Clock {
    /// The clock of the machine.
    pub fn system() -> Self {
        Self(ClockSource::System { start: Instant::now() })
    }

    /// A clock that stays at `wall` until the [`ManualClock`] moves it.
    pub fn manual(wall: Timestamp) -> (Self, ManualClock) {
        let reading = Arc::new(Mutex::new(ManualTime { wall, elapsed: Duration::ZERO }));
        (Self(ClockSource::Manual(Arc::clone(&reading))), ManualClock(reading))
    }

    /// The wall time. It may jump in both directions.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            ClockSource::System { .. } => Timestamp::now(),
            ClockSource::Manual(reading) => reading.lock().wall,
        }
    }

    /// Time since the clock was made. Monotonic, for measuring durations.
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            ClockSource::System { start } => start.elapsed(),
            ClockSource::Manual(reading) => reading.lock().elapsed,
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
pub struct ManualClock(Arc<Mutex<ManualTime>>);

impl ManualClock {
    /// Advances the wall time and the elapsed time. The wall time stops at the end of representable time.
    pub fn advance(&self, by: Duration) {
        let mut reading = self.0.lock();
        reading.elapsed += by;
        reading.wall = reading.wall.checked_add(by).unwrap_or(Timestamp::MAX);
    }

    /// Sets the wall time, as an operator or a time server does; the elapsed time stays.
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
