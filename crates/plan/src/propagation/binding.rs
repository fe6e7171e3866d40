//! The binding of a template: reference to the resource, and the placement of its policy.

use std::sync::Arc;

use portolan_api::meta::{ObjectMeta, OwnerReference};
use portolan_api::policy::PropagationSpec;
use portolan_api::work::{
    BindingPriority, BindingSuspension, ObjectReference, ReplicaRequirements, ResourceBindingSpec,
    TargetCluster, Work,
};
use portolan_api::{finalizers, labels, names};
use portolan_object::Object;

use super::claim::Claim;
use super::replicas::{Demand, replicas};
use super::workload_groups;

/// Metadata of a new binding; `new_id` is its permanent id.
///
/// The template is the controlling owner, so that the binding is garbage-collected with it.
pub fn metadata(template: &Object, claim: &Claim, new_id: &str) -> ObjectMeta {
    let mut metadata = unclaimed_metadata(template, new_id);
    metadata.labels.extend(claim.labels());
    metadata.annotations = claim.annotations();
    metadata
}

/// Metadata of a new binding without a policy, as those of dependencies and of federated objects are.
pub fn unclaimed_metadata(template: &Object, new_id: &str) -> ObjectMeta {
    let is_namespaced = !template.namespace().is_empty();
    let mut metadata = ObjectMeta {
        name: names::binding(template.kind(), template.name()),
        namespace: template.namespace().to_owned(),
        owner_references: vec![owner(template)],
        ..ObjectMeta::default()
    };
    let (id, finalizer) = if is_namespaced {
        (labels::binding::PERMANENT_ID, finalizers::BINDING)
    } else {
        (labels::cluster_binding::PERMANENT_ID, finalizers::CLUSTER_BINDING)
    };
    metadata.labels.insert(id.to_owned(), new_id.to_owned());
    metadata.finalizers = vec![finalizer.to_owned()];
    metadata
}

