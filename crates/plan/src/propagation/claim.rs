//! Claims: the policy of a template, recorded on the template and on its binding; or its Federation, on the binding.
//!
//! A claim is complete only with all of its marks (karmada: pkg/detector/claim.go): a label with the identity of the
//! policy, and annotations with its name. Once claimed, an object stays with its policy.

use std::collections::BTreeMap;

use portolan_api::meta::ObjectMeta;
use portolan_api::{annotations, labels};
use portolan_object::{Object, ObjectKey};
use serde_json::Value;

/// What claimed a template.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// A PropagationPolicy.
    Namespaced {
        /// Namespace and name of the policy.
        policy: ObjectKey,
        /// Its permanent id.
        id: String,
    },
    /// A ClusterPropagationPolicy.
    Cluster {
        /// Name of the policy.
        policy: String,
        /// Its permanent id.
        id: String,
    },
    /// A Federation. It marks the binding only: a federated object looks as its user wrote it.
    Federation {
        /// Name of the Federation.
        name: String,
    },
}

/// Every label that a claim may set.
pub const LABELS: &[&str] = &[
    labels::propagation_policy::PERMANENT_ID,
    labels::cluster_propagation_policy::PERMANENT_ID,
    labels::federation::NAME,
];

/// Every annotation that a claim may set.
pub const ANNOTATIONS: &[&str] = &[
    annotations::propagation_policy::NAMESPACE,
    annotations::propagation_policy::NAME,
    annotations::cluster_propagation_policy::NAME,
];

/// The permanent ids in the claim marks of an object.
pub fn ids(object: &Object) -> Vec<String> {
    LABELS.iter().filter_map(|label| object.label(label)).map(str::to_owned).collect()
}

/// Whether an object has any mark of a claim, complete or not.
pub fn has_marks(object: &Object) -> bool {
    LABELS.iter().any(|label| object.label(label).is_some())
        || ANNOTATIONS.iter().any(|annotation| object.annotation(annotation).is_some())
}

/// Removes the claim from a manifest for a cluster that has policies of its own: there, the marks say which of those claimed the
/// object. Two control planes that both set them would change them back and forth.
pub fn leave_to_cluster(manifest: &mut Object) {
    for (field, keys) in [("labels", LABELS), ("annotations", ANNOTATIONS)] {
        if let Some(entries) = manifest.metadata_mut().get_mut(field).and_then(Value::as_object_mut) {
            keys.iter().for_each(|key| drop(entries.remove(*key)));
        }
    }
    let recorded =
        [annotations::template::MANAGED_LABELS, annotations::template::MANAGED_ANNOTATIONS].map(|record| {
            let keys = manifest.annotation(record)?.split(',');
            let kept: Vec<&str> =
                keys.filter(|key| !LABELS.contains(key) && !ANNOTATIONS.contains(key)).collect();
            Some((record, kept.join(",")))
        });
    for (record, kept) in recorded.into_iter().flatten() {
        manifest.set_annotation(record, kept);
    }
}

impl Claim {
    /// The claim by a policy; `None` while the policy has no permanent id.
    pub fn by(policy: &ObjectMeta) -> Option<Self> {
        if policy.namespace.is_empty() {
            let id = policy.label(labels::cluster_propagation_policy::PERMANENT_ID)?;
            return Some(Self::Cluster { policy: policy.name.clone(), id: id.to_owned() });
        }
        let id = policy.label(labels::propagation_policy::PERMANENT_ID)?;
        let key = ObjectKey::namespaced(&*policy.namespace, &*policy.name);
        Some(Self::Namespaced { policy: key, id: id.to_owned() })
    }

    /// Reads the claim of an object; `None` if it is incomplete. A namespaced claim has precedence.
    pub fn on(object: &Object) -> Option<Self> {
        let namespaced = || {
            let id = object.label(labels::propagation_policy::PERMANENT_ID)?;
            let namespace = object.annotation(annotations::propagation_policy::NAMESPACE)?;
            let name = object.annotation(annotations::propagation_policy::NAME)?;
            Some(Self::Namespaced { policy: ObjectKey::namespaced(namespace, name), id: id.to_owned() })
        };
        let cluster = || {
            let id = object.label(labels::cluster_propagation_policy::PERMANENT_ID)?;
            let name = object.annotation(annotations::cluster_propagation_policy::NAME)?;
            Some(Self::Cluster { policy: name.to_owned(), id: id.to_owned() })
        };
        namespaced().or_else(cluster)
    }

