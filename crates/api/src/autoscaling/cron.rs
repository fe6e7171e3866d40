//! Rules of a CronFederatedHPA and their results.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ScaleTargetReference;
use crate::schema::is_default;

/// Target and rules.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CronFederatedHpaSpec {
    /// A FederatedHPA, or a workload with a scale subresource.
    pub scale_target_ref: ScaleTargetReference,
    /// When to scale, and to what.
    pub rules: Vec<CronRule>,
}

/// When to scale, and to what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CronRule {
    /// Name, by which the history is kept.
    #[schemars(length(min = 1, max = 32))]
    pub name: String,
    /// When to scale, in the syntax of CronJobs.
    pub schedule: String,
    /// Replicas of a workload.
    #[serde(skip_serializing_if = "is_default")]
    pub target_replicas: Option<i32>,
    /// `minReplicas` of a FederatedHPA; unset leaves it.
    #[serde(skip_serializing_if = "is_default")]
    pub target_min_replicas: Option<i32>,
    /// `maxReplicas` of a FederatedHPA; unset leaves it.
    #[serde(skip_serializing_if = "is_default")]
    pub target_max_replicas: Option<i32>,
    /// Whether the rule rests.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-portolan-default" = false))]
    pub suspend: Option<bool>,
    /// Name of the time zone of the schedule, such as `Europe/Berlin`; UTC if unset.
    #[serde(skip_serializing_if = "is_default")]
    pub time_zone: Option<String>,
    /// Number of successful executions that are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 32), extend("x-portolan-default" = 3))]
    pub successful_history_limit: Option<i32>,
    /// Number of failed executions that are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 32), extend("x-portolan-default" = 3))]
    pub failed_history_limit: Option<i32>,
}

/// Results of the rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CronFederatedHpaStatus {
    /// One entry per rule.
    #[serde(skip_serializing_if = "is_default")]
    pub execution_histories: Vec<ExecutionHistory>,
}

/// Results of one rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ExecutionHistory {
    /// The rule.
    pub rule_name: String,
    /// The next time to scale; unset while the rule rests.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("format" = "date-time"))]
    pub next_execution_time: Option<String>,
    /// Successful executions, the latest first.
    #[serde(skip_serializing_if = "is_default")]
    pub successful_executions: Vec<SuccessfulExecution>,
    /// Failed executions, the latest first.
    #[serde(skip_serializing_if = "is_default")]
    pub failed_executions: Vec<FailedExecution>,
}

/// A successful execution.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SuccessfulExecution {
    /// The time that the rule names.
    #[schemars(extend("format" = "date-time"))]
    pub schedule_time: String,
    /// The time of the execution.
    #[schemars(extend("format" = "date-time"))]
    pub execution_time: String,
    /// Replicas that were written.
    #[serde(skip_serializing_if = "is_default")]
    pub applied_replicas: Option<i32>,
    /// `maxReplicas` that were written.
    #[serde(skip_serializing_if = "is_default")]
    pub applied_max_replicas: Option<i32>,
    /// `minReplicas` that were written.
    #[serde(skip_serializing_if = "is_default")]
    pub applied_min_replicas: Option<i32>,
}

/// A failed execution.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FailedExecution {
    /// The time that the rule names.
    #[schemars(extend("format" = "date-time"))]
    pub schedule_time: String,
    /// The time of the execution.
    #[schemars(extend("format" = "date-time"))]
    pub execution_time: String,
    /// Message for people.
    pub message: String,
}
