//! Placement: which clusters, how spread, and how replicas are divided among them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::affinity::{ClusterAffinity, ClusterAffinityTerm};
use crate::meta::Toleration;
use crate::schema::{defaulted, is_default};

/// Where resources go. An empty placement is every cluster, with all replicas in each.
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
    /// How resources spread over groups of clusters.
    #[serde(skip_serializing_if = "is_default")]
    pub spread_constraints: Vec<SpreadConstraint>,
    /// How replicas are divided; unset puts all of them into each cluster.
    #[serde(skip_serializing_if = "is_default")]
    pub replica_scheduling: Option<ReplicaScheduling>,
    /// Which workloads go together, and which apart.
    #[serde(skip_serializing_if = "is_default")]
    pub workload_affinity: Option<WorkloadAffinity>,
}

/// How many groups of clusters are used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SpreadConstraint {
    /// The cluster field that makes groups. Not together with spreadByLabel.
    #[serde(skip_serializing_if = "is_default")]
    pub spread_by_field: Option<SpreadField>,
    /// The cluster label that makes groups. Not together with spreadByField.
    #[serde(skip_serializing_if = "is_default")]
    pub spread_by_label: String,
    /// At most so many groups.
    #[serde(skip_serializing_if = "is_default")]
    pub max_groups: i64,
    /// At least so many groups.
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

/// How replicas are divided among clusters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicaScheduling {
    /// Whether each cluster gets all replicas or a part.
    #[schemars(transform = defaulted)]
    pub replica_scheduling_type: ReplicaSchedulingType,
    /// How parts are sized, for type Divided.
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

/// How the parts are sized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ReplicaDivisionPreference {
    /// In as few clusters as have room.
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

/// From what weights are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DynamicWeight {
    /// From the replicas that a cluster has room for.
    AvailableReplicas,
}

/// Which workloads go together, and which apart.
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

/// How workloads are grouped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadAffinityTerm {
    /// Key of the label, on the workload, whose value names its group.
    pub group_by_label_key: String,
}
