//! Clocks of clusters that differ from that of the control plane.

use jiff::{SignedDuration, Timestamp};

/// Difference from which on it is told: tokens and certificates that one side takes for valid are not valid for the other.
const TOLD_SKEW: SignedDuration = SignedDuration::from_secs(60);

/// How far the clock of a cluster is from that of the control plane, if it matters; positive if it is ahead. `stated` is the
/// time that the cluster states at the moment `now`.
pub fn skew(stated: Timestamp, now: Timestamp) -> Option<SignedDuration> {
    let skew = now.duration_until(stated);
    (skew.abs() > TOLD_SKEW).then_some(skew)
}

/// What is told about a clock.
pub fn message(cluster: &str, skew: SignedDuration) -> String {
    let direction = if skew.is_positive() { "ahead of" } else { "behind" };
    format!(
        "the clock of cluster {cluster} is {} s {direction} that of the control plane: tokens and certificates that are new on one \
         side are not valid on the other; synchronize the clocks",
        skew.abs().as_secs()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_of_more_than_a_minute_is_told() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-01-01T01:00:00Z");
        let cases = [
            ("2026-01-01T00:59:30Z", None),
            ("2026-01-01T02:00:00Z", Some("3600 s ahead of")),
            ("2026-01-01T00:00:00Z", Some("3600 s behind")),
        ];
        for (stated, want) in cases {
            let told = skew(at(stated), now).map(|skew| message("eu", skew));
            assert_eq!(told.is_some(), want.is_some(), "{stated}");
            assert!(want.is_none_or(|want| told.is_some_and(|told| told.contains(want))), "{stated}");
        }
    }
}
