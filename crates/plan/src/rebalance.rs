//! Requests to schedule workloads again (karmada pkg/controllers/workloadrebalancer).
//!
//! The shell writes the request of each pending workload to its binding, and then the status.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use portolan_api::apps::{
    ObservedWorkload, REFERENCED_BINDING_NOT_FOUND, RebalanceResult, WorkloadRebalancer,
    WorkloadRebalancerStatus, WorkloadReference,
};
use portolan_api::names;
use portolan_object::ObjectKey;

/// The key of the binding of a workload; without a namespace it is a ClusterResourceBinding.
pub fn binding_key(workload: &WorkloadReference) -> ObjectKey {
    ObjectKey::namespaced(&*workload.namespace, names::binding(&workload.kind, &workload.name))
}

/// The workloads of the status after a change of the spec, in order.
///
/// Workloads of the spec keep their result; new ones are pending. Workloads that are no longer in the spec stay if they
/// succeeded.
pub fn observed(rebalancer: &WorkloadRebalancer) -> Vec<ObservedWorkload> {
    let mut wanted: BTreeSet<&WorkloadReference> = rebalancer.spec.workloads.iter().collect();
    let mut observed: Vec<ObservedWorkload> = rebalancer.status.observed_workloads.clone();
    observed
        .retain(|known| wanted.remove(&known.workload) || known.result == Some(RebalanceResult::Successful));
    let pending = wanted.into_iter().cloned();
    observed.extend(pending.map(|workload| ObservedWorkload { workload, ..ObservedWorkload::default() }));
    observed.sort_by(|one, other| one.workload.cmp(&other.workload));
    observed.dedup_by(|one, other| one.workload == other.workload);
    observed
}

/// Whether a binding that was last requested at `triggered_at` is older than the request of a rebalancer that was created
/// at `created_at`.
pub fn is_due(created_at: &str, triggered_at: Option<&str>) -> bool {
    let time = |text: &str| text.parse::<Timestamp>().ok();
    triggered_at.is_none_or(|triggered_at| time(created_at) > time(triggered_at))
}

/// Records the result for one workload: whether it has a binding, to which the request was written.
pub fn record(workload: &mut ObservedWorkload, has_binding: bool) {
    if has_binding {
        workload.result = Some(RebalanceResult::Successful);
        workload.reason.clear();
    } else {
        workload.result = Some(RebalanceResult::Failed);
        REFERENCED_BINDING_NOT_FOUND.clone_into(&mut workload.reason);
    }
}

/// The status with these workloads. The finish time moves when the status changes and nothing is pending.
pub fn status(
    rebalancer: &WorkloadRebalancer,
    workloads: Vec<ObservedWorkload>,
    now: &str,
) -> WorkloadRebalancerStatus {
    let is_finished = workloads.iter().all(|workload| workload.result.is_some());
    let mut status = WorkloadRebalancerStatus {
        observed_workloads: workloads,
        observed_generation: rebalancer.metadata.generation,
        finish_time: rebalancer.status.finish_time.clone(),
    };
    if is_finished && (status != rebalancer.status || status.finish_time.is_none()) {
        status.finish_time = Some(now.to_owned());
    }
    status
}

