//! Ages as people read them, in the AGE column of tables.

use jiff::SignedDuration;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// The text for a time that is not set.
pub const UNKNOWN: &str = "<unknown>";
/// The text for a time in the future.
pub const INVALID: &str = "<invalid>";

/// Renders the time from then until now: two units at most, and the second one only while it matters.
///
/// More than a second below zero is [`INVALID`]; the rest of the negative range counts as no time, because clocks
/// differ a little.
///
/// # Source
/// `HumanDuration` of apimachinery; the same text must come from kubectl and from the server's tables.
pub fn human(age: SignedDuration) -> String {
    let seconds = age.as_secs();
    if seconds < -1 {
        return INVALID.to_owned();
    }
    match seconds.max(0) {
        seconds if seconds < 2 * MINUTE => format!("{seconds}s"),
        seconds if seconds < 10 * MINUTE => two_units(seconds, (MINUTE, "m"), (1, "s")),
        seconds if seconds < 3 * HOUR => format!("{}m", seconds / MINUTE),
        seconds if seconds < 8 * HOUR => two_units(seconds, (HOUR, "h"), (MINUTE, "m")),
        seconds if seconds < 2 * DAY => format!("{}h", seconds / HOUR),
        seconds if seconds < 8 * DAY => two_units(seconds, (DAY, "d"), (HOUR, "h")),
        seconds if seconds < 2 * YEAR => format!("{}d", seconds / DAY),
        seconds if seconds < 8 * YEAR => two_units(seconds, (YEAR, "y"), (DAY, "d")),
        seconds => format!("{}y", seconds / YEAR),
    }
}

fn two_units(seconds: i64, large: (i64, &str), small: (i64, &str)) -> String {
    let (larges, smalls) = (seconds / large.0, seconds % large.0 / small.0);
    match smalls {
        0 => format!("{larges}{}", large.1),
        _ => format!("{larges}{}{smalls}{}", large.1, small.1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_as_in_kubectl() {
        let cases = [
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (1, "1s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (599, "9m59s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (11_700, "3h15m"),
            (28_800, "8h"),
            (172_799, "47h"),
            (172_800, "2d"),
            (180_000, "2d2h"),
            (691_200, "8d"),
            (63_072_000, "2y"),
            (63_072_000 + 86_400, "2y1d"),
            (252_288_000, "8y"),
        ];
        for (seconds, want) in cases {
            assert_eq!(human(SignedDuration::from_secs(seconds)), want, "{seconds} s");
        }
        assert_eq!(human(SignedDuration::from_millis(-1900)), "0s");
        assert_eq!(human(SignedDuration::from_millis(119_999)), "119s");
    }
}
