//! Waiting on conditions.

use std::thread;
use std::time::{Duration, Instant};

/// How long a condition may take before a test fails; generous, because timing belongs in `bench`.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Poll interval; kubectl itself takes longer.
const PAUSE: Duration = Duration::from_millis(50);

/// Repeats `probe` until it answers, and returns the answer.
///
/// # Panics
/// After [`DEADLINE`], with the name of the condition and the last observation.
pub fn eventually<T>(awaited: &str, mut probe: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match probe() {
            Ok(found) => return found,
            Err(last) if start.elapsed() > DEADLINE => {
                panic!("waited {DEADLINE:?} for {awaited}; the last look found:\n{last}")
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}
