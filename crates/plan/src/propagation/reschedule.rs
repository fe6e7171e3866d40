//! Whether a binding must be scheduled now (karmada pkg/scheduler/scheduler.go).

use portolan_api::annotations;
use portolan_api::labels;
use portolan_api::meta::ObjectMeta;
use portolan_api::policy::{Placement, PropagationSpec, ReplicaSchedulingType};
use portolan_api::work::{ResourceBindingSpec, ResourceBindingStatus};
use serde_json::json;

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

/// Whether to schedule now; `is_leaving` tells whether a cluster is deleted or being deleted.
///
/// A divided workload keeps its clusters unless its placement, its replicas or one of its clusters changed. All other
/// bindings are scheduled in every pass, so that they follow new clusters.
pub fn is_due(view: View<'_>, is_leaving: impl Fn(&str) -> bool) -> bool {
    let Some(placement) = &view.spec.placement else { return false };
    let recorded = view.metadata.annotation(annotations::policy::APPLIED_PLACEMENT);
    let recorded = recorded.and_then(|text| serde_json::from_str::<Placement>(text).ok());
    if recorded.as_ref() != Some(placement) {
        return true;
    }
    let requested = view.spec.reschedule_triggered_at.as_ref();
    if requested.is_some_and(|at| view.status.last_scheduled_time.as_ref().is_none_or(|last| at > last)) {
        return true;
    }
    if view.spec.replicas == 0 || !is_divided(placement) {
        return true;
    }
    let assigned: i64 = view.spec.clusters.iter().map(|target| i64::from(target.replicas)).sum();
    assigned != i64::from(view.spec.replicas)
        || view.spec.clusters.iter().any(|target| is_leaving(&target.name))
}

fn is_divided(placement: &Placement) -> bool {
    let scheduling = placement.replica_scheduling.as_ref();
    scheduling.is_some_and(|scheduling| scheduling.replica_scheduling_type == ReplicaSchedulingType::Divided)
}

#[cfg(test)]
mod tests {
    use portolan_api::policy::{ClusterAffinity, ReplicaScheduling};
    use portolan_api::work::{BindingSuspension, TargetCluster};

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
}
