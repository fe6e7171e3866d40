//! The attached binding of one object, from what the independent bindings require.

use portolan_api::labels;
use portolan_api::meta::ObjectMeta;
use portolan_api::policy::ConflictResolution;
use portolan_api::work::ResourceBindingSpec;
use portolan_object::Object;

use super::required::Required;
use crate::propagation::binding::{belongs_to_another, reference, unclaimed_metadata};

/// The binding of an object, as far as it is compared here.
#[derive(Debug, Clone, PartialEq)]
pub struct Attached {
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// Its spec.
    pub spec: ResourceBindingSpec,
}

/// What to do with the binding of an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// It is as required.
    Nothing,
    /// Create it.
    Create(Box<Attached>),
    /// Replace it.
    Replace(Box<Attached>),
    /// It is of an earlier object of the same name, and is garbage-collected first.
    Wait,
}

/// Compares the binding of an object with what is required. `new_id` is the permanent id of a new binding.
///
/// A binding without requirements stays, without clusters of its own, until its object is deleted. The policy of an object
/// decides about conflicts and preservation; without one the requirements do.
pub fn attach(object: &Object, present: Option<&Attached>, required: &Required, new_id: &str) -> Step {
    let Some(present) = present else {
        if required.snapshots.is_empty() || object.is_deleting() {
            return Step::Nothing;
        }
        let mut metadata = unclaimed_metadata(object, new_id);
        metadata.labels.extend(required.labels.clone());
        let mut spec = ResourceBindingSpec { resource: reference(object), ..ResourceBindingSpec::default() };
        require(&mut spec, required);
        return Step::Create(Box::new(Attached { metadata, spec }));
    };
    if belongs_to_another(&present.metadata, object) {
        return if required.snapshots.is_empty() { Step::Nothing } else { Step::Wait };
    }
    if present.metadata.is_deleting() {
        return Step::Nothing;
    }
    let mut wanted = present.clone();
    wanted.metadata.labels.retain(|key, _| !key.starts_with(labels::binding::DEPENDED_BY_PREFIX));
    wanted.metadata.labels.extend(required.labels.clone());
    require(&mut wanted.spec, required);
    if wanted == *present { Step::Nothing } else { Step::Replace(Box::new(wanted)) }
}

fn require(spec: &mut ResourceBindingSpec, required: &Required) {
    let was_attached = !spec.required_by.is_empty();
    spec.required_by.clone_from(&required.snapshots);
    let is_attached = !required.snapshots.is_empty();
    // A policy has written its own settings.
    if spec.placement.is_none() && (is_attached || was_attached) {
        spec.conflict_resolution =
            if is_attached { required.conflict_resolution } else { ConflictResolution::default() };
        spec.preserve_resources_on_deletion = required.preserve_resources_on_deletion;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use portolan_api::policy::Placement;
    use portolan_api::work::{BindingSnapshot, TargetCluster};
    use serde_json::json;

    use super::*;

    fn map(uid: &str) -> Object {
        Object(json!({ "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "namespace": "shop", "name": "app", "uid": uid, "resourceVersion": "5" } }))
    }

    fn by(name: &str, cluster: &str) -> Required {
        let clusters = vec![TargetCluster { name: cluster.to_owned(), ..TargetCluster::default() }];
        Required {
            snapshots: vec![BindingSnapshot {
                namespace: "shop".to_owned(),
                name: name.to_owned(),
                clusters,
            }],
            labels: BTreeMap::from([(format!("{}x", labels::binding::DEPENDED_BY_PREFIX), "id".to_owned())]),
            conflict_resolution: ConflictResolution::Overwrite,
            preserve_resources_on_deletion: Some(true),
            disagreements: Vec::new(),
        }
    }

    fn created() -> Attached {
        match attach(&map("u"), None, &by("web", "eu"), "new") {
            Step::Create(attached) => *attached,
            step => panic!("{step:?}"),
        }
    }

    #[test]
    fn a_new_binding_has_no_placement_and_is_owned_by_the_object() {
        let Attached { metadata, spec } = created();
        assert_eq!((metadata.namespace.as_str(), metadata.name.as_str()), ("shop", "app-configmap"));
        assert_eq!(metadata.owner_references[0].uid, "u");
        assert_eq!(metadata.label(labels::binding::PERMANENT_ID), Some("new"));
        assert_eq!(metadata.finalizers, ["karmada.io/binding-controller"]);
        assert_eq!((spec.placement.is_none(), spec.propagate_deps), (true, false));
        assert_eq!((spec.required_by.len(), spec.preserve_resources_on_deletion), (1, Some(true)));
        assert_eq!(spec.conflict_resolution, ConflictResolution::Overwrite);
        assert_eq!(attach(&map("u"), Some(&created()), &by("web", "eu"), "other"), Step::Nothing);
    }

    #[test]
    fn nothing_is_created_without_requirements() {
        assert_eq!(attach(&map("u"), None, &Required::default(), "new"), Step::Nothing);
    }

    #[test]
    fn a_moved_workload_moves_its_dependency() {
        let Step::Replace(moved) = attach(&map("u"), Some(&created()), &by("web", "us"), "x") else {
            panic!("not replaced")
        };
        assert_eq!(moved.spec.required_by[0].clusters[0].name, "us");
    }

    #[test]
    fn a_binding_that_nothing_requires_stays_without_settings() {
        let Step::Replace(left) = attach(&map("u"), Some(&created()), &Required::default(), "x") else {
            panic!("not replaced")
        };
        assert_eq!(left.spec.required_by, []);
        assert_eq!(left.spec.conflict_resolution, ConflictResolution::Abort);
        assert_eq!(left.spec.preserve_resources_on_deletion, None);
        assert!(!left.metadata.labels.keys().any(|key| key.contains("depended-by")));
        assert_eq!(attach(&map("u"), Some(&left), &Required::default(), "x"), Step::Nothing);
    }

    #[test]
    fn an_object_with_a_policy_keeps_the_settings_of_the_policy() {
        let mut present = created();
        present.metadata.labels.retain(|key, _| !key.contains("depended-by"));
        present.spec.required_by.clear();
        present.spec.placement = Some(Placement::default());
        present.spec.conflict_resolution = ConflictResolution::Abort;
        present.spec.preserve_resources_on_deletion = None;
        let Step::Replace(both) = attach(&map("u"), Some(&present), &by("web", "eu"), "x") else {
            panic!("not replaced")
        };
        assert_eq!(both.spec.required_by.len(), 1);
        assert_eq!(both.spec.conflict_resolution, ConflictResolution::Abort);
        assert_eq!(both.spec.preserve_resources_on_deletion, None);
        assert_eq!(
            attach(&map("u"), Some(&both), &Required::default(), "x"),
            Step::Replace(Box::new(present))
        );
    }

    #[test]
    fn the_binding_of_an_earlier_object_is_waited_for() {
        assert_eq!(attach(&map("later"), Some(&created()), &by("web", "eu"), "x"), Step::Wait);
    }
}
