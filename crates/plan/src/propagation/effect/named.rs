//! Names of clusters in objects without a placement. Such an object can come before its clusters, so it is not refused.

use std::collections::BTreeSet;

use portolan_api::Kind;
use portolan_api::policy::{ClusterTaintPolicy, FederatedResourceQuota};
use portolan_api::remedy::Remedy;
use portolan_object::GroupVersionKind;
use serde_json::Value;

use super::Fault;
use super::targets::no_such_target;

/// A kind with objects that name clusters.
pub trait NamesClusters: Kind {
    /// The field with the names.
    const FIELD: &'static str;

    /// The names.
    fn names(&self) -> Vec<String>;
}

impl NamesClusters for ClusterTaintPolicy {
    const FIELD: &'static str = "spec.targetClusters";

    fn names(&self) -> Vec<String> {
        let targets = self.spec.target_clusters.iter();
        targets
            .flat_map(|targets| targets.cluster_names.iter().chain(&targets.exclude_clusters))
            .cloned()
            .collect()
    }
}

impl NamesClusters for Remedy {
    const FIELD: &'static str = "spec.clusterAffinity";

    fn names(&self) -> Vec<String> {
        let affinity = self.spec.cluster_affinity.iter();
        affinity.flat_map(|affinity| &affinity.cluster_names).cloned().collect()
    }
}

impl NamesClusters for FederatedResourceQuota {
    const FIELD: &'static str = "spec.staticAssignments";

    fn names(&self) -> Vec<String> {
        self.spec.static_assignments.iter().map(|assignment| assignment.cluster_name.clone()).collect()
    }
}

/// The fault of an object that names clusters that do not exist.
pub fn unknown_clusters<T: NamesClusters>(object: &T, clusters: &BTreeSet<String>) -> Option<Fault> {
    no_such_target(T::FIELD, object.names().iter(), clusters)
}

/// Finds the clusters that do not exist among those that an object names.
pub type FindUnknown = Box<dyn FnOnce(&BTreeSet<String>) -> Option<Fault> + Send>;

/// How to find the clusters that an object names and that do not exist; `None` if it names none.
pub fn names_clusters(kind: &GroupVersionKind, object: &Value) -> Option<FindUnknown> {
    fn of<T: NamesClusters>(object: &Value) -> Option<FindUnknown> {
        // What does not fit the schema is refused by validation.
        let read =
            serde_json::from_value::<T>(object.clone()).ok().filter(|read| !read.names().is_empty())?;
        Some(Box::new(move |clusters| unknown_clusters(&read, clusters)))
    }
    match (kind.group.as_str(), kind.kind.as_str()) {
        (ClusterTaintPolicy::GROUP, ClusterTaintPolicy::KIND) => of::<ClusterTaintPolicy>(object),
        (Remedy::GROUP, Remedy::KIND) => of::<Remedy>(object),
        (FederatedResourceQuota::GROUP, FederatedResourceQuota::KIND) => of::<FederatedResourceQuota>(object),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn clusters_that_do_not_exist_are_named() {
        let clusters = BTreeSet::from(["eu".to_owned()]);
        let taint_policy = ClusterTaintPolicy::gvk();
        let quota = json!([{ "clusterName": "eu", "hard": {} }, { "clusterName": "ue", "hard": {} }]);
        let cases = [
            (taint_policy.clone(), json!({ "targetClusters": { "clusterNames": ["eu"] } }), None),
            (taint_policy.clone(), json!({}), None),
            (
                taint_policy.clone(),
                json!({ "targetClusters": { "clusterNames": ["ue", "eu"] } }),
                Some("spec.targetClusters names clusters that do not exist: ue; correct"),
            ),
            (
                taint_policy,
                json!({ "targetClusters": { "exclude": ["ue"] } }),
                Some("spec.targetClusters names clusters that do not exist: ue"),
            ),
            (
                Remedy::gvk(),
                json!({ "clusterAffinity": { "clusterNames": ["ue"] } }),
                Some("spec.clusterAffinity names clusters that do not exist: ue"),
            ),
            (
                FederatedResourceQuota::gvk(),
                json!({ "overall": {}, "staticAssignments": quota }),
                Some("spec.staticAssignments names clusters that do not exist: ue"),
            ),
            (GroupVersionKind::new("", "v1", "ConfigMap"), json!({ "staticAssignments": quota }), None),
        ];
        for (kind, spec, want) in cases {
            let object = json!({ "metadata": { "name": "one" }, "spec": spec });
            let found = names_clusters(&kind, &object).and_then(|find| find(&clusters));
            match (found.map(|fault| fault.to_string()), want) {
                (None, None) => {}
                (Some(said), Some(want)) => assert!(said.starts_with(want), "{said:?} lacks {want:?}"),
                other => panic!("{kind:?} {spec}: {other:?}"),
            }
        }
    }
}
