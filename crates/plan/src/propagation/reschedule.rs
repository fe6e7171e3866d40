//! Whether a binding must be scheduled now (karmada pkg/scheduler/scheduler.go).

use std::time::Duration;

use portolan_api::annotations;
use portolan_api::cluster::Cluster;
use portolan_api::labels;
use portolan_api::meta::ObjectMeta;
use portolan_api::policy::{ClusterAffinity, Placement, PropagationSpec, ReplicaSchedulingType};
use portolan_api::work::{ResourceBindingSpec, ResourceBindingStatus, TargetCluster};
use serde_json::json;

use super::affinity;

/// One binding.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Metadata of the binding.
    pub metadata: &'a ObjectMeta,
    /// Its spec.
    pub spec: &'a ResourceBindingSpec,
    /// Its status.
    pub status: &'a ResourceBindingStatus,
}

/// Whether this scheduler is responsible for a binding: it is claimed, names this scheduler, and is not suspended.
pub fn is_schedulable(view: View<'_>) -> bool {
    let claims = [
        labels::propagation_policy::PERMANENT_ID,
        labels::cluster_propagation_policy::PERMANENT_ID,
        labels::binding::MANAGED_BY,
    ];
    let is_claimed = claims.iter().any(|label| view.metadata.label(label).is_some());
    let default_name = PropagationSpec::default().scheduler_name;
    let is_ours = view.spec.scheduler_name.is_empty() || view.spec.scheduler_name == default_name;
    let suspension = view.spec.suspension.as_ref();
    let is_suspended = suspension.is_some_and(|suspension| suspension.scheduling == Some(true));
    is_claimed && is_ours && !is_suspended && view.spec.placement.is_some()
}

/// The value of the annotation that records the placement used last.
pub fn placement_record(placement: &Placement) -> String {
    json!(placement).to_string()
}

/// Whether a new schedule was asked for since the last one, which forgets the current targets.
///
/// Times have whole seconds. A request in the second of the last scheduling is new if the spec changed since, because the
/// request is a part of the spec.
pub fn is_fresh(view: View<'_>) -> bool {
    let Some(asked) = &view.spec.reschedule_triggered_at else { return false };
    let Some(last) = &view.status.last_scheduled_time else { return true };
    asked > last || (asked == last && view.metadata.generation != view.status.scheduler_observed_generation)
}

/// Whether to schedule now; `is_leaving` tells whether a cluster is deleted or being deleted.
///
/// A divided workload keeps its clusters unless its placement, its replicas or one of its clusters changed. All other
/// bindings are scheduled in every pass, so that they follow new clusters.
pub fn is_due(view: View<'_>, is_leaving: impl Fn(&str) -> bool) -> bool {
    let Some(placement) = &view.spec.placement else { return false };
    if has_other_placement(view) || is_fresh(view) {
        return true;
    }
    let is_workload = view.spec.replicas > 0 || !view.spec.components.is_empty();
    if !is_workload || !is_divided(placement) || has_other_components(view.spec) {
        return true;
    }
    let assigned: i64 = view.spec.clusters.iter().map(|target| i64::from(target.replicas)).sum();
    let is_placed = if view.spec.components.len() > 1 {
        !view.spec.clusters.is_empty()
    } else {
        assigned == i64::from(view.spec.replicas)
    };
    !is_placed || view.spec.clusters.iter().any(|target| is_leaving(&target.name))
}

/// Whether the placement of a binding differs from the one used last, or none was used.
pub fn has_other_placement(view: View<'_>) -> bool {
    let Some(placement) = &view.spec.placement else { return false };
    let recorded = view.metadata.annotation(annotations::policy::APPLIED_PLACEMENT);
    let recorded = recorded.and_then(|text| serde_json::from_str::<Placement>(text).ok());
    let observed = &view.status.scheduler_observed_affinity_name;
    recorded.is_none_or(|recorded| is_changed(placement, &recorded, observed))
}

/// Whether a placement differs from the one used last. Of `clusterAffinities` only the group in use counts; the affinity
/// of workloads counts when they are placed (karmada pkg/scheduler/helper.go).
fn is_changed(placement: &Placement, recorded: &Placement, observed_affinity: &str) -> bool {
    let group = |placement: &Placement| {
        let mut groups = placement.cluster_affinities.iter();
        groups.find(|group| group.affinity_name == observed_affinity).cloned()
    };
    let (mine, theirs) = (group(placement), group(recorded));
    let has_groups = !(placement.cluster_affinities.is_empty() && recorded.cluster_affinities.is_empty());
    placement.cluster_affinity != recorded.cluster_affinity
        || placement.cluster_tolerations != recorded.cluster_tolerations
        || placement.spread_constraints != recorded.spread_constraints
        || placement.replica_scheduling != recorded.replica_scheduling
        || (has_groups && (mine.is_none() || mine != theirs))
}

