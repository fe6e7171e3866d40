//! Metrics of an autoscaler (Kubernetes `autoscaling/v2` MetricSpec).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ScaleTargetReference;
use crate::meta::LabelSelector;
use crate::quantity::Quantity;
use crate::schema::{is_default, opaque_object};

/// One metric; the field of its type is set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MetricSpec {
    /// Resource, ContainerResource, Pods or Object.
    #[serde(rename = "type")]
    pub kind: String,
    /// Use of a resource by the pods.
    #[serde(skip_serializing_if = "is_default")]
    pub resource: Option<ResourceMetric>,
    /// Use of a resource by one container of the pods.
    #[serde(skip_serializing_if = "is_default")]
    pub container_resource: Option<ContainerResourceMetric>,
    /// Another metric of the pods.
    #[serde(skip_serializing_if = "is_default")]
    pub pods: Option<PodsMetric>,
    /// A metric of another object.
    #[serde(skip_serializing_if = "is_default")]
    pub object: Option<ObjectMetric>,
    /// A metric from outside; not supported.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(transform = opaque_object)]
    pub external: Option<Value>,
}

/// Use of a resource by the pods.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceMetric {
    /// Name of the resource: cpu or memory.
    pub name: String,
    /// The target.
    pub target: MetricTarget,
}

/// Use of a resource by one container of the pods.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerResourceMetric {
    /// Name of the resource: cpu or memory.
    pub name: String,
    /// Name of the container.
    pub container: String,
    /// The target.
    pub target: MetricTarget,
}

/// A metric of the pods from the custom metrics API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PodsMetric {
    /// The metric.
    pub metric: MetricIdentifier,
    /// The target.
    pub target: MetricTarget,
}

/// A metric of an object from the custom metrics API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectMetric {
    /// The object.
    pub described_object: ScaleTargetReference,
    /// The metric.
    pub metric: MetricIdentifier,
    /// The target.
    pub target: MetricTarget,
}

/// Name of a metric.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MetricIdentifier {
    /// Name.
    pub name: String,
    /// Selects among the series of the name.
    #[serde(skip_serializing_if = "is_default")]
    pub selector: Option<LabelSelector>,
}

/// Target of a metric; the field of its type is set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MetricTarget {
    /// Utilization, AverageValue or Value.
    #[serde(rename = "type")]
    pub kind: String,
    /// Percents of what the pods request, on average.
    #[serde(skip_serializing_if = "is_default")]
    pub average_utilization: Option<i32>,
    /// Value per pod.
    #[serde(skip_serializing_if = "is_default")]
    pub average_value: Option<Quantity>,
    /// Value of all together.
    #[serde(skip_serializing_if = "is_default")]
    pub value: Option<Quantity>,
}
