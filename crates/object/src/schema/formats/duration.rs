//! The format `duration`: a Go duration such as `1h30m`, or any text with a number and a unit in words.

/// Units of Go's notation.
const GO_UNITS: [&str; 8] = ["ns", "us", "\u{b5}s", "\u{3bc}s", "ms", "s", "m", "h"];

/// Units in words: equal in any case, or, for the last of each row, as a beginning.
const WORDS: [&[&str]; 8] = [
    &["ns", "nano"],
    &["us", "\u{b5}s", "micro"],
    &["ms", "milli"],
    &["s", "sec"],
    &["m", "min"],
    &["h", "hr", "hour"],
    &["d", "day"],
    &["w", "wk", "week"],
];

/// Whether a text is a duration.
pub(super) fn is_duration(text: &str) -> bool {
    is_go(text) || has_worded_part(text)
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
        if !is_number || !GO_UNITS.contains(&unit) {
            return false;
        }
        rest = next;
    }
    true
}

/// Upstream accepts a text when any part of it is a number with a known unit.
fn has_worded_part(text: &str) -> bool {
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let after = rest[start..].trim_start_matches(|c: char| c.is_ascii_digit());
        let unit = after.trim_start();
        let end = unit.find(|c: char| !c.is_ascii_alphabetic() && c != '\u{b5}').unwrap_or(unit.len());
        if is_unit(&unit[..end].to_lowercase()) {
            return true;
        }
        rest = after;
    }
    false
}

fn is_unit(unit: &str) -> bool {
    WORDS.iter().any(|names| names.contains(&unit) || names.last().is_some_and(|name| unit.starts_with(name)))
}
