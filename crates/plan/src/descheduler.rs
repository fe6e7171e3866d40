//! Descheduling: a cluster that cannot run some of its replicas for a while gives them back, and the scheduler places them
//! elsewhere (karmada pkg/descheduler).

use std::time::Duration;

use portolan_api::annotations;
use portolan_api::meta::ObjectMeta;
use portolan_api::policy::{Placement, ReplicaDivisionPreference, ReplicaSchedulingType};
use portolan_api::work::{ResourceBindingSpec, ResourceBindingStatus, TargetCluster};

use crate::capacity::MemberPod;

/// Whether replicas of a binding can be given back: a Deployment that was divided by free capacity.
pub fn is_concerned(metadata: &ObjectMeta, spec: &ResourceBindingSpec) -> bool {
    let recorded = metadata.annotation(annotations::policy::APPLIED_PLACEMENT);
    let placement = recorded.and_then(|text| serde_json::from_str::<Placement>(text).ok());
    spec.resource.api_version == "apps/v1"
        && spec.resource.kind == "Deployment"
        && placement.is_some_and(|placement| is_dynamic(&placement))
}

fn is_dynamic(placement: &Placement) -> bool {
    placement.replica_scheduling.as_ref().is_some_and(|scheduling| {
        let weights = scheduling.weight_preference.as_ref();
        scheduling.replica_scheduling_type == ReplicaSchedulingType::Divided
            && (scheduling.replica_division_preference == Some(ReplicaDivisionPreference::Aggregated)
                || weights.is_some_and(|weights| weights.dynamic_weight.is_some()))
    })
}

/// Pods of a workload that no node of their cluster can run for at least `threshold`. `age` is the time since a moment,
/// RFC 3339.
///
/// Only pods of the newest revision count, which is that of the pod that was created last: those of an older one go by
/// themselves when the rollout goes on (karmada pkg/estimator/server/replica/replica.go).
pub fn unschedulable<'a>(
    pods: impl IntoIterator<Item = &'a MemberPod> + Clone,
    age: impl Fn(&str) -> Option<Duration>,
    threshold: Duration,
) -> i32 {
    let revision = |pod: &'a MemberPod| Some(&*pod.workload.as_ref()?.revision);
    let newest = pods.clone().into_iter().max_by_key(|pod| &pod.created).and_then(revision);
    let is_old = |since: &str| age(since).is_some_and(|age| age >= threshold);
    let old = |pod: &&'a MemberPod| {
        revision(pod) == newest
            && !pod.is_finished
            && pod.node.is_empty()
            && pod.unschedulable_since.as_deref().is_some_and(is_old)
    };
    i32::try_from(pods.into_iter().filter(old).count()).unwrap_or(i32::MAX)
}

/// Fewer replicas for some clusters.
#[derive(Debug, Clone, PartialEq)]
pub struct Descheduled {
    /// The clusters of the binding with the replicas that they keep.
    pub clusters: Vec<TargetCluster>,
    /// What was given back, for people.
    pub message: String,
}

