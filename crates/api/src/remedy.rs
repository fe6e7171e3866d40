//! Group `remedy.karmada.io/v1alpha1`: actions to take while a cluster has a condition.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kind::kind;
use crate::schema::is_default;

kind! {
    /// Actions to take while clusters have a condition.
    Remedy, "remedy.karmada.io", "v1alpha1", "remedies", Cluster {
        /// Clusters, conditions and actions.
        spec: RemedySpec,
    }
}

/// The one action that Karmada knows: take the cluster out of the traffic of multi-cluster ingresses.
pub const TRAFFIC_CONTROL: &str = "TrafficControl";

/// Clusters, conditions and actions of a remedy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RemedySpec {
    /// The clusters; unset is all.
    #[serde(skip_serializing_if = "is_default")]
    pub cluster_affinity: Option<RemedyClusters>,
    /// When to act: one of these must hold. Unset is always, an empty list is never.
    #[serde(skip_serializing_if = "is_default")]
    pub decision_matches: Option<Vec<DecisionMatch>>,
    /// The actions, which appear in `status.remedyActions` of the clusters.
    #[serde(skip_serializing_if = "is_default")]
    pub actions: Vec<String>,
}

/// Clusters by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RemedyClusters {
    /// Names of the clusters; an empty list selects no cluster.
    #[serde(skip_serializing_if = "is_default")]
    pub cluster_names: Vec<String>,
}

/// A reason to act.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DecisionMatch {
    /// A condition of the cluster.
    #[serde(skip_serializing_if = "is_default")]
    pub cluster_condition_match: Option<ClusterConditionRequirement>,
}

/// A requirement on a condition of the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterConditionRequirement {
    /// Type of the condition; a condition that the cluster does not have never matches.
    pub condition_type: String,
    /// How the statuses are compared.
    pub operator: ConditionOperator,
    /// The status to compare with.
    pub condition_status: String,
}

/// How the status of a condition is compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionOperator {
    /// The same status.
    #[default]
    Equal,
    /// Another status.
    NotEqual,
}
