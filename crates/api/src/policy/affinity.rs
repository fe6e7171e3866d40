//! Selectors of a policy for clusters and resources.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::{LabelSelector, SelectorRequirement};
use crate::schema::is_default;

/// A selection of clusters. All fields that are set must match; without any, every cluster is selected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterAffinity {
    /// Selects clusters by their labels.
    #[serde(skip_serializing_if = "is_default")]
    pub label_selector: Option<LabelSelector>,
    /// Selects clusters by provider, region and zone.
    #[serde(skip_serializing_if = "is_default")]
    pub field_selector: Option<FieldSelector>,
    /// The clusters to choose from; empty is all.
    #[serde(skip_serializing_if = "is_default")]
    pub cluster_names: Vec<String>,
    /// Clusters that are never chosen.
    #[serde(skip_serializing_if = "is_default", rename = "exclude")]
    pub exclude_clusters: Vec<String>,
}

/// Requirements on the fields of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FieldSelector {
    /// All must hold. Keys are provider, region and zone, operators In and NotIn.
    #[serde(skip_serializing_if = "is_default")]
    pub match_expressions: Vec<SelectorRequirement>,
}

/// One of several alternative groups of clusters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterAffinityTerm {
    /// Name of the group, unique in the placement.
    #[schemars(length(min = 1, max = 32))]
    pub affinity_name: String,
    /// The clusters of the group.
    #[serde(flatten)]
    pub affinity: ClusterAffinity,
    /// Further groups that are used in order when the group has not enough capacity.
    #[serde(skip_serializing_if = "is_default")]
    pub overflow_affinities: Vec<OverflowAffinityTerm>,
}

/// A group of clusters that is used when the main group has not enough capacity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OverflowAffinityTerm {
    /// Name of the group, unique beside its siblings and its main group.
    #[schemars(length(min = 1, max = 32))]
    pub affinity_name: String,
    /// The clusters of the group.
    #[serde(flatten)]
    pub affinity: ClusterAffinity,
}

/// A selection of resources.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceSelector {
    /// API version of the resources.
    pub api_version: String,
    /// Kind of the resources.
    pub kind: String,
    /// Namespace of the resources; empty is every namespace, or that of a namespaced policy.
    #[serde(skip_serializing_if = "is_default")]
    pub namespace: String,
    /// Name of the one resource; when set, the label selector is ignored.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Selects resources by their labels.
    #[serde(skip_serializing_if = "is_default")]
    pub label_selector: Option<LabelSelector>,
}

/// Clusters that get no changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SuspendClusters {
    /// Names of the clusters.
    #[serde(skip_serializing_if = "is_default")]
    pub cluster_names: Vec<String>,
}
