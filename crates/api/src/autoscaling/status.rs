//! Observed state of an autoscaler (Kubernetes `autoscaling/v2` HorizontalPodAutoscalerStatus).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::ConditionStatus;
use crate::quantity::Quantity;
use crate::schema::is_default;

/// Observed state of an autoscaler.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AutoscalerStatus {
    /// Generation that was observed.
    #[serde(skip_serializing_if = "is_default")]
    pub observed_generation: Option<i64>,
    /// Time of the last change of the replicas.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("format" = "date-time"))]
    pub last_scale_time: Option<String>,
    /// Replicas of the workload at the last look.
    #[serde(skip_serializing_if = "is_default")]
    pub current_replicas: i32,
    /// Replicas that were last computed.
    pub desired_replicas: i32,
    /// The metrics at the last look, in the order of the spec.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub current_metrics: Vec<MetricStatus>,
    /// AbleToScale, ScalingActive and ScalingLimited.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<AutoscalerCondition>,
}

/// A condition of an autoscaler; reason and message may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AutoscalerCondition {
    /// `type`, such as `ScalingActive`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `status`.
    pub status: ConditionStatus,
    /// Time of the last change of `status`.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("format" = "date-time"))]
    pub last_transition_time: Option<String>,
    /// Reason, as one word for programs.
    #[serde(skip_serializing_if = "is_default")]
    pub reason: String,
    /// Message for people.
    #[serde(skip_serializing_if = "is_default")]
    pub message: String,
}

/// A metric at the last look; the field of its type is set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MetricStatus {
    /// Resource or ContainerResource; empty if the metric could not be read.
    #[serde(rename = "type")]
    pub kind: String,
    /// Use of a resource by the pods.
    #[serde(skip_serializing_if = "is_default")]
    pub resource: Option<ResourceStatus>,
    /// Use of a resource by one container of the pods.
    #[serde(skip_serializing_if = "is_default")]
    pub container_resource: Option<ContainerResourceStatus>,
}

/// Use of a resource by the pods.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceStatus {
    /// Name of the resource.
    pub name: String,
    /// The value.
    pub current: MetricValue,
}

/// Use of a resource by one container of the pods.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerResourceStatus {
    /// Name of the resource.
    pub name: String,
    /// Name of the container.
    pub container: String,
    /// The value.
    pub current: MetricValue,
}

/// The value of a metric.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MetricValue {
    /// Percents of what the pods request, on average.
    #[serde(skip_serializing_if = "is_default")]
    pub average_utilization: Option<i32>,
    /// Value per pod.
    #[serde(skip_serializing_if = "is_default")]
    pub average_value: Option<Quantity>,
}
