//! ClusterTaintPolicy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::affinity::ClusterAffinity;
use crate::schema::is_default;

/// Rules that taint clusters by their conditions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterTaintPolicySpec {
    /// The clusters; unset is all.
    #[serde(skip_serializing_if = "is_default")]
    pub target_clusters: Option<ClusterAffinity>,
    /// The taints are added when all of these hold; empty never adds.
    #[serde(skip_serializing_if = "is_default")]
    pub add_on_conditions: Vec<MatchCondition>,
    /// The taints are removed when all of these hold; empty never removes.
    #[serde(skip_serializing_if = "is_default")]
    pub remove_on_conditions: Vec<MatchCondition>,
    /// The taints.
    #[schemars(length(min = 1))]
    pub taints: Vec<PolicyTaint>,
}

/// A requirement on a condition of the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MatchCondition {
    /// Type of the condition; a condition that the cluster does not have never matches.
    pub condition_type: String,
    /// In or NotIn.
    pub operator: String,
    /// Statuses to compare with.
    pub status_values: Vec<String>,
}

/// A taint to add or remove.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyTaint {
    /// Name of the taint.
    pub key: String,
    /// NoSchedule or NoExecute.
    pub effect: String,
    /// Value of the taint.
    #[serde(skip_serializing_if = "is_default")]
    pub value: String,
}
