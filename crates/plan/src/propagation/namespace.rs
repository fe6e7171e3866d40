//! Namespaces of the hub in every member (karmada pkg/controllers/namespace/namespace_sync_controller.go).

use portolan_api::cluster::Cluster;
use portolan_api::meta::{ObjectMeta, OwnerReference};
use portolan_api::work::{Work, WorkSpec, WorkloadTemplate};
use portolan_api::{annotations, finalizers, labels, names, resources};
use portolan_object::Object;

use super::overrides::{self, OverrideError, Policy};
use super::prune::prune;
use super::work::{key, record_managed_keys};

/// Whether a namespace is propagated to all members without a policy.
pub fn is_propagated(namespace: &Object) -> bool {
    let name = namespace.name();
    name != "default"
        && !name.starts_with("kube-")
        && !names::is_reserved_namespace(name)
        && namespace.label(labels::namespace::SKIP_AUTO_PROPAGATION) != Some(labels::TRUE)
        && !namespace.is_deleting()
}

/// The namespace that a Work is for; `None` if its manifest is another object.
pub fn of_work(work: &Work) -> Option<&str> {
    let manifest = work.spec.workload.manifests.first()?;
    let is_namespace = manifest["kind"] == "Namespace" && manifest["apiVersion"] == "v1";
    is_namespace.then(|| manifest["metadata"]["name"].as_str()).flatten()
}

/// Whether an object of another owner in a member can be used instead of ours: namespaces of one name are the same in
/// all clusters. It gets no marks, so that it stays when the namespace on the hub is deleted.
pub fn is_shared(manifest: &Object) -> bool {
    resources::NAMESPACE.is_kind_of(manifest)
}

/// The Work of a namespace for a cluster; `id` is the permanent id of the Work.
///
/// # Errors
/// When a cluster-wide override policy cannot be applied.
pub fn work(
    namespace: &Object,
    cluster: &Cluster,
    policies: &[Policy<'_>],
    id: &str,
) -> Result<Work, OverrideError> {
    let mut manifest = namespace.clone();
    prune(&mut manifest);
    // Only API servers write `spec.finalizers`.
    if let Some(root) = manifest.0.as_object_mut() {
        root.remove("spec");
    }
    overrides::apply(policies, &mut manifest, cluster)?;
    let key = key(namespace, &cluster.metadata.name);
    manifest.set_label(labels::MANAGED, labels::TRUE);
    manifest.set_label(labels::work::PERMANENT_ID, id);
    manifest.set_annotation(annotations::work::NAMESPACE, &*key.namespace);
    manifest.set_annotation(annotations::work::NAME, &*key.name);
    manifest.set_annotation(annotations::work::CONFLICT_RESOLUTION, "abort");
    record_managed_keys(&mut manifest);
    let mut metadata = ObjectMeta::namespaced(&*key.namespace, &*key.name);
    metadata.finalizers = vec![finalizers::EXECUTION.to_owned()];
    metadata.labels.insert(labels::work::PERMANENT_ID.to_owned(), id.to_owned());
    metadata.owner_references = vec![owner(namespace)];
    let workload = WorkloadTemplate { manifests: vec![manifest.0] };
    let spec = WorkSpec { workload, ..WorkSpec::default() };
    Ok(Work { metadata, spec, ..Work::default() })
}

fn owner(namespace: &Object) -> OwnerReference {
    OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Namespace".to_owned(),
        name: namespace.name().to_owned(),
        uid: namespace.uid().to_owned(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// The Work of a FederatedNamespace that is being deleted, when it passes to the namespace of the hub: the namespace in the member
/// stays.
pub fn handed_over(work: &Work, namespace: &Object) -> Work {
    let mut work = work.clone();
    for mark in [annotations::binding::NAMESPACE, annotations::binding::NAME] {
        work.metadata.annotations.remove(mark);
    }
    work.metadata.labels.remove(labels::binding::PERMANENT_ID);
    work.metadata.owner_references = vec![owner(namespace)];
    work
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::propagation::removal::Origin;

    fn namespace(name: &str, labels: serde_json::Value) -> Object {
        Object(json!({ "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": name, "uid": "u", "labels": labels, "resourceVersion": "1" },
            "spec": { "finalizers": ["kubernetes"] }, "status": { "phase": "Active" } }))
    }

    #[test]
    fn which_namespaces_go() {
        let cases = [
            ("shop", json!({}), true),
            ("default", json!({}), false),
            ("kube-system", json!({}), false),
            ("karmada-es-eu", json!({}), false),
            ("shop", json!({ "namespace.karmada.io/skip-auto-propagation": "true" }), false),
        ];
        for (name, labels, want) in cases {
            assert_eq!(is_propagated(&namespace(name, labels.clone())), want, "{name} {labels}");
        }
    }

    #[test]
    fn a_work_that_is_handed_over_is_of_the_namespace() {
        let mut of_binding = Work::default();
        for mark in [annotations::binding::NAMESPACE, annotations::binding::NAME] {
            of_binding.metadata.annotations.insert(mark.to_owned(), "shop".to_owned());
        }
        assert_eq!(Origin::of(&of_binding), Origin::Binding);
        let handed = handed_over(&of_binding, &namespace("shop", json!({})));
        assert_eq!(Origin::of(&handed), Origin::Namespace { name: "shop", uid: "u" });
    }

    #[test]
    fn the_manifest_is_a_bare_namespace_with_our_marks() {
        let cluster = Cluster { metadata: ObjectMeta::cluster("eu"), ..Cluster::default() };
        let work =
            work(&namespace("shop", json!({ "team": "a" })), &cluster, &[], "id").expect("no overrides");
        assert_eq!(work.metadata.namespace, "karmada-es-eu");
        let manifest = &work.spec.workload.manifests[0];
        assert_eq!(manifest.get("spec"), None);
        assert_eq!(manifest["metadata"]["labels"]["team"], "a");
        assert_eq!(manifest["metadata"]["labels"]["karmada.io/managed"], "true");
        assert_eq!(manifest["metadata"]["annotations"]["work.karmada.io/namespace"], "karmada-es-eu");
        assert_eq!(
            manifest["metadata"]["annotations"]["resourcetemplate.karmada.io/managed-labels"],
            "karmada.io/managed,team,work.karmada.io/permanent-id",
            "a label that is removed on the hub is removed in the member"
        );
    }
}