/// What clusters give back; `None` if nothing. `unschedulable` is the number of unschedulable pods in a cluster, 0 if it is
/// not known.
///
/// A cluster keeps at least the replicas that are ready there.
pub fn deschedule(
    spec: &ResourceBindingSpec,
    status: &ResourceBindingStatus,
    unschedulable: impl Fn(&str) -> i32,
) -> Option<Descheduled> {
    let mut message = "Binding has been descheduled".to_owned();
    let mut sum = 0;
    let mut clusters = spec.clusters.clone();
    for target in &mut clusters {
        let item = status.aggregated_status.iter().find(|item| item.cluster_name == target.name);
        let ready = item.and_then(|item| item.status.as_ref()?["readyReplicas"].as_i64());
        let ready = ready.and_then(|ready| i32::try_from(ready).ok()).unwrap_or_default();
        let excess = if ready < target.replicas { unschedulable(&target.name) } else { 0 };
        if excess <= 0 || excess > target.replicas {
            continue;
        }
        let kept = (target.replicas - excess).max(ready);
        let given_back = target.replicas - kept;
        target.replicas = kept;
        if given_back > 0 {
            sum += given_back;
            message += &format!(", {given_back} replica(s) in cluster({})", target.name);
        }
    }
    (sum > 0).then(|| {
        message += &format!(", {sum} total descheduled replica(s)");
        Descheduled { clusters, message }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::capacity::Workload;

    #[test]
    fn clusters_give_back_what_they_cannot_run() {
        // Each row: replicas, ready (if reported), unschedulable, replicas that stay.
        for (name, replicas, ready, excess, want) in [
            ("all run", 5, Some(5), 0, 5),
            ("some cannot", 5, Some(3), 2, 3),
            ("ready ones stay", 5, Some(4), 3, 4),
            ("nothing reported", 5, None, 2, 3),
            ("pods of an old revision as well", 5, Some(1), 7, 5),
            ("ready, so no estimator is asked", 5, Some(5), 3, 5),
            ("none can", 2, Some(0), 2, 0),
        ] {
            let spec = json!({ "clusters": [{ "name": "m1", "replicas": replicas }, { "name": "m2", "replicas": 1 }] });
            let report: Value = ready.map_or(
                json!([]),
                |ready| json!([{ "clusterName": "m1", "status": { "readyReplicas": ready } }]),
            );
            let spec: ResourceBindingSpec = serde_json::from_value(spec).expect("a spec");
            let status = serde_json::from_value(json!({ "aggregatedStatus": report })).expect("a status");
            let result = deschedule(&spec, &status, |name| if name == "m1" { excess } else { 0 });
            let kept = result.as_ref().map_or(replicas, |result| result.clusters[0].replicas);
            assert_eq!(kept, want, "{name}");
            if let Some(Descheduled { message, .. }) = result {
                let given = replicas - want;
                let text = format!(
                    "Binding has been descheduled, {given} replica(s) in cluster(m1), {given} total descheduled replica(s)"
                );
                assert_eq!(message, text, "{name}");
            }
        }
    }

    #[test]
    fn only_deployments_divided_by_capacity_are_concerned() {
        let concerned = |kind: &str, scheduling: Value| {
            let mut metadata = ObjectMeta::namespaced("shop", "web");
            let record = json!({ "replicaScheduling": scheduling }).to_string();
            metadata.annotations.insert(annotations::policy::APPLIED_PLACEMENT.to_owned(), record);
            let spec = json!({ "resource": { "apiVersion": "apps/v1", "kind": kind, "name": "web" } });
            is_concerned(&metadata, &serde_json::from_value(spec).expect("a spec"))
        };
        let aggregated =
            json!({ "replicaSchedulingType": "Divided", "replicaDivisionPreference": "Aggregated" });
        let dynamic = json!({ "replicaSchedulingType": "Divided", "replicaDivisionPreference": "Weighted",
            "weightPreference": { "dynamicWeight": "AvailableReplicas" } });
        let fixed = json!({ "replicaSchedulingType": "Divided", "replicaDivisionPreference": "Weighted" });
        assert!(concerned("Deployment", aggregated.clone()));
        assert!(concerned("Deployment", dynamic));
        assert!(!concerned("Deployment", fixed));
        assert!(!concerned("StatefulSet", aggregated));
        assert!(!concerned("Deployment", json!({ "replicaSchedulingType": "Duplicated" })));
    }

    #[test]
    fn pods_count_after_the_threshold() {
        let pod = |node: &str, since: Option<&str>| MemberPod {
            node: node.into(),
            unschedulable_since: since.map(Into::into),
            ..MemberPod::default()
        };
        let pods = [pod("", Some("old")), pod("", Some("new")), pod("n1", Some("old")), pod("", None)];
        let age = |since: &str| Some(Duration::from_secs(if since == "old" { 301 } else { 10 }));
        assert_eq!(unschedulable(&pods, age, Duration::from_secs(300)), 1);

        let of = |revision: &str, created: &str| MemberPod {
            created: created.into(),
            workload: Some(Workload {
                kind: "Deployment".into(),
                name: "web".into(),
                revision: revision.into(),
            }),
            ..pod("", Some("old"))
        };
        let rollout = [
            of("a", "2026-01-01T00:00:00Z"),
            of("a", "2026-01-01T00:00:00Z"),
            of("b", "2026-01-01T00:09:00Z"),
        ];
        assert_eq!(unschedulable(&rollout, age, Duration::from_secs(300)), 1, "of the newest revision only");
    }
}
