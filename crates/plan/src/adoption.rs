//! Objects that run in a cluster become templates of the control plane, and get a policy for exactly that cluster.
//!
//! The template is the object without what its API server wrote, so that what is applied to the cluster is what is there
//! already: nothing restarts. The annotation lets the control plane take the object over, and the policy leaves it there
//! when the template is deleted.
//!
//! # Source
//! karmada pkg/karmadactl/promote/promote.go, pkg/karmadactl/apply/apply.go.

use portolan_api::annotations::work::CONFLICT_RESOLUTION;
use portolan_api::meta::ObjectMeta;
use portolan_api::policy::{
    ClusterAffinity, ClusterPropagationPolicy, ConflictResolution, Placement, PropagationPolicy,
    PropagationSpec, ResourceSelector,
};
use portolan_api::{Kind, names};
use portolan_object::Object;

use crate::propagation::prune::prune;

/// A policy for one object.
#[derive(Debug, Clone, PartialEq)]
pub enum OnePolicy {
    /// Of an object in a namespace.
    Namespaced(Box<PropagationPolicy>),
    /// Of a cluster-scoped object.
    Cluster(Box<ClusterPropagationPolicy>),
}

/// The template of an object that a cluster has.
pub fn template(mut object: Object) -> Object {
    prune(&mut object);
    if object.annotation(CONFLICT_RESOLUTION).is_none() {
        object.set_annotation(CONFLICT_RESOLUTION, ConflictResolution::Overwrite.annotation());
    }
    object
}

/// The policy of a template that was made from the object of `cluster`. An empty `name` is generated.
pub fn policy_of_template(template: &Object, cluster: &str, name: &str, has_dependencies: bool) -> OnePolicy {
    let spec = PropagationSpec {
        resource_selectors: vec![selector(template)],
        propagate_deps: has_dependencies,
        placement: in_clusters(&[cluster.to_owned()]),
        conflict_resolution: ConflictResolution::Overwrite,
        preserve_resources_on_deletion: Some(true),
        ..PropagationSpec::default()
    };
    policy(template, name, spec)
}

/// The policy that places a manifest in clusters, or in all clusters if none is named.
pub fn policy_of_manifest(manifest: &Object, clusters: &[String]) -> OnePolicy {
    let spec = PropagationSpec {
        resource_selectors: vec![ResourceSelector {
            namespace: manifest.namespace().to_owned(),
            ..selector(manifest)
        }],
        placement: in_clusters(clusters),
        ..PropagationSpec::default()
    };
    policy(manifest, "", spec)
}

/// The policy that places the template of a federated object, which the clusters have already.
pub(crate) fn policy_of_federated(template: &Object, placement: Placement) -> Object {
    let spec = PropagationSpec {
        resource_selectors: vec![selector(template)],
        placement,
        conflict_resolution: ConflictResolution::Overwrite,
        ..PropagationSpec::default()
    };
    match policy(template, "", spec) {
        OnePolicy::Namespaced(policy) => policy.to_object(),
        OnePolicy::Cluster(policy) => policy.to_object(),
    }
}

/// Selects one object, in the namespace of the policy.
pub(crate) fn selector(object: &Object) -> ResourceSelector {
    ResourceSelector {
        api_version: object.api_version().to_owned(),
        kind: object.kind().to_owned(),
        name: object.name().to_owned(),
        ..ResourceSelector::default()
    }
}

fn in_clusters(names: &[String]) -> Placement {
    let affinity = ClusterAffinity { cluster_names: names.to_vec(), ..ClusterAffinity::default() };
    Placement { cluster_affinity: Some(affinity), ..Placement::default() }
}

fn policy(object: &Object, name: &str, spec: PropagationSpec) -> OnePolicy {
    let (namespace, kind) = (object.namespace(), object.group_version_kind());
    // The text of apimachinery's GroupVersionKind, from which karmadactl makes the name.
    let printed = format!("{}, Kind={}", kind.api_version(), kind.kind);
    let generated = names::adopted_policy(namespace, object.name(), &printed);
    let name = if name.is_empty() { generated } else { name.to_owned() };
    let metadata = ObjectMeta { name, namespace: namespace.to_owned(), ..ObjectMeta::default() };
    match namespace {
        "" => OnePolicy::Cluster(Box::new(ClusterPropagationPolicy { metadata, spec, ..Default::default() })),
        _ => OnePolicy::Namespaced(Box::new(PropagationPolicy { metadata, spec, ..Default::default() })),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn running() -> Object {
        Object(json!({ "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "7", "generation": 2,
                "annotations": { "deployment.kubernetes.io/revision": "3" } },
            "spec": { "replicas": 2 }, "status": { "replicas": 2 } }))
    }

    #[test]
    fn a_template_is_the_object_without_what_its_server_wrote() {
        let want = json!({ "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "web", "namespace": "shop",
                "annotations": { "work.karmada.io/conflict-resolution": "overwrite" } },
            "spec": { "replicas": 2 } });
        assert_eq!(template(running()).0, want);
        let mut kept = running();
        kept.set_annotation(CONFLICT_RESOLUTION, "abort");
        assert_eq!(template(kept).annotation(CONFLICT_RESOLUTION), Some("abort"), "what the user says stays");
    }

    #[test]
    fn the_policy_of_a_template_leaves_the_object_in_its_cluster() {
        let OnePolicy::Namespaced(policy) = policy_of_template(&template(running()), "eu", "", true) else {
            panic!("a policy of its namespace")
        };
        let policy = Object::from_typed(&*policy).expect("a policy").0;
        let spec = json!({ "resourceSelectors": [{ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" }],
            "placement": { "clusterAffinity": { "clusterNames": ["eu"] } }, "propagateDeps": true,
            "conflictResolution": "Overwrite", "preserveResourcesOnDeletion": true });
        for (field, value) in spec.as_object().expect("a map") {
            assert_eq!(policy["spec"][field], *value, "{field}");
        }
        let name = policy["metadata"]["name"].as_str().expect("a name");
        assert_eq!(name, names::adopted_policy("shop", "web", "apps/v1, Kind=Deployment"));
        assert!(name.starts_with("web-"), "{name}");
    }

    #[test]
    fn a_cluster_scoped_manifest_gets_a_cluster_policy_for_all_clusters() {
        let role = Object(json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": { "name": "view:all" } }));
        let OnePolicy::Cluster(policy) = policy_of_manifest(&role, &[]) else { panic!("a cluster policy") };
        assert!(policy.metadata.name.starts_with("view.all-"), "{}", policy.metadata.name);
        assert_eq!(policy.spec.placement.cluster_affinity, Some(ClusterAffinity::default()));
    }
}
