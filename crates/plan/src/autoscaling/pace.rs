//! How fast the replicas change (kubernetes pkg/controller/podautoscaler/horizontal.go, normalizeDesiredReplicas and
//! normalizeDesiredReplicasWithBehaviors).

use jiff::{SignedDuration, Timestamp};
use portolan_api::autoscaling::{Behavior, ScalingPolicy, ScalingRules};

/// Window over which the highest recommendation counts on the way down, if nothing is said.
const DOWN_WINDOW: SignedDuration = SignedDuration::from_mins(5);
/// Entries older than any window or period; they are forgotten.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(1);
/// Entries that are kept: one each 15 s for an hour, and as many changes of the spec again.
const MAX_ENTRIES: usize = 480;
/// Without a behavior, replicas at most double, or become four.
const SCALE_UP_FACTOR: i32 = 2;
const SCALE_UP_MINIMUM: i32 = 4;

/// What an autoscaler has recommended and done. It is kept in memory: after a restart the present replicas are the first
/// recommendation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    recommendations: Vec<(Timestamp, i32)>,
    /// Changes of the replicas; negative on the way down.
    changes: Vec<(Timestamp, i32)>,
}

impl History {
    /// Notes the present replicas as the first recommendation, and forgets what is too old.
    pub(super) fn begin(&mut self, current: i32, now: Timestamp) {
        for entries in [&mut self.recommendations, &mut self.changes] {
            entries.retain(|(time, _)| *time + MAX_AGE > now);
            let surplus = entries.len().saturating_sub(MAX_ENTRIES);
            entries.drain(..surplus);
        }
        if self.recommendations.is_empty() {
            self.recommendations.push((now, current));
        }
    }

    /// Notes a change of the replicas that was written.
    pub fn scaled(&mut self, from: i32, to: i32, now: Timestamp) {
        self.changes.push((now, to.saturating_sub(from)));
    }

    /// Replicas added and removed in the last `seconds`.
    fn changed(&self, seconds: i32, now: Timestamp) -> (i32, i32) {
        let since = now - SignedDuration::from_secs(i64::from(seconds));
        let recent = self.changes.iter().filter(|(time, _)| *time > since).map(|(_, change)| *change);
        recent.fold((0, 0), |(added, removed), change| {
            (added.saturating_add(change.max(0)), removed.saturating_add((-change).max(0)))
        })
    }
}

/// Limits of the replicas.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub(super) min: i32,
    pub(super) max: i32,
}

/// The paced number of replicas, and why it is that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Paced {
    pub(super) replicas: i32,
    /// Reason and message of the condition `AbleToScale`.
    pub(super) able: (&'static str, &'static str),
    /// Whether `ScalingLimited` is true.
    pub(super) is_limited: bool,
    /// Reason and message of `ScalingLimited`.
    pub(super) limited: (&'static str, &'static str),
}

const READY: (&str, &str) = ("ReadyForNewScale", "recommended size matches current size");
const DOWN_STABILIZED: (&str, &str) = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
);
const UP_STABILIZED: (&str, &str) = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
);
const WITHIN_RANGE: (&str, &str) = ("DesiredWithinRange", "the desired count is within the acceptable range");
const TOO_FEW: (&str, &str) =
    ("TooFewReplicas", "the desired replica count is less than the minimum replica count");
const TOO_MANY: (&str, &str) =
    ("TooManyReplicas", "the desired replica count is more than the maximum replica count");
const UP_LIMIT: (&str, &str) =
    ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate");
const DOWN_LIMIT: (&str, &str) =
    ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate");

/// Paces a recommendation, and notes it.
pub(super) fn pace(
    history: &mut History,
    behavior: Option<&Behavior>,
    (current, desired): (i32, i32),
    range: Range,
    now: Timestamp,
) -> Paced {
    match behavior {
        None => without_behavior(history, (current, desired), range, now),
        Some(behavior) => {
            let behavior = behavior.clone().completed();
            with_behavior(history, &behavior, (current, desired), range, now)
        }
    }
}

