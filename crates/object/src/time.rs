//! Times as Kubernetes writes them: RFC 3339 in UTC.
//!
//! The only formatter of the workspace. Callers read the clock and pass the time in.

use std::time::Duration;

use jiff::Timestamp;

/// `metav1.Time`: whole seconds, `2026-01-02T03:04:05Z`. A fraction of a second is cut off.
pub fn format_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `metav1.MicroTime`: six digits of a second, `2026-01-02T03:04:05.678900Z`.
pub fn format_micro_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// Time from `text` (RFC 3339) to `now`; `None` if the text is no time or lies in the future.
pub fn age(text: &str, now: Timestamp) -> Option<Duration> {
    let then: Timestamp = text.parse().ok()?;
    Duration::try_from(now.duration_since(then)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        let cases = [
            ("2026-02-03T04:05:06.789Z", "2026-02-03T04:05:06Z", "2026-02-03T04:05:06.789000Z"),
            ("2026-02-03T04:05:06+02:00", "2026-02-03T02:05:06Z", "2026-02-03T02:05:06.000000Z"),
            ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.000000Z"),
        ];
        for (text, seconds, micros) in cases {
            let time: Timestamp = text.parse().expect("a time");
            assert_eq!(format_time(time), seconds, "{text}");
            assert_eq!(format_micro_time(time), micros, "{text}");
        }
    }

    #[test]
    fn ages() {
        let now: Timestamp = "2026-02-03T04:05:06Z".parse().expect("a time");
        let cases = [
            ("2026-02-03T04:05:01.500000Z", Some(Duration::from_millis(4500))),
            ("2026-02-03T04:05:07Z", None),
            ("yesterday", None),
            ("", None),
        ];
        for (text, want) in cases {
            assert_eq!(age(text, now), want, "{text}");
        }
    }
}