/// Whether a cluster has other numbers of components than the template wants.
fn has_other_components(spec: &ResourceBindingSpec) -> bool {
    let has_others = |target: &TargetCluster| {
        let (placed, wanted) = (target.components.iter(), spec.components.iter());
        let placed = placed.map(|one| (&one.name, one.replicas));
        !target.components.is_empty() && !placed.eq(wanted.map(|one| (&one.name, one.replicas)))
    };
    spec.clusters.iter().any(has_others)
}

/// Whether a change of a cluster concerns a binding: its placement selects the cluster as it was or as it is (karmada
/// pkg/scheduler/event_handler.go).
pub fn is_concerned(view: View<'_>, old: &Cluster, new: &Cluster) -> bool {
    let Some(placement) = &view.spec.placement else { return false };
    let selects =
        |affinity: &ClusterAffinity| affinity::matches(affinity, old) || affinity::matches(affinity, new);
    if placement.cluster_affinities.is_empty() {
        return placement.cluster_affinity.as_ref().is_none_or(selects);
    }
    let observed = &view.status.scheduler_observed_affinity_name;
    let mut groups = placement.cluster_affinities.iter();
    let group = groups.find(|group| group.affinity_name == *observed);
    let group = group.or(placement.cluster_affinities.first());
    group.is_some_and(|group| {
        selects(&group.affinity) || group.overflow_affinities.iter().any(|term| selects(&term.affinity))
    })
}

/// Delay before a binding that cannot be placed for `lasted` is tried again without an event. It doubles from a second to
/// five minutes.
pub fn retry_delay(lasted: Duration) -> Duration {
    lasted.clamp(FIRST_RETRY, LAST_RETRY)
}

const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(300);

fn is_divided(placement: &Placement) -> bool {
    let scheduling = placement.replica_scheduling.as_ref();
    scheduling.is_some_and(|scheduling| scheduling.replica_scheduling_type == ReplicaSchedulingType::Divided)
}

#[cfg(test)]
mod tests {
    use portolan_api::policy::{ClusterAffinityTerm, ReplicaScheduling};
    use portolan_api::work::{BindingSuspension, Component, TargetComponent};

    use super::*;

    fn binding(divided: bool) -> (ObjectMeta, ResourceBindingSpec) {
        let replica_scheduling_type =
            if divided { ReplicaSchedulingType::Divided } else { ReplicaSchedulingType::Duplicated };
        let scheduling = ReplicaScheduling { replica_scheduling_type, ..ReplicaScheduling::default() };
        let placement = Placement { replica_scheduling: Some(scheduling), ..Placement::default() };
        let mut metadata = ObjectMeta::namespaced("shop", "web-deployment");
        metadata.labels.insert(labels::propagation_policy::PERMANENT_ID.to_owned(), "id".to_owned());
        metadata
            .annotations
            .insert(annotations::policy::APPLIED_PLACEMENT.to_owned(), placement_record(&placement));
        let target =
            |name: &str| TargetCluster { name: name.to_owned(), replicas: 1, ..TargetCluster::default() };
        let spec = ResourceBindingSpec {
            replicas: 2,
            placement: Some(placement),
            clusters: vec![target("eu"), target("us")],
            ..ResourceBindingSpec::default()
        };
        (metadata, spec)
    }

    #[test]
    fn due() {
        let status = ResourceBindingStatus::default();
        let judge = |(metadata, spec): &(ObjectMeta, ResourceBindingSpec), leaving: &str| {
            is_due(View { metadata, spec, status: &status }, |name| name == leaving)
        };
        let settled = binding(true);
        let mut moved = binding(true);
        let affinity = ClusterAffinity { cluster_names: vec!["eu".to_owned()], ..ClusterAffinity::default() };
        moved.1.placement.as_mut().expect("a placement").cluster_affinity = Some(affinity);
        let mut scaled = binding(true);
        scaled.1.replicas = 3;
        let mut asked = binding(true);
        asked.1.reschedule_triggered_at = Some("2026-01-01T00:00:00Z".to_owned());
        let mut plain = binding(true);
        plain.1.replicas = 0;
        let cases = [
            ("a settled divided workload stays", judge(&settled, ""), false),
            ("another placement", judge(&moved, ""), true),
            ("another number of replicas", judge(&scaled, ""), true),
            ("a cluster leaves", judge(&settled, "us"), true),
            ("a rebalancer asks", judge(&asked, ""), true),
            ("a duplicated workload follows every change", judge(&binding(false), ""), true),
            ("a plain object follows every change", judge(&plain, ""), true),
        ];
        for (name, got, want) in cases {
            assert_eq!(got, want, "{name}");
        }
    }

