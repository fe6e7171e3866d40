//! Durations as Go's flags have them, with one unit: `500ms`, `3s`, `5m`, `1h`.

use std::time::Duration;

/// Parses a duration.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("must be a number with ms, s, m or h, such as 3s".to_owned()),
    };
    let number: u64 =
        number.parse().map_err(|_| "must be a number with ms, s, m or h, such as 3s".to_owned())?;
    match number.checked_mul(millis) {
        Some(millis) if millis > 0 => Ok(Duration::from_millis(millis)),
        _ => Err("must be more than zero".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_unit() {
        for (text, millis) in
            [("500ms", Some(500)), ("3s", Some(3000)), ("5m", Some(300_000)), ("1h", Some(3_600_000))]
                .into_iter()
                .chain([
                    ("3", None),
                    ("s", None),
                    ("1.5s", None),
                    ("0s", None),
                    ("2m30s", None),
                    ("-1s", None),
                ])
        {
            assert_eq!(parse_duration(text).ok().map(|found| found.as_millis()), millis, "{text}");
        }
    }
}
