//! `metav1.Time` and `metav1.MicroTime`: checks RFC 3339 and rewrites it in UTC.
//!
//! Messages follow Go's `time.Parse`, which names the part of the layout where the text stopped to fit.

use jiff::Timestamp;

use crate::time::{format_micro_time, format_time};

const LAYOUT: &str = "2006-01-02T15:04:05Z07:00";
const MICRO_LAYOUT: &str = "2006-01-02T15:04:05.000000Z07:00";

/// Layout elements in order, with the digits that each takes; 0 marks a literal.
const ELEMENTS: [(&str, usize); 11] = [
    ("2006", 4),
    ("-", 0),
    ("01", 2),
    ("-", 0),
    ("02", 2),
    ("T", 0),
    ("15", 2),
    (":", 0),
    ("04", 2),
    (":", 0),
    ("05", 2),
];

/// Rewrites a time as it is stored: UTC, whole seconds, or exactly six digits of a second.
///
/// # Errors
/// Go's text. `MicroTime` requires exactly six digits in the text, too (apimachinery pkg/apis/meta/v1/micro_time.go).
pub(super) fn normalise(text: &mut String, is_micro: bool) -> Result<(), String> {
    let layout = if is_micro { MICRO_LAYOUT } else { LAYOUT };
    if let Some((rest, element)) = misfit(text, is_micro) {
        return Err(format!("parsing time {text:?} as {layout:?}: cannot parse {rest:?} as {element:?}"));
    }
    let out_of_range = |part| format!("parsing time {text:?}: {part} out of range");
    if text.get(17..19).is_some_and(|second| second > "59") {
        return Err(out_of_range("second"));
    }
    let parsed: Timestamp = text.parse().map_err(|_| out_of_range(part_out_of_range(text)))?;
    *text = if is_micro { format_micro_time(parsed) } else { format_time(parsed) };
    Ok(())
}

/// Offset at which the text no longer fits the layout, and the layout element that did not fit.
fn misfit(text: &str, is_micro: bool) -> Option<(&str, &'static str)> {
    let mut rest = text;
    for (element, digits) in ELEMENTS {
        let next = match digits {
            0 => rest.strip_prefix(element),
            _ => rest
                .get(..digits)
                .filter(|part| part.bytes().all(|b| b.is_ascii_digit()))
                .map(|_| &rest[digits..]),
        };
        match next {
            Some(next) => rest = next,
            None => return Some((rest, element)),
        }
    }
    let fraction = match fraction_length(rest) {
        // Go takes six digits and reads what follows as the zone.
        7.. if is_micro => 7,
        _ if is_micro => return Some((rest, ".000000")),
        length => length,
    };
    rest = &rest[fraction..];
    let is_zone = rest == "Z"
        || (rest.len() == 6
            && rest.starts_with(['+', '-'])
            && rest
                .bytes()
                .enumerate()
                .skip(1)
                .all(|(at, b)| if at == 3 { b == b':' } else { b.is_ascii_digit() }));
    (!is_zone).then_some((rest, "Z07:00"))
}

/// Bytes of a point with at least one digit after it, or 0.
fn fraction_length(text: &str) -> usize {
    let Some(digits) = text.strip_prefix('.') else { return 0 };
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    if count == 0 { 0 } else { count + 1 }
}

/// The element of a well-formed time that no clock shows.
fn part_out_of_range(text: &str) -> &'static str {
    let number =
        |from: usize| text.get(from..from + 2).and_then(|part| part.parse::<u32>().ok()).unwrap_or_default();
    if !(1..=12).contains(&number(5)) {
        "month"
    } else if number(11) > 23 {
        "hour"
    } else if number(14) > 59 {
        "minute"
    } else {
        "day"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalised(text: &str, is_micro: bool) -> Result<String, String> {
        let mut text = text.to_owned();
        normalise(&mut text, is_micro).map(|()| text)
    }

    #[test]
    fn times_become_utc() {
        let cases = [
            ("2026-01-02T03:04:05Z", false, "2026-01-02T03:04:05Z"),
            ("2026-01-02T03:04:05.678Z", false, "2026-01-02T03:04:05Z"),
            ("2026-01-02T03:04:05+02:00", false, "2026-01-02T01:04:05Z"),
            ("2026-01-02T03:04:05.600000+02:00", true, "2026-01-02T01:04:05.600000Z"),
        ];
        for (text, is_micro, want) in cases {
            assert_eq!(normalised(text, is_micro).as_deref(), Ok(want));
        }
    }

    #[test]
    fn misfits_are_worded_as_in_go() {
        let cases = [
            (
                "yesterday",
                false,
                r#"parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006""#,
            ),
            (
                "2026-01-02",
                false,
                r#"parsing time "2026-01-02" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T""#,
            ),
            (
                "2026-01-02T03:04:05Z",
                true,
                r#"parsing time "2026-01-02T03:04:05Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000""#,
            ),
            (
                "2026-01-02T03:04:05.1234567Z",
                true,
                r#"parsing time "2026-01-02T03:04:05.1234567Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "7Z" as "Z07:00""#,
            ),
            ("2026-13-02T03:04:05Z", false, r#"parsing time "2026-13-02T03:04:05Z": month out of range"#),
            ("2026-02-30T03:04:05Z", false, r#"parsing time "2026-02-30T03:04:05Z": day out of range"#),
        ];
        for (text, is_micro, want) in cases {
            assert_eq!(normalised(text, is_micro), Err(want.to_owned()));
        }
    }
}
