//! Placement: which clusters, how spread, and how replicas are divided among them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::affinity::{ClusterAffinity, ClusterAffinityTerm};
use crate::meta::Toleration;
use crate::schema::{defaulted, is_default};

/// Rules for the target clusters. An empty placement selects every cluster, with all replicas in each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Placement {
    /// The clusters to choose from. Not together with clusterAffinities.
    #[serde(skip_serializing_if = "is_default")]
    pub cluster_affinity: Option<ClusterAffinity>,
    /// Alternative groups of clusters; the first one that works is used. Not together with clusterAffinity.
    #[serde(skip_serializing_if = "is_default")]
    pub cluster_affinities: Vec<ClusterAffinityTerm>,
    /// Taints of clusters that are tolerated.
    #[serde(skip_serializing_if = "is_default")]
    pub cluster_tolerations: Vec<Toleration>,
    /// Number of groups of clusters over which resources are spread.
    #[serde(skip_serializing_if = "is_default")]
    pub spread_constraints: Vec<SpreadConstraint>,
    /// Division of replicas; unset puts all replicas into each cluster.
    #[serde(skip_serializing_if = "is_default")]
    pub replica_scheduling: Option<ReplicaScheduling>,
    /// Workloads that share clusters, and workloads that do not.
    #[serde(skip_serializing_if = "is_default")]
    pub workload_affinity: Option<WorkloadAffinity>,
}

/// Number of groups of clusters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SpreadConstraint {
    /// The cluster field that makes groups. Not together with spreadByLabel.
    #[serde(skip_serializing_if = "is_default")]
    pub spread_by_field: Option<SpreadField>,
    /// The cluster label that makes groups. Not together with spreadByField.
    #[serde(skip_serializing_if = "is_default")]
    pub spread_by_label: String,
    /// Maximum number of groups.
    #[serde(skip_serializing_if = "is_default")]
    pub max_groups: i64,
    /// Minimum number of groups.
    #[serde(skip_serializing_if = "is_default")]
    pub min_groups: i64,
}

/// A cluster field that makes groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SpreadField {
    /// Each cluster is a group.
    Cluster,
    /// Clusters of a region.
    Region,
    /// Clusters of a zone.
    Zone,
    /// Clusters of a provider.
    Provider,
}

/// Division of replicas among clusters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicaScheduling {
    /// Whether each cluster gets all replicas or a part.
    #[schemars(transform = defaulted)]
    pub replica_scheduling_type: ReplicaSchedulingType,
    /// Preference of the division, for type Divided.
    #[serde(skip_serializing_if = "is_default")]
    pub replica_division_preference: Option<ReplicaDivisionPreference>,
    /// The weights, for preference Weighted; unset weighs all clusters alike.
    #[serde(skip_serializing_if = "is_default")]
    pub weight_preference: Option<ClusterPreferences>,
}

/// Whether each cluster gets all replicas or a part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ReplicaSchedulingType {
    /// All replicas in each cluster.
    Duplicated,
    /// The replicas divided among the clusters.
    #[default]
    Divided,
}

/// Preference of the division.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ReplicaDivisionPreference {
    /// As few clusters as possible.
    Aggregated,
    /// By weight.
    Weighted,
}

/// Weights of clusters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterPreferences {
    /// Fixed weights; clusters that no entry names get nothing.
    #[serde(skip_serializing_if = "is_default")]
    pub static_weight_list: Vec<StaticClusterWeight>,
    /// Weights computed from the state of the clusters; when set, the fixed ones are ignored.
    #[serde(skip_serializing_if = "is_default")]
    pub dynamic_weight: Option<DynamicWeight>,
}

/// A fixed weight for some clusters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StaticClusterWeight {
    /// The clusters.
    pub target_cluster: ClusterAffinity,
    /// Their weight.
    #[schemars(range(min = 1))]
    pub weight: i64,
}

/// Source of dynamic weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DynamicWeight {
    /// The replicas for which a cluster has capacity.
    AvailableReplicas,
}

/// Workloads that share clusters, and workloads that do not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadAffinity {
    /// Workloads with the same value of this label go to the same clusters.
    #[serde(skip_serializing_if = "is_default")]
    pub affinity: Option<WorkloadAffinityTerm>,
    /// Workloads with the same value of this label go to different clusters.
    #[serde(skip_serializing_if = "is_default")]
    pub anti_affinity: Option<WorkloadAffinityTerm>,
}

/// Grouping of workloads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadAffinityTerm {
    /// Key of the label of a workload that names its group.
    pub group_by_label_key: String,
}
