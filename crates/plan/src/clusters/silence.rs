//! Clusters with an agent that is silent (karmada pkg/controllers/cluster/cluster_controller.go).
//!
//! An agent renews a Lease in the control plane. What counts is when a renewal was seen, by the clock of the control plane,
//! so that a wrong clock in the cluster does no harm. A control plane that has just started has seen none: a Lease that was
//! not renewed for long by its own account makes the cluster unknown at once, so that a dead cluster is not shown as ready.
//! The control plane itself may have been away for that time, so that this alone moves nothing out of the cluster
//! (`crate::taint_policies`): the agent counts as silent when it is not heard for the grace period.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portolan_api::conditions::cluster as reasons;
use portolan_api::meta::{Condition, ConditionStatus, condition};

use super::clock;

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

/// Whether an agent is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// It renews its Lease, or has not had the time for it.
    Heard,
    /// Its Lease is older than the grace period, by its own account for this long; this control plane has not run for long
    /// enough to hear a renewal.
    NotHeardYet(Duration),
    /// No renewal for this long.
    Silent(Duration),
}

/// Whether an agent is heard, if `grace` is the longest time between two renewals.
pub fn silence(sighting: Sighting, grace: Duration, now: Timestamp) -> Silence {
    let age = |since: Timestamp| now.duration_until(since).unsigned_abs();
    let seen = age(sighting.seen);
    // What the Lease says itself counts only until it is seen to be renewed.
    let told = match sighting.renewed.filter(|renewed| !sighting.is_live && *renewed < now) {
        Some(renewed) => age(renewed),
        None => seen,
    };
    match (seen > grace, told > grace) {
        (true, _) => Silence::Silent(seen.max(told)),
        (false, true) => Silence::NotHeardYet(told),
        (false, false) => Silence::Heard,
    }
}

/// The `Ready` condition of a cluster by its agent's silence; `None` if it stays as it is. An agent that has not been heard yet
/// only makes a ready cluster unknown.
pub fn unknown(
    cluster: &str,
    conditions: &[Condition],
    sighting: Sighting,
    silence: Silence,
    now: &str,
) -> Option<Condition> {
    let ready = condition(conditions, reasons::READY);
    let (reason, silent) = match silence {
        Silence::Heard => return None,
        Silence::NotHeardYet(_) if ready.is_none_or(|ready| ready.status != ConditionStatus::True) => {
            return None;
        }
        Silence::NotHeardYet(silent) => (reasons::NOT_SEEN_SINCE_START, silent),
        Silence::Silent(silent) => (reasons::CLUSTER_STATUS_UNKNOWN, silent),
    };
    if ready.is_some_and(|ready| ready.status == ConditionStatus::Unknown && ready.reason == reason) {
        return None;
    }
    let since = match sighting.renewed {
        Some(_) => format!("for {} s", silent.as_secs()),
        None => "at all".to_owned(),
    };
    let message = match silence {
        Silence::NotHeardYet(_) => format!(
            "the control plane has just started, and the agent of the cluster has not been heard {since}; its objects stay as \
             they are"
        ),
        Silence::Heard | Silence::Silent(_) => format!(
            "the agent of the cluster has not been heard {since}; its objects stay as they are. Check that `portolan agent \
             --pull` runs in cluster {cluster} and reaches the control plane"
        ),
    };
    let mut ready = Condition::new(reasons::READY, false, reason, message, now);
    ready.status = ConditionStatus::Unknown;
    Some(ready)
}

/// How far the clock of a cluster is from that of the control plane by a renewal, if it matters; positive if it is ahead.
pub fn skew(sighting: Sighting) -> Option<SignedDuration> {
    clock::skew(sighting.renewed.filter(|_| sighting.is_live)?, sighting.seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_agent_is_silent_when_no_renewal_is_seen() {
        use Silence::{Heard, NotHeardYet, Silent};
        let (late, dead) =
            (|secs| NotHeardYet(Duration::from_secs(secs)), |secs| Silent(Duration::from_secs(secs)));
        let now = at("2026-01-01T01:00:00Z");
        let cases = [
            ("just seen", Some("2026-01-01T00:59:55Z"), "2026-01-01T00:59:55Z", true, Heard),
            ("seen long ago", Some("2026-01-01T00:59:00Z"), "2026-01-01T00:59:00Z", true, dead(60)),
            ("a clock an hour behind", Some("2026-01-01T00:00:00Z"), "2026-01-01T00:59:58Z", true, Heard),
            ("a clock an hour ahead", Some("2026-01-01T02:00:00Z"), "2026-01-01T00:59:58Z", false, Heard),
            ("dead before the start", Some("2026-01-01T00:50:00Z"), "2026-01-01T00:59:59Z", false, late(600)),
            (
                "not heard since the start",
                Some("2026-01-01T00:50:00Z"),
                "2026-01-01T00:59:00Z",
                false,
                dead(600),
            ),
            ("alive before the start", Some("2026-01-01T00:59:45Z"), "2026-01-01T00:59:59Z", false, Heard),
            ("no lease yet", None, "2026-01-01T00:59:50Z", false, Heard),
            ("no lease", None, "2026-01-01T00:59:00Z", false, dead(60)),
        ];
        for (name, renewed, seen, is_live, want) in cases {
            let sighting = Sighting { renewed: renewed.map(at), seen: at(seen), is_live };
            assert_eq!(silence(sighting, GRACE, now), want, "{name}");
        }
    }

    #[test]
    fn the_condition_says_silent_only_after_the_grace_period() {
        use ConditionStatus::{False, True, Unknown};
        let hour = Duration::from_secs(3600);
        let (late, dead) = (Silence::NotHeardYet(hour), Silence::Silent(hour));
        let cases = [
            ("heard", Silence::Heard, Some((True, "ClusterReady")), None),
            ("just started", late, Some((True, "ClusterReady")), Some("NotSeenSinceStart")),
            ("was not ready before", late, Some((False, "ClusterNotReady")), None),
            ("was silent before", late, Some((Unknown, "ClusterStatusUnknown")), None),
            ("never reported", late, None, None),
            ("silent", dead, Some((True, "ClusterReady")), Some("ClusterStatusUnknown")),
            (
                "not heard since the start",
                dead,
                Some((Unknown, "NotSeenSinceStart")),
                Some("ClusterStatusUnknown"),
            ),
            ("said already", dead, Some((Unknown, "ClusterStatusUnknown")), None),
        ];
        let renewed = Some(at("2026-01-01T00:00:00Z"));
        let sighting = Sighting { renewed, seen: at("2026-01-01T01:00:00Z"), is_live: false };
        for (name, silence, before, want) in cases {
            let before =
                before.map(|(status, reason)| Condition::new(reasons::READY, status, reason, "", "t"));
            let found = unknown("eu", before.as_slice(), sighting, silence, "t");
            let found = found.map(|ready| (ready.status, ready.reason));
            assert_eq!(found, want.map(|reason| (Unknown, reason.to_owned())), "{name}");
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
