//! Clusters with an agent that is silent (karmada pkg/controllers/cluster/cluster_controller.go).
//!
//! An agent renews a Lease in the control plane. What counts is when a renewal was seen, by the clock of the control plane,
//! so that a wrong clock in the cluster does no harm. A control plane that has just started has seen none: a Lease that was
//! not renewed for long by its own account counts as silent at once, so that a dead cluster is not shown as ready again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portolan_api::conditions::cluster as reasons;
use portolan_api::meta::{Condition, ConditionStatus, condition};

/// Time without a renewal after which an agent is silent.
pub const GRACE: Duration = Duration::from_secs(40);

/// What is known of the Lease of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// The last renewal, by the clock of the cluster; `None` if there is no Lease.
    pub renewed: Option<Timestamp>,
    /// When the renewal was seen, by the clock of the control plane.
    pub seen: Timestamp,
    /// Whether the renewal was seen as it happened: not when the control plane started.
    pub is_live: bool,
}

/// How long an agent has been silent; `None` while it is heard.
pub fn silence(sighting: Sighting, grace: Duration, now: Timestamp) -> Option<Duration> {
    let age = |since: Timestamp| now.duration_until(since).unsigned_abs();
    let seen = age(sighting.seen);
    // What the Lease says itself counts only until it is seen to be renewed.
    let told = match sighting.renewed.filter(|renewed| !sighting.is_live && *renewed < now) {
        Some(renewed) => age(renewed),
        None => seen,
    };
    let silent = seen.max(told);
    (silent > grace).then_some(silent)
}

/// The `Ready` condition of a cluster whose agent is silent; `None` if it says so already.
pub fn unknown(
    cluster: &str,
    conditions: &[Condition],
    sighting: Sighting,
    silent: Duration,
    now: &str,
) -> Option<Condition> {
    let is_said = condition(conditions, reasons::READY).is_some_and(|ready| {
        ready.status == ConditionStatus::Unknown && ready.reason == reasons::CLUSTER_STATUS_UNKNOWN
    });
    if is_said {
        return None;
    }
    let since = match sighting.renewed {
        Some(_) => format!("for {} s", silent.as_secs()),
        None => "at all".to_owned(),
    };
    let message = format!(
        "the agent of the cluster has not been heard {since}; its objects stay as they are. Check that `portolan agent --pull` \
         runs in cluster {cluster} and reaches the control plane"
    );
    let mut ready = Condition::new(reasons::READY, false, reasons::CLUSTER_STATUS_UNKNOWN, message, now);
    ready.status = ConditionStatus::Unknown;
    Some(ready)
}

/// Difference of the clocks of the cluster and of the control plane from which on it is told: tokens and certificates that
/// one of them takes for valid are not valid for the other.
const TOLD_SKEW: SignedDuration = SignedDuration::from_secs(60);

/// How far the clock of a cluster is from that of the control plane, if it matters; positive if it is ahead.
pub fn skew(sighting: Sighting) -> Option<SignedDuration> {
    let renewed = sighting.renewed.filter(|_| sighting.is_live)?;
    let skew = sighting.seen.duration_until(renewed);
    (skew.abs() > TOLD_SKEW).then_some(skew)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_agent_is_silent_when_no_renewal_is_seen() {
        let now = at("2026-01-01T01:00:00Z");
        let cases = [
            ("just seen", Some("2026-01-01T00:59:55Z"), "2026-01-01T00:59:55Z", true, None),
            ("seen long ago", Some("2026-01-01T00:59:00Z"), "2026-01-01T00:59:00Z", true, Some(60)),
            ("a clock an hour behind", Some("2026-01-01T00:00:00Z"), "2026-01-01T00:59:58Z", true, None),
            ("a clock an hour ahead", Some("2026-01-01T02:00:00Z"), "2026-01-01T00:59:58Z", false, None),
            ("dead before the start", Some("2026-01-01T00:50:00Z"), "2026-01-01T00:59:59Z", false, Some(600)),
            ("alive before the start", Some("2026-01-01T00:59:45Z"), "2026-01-01T00:59:59Z", false, None),
            ("no lease yet", None, "2026-01-01T00:59:50Z", false, None),
            ("no lease", None, "2026-01-01T00:59:00Z", false, Some(60)),
        ];
        for (name, renewed, seen, is_live, want) in cases {
            let sighting = Sighting { renewed: renewed.map(at), seen: at(seen), is_live };
            assert_eq!(silence(sighting, GRACE, now), want.map(Duration::from_secs), "{name}");
        }
    }

    #[test]
    fn clocks_that_differ_are_told() {
        let seen = at("2026-01-01T01:00:00Z");
        let skew = |renewed: &str| skew(Sighting { renewed: Some(at(renewed)), seen, is_live: true });
        assert_eq!(skew("2026-01-01T00:59:30Z"), None);
        assert_eq!(skew("2026-01-01T02:00:00Z"), Some(SignedDuration::from_hours(1)));
        assert_eq!(skew("2026-01-01T00:00:00Z"), Some(SignedDuration::from_hours(-1)));
    }
}
