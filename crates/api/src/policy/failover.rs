//! Failover: when a workload leaves a cluster, and what it takes along.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{defaulted, is_default};

/// What happens when a workload, or its cluster, fails.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Failover {
    /// When the workload is unhealthy; unset leaves it where it is.
    #[serde(skip_serializing_if = "is_default")]
    pub application: Option<ApplicationFailover>,
    /// When the cluster fails.
    #[serde(skip_serializing_if = "is_default")]
    pub cluster: Option<ClusterFailover>,
}

/// Failover of an unhealthy workload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ApplicationFailover {
    /// When the workload counts as failed.
    pub decision_conditions: DecisionConditions,
    /// How it leaves the old cluster.
    #[schemars(transform = defaulted)]
    pub purge_mode: PurgeMode,
    /// Seconds to wait, with purge mode Gracefully, for the workload to become healthy elsewhere.
    #[serde(skip_serializing_if = "is_default")]
    pub grace_period_seconds: Option<i32>,
    /// Parts of the old status that the new workload gets as labels.
    #[serde(skip_serializing_if = "is_default")]
    pub state_preservation: Option<StatePreservation>,
}

/// Failover from a failed cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterFailover {
    /// How workloads leave the cluster.
    #[schemars(transform = defaulted, extend("enum" = ["Directly", "Gracefully"]))]
    pub purge_mode: PurgeMode,
    /// Parts of the old status that the new workload gets as labels.
    #[serde(skip_serializing_if = "is_default")]
    pub state_preservation: Option<StatePreservation>,
}

/// When a workload counts as failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DecisionConditions {
    /// Seconds for which it may be unhealthy.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-portolan-default" = 300))]
    pub toleration_seconds: Option<i32>,
}

/// How a workload leaves a cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum PurgeMode {
    /// At once.
    Directly,
    /// When it is healthy elsewhere, or after the grace period.
    #[default]
    Gracefully,
    /// Only by the user's hand.
    Never,
}

/// Parts of the old status that the new workload gets as labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StatePreservation {
    /// One rule per label.
    pub rules: Vec<StatePreservationRule>,
}

/// One part of the old status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StatePreservationRule {
    /// Name of the label.
    pub alias_label_name: String,
    /// Where the value stands, as a JSONPath within the status.
    pub json_path: String,
}
