//! The spec that PropagationPolicy and ClusterPropagationPolicy share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::affinity::{ResourceSelector, SuspendClusters};
use super::failover::Failover;
use super::placement::Placement;
use crate::schema::{defaulted, is_default, optional};

/// Resources and their placement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PropagationSpec {
    /// The resources.
    #[schemars(length(min = 1))]
    pub resource_selectors: Vec<ResourceSelector>,
    /// Deprecated and without effect; see propagateDeps.
    #[serde(skip_serializing_if = "is_default")]
    pub association: bool,
    /// Whether resources that a resource refers to, such as ConfigMaps and Secrets, are propagated as well.
    #[serde(skip_serializing_if = "is_default")]
    pub propagate_deps: bool,
    /// The clusters.
    #[schemars(transform = optional)]
    pub placement: Placement,
    /// Of several policies that select a resource, the one with the highest priority gets it.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-portolan-default" = 0))]
    pub priority: Option<i32>,
    /// Whether the policy takes resources from policies of lower priority.
    #[schemars(transform = defaulted)]
    pub preemption: PreemptionBehavior,
    /// Override policies that must exist before anything is placed.
    #[serde(skip_serializing_if = "is_default")]
    pub dependent_overrides: Vec<String>,
    /// The scheduler that chooses among the clusters. Cannot be changed.
    #[schemars(transform = defaulted)]
    pub scheduler_name: String,
    /// Failover when a workload or its cluster fails; unset does nothing.
    #[serde(skip_serializing_if = "is_default")]
    pub failover: Option<Failover>,
    /// Resolution of conflicts with an object that a cluster already has.
    #[schemars(transform = defaulted)]
    pub conflict_resolution: ConflictResolution,
    /// When a change of the policy takes effect; immediately if unset.
    #[serde(skip_serializing_if = "is_default")]
    pub activation_preference: Option<ActivationPreference>,
    /// Suspended operations.
    #[serde(skip_serializing_if = "is_default")]
    pub suspension: Option<Suspension>,
    /// Whether objects stay in the clusters when resources are deleted on the control plane.
    #[serde(skip_serializing_if = "is_default")]
    pub preserve_resources_on_deletion: Option<bool>,
    /// Priority of scheduling.
    #[serde(skip_serializing_if = "is_default")]
    pub schedule_priority: Option<SchedulePriority>,
}

/// Scheduler of policies that name none.
pub(crate) const DEFAULT_SCHEDULER: &str = "default-scheduler";

impl Default for PropagationSpec {
    fn default() -> Self {
        Self {
            resource_selectors: Vec::new(),
            association: false,
            propagate_deps: false,
            placement: Placement::default(),
            priority: None,
            preemption: PreemptionBehavior::default(),
            dependent_overrides: Vec::new(),
            scheduler_name: DEFAULT_SCHEDULER.to_owned(),
            failover: None,
            conflict_resolution: ConflictResolution::default(),
            activation_preference: None,
            suspension: None,
            preserve_resources_on_deletion: None,
            schedule_priority: None,
        }
    }
}

impl PropagationSpec {
    /// The priority, 0 when unset.
    pub fn priority(&self) -> i32 {
        self.priority.unwrap_or_default()
    }
}

/// Whether a policy takes resources from policies of lower priority.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum PreemptionBehavior {
    /// Yes.
    Always,
    /// No.
    #[default]
    Never,
}

/// Resolution of conflicts with an object that a cluster already has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConflictResolution {
    /// The object stays unchanged, and the conflict is reported.
    #[default]
    Abort,
    /// The object is taken over.
    Overwrite,
}

impl ConflictResolution {
    /// The value of the annotation `work.karmada.io/conflict-resolution`.
    pub fn annotation(self) -> &'static str {
        match self {
            Self::Abort => "abort",
            Self::Overwrite => "overwrite",
        }
    }
}

/// When a change of the policy takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ActivationPreference {
    /// With the next change of each resource.
    Lazy,
}

/// Suspended operations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Suspension {
    /// No cluster gets changes. Not together with dispatchingOnClusters.
    #[serde(skip_serializing_if = "is_default")]
    pub dispatching: Option<bool>,
    /// These clusters get no changes.
    #[serde(skip_serializing_if = "is_default")]
    pub dispatching_on_clusters: Option<SuspendClusters>,
}

/// Priority of scheduling.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SchedulePriority {
    /// Source of the priority class.
    pub priority_class_source: PriorityClassSource,
    /// Name of the class.
    pub priority_class_name: String,
}

/// Source of a priority class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum PriorityClassSource {
    /// PriorityClass objects of `scheduling.k8s.io`.
    #[default]
    KubePriorityClass,
}