    /// The label of the claim.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let (key, id) = match self {
            Self::Namespaced { id, .. } => (labels::propagation_policy::PERMANENT_ID, id),
            Self::Cluster { id, .. } => (labels::cluster_propagation_policy::PERMANENT_ID, id),
            Self::Federation { name } => (labels::federation::NAME, name),
        };
        BTreeMap::from([(key.to_owned(), id.clone())])
    }

    /// The annotations of the claim.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        let entries = match self {
            Self::Namespaced { policy, .. } => vec![
                (annotations::propagation_policy::NAMESPACE, &policy.namespace),
                (annotations::propagation_policy::NAME, &policy.name),
            ],
            Self::Cluster { policy, .. } => vec![(annotations::cluster_propagation_policy::NAME, policy)],
            Self::Federation { .. } => Vec::new(),
        };
        entries.into_iter().map(|(key, value)| (key.to_owned(), value.clone())).collect()
    }
}

/// The policy that claims a binding; a key without namespace is that of a ClusterPropagationPolicy. `None` for a binding
/// without a claim.
pub fn policy(binding: &ObjectMeta) -> Option<ObjectKey> {
    if binding.label(labels::propagation_policy::PERMANENT_ID).is_some() {
        let namespace = binding.annotation(annotations::propagation_policy::NAMESPACE)?;
        return Some(ObjectKey::namespaced(
            namespace,
            binding.annotation(annotations::propagation_policy::NAME)?,
        ));
    }
    binding.label(labels::cluster_propagation_policy::PERMANENT_ID)?;
    binding.annotation(annotations::cluster_propagation_policy::NAME).map(ObjectKey::cluster)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn claimed(claim: &Claim) -> Object {
        let mut object = Object(json!({"metadata": {"name": "web"}}));
        claim.labels().into_iter().for_each(|(key, value)| object.set_label(&key, value));
        claim.annotations().into_iter().for_each(|(key, value)| object.set_annotation(&key, value));
        object
    }

    #[test]
    fn a_claim_is_read_as_it_was_written() {
        let claims = [
            Claim::Namespaced { policy: ObjectKey::namespaced("shop", "p"), id: "1".to_owned() },
            Claim::Cluster { policy: "cp".to_owned(), id: "2".to_owned() },
        ];
        for claim in claims {
            assert_eq!(Claim::on(&claimed(&claim)), Some(claim));
        }
    }

    #[test]
    fn a_binding_names_its_policy() {
        let claims = [
            (Claim::Namespaced { policy: ObjectKey::namespaced("shop", "p"), id: "1".to_owned() }, "shop/p"),
            (Claim::Cluster { policy: "cp".to_owned(), id: "2".to_owned() }, "cp"),
        ];
        for (claim, want) in claims {
            let binding = ObjectMeta {
                labels: claim.labels(),
                annotations: claim.annotations(),
                ..ObjectMeta::default()
            };
            assert_eq!(policy(&binding).map(|key| key.to_string()).as_deref(), Some(want));
        }
        assert_eq!(policy(&ObjectMeta::default()), None);
    }

    #[test]
    fn half_a_claim_is_none() {
        let mut object = claimed(&Claim::Cluster { policy: "cp".to_owned(), id: "2".to_owned() });
        object.metadata_mut().remove("annotations");
        assert_eq!(Claim::on(&object), None);
    }

    #[test]
    fn a_policy_without_identity_cannot_claim() {
        let mut policy = ObjectMeta::namespaced("shop", "p");
        assert_eq!(Claim::by(&policy), None);
        policy.labels.insert(labels::propagation_policy::PERMANENT_ID.to_owned(), "1".to_owned());
        assert!(matches!(Claim::by(&policy), Some(Claim::Namespaced { .. })));
    }

    #[test]
    fn a_cluster_with_policies_of_its_own_keeps_its_claims() {
        let mut manifest = Object(json!({ "metadata": { "name": "web",
            "labels": { "app": "web", "propagationpolicy.karmada.io/permanent-id": "1" },
            "annotations": { "propagationpolicy.karmada.io/name": "p", "propagationpolicy.karmada.io/namespace": "shop",
                "clusterpropagationpolicy.karmada.io/name": "cp", "team": "a",
                "resourcetemplate.karmada.io/managed-annotations": "propagationpolicy.karmada.io/name,team",
                "resourcetemplate.karmada.io/managed-labels": "app,propagationpolicy.karmada.io/permanent-id" } } }));
        leave_to_cluster(&mut manifest);
        let want = json!({ "metadata": { "name": "web", "labels": { "app": "web" },
            "annotations": { "team": "a", "resourcetemplate.karmada.io/managed-annotations": "team",
                "resourcetemplate.karmada.io/managed-labels": "app" } } });
        assert_eq!(manifest.0, want);

        let mut bare = Object(json!({ "metadata": { "name": "web" } }));
        leave_to_cluster(&mut bare);
        assert_eq!(bare.0, json!({ "metadata": { "name": "web" } }));
    }
}
