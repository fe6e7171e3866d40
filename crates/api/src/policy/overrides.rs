//! The spec that OverridePolicy and ClusterOverridePolicy share.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::affinity::{ClusterAffinity, ResourceSelector};
use crate::schema::{is_default, optional};

/// Resources, clusters and changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OverrideSpec {
    /// The resources; empty is all in scope.
    #[serde(skip_serializing_if = "is_default")]
    pub resource_selectors: Vec<ResourceSelector>,
    /// The changes, cluster by cluster; applied in order.
    #[serde(skip_serializing_if = "is_default")]
    pub override_rules: Vec<OverrideRule>,
    /// Deprecated: use overrideRules.
    #[serde(skip_serializing_if = "is_default")]
    pub target_cluster: Option<ClusterAffinity>,
    /// Deprecated: use overrideRules.
    #[schemars(transform = optional)]
    pub overriders: Overriders,
}

/// The changes for some clusters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OverrideRule {
    /// The clusters; unset is all.
    #[serde(skip_serializing_if = "is_default")]
    pub target_cluster: Option<ClusterAffinity>,
    /// The changes.
    pub overriders: Overriders,
}

/// Changes, applied in the order of the fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Overriders {
    /// Changes of JSON values at a path; applied last.
    #[serde(skip_serializing_if = "is_default")]
    pub plaintext: Vec<PlaintextOverrider>,
    /// Changes of container images.
    #[serde(skip_serializing_if = "is_default")]
    pub image_overrider: Vec<ImageOverrider>,
    /// Changes of container commands.
    #[serde(skip_serializing_if = "is_default")]
    pub command_overrider: Vec<CommandOverrider>,
    /// Changes of container arguments.
    #[serde(skip_serializing_if = "is_default")]
    pub args_overrider: Vec<ArgsOverrider>,
    /// Changes of labels.
    #[serde(skip_serializing_if = "is_default")]
    pub labels_overrider: Vec<MapOverrider>,
    /// Changes of annotations.
    #[serde(skip_serializing_if = "is_default")]
    pub annotations_overrider: Vec<MapOverrider>,
    /// Changes inside a field that contains JSON or YAML as text.
    #[serde(skip_serializing_if = "is_default")]
    pub field_overrider: Vec<FieldOverrider>,
}

/// Operation on a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OverrideOperator {
    /// Adds the value.
    #[default]
    Add,
    /// Removes the value.
    Remove,
    /// Replaces the value.
    Replace,
}

/// Operation on the elements of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ListOperator {
    /// Appends the elements.
    #[default]
    Add,
    /// Removes the elements.
    Remove,
}

/// A change of the JSON value at a path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PlaintextOverrider {
    /// Path of the value, as a JSON pointer.
    pub path: String,
    /// Operation.
    pub operator: OverrideOperator,
    /// New value; absent for remove.
    #[serde(skip_serializing_if = "is_default")]
    pub value: Option<Value>,
}

/// A change of a component of container images.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ImageOverrider {
    /// Selection of images; unset selects the images of all containers.
    #[serde(skip_serializing_if = "is_default")]
    pub predicate: Option<ImagePredicate>,
    /// Component of the image reference.
    pub component: ImageComponent,
    /// Operation.
    pub operator: OverrideOperator,
    /// New text; absent for remove.
    #[serde(skip_serializing_if = "is_default")]
    pub value: String,
}

/// Location of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ImagePredicate {
    /// Path of the image, as a JSON pointer.
    pub path: String,
}

/// A component of an image reference.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ImageComponent {
    /// The host, with port.
    #[default]
    Registry,
    /// The path.
    Repository,
    /// The tag or digest.
    Tag,
}

/// A change of the command of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CommandOverrider {
    /// Name of the container.
    pub container_name: String,
    /// Operation.
    pub operator: ListOperator,
    /// The words.
    #[serde(skip_serializing_if = "is_default")]
    pub value: Vec<String>,
}

/// A change of the arguments of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ArgsOverrider {
    /// Name of the container.
    pub container_name: String,
    /// Operation.
    pub operator: ListOperator,
    /// The words.
    #[serde(skip_serializing_if = "is_default")]
    pub value: Vec<String>,
}

/// A change of labels or annotations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MapOverrider {
    /// Operation.
    pub operator: OverrideOperator,
    /// Keys and values.
    pub value: BTreeMap<String, String>,
}

/// A change inside a field that contains JSON or YAML as text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FieldOverrider {
    /// Path of the field, as a JSON pointer.
    pub field_path: String,
    /// Changes of JSON text. Not together with yaml.
    #[serde(skip_serializing_if = "is_default")]
    pub json: Vec<FieldPatch>,
    /// Changes of YAML text. Not together with json.
    #[serde(skip_serializing_if = "is_default")]
    pub yaml: Vec<FieldPatch>,
}

/// One change inside the text of a field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FieldPatch {
    /// Path within the text, as a JSON pointer.
    pub sub_path: String,
    /// Operation.
    pub operator: OverrideOperator,
    /// New value; absent for remove.
    #[serde(skip_serializing_if = "is_default")]
    pub value: Option<Value>,
}
