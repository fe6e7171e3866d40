//! The metadata that every object carries, and small types that many kinds share.
//!
//! Times are RFC 3339 text: this crate never compares or makes them.

use std::collections::BTreeMap;

use portolan_object::ObjectKey;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema::is_default;

mod condition;
mod selector;
mod taint;

pub use condition::{Condition, ConditionStatus, condition, set_condition};
pub use selector::{LabelSelector, NodeSelector, NodeSelectorTerm, SelectorRequirement};
pub use taint::{Taint, Toleration};

/// `metav1.ObjectMeta`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectMeta {
    /// Unique among the objects of a kind in a namespace.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Prefix from which the API server makes a name.
    #[serde(skip_serializing_if = "is_default")]
    pub generate_name: String,
    /// Empty for cluster-scoped objects.
    #[serde(skip_serializing_if = "is_default")]
    pub namespace: String,
    /// Unused since Kubernetes 1.20, kept for old objects.
    #[serde(skip_serializing_if = "is_default")]
    pub self_link: String,
    /// Unique identity; a later object of the same name has another.
    #[serde(skip_serializing_if = "is_default")]
    pub uid: String,
    /// Opaque version for optimistic concurrency.
    #[serde(skip_serializing_if = "is_default")]
    pub resource_version: String,
    /// Number of changes of the desired state.
    #[serde(skip_serializing_if = "is_default")]
    pub generation: i64,
    /// Time of creation.
    #[serde(skip_serializing_if = "is_default")]
    pub creation_timestamp: Option<String>,
    /// Time of the deletion request; set while finalizers remain.
    #[serde(skip_serializing_if = "is_default")]
    pub deletion_timestamp: Option<String>,
    /// Seconds for an orderly shutdown.
    #[serde(skip_serializing_if = "is_default")]
    pub deletion_grace_period_seconds: Option<i64>,
    /// Labels, by which objects are selected.
    #[serde(skip_serializing_if = "is_default")]
    pub labels: BTreeMap<String, String>,
    /// Annotations (not usable in selectors).
    #[serde(skip_serializing_if = "is_default")]
    pub annotations: BTreeMap<String, String>,
    /// Owners; the object is garbage-collected with them.
    #[serde(skip_serializing_if = "is_default")]
    pub owner_references: Vec<OwnerReference>,
    /// Finalizers that must be removed before deletion completes.
    #[serde(skip_serializing_if = "is_default")]
    pub finalizers: Vec<String>,
    /// Field ownership of server-side apply, not interpreted.
    #[serde(skip_serializing_if = "is_default")]
    pub managed_fields: Vec<Value>,
}

impl ObjectMeta {
    /// Namespace and name.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::namespaced(&*self.namespace, &*self.name)
    }

    /// Metadata of a namespaced object.
    pub fn namespaced(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into(), ..Self::default() }
    }

    /// Metadata of a cluster-scoped object.
    pub fn cluster(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key).map(String::as_str)
    }

    /// The value of an annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key).map(String::as_str)
    }

    /// Whether deletion has been requested.
    pub fn is_deleting(&self) -> bool {
        self.deletion_timestamp.is_some()
    }

    /// Whether the object has a finalizer.
    pub fn has_finalizer(&self, finalizer: &str) -> bool {
        self.finalizers.iter().any(|held| held == finalizer)
    }

    /// The finalizers with one more; `None` if the object has it.
    pub fn with_finalizer(&self, finalizer: &str) -> Option<Vec<String>> {
        let is_missing = !self.has_finalizer(finalizer);
        is_missing.then(|| self.finalizers.iter().cloned().chain([finalizer.to_owned()]).collect())
    }

    /// The finalizers without some; `None` if the object has none of these.
    pub fn without_finalizers(&self, removed: &[&str]) -> Option<Vec<String>> {
        let kept: Vec<String> =
            self.finalizers.iter().filter(|held| !removed.contains(&held.as_str())).cloned().collect();
        (kept.len() < self.finalizers.len()).then_some(kept)
    }
}

/// The API server knows this type itself: a CRD may not describe it.
impl JsonSchema for ObjectMeta {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ObjectMeta".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object" })
    }
}

/// `metav1.OwnerReference`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnerReference {
    /// `apiVersion` of the owner.
    pub api_version: String,
    /// Kind of the owner.
    pub kind: String,
    /// Name of the owner.
    pub name: String,
    /// Identity of the owner.
    pub uid: String,
    /// Whether the owner is the one controller of the object.
    #[serde(skip_serializing_if = "is_default")]
    pub controller: Option<bool>,
    /// Whether foreground deletion of the owner waits for this object.
    #[serde(skip_serializing_if = "is_default")]
    pub block_owner_deletion: Option<bool>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn metadata_keeps_every_field() {
        let tree = json!({
            "name": "web", "generateName": "web-", "namespace": "shop", "selfLink": "/x", "uid": "u",
            "resourceVersion": "7", "generation": 3, "creationTimestamp": "2026-01-01T00:00:00Z",
            "deletionTimestamp": "2026-01-02T00:00:00Z", "deletionGracePeriodSeconds": 30,
            "labels": { "a": "b" }, "annotations": { "c": "d" }, "finalizers": ["x/y"],
            "ownerReferences": [{ "apiVersion": "v1", "kind": "Node", "name": "n", "uid": "o",
                                  "controller": true, "blockOwnerDeletion": false }],
            "managedFields": [{ "manager": "kubectl", "fieldsV1": { "f:spec": {} } }],
        });
        let typed: ObjectMeta = serde_json::from_value(tree.clone()).unwrap();
        assert_eq!(serde_json::to_value(typed).unwrap(), tree);
    }

    #[test]
    fn finalizers_are_added_once_and_removed() {
        let mut metadata = ObjectMeta::cluster("eu");
        assert_eq!(metadata.without_finalizers(&["a/b"]), None);
        metadata.finalizers = metadata.with_finalizer("a/b").expect("it is new");
        assert!(metadata.has_finalizer("a/b"));
        assert_eq!(metadata.with_finalizer("a/b"), None);
        assert_eq!(metadata.with_finalizer("c/d").expect("it is new"), ["a/b", "c/d"]);
        assert_eq!(metadata.without_finalizers(&["a/b", "x/y"]), Some(vec![]));
    }
}