fn without_behavior(
    history: &mut History,
    (current, desired): (i32, i32),
    range: Range,
    now: Timestamp,
) -> Paced {
    let recent = history.recommendations.iter().filter(|(time, _)| *time + DOWN_WINDOW >= now);
    let stable = recent.map(|(_, replicas)| *replicas).fold(desired, i32::max);
    history.recommendations.push((now, desired));
    let fastest = current.saturating_mul(SCALE_UP_FACTOR).max(SCALE_UP_MINIMUM);
    let (max, too_many) = if range.max > fastest { (fastest, UP_LIMIT) } else { (range.max, TOO_MANY) };
    let (replicas, limited) = if stable < range.min {
        (range.min, TOO_FEW)
    } else if stable > max {
        (max, too_many)
    } else {
        (stable, WITHIN_RANGE)
    };
    let able = if stable == desired { READY } else { DOWN_STABILIZED };
    Paced { replicas, able, is_limited: replicas != stable, limited }
}

fn with_behavior(
    history: &mut History,
    behavior: &Behavior,
    (current, desired): (i32, i32),
    range: Range,
    now: Timestamp,
) -> Paced {
    let empty = ScalingRules::default();
    let (up, down) =
        (behavior.scale_up.as_ref().unwrap_or(&empty), behavior.scale_down.as_ref().unwrap_or(&empty));
    let (stable, able) = stabilize(history, (up, down), (current, desired), now);
    history.recommendations.push((now, desired));
    let (replicas, limited) = if stable > current {
        let fastest = up_limit(history, up, current, now).max(current);
        let (max, reason) = if range.max > fastest { (fastest, UP_LIMIT) } else { (range.max, TOO_MANY) };
        if stable > max { (max, reason) } else { (stable, WITHIN_RANGE) }
    } else if stable < current {
        let fastest = down_limit(history, down, current, now).min(current);
        let (min, reason) = if range.min < fastest { (fastest, DOWN_LIMIT) } else { (range.min, TOO_FEW) };
        if stable < min { (min, reason) } else { (stable, WITHIN_RANGE) }
    } else {
        (stable, WITHIN_RANGE)
    };
    Paced { replicas, able, is_limited: replicas != stable, limited }
}

/// The safest recommendation of the windows: the lowest on the way up, the highest on the way down.
fn stabilize(
    history: &History,
    (up, down): (&ScalingRules, &ScalingRules),
    (current, desired): (i32, i32),
    now: Timestamp,
) -> (i32, (&'static str, &'static str)) {
    let window = |rules: &ScalingRules, default: SignedDuration| {
        let seconds = rules.stabilization_window_seconds.map(i64::from).map(SignedDuration::from_secs);
        now - seconds.unwrap_or(default)
    };
    let (up_since, down_since) = (window(up, SignedDuration::ZERO), window(down, DOWN_WINDOW));
    let after = |since: Timestamp| {
        history.recommendations.iter().filter(move |(time, _)| *time > since).map(|(_, replicas)| *replicas)
    };
    let lowest = after(up_since).fold(desired, i32::min);
    let highest = after(down_since).fold(desired, i32::max);
    let stable = current.max(lowest).min(highest);
    let reason = match stable {
        stable if stable == desired => READY,
        stable if stable >= current => UP_STABILIZED,
        _ => DOWN_STABILIZED,
    };
    (stable, reason)
}

fn up_limit(history: &History, rules: &ScalingRules, current: i32, now: Timestamp) -> i32 {
    let proposals = proposals(history, rules, current, now, |policy, start| {
        if policy.kind == "Pods" {
            start.saturating_add(policy.value)
        } else {
            // A float is converted to the nearest number of the type.
            (f64::from(start) * (1.0 + f64::from(policy.value) / 100.0)).ceil() as i32
        }
    });
    match rules.select_policy.as_deref() {
        Some("Disabled") => current,
        Some("Min") => proposals.into_iter().min().unwrap_or(current),
        _ => proposals.into_iter().max().unwrap_or(current),
    }
}

