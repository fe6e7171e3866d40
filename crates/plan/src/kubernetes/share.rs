//! Numbers of pods that are given as a count or as a percentage.

use portolan_api::kubernetes::IntOrString;

/// How a percentage becomes a whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    Up,
    Down,
}

/// A count, or a percentage of `total`; a text that is no percentage is zero.
pub(super) fn share(value: IntOrString<'_>, total: i64, rounding: Rounding) -> i64 {
    let text = match value {
        IntOrString::Int(pods) => return pods,
        IntOrString::String(text) => text,
    };
    let percent = text.strip_suffix('%').and_then(|percent| percent.parse::<i64>().ok()).unwrap_or_default();
    match rounding {
        Rounding::Up => (total * percent + 99) / 100,
        Rounding::Down => total * percent / 100,
    }
}
