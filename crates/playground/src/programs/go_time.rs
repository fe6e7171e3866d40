//! Times and durations in the formats of Go programs.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Prefix of Go's standard logger, in UTC: `2022/07/24 15:13:08 `.
pub(crate) fn log_prefix(now: Timestamp) -> String {
    now.to_zoned(TimeZone::UTC).strftime("%Y/%m/%d %H:%M:%S ").to_string()
}

/// Parses a duration (`time.ParseDuration`): `3s`, `1m30s`, `1.5h`, `0`. Negative ones become zero.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let unit_length = rest[number..].find(|c: char| c.is_ascii_digit() || c == '.');
        let unit_end = unit_length.map_or(rest.len(), |length| number + length);
        let nanoseconds = match &rest[number..unit_end] {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        let value: f64 = rest[..number].parse().ok()?;
        total = total.checked_add(Duration::try_from_secs_f64(value * nanoseconds / 1e9).ok()?)?;
        rest = &rest[unit_end..];
    }
    Some(if negative { Duration::ZERO } else { total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let cases = [
            ("3s", Some(3_000)),
            ("1m30s", Some(90_000)),
            ("1.5h", Some(5_400_000)),
            (".5s", Some(500)),
            ("250ms", Some(250)),
            ("0", Some(0)),
            ("-3s", Some(0)),
            ("3", None),
            ("s", None),
            ("", None),
            ("3 s", None),
            ("3d", None),
            ("1e99h", None),
        ];
        for (text, want) in cases {
            assert_eq!(parse_duration(text), want.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn log_lines_start_with_the_time() {
        let now: Timestamp = "2022-07-24T15:13:08.9Z".parse().expect("a time");
        assert_eq!(log_prefix(now), "2022/07/24 15:13:08 ");
    }
}
