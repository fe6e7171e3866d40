//! Static assignments: a ResourceQuota in each named cluster, and what it reports.

use portolan_api::conditions::work::APPLIED;
use portolan_api::meta::{ObjectMeta, condition};
use portolan_api::policy::{ClusterQuotaStatus, FederatedResourceQuota};
use portolan_api::work::{Work, WorkSpec, WorkloadTemplate};
use portolan_api::{annotations, finalizers, labels, names};
use portolan_object::{Object, ObjectKey};
use serde_json::json;

const RESOURCE_QUOTA: &str = "ResourceQuota";

/// Whether a quota has an assignment for a cluster.
pub fn is_assigned(quota: &FederatedResourceQuota, cluster: &str) -> bool {
    quota.spec.static_assignments.iter().any(|assignment| assignment.cluster_name == cluster)
}

/// The Work with the ResourceQuota of a quota for a cluster; `None` without an assignment. `id` is the permanent id of the
/// Work.
pub fn work(quota: &FederatedResourceQuota, cluster: &str, id: &str) -> Option<Work> {
    let mut assignments = quota.spec.static_assignments.iter();
    let assignment = assignments.find(|assignment| assignment.cluster_name == cluster)?;
    let of = &quota.metadata;
    let key = ObjectKey::namespaced(
        names::execution_namespace(cluster),
        names::work(RESOURCE_QUOTA, &of.name, &of.namespace),
    );
    let mut manifest = Object(json!({
        "apiVersion": "v1",
        "kind": RESOURCE_QUOTA,
        "metadata": { "namespace": of.namespace, "name": of.name },
        "spec": { "hard": assignment.hard },
    }));
    manifest.set_label(labels::MANAGED, labels::TRUE);
    manifest.set_label(labels::work::PERMANENT_ID, id);
    manifest.set_annotation(annotations::work::NAMESPACE, &*key.namespace);
    manifest.set_annotation(annotations::work::NAME, &*key.name);
    let mut metadata = ObjectMeta::namespaced(&*key.namespace, &*key.name);
    metadata.finalizers = vec![finalizers::EXECUTION.to_owned()];
    for (label, value) in [
        (labels::work::PERMANENT_ID, id),
        (labels::federated_resource_quota::NAMESPACE, &of.namespace),
        (labels::federated_resource_quota::NAME, &of.name),
    ] {
        metadata.labels.insert(label.to_owned(), value.to_owned());
    }
    let workload = WorkloadTemplate { manifests: vec![manifest.0] };
    let spec = WorkSpec { workload, ..WorkSpec::default() };
    Some(Work { metadata, spec, ..Work::default() })
}

/// `status.aggregatedStatus`: the status of the ResourceQuota in each cluster where it is applied, by cluster.
pub fn aggregated_status<'a>(works: impl IntoIterator<Item = &'a Work>) -> Vec<ClusterQuotaStatus> {
    let status = |work: &Work| {
        let is_applied = condition(&work.status.conditions, APPLIED).is_some_and(|applied| applied.is_true());
        let cluster = names::cluster_of_execution_namespace(&work.metadata.namespace)?;
        let reported = work.status.manifest_statuses.first().filter(|_| is_applied)?.status.clone();
        // Only the lists are read, so anything else in the status does not matter.
        let read: ClusterQuotaStatus = serde_json::from_value(
            json!({ "hard": reported.as_ref()?["hard"], "used": reported.as_ref()?["used"] }),
        )
        .ok()?;
        Some(ClusterQuotaStatus { cluster_name: cluster.to_owned(), ..read })
    };
    let mut statuses: Vec<ClusterQuotaStatus> = works.into_iter().filter_map(status).collect();
    statuses.sort_by(|one, other| one.cluster_name.cmp(&other.cluster_name));
    statuses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota() -> FederatedResourceQuota {
        serde_json::from_value(json!({
            "metadata": { "namespace": "shop", "name": "q" },
            "spec": { "overall": { "cpu": "2" }, "staticAssignments": [
                { "clusterName": "m1", "hard": { "cpu": "1" } }, { "clusterName": "m2", "hard": { "cpu": "500m" } }] }
        }))
        .expect("a quota")
    }

    #[test]
    fn an_assignment_becomes_a_resource_quota() {
        let work = work(&quota(), "m1", "w1").expect("an assignment");
        assert_eq!(work.metadata.namespace, "karmada-es-m1");
        assert_eq!(work.metadata.label("federatedresourcequota.karmada.io/name"), Some("q"));
        assert_eq!(work.metadata.label("federatedresourcequota.karmada.io/namespace"), Some("shop"));
        let manifest = &work.spec.workload.manifests[0];
        assert_eq!(manifest["spec"], json!({ "hard": { "cpu": "1" } }));
        assert_eq!(manifest["metadata"]["name"], "q");
        assert!(super::work(&quota(), "m3", "w1").is_none());
        assert!(is_assigned(&quota(), "m2") && !is_assigned(&quota(), "m3"));
    }

    #[test]
    fn statuses_of_applied_quotas_are_collected() {
        let work = |cluster: &str, applied: &str, status: serde_json::Value| -> Work {
            serde_json::from_value(json!({
                "metadata": { "namespace": format!("karmada-es-{cluster}"), "name": "q" },
                "status": { "conditions": [{ "type": "Applied", "status": applied, "reason": "", "message": "",
                        "lastTransitionTime": "2026-01-01T00:00:00Z" }],
                    "manifestStatuses": [{ "identifier": {}, "status": status }] }
            }))
            .expect("a work")
        };
        let works = [
            work("m2", "True", json!({ "hard": { "cpu": "1" }, "used": { "cpu": "0" } })),
            work("m1", "True", json!({ "hard": { "cpu": "500m" }, "used": { "cpu": "10m" } })),
            work("m3", "False", json!({ "hard": { "cpu": "1" } })),
            work("m4", "True", json!(null)),
        ];
        assert_eq!(
            json!(aggregated_status(&works)),
            json!([
                { "clusterName": "m1", "hard": { "cpu": "500m" }, "used": { "cpu": "10m" } },
                { "clusterName": "m2", "hard": { "cpu": "1" }, "used": { "cpu": "0" } },
            ])
        );
    }
}
