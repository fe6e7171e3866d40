//! Failover: when a workload is moved to another cluster, and which state it keeps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{defaulted, is_default};

/// Failover when a workload or its cluster fails.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Failover {
    /// Failover of an unhealthy workload; unset leaves it in its cluster.
    #[serde(skip_serializing_if = "is_default")]
    pub application: Option<ApplicationFailover>,
    /// Failover from a failed cluster.
    #[serde(skip_serializing_if = "is_default")]
    pub cluster: Option<ClusterFailover>,
}

/// Failover of an unhealthy workload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ApplicationFailover {
    /// Condition under which the workload has failed.
    pub decision_conditions: DecisionConditions,
    /// Order of deletion and creation.
    #[schemars(transform = defaulted)]
    pub purge_mode: PurgeMode,
    /// Seconds to wait, with purge mode Gracefully, for the workload to become healthy elsewhere.
    #[serde(skip_serializing_if = "is_default")]
    pub grace_period_seconds: Option<i32>,
    /// Fields of the old status that the new workload gets as labels.
    #[serde(skip_serializing_if = "is_default")]
    pub state_preservation: Option<StatePreservation>,
}

/// Failover from a failed cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterFailover {
    /// Order of deletion and creation.
    #[schemars(transform = defaulted, extend("enum" = ["Directly", "Gracefully"]))]
    pub purge_mode: PurgeMode,
    /// Fields of the old status that the new workload gets as labels.
    #[serde(skip_serializing_if = "is_default")]
    pub state_preservation: Option<StatePreservation>,
}

/// Condition under which a workload has failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DecisionConditions {
    /// Seconds for which it may be unhealthy.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-portolan-default" = 300))]
    pub toleration_seconds: Option<i32>,
}

/// Order of deletion and creation when a workload is moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum PurgeMode {
    /// Deletes it immediately.
    Directly,
    /// Deletes it when it is healthy elsewhere, or after the grace period.
    #[default]
    Gracefully,
    /// The user deletes it.
    Never,
}

/// Fields of the old status that the new workload gets as labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StatePreservation {
    /// One rule per label.
    pub rules: Vec<StatePreservationRule>,
}

/// One field of the old status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StatePreservationRule {
    /// Name of the label.
    pub alias_label_name: String,
    /// JSONPath of the value within the status.
    pub json_path: String,
}