fn owner(template: &Object) -> OwnerReference {
    OwnerReference {
        api_version: template.api_version().to_owned(),
        kind: template.kind().to_owned(),
        name: template.name().to_owned(),
        uid: template.uid().to_owned(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// Whether a binding of the right name belongs to an earlier template and is not garbage-collected yet.
pub fn belongs_to_another(binding: &ObjectMeta, template: &Object) -> bool {
    let mut controllers = binding.owner_references.iter().filter(|owner| owner.controller == Some(true));
    controllers.next().is_some_and(|owner| owner.uid != template.uid())
}

/// The spec of a binding: the fields of template and policy over the `old` spec.
///
/// `demand` is what the interpreter of the template's kind found in it, `priority` the value of the PriorityClass that the
/// policy names. Scheduling results, evictions, dependencies and a suspension of scheduling stay as they are in `old`.
pub fn spec(
    template: &Object,
    policy: &PropagationSpec,
    demand: &Demand,
    priority: Option<i32>,
    old: Option<&ResourceBindingSpec>,
) -> ResourceBindingSpec {
    let mut spec = old.cloned().unwrap_or_default();
    spec.resource = reference(template);
    spec.replicas = i32::try_from(demand.replicas.unwrap_or_default()).unwrap_or(i32::MAX);
    // Quotas are by namespace.
    let namespace = template.namespace().to_owned();
    let requirements = demand.requirements.clone();
    spec.replica_requirements = requirements.map(|found| ReplicaRequirements { namespace, ..found });
    spec.components.clone_from(&demand.components);
    spec.placement = Some(policy.placement.clone());
    spec.propagate_deps = policy.propagate_deps;
    spec.scheduler_name.clone_from(&policy.scheduler_name);
    spec.failover.clone_from(&policy.failover);
    spec.conflict_resolution = policy.conflict_resolution;
    spec.preserve_resources_on_deletion = policy.preserve_resources_on_deletion;
    spec.suspension = suspension(policy, old);
    spec.workload_affinity_groups = workload_groups::groups(template, &policy.placement);
    spec.schedule_priority = priority.map(|priority| BindingPriority { priority });
    spec
}

/// The reference of a binding to its template.
pub fn reference(template: &Object) -> ObjectReference {
    ObjectReference {
        api_version: template.api_version().to_owned(),
        kind: template.kind().to_owned(),
        namespace: template.namespace().to_owned(),
        name: template.name().to_owned(),
        uid: template.uid().to_owned(),
        resource_version: template.resource_version().to_owned(),
    }
}

/// The clusters that Works are for, with the replicas in their manifests.
pub fn targets_of(works: &[Arc<Work>]) -> Vec<TargetCluster> {
    let target = |work: &Arc<Work>| {
        let name = names::cluster_of_execution_namespace(&work.metadata.namespace)?.to_owned();
        let manifest = work.spec.workload.manifests.first().map(|manifest| Object(manifest.clone()));
        let replicas = manifest.and_then(|manifest| replicas(&manifest)).unwrap_or_default();
        let replicas = i32::try_from(replicas).unwrap_or(i32::MAX);
        Some(TargetCluster { name, replicas, ..TargetCluster::default() })
    };
    works.iter().filter(|work| !work.metadata.is_deleting()).filter_map(target).collect()
}

fn suspension(policy: &PropagationSpec, old: Option<&ResourceBindingSpec>) -> Option<BindingSuspension> {
    let scheduling = old.and_then(|old| old.suspension.as_ref()).and_then(|suspension| suspension.scheduling);
    let asked = policy.suspension.clone().unwrap_or_default();
    let suspension = BindingSuspension {
        dispatching: asked.dispatching,
        dispatching_on_clusters: asked.dispatching_on_clusters,
        scheduling,
    };
    (suspension != BindingSuspension::default()).then_some(suspension)
}

/// Whether two specs differ in more than the template's resourceVersion, which changes with every write.
pub fn differs(old: &ResourceBindingSpec, new: &ResourceBindingSpec) -> bool {
    let mut compared = new.clone();
    compared.resource.resource_version.clone_from(&old.resource.resource_version);
    *old != compared
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::propagation::replicas::demand;
    use portolan_api::policy::{ConflictResolution, Placement, Suspension};
    use portolan_object::ObjectKey;
    use serde_json::json;

    fn template() -> Object {
        Object(json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 3},
            "metadata": {"name": "nginx", "namespace": "shop", "uid": "u1", "resourceVersion": "7"}}))
    }

    fn claim() -> Claim {
        Claim::Namespaced { policy: ObjectKey::namespaced("shop", "p"), id: "p1".to_owned() }
    }

    #[test]
    fn a_binding_is_named_owned_and_marked() {
        let metadata = metadata(&template(), &claim(), "b1");
        assert_eq!((metadata.namespace.as_str(), metadata.name.as_str()), ("shop", "nginx-deployment"));
        assert_eq!(metadata.label("resourcebinding.karmada.io/permanent-id"), Some("b1"));
        assert_eq!(metadata.label("propagationpolicy.karmada.io/permanent-id"), Some("p1"));
        assert_eq!(metadata.finalizers, ["karmada.io/binding-controller"]);
        assert!(!belongs_to_another(&metadata, &template()));
        let mut later = template();
        later.metadata_mut().insert("uid".to_owned(), json!("u2"));
        assert!(belongs_to_another(&metadata, &later));
    }

    #[test]
    fn cluster_scoped_templates_have_cluster_bindings() {
        let definition = Object(
            json!({"apiVersion": "v1", "kind": "CustomResourceDefinition", "metadata": {"name": "x", "uid": "u"}}),
        );
        let claim = Claim::Cluster { policy: "cp".to_owned(), id: "c1".to_owned() };
        let metadata = metadata(&definition, &claim, "b1");
        assert_eq!(metadata.label("clusterresourcebinding.karmada.io/permanent-id"), Some("b1"));
        assert_eq!(metadata.finalizers, ["karmada.io/cluster-resource-binding-controller"]);
    }

    #[test]
    fn a_new_sync_keeps_what_others_wrote() {
        let policy = PropagationSpec {
            placement: Placement::default(),
            conflict_resolution: ConflictResolution::Overwrite,
            suspension: Some(Suspension { dispatching: Some(true), ..Suspension::default() }),
            ..PropagationSpec::default()
        };
        let first = spec(&template(), &policy, &demand(&template()), Some(7), None);
        assert_eq!((first.replicas, first.resource.uid.as_str()), (3, "u1"));
        assert_eq!(first.schedule_priority, Some(BindingPriority { priority: 7 }));
        let mut scheduled = first.clone();
        scheduled.clusters = vec![TargetCluster { name: "m1".to_owned(), ..TargetCluster::default() }];
        if let Some(suspension) = &mut scheduled.suspension {
            suspension.scheduling = Some(true);
        }
        let lifted = PropagationSpec { suspension: None, ..policy };
        let second = spec(&template(), &lifted, &demand(&template()), None, Some(&scheduled));
        assert_eq!(second.clusters, scheduled.clusters);
        assert_eq!(
            second.suspension,
            Some(BindingSuspension { scheduling: Some(true), ..BindingSuspension::default() })
        );
    }

    #[test]
    fn a_touch_of_the_template_is_no_difference() {
        let old = spec(&template(), &PropagationSpec::default(), &demand(&template()), None, None);
        let mut touched = template();
        touched.metadata_mut().insert("resourceVersion".to_owned(), json!("8"));
        assert!(!differs(
            &old,
            &spec(&touched, &PropagationSpec::default(), &demand(&touched), None, Some(&old))
        ));
        touched.0["spec"]["replicas"] = json!(4);
        assert!(differs(
            &old,
            &spec(&touched, &PropagationSpec::default(), &demand(&touched), None, Some(&old))
        ));
    }
}
