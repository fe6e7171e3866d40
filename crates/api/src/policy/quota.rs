//! FederatedResourceQuota.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::quantity::Quantity;
use crate::schema::is_default;

/// Quantities by resource name.
pub type ResourceList = BTreeMap<String, Quantity>;

/// The limits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FederatedResourceQuotaSpec {
    /// Limits for all clusters together.
    pub overall: ResourceList,
    /// Limits for single clusters, each of which becomes a ResourceQuota there.
    #[serde(skip_serializing_if = "is_default")]
    pub static_assignments: Vec<StaticClusterAssignment>,
}

/// The limits for one cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StaticClusterAssignment {
    /// Name of the cluster.
    pub cluster_name: String,
    /// Limits in the cluster.
    pub hard: ResourceList,
}

/// Observed use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FederatedResourceQuotaStatus {
    /// The limits in force.
    #[serde(skip_serializing_if = "is_default")]
    pub overall: ResourceList,
    /// Use in all clusters together.
    #[serde(skip_serializing_if = "is_default")]
    pub overall_used: ResourceList,
    /// Use in single clusters.
    #[serde(skip_serializing_if = "is_default")]
    pub aggregated_status: Vec<ClusterQuotaStatus>,
}

/// Use in one cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterQuotaStatus {
    /// Name of the cluster.
    pub cluster_name: String,
    /// Limits in the cluster.
    #[serde(skip_serializing_if = "is_default")]
    pub hard: ResourceList,
    /// Use in the cluster.
    #[serde(skip_serializing_if = "is_default")]
    pub used: ResourceList,
}
