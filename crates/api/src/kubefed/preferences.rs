//! Group `scheduling.kubefed.io/v1alpha1`: how the replicas of a federated workload are divided among clusters (kubefed
//! pkg/apis/scheduling/v1alpha1/replicaschedulingpreference_types.go).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kind::kind;
use crate::meta::Condition;
use crate::schema::is_default;

kind! {
    /// Divides the replicas of the FederatedDeployment or FederatedReplicaSet of the same name among clusters.
    ReplicaSchedulingPreference, "scheduling.kubefed.io", "v1alpha1", "replicaschedulingpreferences", Namespaced {
        /// The workload, the replicas, and what each cluster gets of them.
        spec: ReplicaSchedulingPreferenceSpec,
        /// Observed state.
        #[serde(skip_serializing_if = "is_default")]
        status: ReplicaSchedulingPreferenceStatus,
    }
}

/// The key in `clusters` for every cluster without an entry of its own.
pub const EVERY_CLUSTER: &str = "*";
/// The condition of a ReplicaSchedulingPreference: whether the replicas are divided.
pub const SCHEDULED: &str = "Scheduled";

/// The workload, the replicas, and what each cluster gets of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicaSchedulingPreferenceSpec {
    /// `FederatedDeployment` or `FederatedReplicaSet`.
    pub target_kind: String,
    /// Replicas in all clusters together; those of the template do not count.
    pub total_replicas: i32,
    /// Whether replicas that run may move to other clusters.
    #[serde(skip_serializing_if = "is_default")]
    pub rebalance: bool,
    /// Whether only clusters that the `clusterSelector` of the workload selects get replicas.
    #[serde(skip_serializing_if = "is_default")]
    pub intersect_with_cluster_selector: bool,
    /// Preferences by the name of the cluster, or `*` for every other one. Without any, all clusters are alike; a cluster
    /// that neither names gets no replicas.
    #[serde(skip_serializing_if = "is_default")]
    pub clusters: BTreeMap<String, ClusterPreferences>,
}

/// What one cluster gets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterPreferences {
    /// Replicas that it gets first, if there are enough.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(range(min = 0))]
    pub min_replicas: i64,
    /// Replicas that it gets at most; unlimited if absent.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(range(min = 0))]
    pub max_replicas: Option<i64>,
    /// Its share of the replicas that remain, relative to the other clusters.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(range(min = 0))]
    pub weight: i64,
}

/// Observed state of a ReplicaSchedulingPreference.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicaSchedulingPreferenceStatus {
    /// Generation that the status is about.
    #[serde(skip_serializing_if = "is_default")]
    pub observed_generation: i64,
    /// The condition `Scheduled`.
    #[serde(skip_serializing_if = "is_default")]
    pub conditions: Vec<Condition>,
}
