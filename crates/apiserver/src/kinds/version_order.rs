//! The order of API versions: stable before beta before alpha, higher numbers first, other names last.

use std::cmp::{Ordering, Reverse};

/// Compares two versions so that the preferred one comes first.
///
/// # Source
/// `version.CompareKubeAwareVersionStrings` of apimachinery.
pub fn by_version(a: &str, b: &str) -> Ordering {
    match (parse(a), parse(b)) {
        (Some(a), Some(b)) => Reverse(a).cmp(&Reverse(b)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

/// Stability, major and minor number of `v1`, `v1beta2` or `v1alpha3`.
fn parse(version: &str) -> Option<(u8, u64, u64)> {
    let rest = version.strip_prefix('v')?;
    let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    let (major, suffix) = rest.split_at(digits);
    let major = positive(major)?;
    for (word, stability) in [("alpha", 0), ("beta", 1)] {
        if let Some(minor) = suffix.strip_prefix(word) {
            return Some((stability, major, positive(minor)?));
        }
    }
    suffix.is_empty().then_some((2, major, 0))
}

fn positive(digits: &str) -> Option<u64> {
    if digits.starts_with('0') || digits.starts_with('+') { None } else { digits.parse().ok() }
}