    #[test]
    fn schedulable() {
        let status = ResourceBindingStatus::default();
        let judge = |(metadata, spec): &(ObjectMeta, ResourceBindingSpec)| {
            is_schedulable(View { metadata, spec, status: &status })
        };
        let mut unclaimed = binding(true);
        unclaimed.0.labels.clear();
        let mut foreign = binding(true);
        foreign.1.scheduler_name = "other".to_owned();
        let mut suspended = binding(true);
        suspended.1.suspension =
            Some(BindingSuspension { scheduling: Some(true), ..BindingSuspension::default() });
        assert!(judge(&binding(true)));
        assert!(!judge(&unclaimed), "unclaimed");
        assert!(!judge(&foreign), "another scheduler");
        assert!(!judge(&suspended), "suspended");
    }

    #[test]
    fn only_the_group_in_use_counts() {
        let term = |name: &str, cluster: &str| {
            let cluster_names = vec![cluster.to_owned()];
            let affinity = ClusterAffinity { cluster_names, ..ClusterAffinity::default() };
            ClusterAffinityTerm { affinity_name: name.to_owned(), affinity, ..ClusterAffinityTerm::default() }
        };
        let of = |terms: &[ClusterAffinityTerm]| Placement {
            cluster_affinities: terms.to_vec(),
            ..Placement::default()
        };
        let (a, b, c) = (term("a", "m1"), term("b", "m2"), term("b", "m3"));
        let cases = [
            ("the same", of(&[a.clone(), b.clone()]), of(&[a.clone(), b.clone()]), "a", false),
            ("another group changed", of(&[a.clone(), c.clone()]), of(&[a.clone(), b.clone()]), "a", false),
            ("this group changed", of(&[a.clone(), c]), of(&[a.clone(), b.clone()]), "b", true),
            ("this group is gone", of(std::slice::from_ref(&a)), of(&[a.clone(), b]), "b", true),
            ("no group used yet", of(std::slice::from_ref(&a)), of(&[a]), "", true),
            ("from groups to one affinity", Placement::default(), of(&[term("a", "m1")]), "a", true),
        ];
        for (name, placement, recorded, observed, want) in cases {
            assert_eq!(is_changed(&placement, &recorded, observed), want, "{name}");
        }
    }

    #[test]
    fn a_request_in_the_second_of_the_last_scheduling_counts_once() {
        let judge = |asked: &str, last: Option<&str>, observed: i64| {
            let (mut metadata, mut spec) = binding(true);
            metadata.generation = 2;
            spec.reschedule_triggered_at = Some(asked.to_owned());
            let status = ResourceBindingStatus {
                last_scheduled_time: last.map(str::to_owned),
                scheduler_observed_generation: observed,
                ..ResourceBindingStatus::default()
            };
            is_fresh(View { metadata: &metadata, spec: &spec, status: &status })
        };
        let (first, second) = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z");
        assert!(judge(second, Some(first), 2));
        assert!(judge(second, None, 2));
        assert!(judge(first, Some(first), 1), "the request is new");
        assert!(!judge(first, Some(first), 2), "the request was followed");
        assert!(!judge(first, Some(second), 1));
    }

    #[test]
    fn changed_components_are_scheduled_again() {
        let status = ResourceBindingStatus::default();
        let (metadata, mut spec) = binding(true);
        let component = |replicas| Component { name: "worker".to_owned(), replicas, ..Component::default() };
        spec.components = vec![component(1), component(2)];
        let part = |replicas| TargetComponent { name: "worker".to_owned(), replicas };
        spec.clusters.truncate(1);
        spec.clusters[0].components = vec![part(1), part(2)];
        assert!(!is_due(View { metadata: &metadata, spec: &spec, status: &status }, |_| false));
        spec.components[1].replicas = 3;
        assert!(is_due(View { metadata: &metadata, spec: &spec, status: &status }, |_| false));
    }

    #[test]
    fn a_cluster_concerns_the_bindings_that_select_it() {
        let cluster = |name: &str| Cluster { metadata: ObjectMeta::cluster(name), ..Cluster::default() };
        let (metadata, mut spec) = binding(false);
        let status = ResourceBindingStatus::default();
        let judge = |spec: &ResourceBindingSpec| {
            is_concerned(View { metadata: &metadata, spec, status: &status }, &cluster("eu"), &cluster("eu"))
        };
        assert!(judge(&spec), "every cluster");
        let affinity = ClusterAffinity { cluster_names: vec!["us".to_owned()], ..ClusterAffinity::default() };
        spec.placement = Some(Placement { cluster_affinity: Some(affinity), ..Placement::default() });
        assert!(!judge(&spec));
    }

    #[test]
    fn retries_become_rare() {
        let delay = |seconds| retry_delay(Duration::from_secs(seconds)).as_secs();
        assert_eq!([delay(0), delay(8), delay(9_000)], [1, 8, 300]);
    }
}
