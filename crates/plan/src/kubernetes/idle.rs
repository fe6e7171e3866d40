//! Objects that nothing acts on in a control plane: it has no nodes and no workload controllers, so a workload runs only
//! where a policy sends it.

use portolan_api::federation::FederationSpec;
use portolan_api::kubernetes::controller;
use portolan_api::policy::ResourceSelector;
use portolan_object::Object;

use crate::federation::selection::may_select;
use crate::propagation::matching::rank;

/// Kinds that a controller or a node of a cluster has to act on. Others mean something where they are stored.
const IDLE: [(&str, &str); 12] = [
    ("", "PersistentVolumeClaim"),
    ("", "Pod"),
    ("", "ReplicationController"),
    ("apps", "DaemonSet"),
    ("apps", "Deployment"),
    ("apps", "ReplicaSet"),
    ("apps", "StatefulSet"),
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("batch", "CronJob"),
    ("batch", "Job"),
    ("networking.k8s.io", "Ingress"),
    ("policy", "PodDisruptionBudget"),
];

/// Whether the object is of a kind that does nothing where no controller acts on it.
pub fn is_idle_kind(group: &str, kind: &str) -> bool {
    IDLE.contains(&(group, kind))
}

/// The warning for a new object of such a kind that no policy and no Federation selects; `selectors` are those of the policies
/// that may select it.
pub fn warning<'s>(
    object: &Object,
    selectors: impl IntoIterator<Item = &'s ResourceSelector>,
    federations: impl IntoIterator<Item = &'s FederationSpec>,
) -> Option<String> {
    let kind = object.kind();
    let is_made_by_another = controller(object).is_some();
    if federations.into_iter().any(|federation| may_select(federation, object)) {
        return None;
    }
    if is_made_by_another || selectors.into_iter().any(|selector| rank(selector, object).is_some()) {
        return None;
    }
    Some(format!(
        "the control plane only stores this {kind}: no controller acts on it here, and no policy selects it; create a \
         PropagationPolicy or ClusterPropagationPolicy that sends it to member clusters"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn job() -> Object {
        Object(
            json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "hook", "namespace": "shop" } }),
        )
    }

    fn selecting(kind: &str) -> ResourceSelector {
        ResourceSelector {
            api_version: "batch/v1".to_owned(),
            kind: kind.to_owned(),
            ..ResourceSelector::default()
        }
    }

    #[test]
    fn kinds_that_mean_something_where_they_are_stored_are_not_idle() {
        assert!(is_idle_kind("batch", "Job") && is_idle_kind("", "Pod"));
        assert!(!is_idle_kind("", "ConfigMap") && !is_idle_kind("rbac.authorization.k8s.io", "Role"));
    }

    #[test]
    fn only_what_no_policy_selects_is_warned_about() {
        let text = warning(&job(), &[selecting("CronJob")], []).expect("a warning");
        assert!(text.starts_with("the control plane only stores this Job"), "{text}");
        assert_eq!(warning(&job(), &[selecting("Job")], []), None);
        let mut made = job();
        made.metadata_mut().insert(
            "ownerReferences".to_owned(),
            json!([{ "kind": "CronJob", "uid": "u", "controller": true }]),
        );
        assert_eq!(warning(&made, &[], []), None);
    }

    #[test]
    fn what_a_federation_may_select_is_not_idle() {
        let federation = |spec| serde_json::from_value::<FederationSpec>(spec).expect("a spec");
        let kinds = json!([{ "apiVersion": "batch/v1", "kind": "Job" }]);
        for (spec, is_warned) in [
            (json!({}), true),
            (json!({ "kinds": kinds }), false),
            (json!({ "kinds": kinds, "namespaces": { "names": ["shop"] } }), false),
            (json!({ "kinds": kinds, "namespaces": { "names": ["other"] } }), true),
            // The labels of the namespace are not known here.
            (json!({ "kinds": kinds, "namespaces": { "selector": { "matchLabels": { "a": "b" } } } }), false),
        ] {
            assert_eq!(warning(&job(), &[], [&federation(spec.clone())]).is_some(), is_warned, "{spec}");
        }
    }
}
