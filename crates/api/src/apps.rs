//! Group `apps.karmada.io/v1alpha1`: requests to schedule workloads again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kind::kind;
use crate::schema::is_default;

kind! {
    /// Requests that workloads are scheduled again, once.
    WorkloadRebalancer, "apps.karmada.io", "v1alpha1", "workloadrebalancers", Cluster {
        /// The workloads.
        spec: WorkloadRebalancerSpec,
        /// The result for each workload.
        #[serde(skip_serializing_if = "is_default")]
        status: WorkloadRebalancerStatus,
    }
}

/// The workloads to schedule again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadRebalancerSpec {
    /// The workloads.
    #[schemars(length(min = 1))]
    pub workloads: Vec<WorkloadReference>,
    /// Seconds after which the finished request is deleted; unset keeps it.
    #[serde(skip_serializing_if = "is_default")]
    pub ttl_seconds_after_finished: Option<i32>,
}

/// A workload of the control plane. Ordered by API version, kind, namespace and name.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadReference {
    /// API version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Namespace; empty for cluster-scoped resources.
    #[serde(skip_serializing_if = "is_default")]
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// The result for each workload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadRebalancerStatus {
    /// The workloads of the spec, and those of an earlier spec that were requested.
    #[serde(skip_serializing_if = "is_default")]
    pub observed_workloads: Vec<ObservedWorkload>,
    /// Generation that the result is about.
    #[serde(skip_serializing_if = "is_default")]
    pub observed_generation: i64,
    /// Time at which every workload had a result.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("format" = "date-time"))]
    pub finish_time: Option<String>,
}

/// The result for one workload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ObservedWorkload {
    /// The workload.
    pub workload: WorkloadReference,
    /// The result; unset while it is pending.
    #[serde(skip_serializing_if = "is_default")]
    pub result: Option<RebalanceResult>,
    /// Why it failed, as one word for programs.
    #[serde(skip_serializing_if = "is_default")]
    pub reason: String,
}

/// Result of a request for one workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RebalanceResult {
    /// The request is written to the binding of the workload.
    Successful,
    /// The workload has no binding.
    Failed,
}

/// `reason` of a workload without a binding.
pub const REFERENCED_BINDING_NOT_FOUND: &str = "ReferencedBindingNotFound";
