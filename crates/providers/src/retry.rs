//! When a failed request is sent again.

use std::time::Duration;

/// Requests for one batch, the first included.
const ATTEMPTS: u32 = 5;
/// Wait before the second request; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Wait before the next request, after `attempt` failed ones (1 for the first). `spread`, from 0 to 1, shortens it by up
/// to a half, so that many writers do not come back together. `None` when the request is given up.
pub(crate) fn wait(attempt: u32, spread: f64) -> Option<Duration> {
    let full = FIRST_WAIT * 2_u32.pow(attempt.saturating_sub(1).min(ATTEMPTS));
    (attempt < ATTEMPTS).then(|| full.mul_f64(1.0 - spread.clamp(0.0, 1.0) / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_end() {
        let waits: Vec<_> = (1..=5).map(|attempt| wait(attempt, 0.0).map(|wait| wait.as_millis())).collect();
        assert_eq!(waits, [Some(500), Some(1000), Some(2000), Some(4000), None]);
        assert_eq!(wait(2, 1.0), Some(Duration::from_millis(500)));
    }
}