/// Time until a finished rebalancer is deleted; `None` if it stays.
pub fn time_left(rebalancer: &WorkloadRebalancer, now: Timestamp) -> Option<Duration> {
    let ttl = rebalancer.spec.ttl_seconds_after_finished?;
    let status = &rebalancer.status;
    if status.observed_generation != rebalancer.metadata.generation {
        return None;
    }
    let finished: Timestamp = status.finish_time.as_ref()?.parse().ok()?;
    let expires = finished.as_second().saturating_add(i64::from(ttl));
    let left = i128::from(expires) * 1_000_000_000 - now.as_nanosecond();
    Some(Duration::from_nanos(u64::try_from(left.max(0)).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(name: &str) -> WorkloadReference {
        WorkloadReference {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: "shop".to_owned(),
            name: name.to_owned(),
        }
    }

    fn known(name: &str, result: Option<RebalanceResult>) -> ObservedWorkload {
        ObservedWorkload { workload: workload(name), result, reason: String::new() }
    }

    fn rebalancer(spec: &[&str], observed: Vec<ObservedWorkload>) -> WorkloadRebalancer {
        let mut rebalancer = WorkloadRebalancer::default();
        rebalancer.metadata.generation = 2;
        rebalancer.spec.workloads = spec.iter().map(|name| workload(name)).collect();
        rebalancer.status.observed_workloads = observed;
        rebalancer
    }

    #[test]
    fn a_changed_spec_keeps_results_and_what_succeeded() {
        use RebalanceResult::{Failed, Successful};
        let cases = [
            ("new ones are pending", &["b", "a"][..], vec![], vec![("a", None), ("b", None)]),
            (
                "results stay",
                &["a", "b"],
                vec![known("a", Some(Successful)), known("b", Some(Failed))],
                vec![("a", Some(Successful)), ("b", Some(Failed))],
            ),
            (
                "removed ones stay if they succeeded",
                &["c"],
                vec![known("a", Some(Successful)), known("b", Some(Failed))],
                vec![("a", Some(Successful)), ("c", None)],
            ),
            ("named twice", &["a", "a"], vec![], vec![("a", None)]),
        ];
        for (name, spec, before, want) in cases {
            let after = observed(&rebalancer(spec, before));
            let after: Vec<_> = after.iter().map(|one| (one.workload.name.as_str(), one.result)).collect();
            assert_eq!(after, want, "{name}");
        }
    }

    #[test]
    fn a_request_is_due_until_the_binding_has_a_later_one() {
        let cases = [
            (None, true),
            (Some("2026-01-01T00:00:00Z"), true),
            (Some("2026-01-01T01:00:00+01:00"), true),
            (Some("2026-01-01T00:00:01Z"), false),
            (Some("2026-01-01T00:00:02Z"), false),
        ];
        for (triggered, want) in cases {
            assert_eq!(is_due("2026-01-01T00:00:01Z", triggered), want, "{triggered:?}");
        }
    }

    #[test]
    fn a_rebalancer_is_finished_when_nothing_is_pending() {
        let pending = rebalancer(&["a"], vec![]);
        assert_eq!(status(&pending, vec![known("a", None)], "t1").finish_time, None);
        let mut done = known("a", None);
        record(&mut done, true);
        let finished = status(&pending, vec![done.clone()], "t1");
        assert_eq!((finished.finish_time.as_deref(), finished.observed_generation), (Some("t1"), 2));
        let mut again = pending.clone();
        again.status = finished.clone();
        assert_eq!(status(&again, vec![done.clone()], "t2"), finished, "an unchanged status keeps its time");
        again.metadata.generation = 3;
        assert_eq!(status(&again, vec![done], "t3").finish_time.as_deref(), Some("t3"));
    }

    #[test]
    fn a_missing_binding_is_told() {
        let mut missing = known("a", None);
        record(&mut missing, false);
        let want = (Some(RebalanceResult::Failed), "ReferencedBindingNotFound");
        assert_eq!((missing.result, missing.reason.as_str()), want);
    }

    #[test]
    fn finished_rebalancers_expire() {
        let now: Timestamp = "2026-01-01T00:00:10Z".parse().expect("a time");
        let left = |ttl: Option<i32>, finished: Option<&str>, observed: i64| {
            let mut rebalancer = rebalancer(&["a"], vec![]);
            rebalancer.spec.ttl_seconds_after_finished = ttl;
            rebalancer.status.finish_time = finished.map(str::to_owned);
            rebalancer.status.observed_generation = observed;
            time_left(&rebalancer, now)
        };
        let at = Some("2026-01-01T00:00:05Z");
        assert_eq!(left(None, at, 2), None, "without a limit");
        assert_eq!(left(Some(8), at, 2), Some(Duration::from_secs(3)));
        assert_eq!(left(Some(0), at, 2), Some(Duration::ZERO));
        assert_eq!(left(Some(8), None, 2), None, "not finished");
        assert_eq!(left(Some(8), at, 1), None, "the spec has changed since");
    }

    #[test]
    fn bindings_are_found_by_kind_and_name() {
        assert_eq!(binding_key(&workload("web")), ObjectKey::namespaced("shop", "web-deployment"));
        let role = WorkloadReference {
            kind: "ClusterRole".to_owned(),
            name: "a:b".to_owned(),
            ..Default::default()
        };
        assert_eq!(binding_key(&role), ObjectKey::cluster("a.b-clusterrole"));
    }
}