fn down_limit(history: &History, rules: &ScalingRules, current: i32, now: Timestamp) -> i32 {
    let proposals = proposals(history, rules, current, now, |policy, start| {
        if policy.kind == "Pods" {
            start.saturating_sub(policy.value)
        } else {
            (f64::from(start) * (1.0 - f64::from(policy.value) / 100.0)) as i32
        }
    });
    match rules.select_policy.as_deref() {
        Some("Disabled") => current,
        // The smallest change leaves the most replicas.
        Some("Min") => proposals.into_iter().max().unwrap_or(current),
        _ => proposals.into_iter().min().unwrap_or(current),
    }
}

/// What each policy allows, from the replicas at the start of its period.
fn proposals(
    history: &History,
    rules: &ScalingRules,
    current: i32,
    now: Timestamp,
    allowed: impl Fn(&ScalingPolicy, i32) -> i32,
) -> Vec<i32> {
    let policies = rules.policies.iter().flatten();
    let start = |policy: &ScalingPolicy| {
        let (added, removed) = history.changed(policy.period_seconds, now);
        current.saturating_sub(added).saturating_add(removed)
    };
    policies.map(|policy| allowed(policy, start(policy))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: Range = Range { min: 2, max: 100 };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).expect("a time")
    }

    fn recommended(entries: &[(i64, i32)]) -> History {
        History {
            recommendations: entries.iter().map(|&(time, replicas)| (at(time), replicas)).collect(),
            changes: vec![],
        }
    }

    fn rules(window: Option<i32>, select: &str, policies: &[(&str, i32, i32)]) -> ScalingRules {
        let policy = |&(kind, value, period_seconds): &(&str, i32, i32)| ScalingPolicy {
            kind: kind.to_owned(),
            value,
            period_seconds,
        };
        ScalingRules {
            stabilization_window_seconds: window,
            select_policy: Some(select.to_owned()),
            policies: Some(policies.iter().map(policy).collect()),
        }
    }

    #[test]
    fn without_a_behavior_replicas_double_at_most_and_fall_after_five_minutes() {
        let cases = [
            ("doubled", vec![], (10, 50), 20, "ScaleUpLimit"),
            ("at least four", vec![], (1, 50), 4, "ScaleUpLimit"),
            ("not above the maximum", vec![], (60, 110), 100, "TooManyReplicas"),
            ("not below the minimum", vec![], (5, 1), 2, "TooFewReplicas"),
            ("within", vec![], (5, 7), 7, "DesiredWithinRange"),
            ("a recent recommendation was higher", vec![(-299, 8)], (8, 5), 8, "DesiredWithinRange"),
            ("an old one does not count", vec![(-301, 8)], (8, 5), 5, "DesiredWithinRange"),
        ];
        for (name, known, change, want, reason) in cases {
            let paced = pace(&mut recommended(&known), None, change, RANGE, at(0));
            assert_eq!((paced.replicas, paced.limited.0), (want, reason), "{name}");
        }
        let stabilized = pace(&mut recommended(&[(-10, 8)]), None, (8, 5), RANGE, at(0));
        assert_eq!((stabilized.able.0, stabilized.is_limited), ("ScaleDownStabilized", false));
    }

    #[test]
    fn policies_limit_each_direction() {
        let up = |rules: ScalingRules| Behavior { scale_up: Some(rules), scale_down: None };
        let down = |rules: ScalingRules| Behavior { scale_up: None, scale_down: Some(rules) };
        let cases = [
            ("defaults", Behavior::default(), (10, 50), 20, "ScaleUpLimit"),
            ("pods", up(rules(Some(0), "Max", &[("Pods", 3, 60)])), (10, 50), 13, "ScaleUpLimit"),
            (
                "percents are rounded up",
                up(rules(Some(0), "Max", &[("Percent", 25, 60)])),
                (10, 50),
                13,
                "ScaleUpLimit",
            ),
            (
                "the larger change",
                up(rules(Some(0), "Max", &[("Pods", 3, 60), ("Percent", 50, 60)])),
                (10, 50),
                15,
                "ScaleUpLimit",
            ),
            (
                "the smaller change",
                up(rules(Some(0), "Min", &[("Pods", 3, 60), ("Percent", 50, 60)])),
                (10, 50),
                13,
                "ScaleUpLimit",
            ),
            ("disabled", up(rules(Some(0), "Disabled", &[("Pods", 3, 60)])), (10, 50), 10, "ScaleUpLimit"),
            ("pods down", down(rules(Some(0), "Max", &[("Pods", 3, 60)])), (10, 4), 7, "ScaleDownLimit"),
            (
                "percents down",
                down(rules(Some(0), "Max", &[("Percent", 25, 60)])),
                (10, 4),
                7,
                "ScaleDownLimit",
            ),
            (
                "the smaller change down",
                down(rules(Some(0), "Min", &[("Pods", 1, 60), ("Percent", 50, 60)])),
                (10, 4),
                9,
                "ScaleDownLimit",
            ),
            (
                "disabled down",
                down(rules(Some(0), "Disabled", &[("Pods", 3, 60)])),
                (10, 4),
                10,
                "ScaleDownLimit",
            ),
            (
                "not below the minimum",
                down(rules(Some(0), "Max", &[("Percent", 100, 60)])),
                (10, 1),
                2,
                "TooFewReplicas",
            ),
        ];
        for (name, behavior, change, want, reason) in cases {
            let paced = pace(&mut History::default(), Some(&behavior), change, RANGE, at(0));
            assert_eq!((paced.replicas, paced.limited.0), (want, reason), "{name}");
        }
    }

    #[test]
    fn changes_of_the_period_count() {
        let behavior =
            Behavior { scale_up: Some(rules(Some(0), "Max", &[("Pods", 4, 60)])), scale_down: None };
        let mut history = History::default();
        history.scaled(8, 10, at(-30));
        let paced = pace(&mut history, Some(&behavior), (10, 50), RANGE, at(0));
        assert_eq!(paced.replicas, 12, "two of four are used up");
        let paced = pace(&mut history, Some(&behavior), (10, 50), RANGE, at(31));
        assert_eq!(paced.replicas, 14, "the period is over");
    }

    #[test]
    fn windows_take_the_safest_recommendation() {
        let behavior = |up: i32, down: i32| Behavior {
            scale_up: Some(rules(Some(up), "Max", &[("Percent", 900, 15)])),
            scale_down: Some(rules(Some(down), "Max", &[("Percent", 100, 15)])),
        };
        let cases = [
            ("the lowest on the way up", vec![(-10, 12), (-5, 15)], (10, 20), 12, "ScaleUpStabilized"),
            ("the highest on the way down", vec![(-10, 8), (-5, 6)], (10, 4), 8, "ScaleDownStabilized"),
            ("old ones do not count", vec![(-100, 12)], (10, 20), 20, "ReadyForNewScale"),
        ];
        for (name, known, change, want, reason) in cases {
            let paced = pace(&mut recommended(&known), Some(&behavior(60, 60)), change, RANGE, at(0));
            assert_eq!((paced.replicas, paced.able.0), (want, reason), "{name}");
        }
    }

    #[test]
    fn the_history_is_bounded() {
        let mut history = recommended(&[(-4000, 3)]);
        for second in 0..1000 {
            history.begin(5, at(second));
            history.recommendations.push((at(second), 5));
        }
        assert!(history.recommendations.len() <= MAX_ENTRIES + 1);
        assert!(history.recommendations.iter().all(|(time, _)| *time >= at(0)));
    }
}
