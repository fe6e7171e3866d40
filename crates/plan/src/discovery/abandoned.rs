//! Leases of agents that are gone. An agent is named after its pod, so that each new pod has a Lease of its own.

use std::time::Duration;

use jiff::Timestamp;
use portolan_object::Object;
use portolan_object::time::age;

/// Time without a renewal after which a Lease is removed. Longer than clocks of nodes differ, and than a node is away for
/// maintenance.
pub const ABANDONED_AFTER: Duration = Duration::from_hours(24);

/// Whether the Lease of an agent has not been renewed for [`ABANDONED_AFTER`]. One without a time of its renewal is judged by its
/// creation.
pub fn is_abandoned(lease: &Object, now: Timestamp) -> bool {
    let since = |path: &[&str]| age(lease.str_at(path), now);
    let is_timed = lease.str_at(&["spec", "renewTime"]).parse::<Timestamp>().is_ok();
    let quiet =
        if is_timed { since(&["spec", "renewTime"]) } else { since(&["metadata", "creationTimestamp"]) };
    quiet.is_some_and(|quiet| quiet >= ABANDONED_AFTER)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_lease_is_abandoned_a_day_after_its_last_renewal() {
        let now: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
        let renewed = |time: &str| json!({ "spec": { "renewTime": time } });
        let created = |time: &str| json!({ "metadata": { "creationTimestamp": time } });
        let both = json!({ "metadata": { "creationTimestamp": "2025-03-02T12:00:00Z" },
            "spec": { "renewTime": "2026-03-02T11:59:59.000000Z" } });
        for (lease, want) in [
            (renewed("2026-03-02T11:59:55.000000Z"), false),
            // A clock that is an hour off, in both directions.
            (renewed("2026-03-02T11:00:00.000000Z"), false),
            (renewed("2026-03-02T13:00:00.000000Z"), false),
            (renewed("2026-03-01T12:00:00.000001Z"), false),
            (renewed("2026-03-01T12:00:00.000000Z"), true),
            (renewed("2020-01-01T00:00:00.000000Z"), true),
            (created("2026-03-02T11:00:00Z"), false),
            (created("2026-02-02T11:00:00Z"), true),
            (both, false),
            (renewed("yesterday"), false),
            (json!({}), false),
        ] {
            let shown: Value = lease.clone();
            assert_eq!(is_abandoned(&Object(lease), now), want, "{shown}");
        }
    }
}
