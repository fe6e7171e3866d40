//! Clocks of clusters that differ from that of the control plane.

use jiff::{SignedDuration, Timestamp};
use portolan_api::conditions::cluster::{CLOCK_DIFFERS, CLOCKS_AGREE};
use portolan_api::meta::{Condition, condition};

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

/// The condition `ClockDiffers` for a skew. `None` if it says nothing new: a cluster with a clock that never differed has no
/// such condition, and the message keeps the difference that was seen first.
pub fn clock_condition(
    conditions: &[Condition],
    cluster: &str,
    skew: Option<SignedDuration>,
    now: &str,
) -> Option<Condition> {
    let differed = condition(conditions, CLOCK_DIFFERS).map(Condition::is_true);
    match (skew, differed) {
        (Some(_), Some(true)) | (None, None | Some(false)) => None,
        (Some(skew), _) => {
            Some(Condition::new(CLOCK_DIFFERS, true, CLOCK_DIFFERS, message(cluster, skew), now))
        }
        (None, Some(true)) => {
            Some(Condition::new(CLOCK_DIFFERS, false, CLOCKS_AGREE, "the clocks agree again", now))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_says_that_the_clock_differs_and_that_it_does_not_any_more() {
        let hour = Some(SignedDuration::from_hours(1));
        let next = |before: &[Condition], skew| {
            let next = clock_condition(before, "eu", skew, "t")?;
            Some((next.is_true(), next.message))
        };
        assert_eq!(next(&[], None), None);
        let differs = clock_condition(&[], "eu", hour, "t").expect("a condition");
        assert!(differs.message.contains("3600 s ahead of") && differs.message.contains("synchronize"));
        let differs = [differs];
        assert_eq!(next(&differs, hour), None, "written once");
        let agrees = [clock_condition(&differs, "eu", None, "t").expect("a condition")];
        assert!(!agrees[0].is_true());
        assert_eq!(next(&agrees, None), None);
        assert!(next(&agrees, hour).is_some_and(|(is_true, _)| is_true));
    }

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
