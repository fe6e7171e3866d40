//! The format `duration`: a Go duration such as `1h30m`, or a number with a unit in words such as `3 weeks`.

/// Units of Go's notation.
const GO_UNITS: [&str; 7] = ["ns", "us", "\u{b5}s", "\u{3bc}s", "ms", "s", "m"];

/// Units in words, as the Scala notation has them.
const WORDS: [&str; 27] = [
    "nano",
    "nanosecond",
    "nanos",
    "nanoseconds",
    "us",
    "micro",
    "microsecond",
    "micros",
    "microseconds",
    "milli",
    "millisecond",
    "millis",
    "milliseconds",
    "sec",
    "second",
    "secs",
    "seconds",
    "min",
    "minute",
    "mins",
    "minutes",
    "hour",
    "hours",
    "hr",
    "day",
    "days",
    "d",
];

const LONG_WORDS: [&str; 6] = ["w", "wk", "wks", "week", "weeks", "h"];

/// Whether a text is a duration.
pub(super) fn is_duration(text: &str) -> bool {
    is_go(text) || is_worded(text)
}

fn is_go(text: &str) -> bool {
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    if rest.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(number_end);
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let is_number = number.bytes().any(|byte| byte.is_ascii_digit()) && number.matches('.').count() <= 1;
        if !is_number || !(GO_UNITS.contains(&unit) || unit == "h") {
            return false;
        }
        rest = next;
    }
    true
}

fn is_worded(text: &str) -> bool {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let unit = text[digits..].trim_start();
    digits > 0 && (GO_UNITS.contains(&unit) || WORDS.contains(&unit) || LONG_WORDS.contains(&unit))
}
