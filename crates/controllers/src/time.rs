//! The current time in the format of `metav1.Time`.

use portolan_net::Clock;
use portolan_object::time::format_time;

/// RFC 3339, whole seconds, UTC: the form of `metav1.Time`.
pub fn rfc3339(clock: &Clock) -> String {
    format_time(clock.now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_in_utc() {
        let (clock, _) = Clock::manual("2026-02-03T04:05:06.789Z".parse().unwrap());
        assert_eq!(rfc3339(&clock), "2026-02-03T04:05:06Z");
    }
}
