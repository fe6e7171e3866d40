//! One Kubernetes object as a JSON tree with accessors for its envelope.
//!
//! Controllers and pure cores work on this; the API server keeps encoded bytes and makes a tree only to change
//! or check an object.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::key::{GroupVersion, GroupVersionKind, ObjectKey};

/// A JSON tree that is a Kubernetes object: a map with `apiVersion`, `kind` and `metadata`.
///
/// Accessors answer empty for what is missing or of the wrong type; the API server has checked both before an
/// object gets here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Object(pub Value);

impl Object {
    /// An object with nothing but its identity.
    pub fn new(kind: &GroupVersionKind, key: &ObjectKey) -> Self {
        let mut metadata = json!({ "name": key.name });
        if !key.namespace.is_empty() {
            metadata["namespace"] = json!(key.namespace);
        }
        Self(json!({ "apiVersion": kind.api_version(), "kind": kind.kind, "metadata": metadata }))
    }

    /// Encodes a typed object.
    pub fn from_typed<T: Serialize>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::to_value(value).map(Self)
    }

    /// Decodes into a typed object.
    pub fn to_typed<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.0)
    }

    /// The string at `path`, empty when it is missing.
    pub fn str_at(&self, path: &[&str]) -> &str {
        self.at(path).and_then(Value::as_str).unwrap_or_default()
    }

    /// The value at `path`.
    pub fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.0, |value, name| value.get(name))
    }

    /// `apiVersion`.
    pub fn api_version(&self) -> &str {
        self.str_at(&["apiVersion"])
    }

    /// `kind`.
    pub fn kind(&self) -> &str {
        self.str_at(&["kind"])
    }

    /// Group, version and kind; an unreadable `apiVersion` counts as a version of the core group.
    pub fn group_version_kind(&self) -> GroupVersionKind {
        let api_version = self.api_version();
        api_version.parse().unwrap_or_else(|_| GroupVersion::new("", api_version)).kind(self.kind())
    }

    /// `metadata.name`.
    pub fn name(&self) -> &str {
        self.str_at(&["metadata", "name"])
    }

    /// `metadata.namespace`, empty when cluster-scoped.
    pub fn namespace(&self) -> &str {
        self.str_at(&["metadata", "namespace"])
    }

    /// Namespace and name.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::namespaced(self.namespace(), self.name())
    }

    /// `metadata.uid`.
    pub fn uid(&self) -> &str {
        self.str_at(&["metadata", "uid"])
    }

    /// `metadata.resourceVersion`.
    pub fn resource_version(&self) -> &str {
        self.str_at(&["metadata", "resourceVersion"])
    }

    /// `metadata.creationTimestamp`, RFC 3339; empty before the object is stored.
    pub fn creation_timestamp(&self) -> &str {
        self.str_at(&["metadata", "creationTimestamp"])
    }

    /// `metadata.generation`, 0 when absent.
    pub fn generation(&self) -> i64 {
        self.at(&["metadata", "generation"]).and_then(Value::as_i64).unwrap_or_default()
    }

    /// Whether deletion has been requested.
    pub fn is_deleting(&self) -> bool {
        !self.str_at(&["metadata", "deletionTimestamp"]).is_empty()
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.at(&["metadata", "labels", key]).and_then(Value::as_str)
    }

    /// The value of an annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.at(&["metadata", "annotations", key]).and_then(Value::as_str)
    }

    /// All labels.
    pub fn labels(&self) -> BTreeMap<String, String> {
        self.string_map("labels")
    }

    /// All annotations.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        self.string_map("annotations")
    }

    /// `metadata.finalizers`.
    pub fn finalizers(&self) -> impl Iterator<Item = &str> {
        self.at(&["metadata", "finalizers"])
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
    }

    /// Sets a label, creating the map when needed.
    pub fn set_label(&mut self, key: &str, value: impl Into<String>) {
        self.metadata_map("labels").insert(key.to_owned(), Value::String(value.into()));
    }

    /// Sets an annotation, creating the map when needed.
    pub fn set_annotation(&mut self, key: &str, value: impl Into<String>) {
        self.metadata_map("annotations").insert(key.to_owned(), Value::String(value.into()));
    }

    /// `metadata`, made when missing.
    pub fn metadata_mut(&mut self) -> &mut Map<String, Value> {
        child_map(root_map(&mut self.0), "metadata")
    }

    fn metadata_map(&mut self, name: &str) -> &mut Map<String, Value> {
        child_map(self.metadata_mut(), name)
    }

    fn string_map(&self, name: &str) -> BTreeMap<String, String> {
        let entries = self.at(&["metadata", name]).and_then(Value::as_object).into_iter().flatten();
        entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
    }
}

fn root_map(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("the line above made it an object"),
    }
}

fn child_map<'a>(map: &'a mut Map<String, Value>, name: &str) -> &'a mut Map<String, Value> {
    root_map(map.entry(name).or_insert_with(|| Value::Object(Map::new())))
}
