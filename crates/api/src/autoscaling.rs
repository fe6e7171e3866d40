//! Group `autoscaling.karmada.io/v1alpha1`: scaling by metrics of all clusters, and by the time of day.

mod behavior;
mod cron;
mod metrics;
mod schedule;
mod status;

pub use behavior::{Behavior, ScalingPolicy, ScalingRules};
pub use cron::{
    CronFederatedHpaSpec, CronFederatedHpaStatus, CronRule, ExecutionHistory, FailedExecution,
    SuccessfulExecution,
};
pub use metrics::{
    ContainerResourceMetric, MetricIdentifier, MetricSpec, MetricTarget, ObjectMetric, PodsMetric,
    ResourceMetric,
};
pub use schedule::{Schedule, ScheduleError};
pub use status::{
    AutoscalerCondition, AutoscalerStatus, ContainerResourceStatus, MetricStatus, MetricValue, ResourceStatus,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kind::kind;
use crate::schema::is_default;

kind! {
    /// Scales a workload by metrics of all clusters.
    FederatedHPA, "autoscaling.karmada.io", "v1alpha1", "federatedhpas", Namespaced {
        /// Target, limits, metrics and behavior.
        spec: FederatedHpaSpec,
        /// Observed state.
        #[serde(skip_serializing_if = "is_default")]
        status: AutoscalerStatus,
    }
}

kind! {
    /// Scales a workload, or the limits of a FederatedHPA, by the time of day.
    CronFederatedHPA, "autoscaling.karmada.io", "v1alpha1", "cronfederatedhpas", Namespaced {
        /// Target and rules.
        spec: CronFederatedHpaSpec,
        /// Results of the rules.
        #[serde(skip_serializing_if = "is_default")]
        status: CronFederatedHpaStatus,
    }
}

/// An object in the namespace of the autoscaler.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ScaleTargetReference {
    /// API version.
    #[serde(skip_serializing_if = "is_default")]
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
}

/// Target, limits, metrics and behavior.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FederatedHpaSpec {
    /// The workload: any kind with a scale subresource.
    pub scale_target_ref: ScaleTargetReference,
    /// Smallest number of replicas; 1 if unset.
    #[serde(skip_serializing_if = "is_default")]
    pub min_replicas: Option<i32>,
    /// Largest number of replicas.
    pub max_replicas: i32,
    /// Metrics, of which the one that needs the most replicas decides. If empty, 80 % of the requested CPU.
    #[serde(skip_serializing_if = "is_default")]
    pub metrics: Vec<MetricSpec>,
    /// How fast it scales.
    #[serde(skip_serializing_if = "is_default")]
    pub behavior: Option<Behavior>,
}
