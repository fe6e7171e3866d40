//! The spec that PropagationPolicy and ClusterPropagationPolicy share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::affinity::{ResourceSelector, SuspendClusters};
use super::failover::Failover;
use super::placement::Placement;
use crate::schema::{defaulted, is_default, optional};

/// What is placed, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PropagationSpec {
    /// The resources.
    #[schemars(length(min = 1))]
    pub resource_selectors: Vec<ResourceSelector>,
    /// Deprecated and without effect; see propagateDeps.
    #[serde(skip_serializing_if = "is_default")]
    pub association: bool,
    /// Whether what a resource refers to, such as ConfigMaps and Secrets, goes along.
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
    /// What happens when a workload, or its cluster, fails; unset does nothing.
    #[serde(skip_serializing_if = "is_default")]
    pub failover: Option<Failover>,
    /// What happens when a cluster already has the resource.
    #[schemars(transform = defaulted)]
    pub conflict_resolution: ConflictResolution,
    /// Whether a change of the policy takes effect at once; unset is at once.
    #[serde(skip_serializing_if = "is_default")]
    pub activation_preference: Option<ActivationPreference>,
    /// What is held back.
    #[serde(skip_serializing_if = "is_default")]
    pub suspension: Option<Suspension>,
    /// Whether resources stay in the clusters when they are deleted here.
    #[serde(skip_serializing_if = "is_default")]
    pub preserve_resources_on_deletion: Option<bool>,
    /// How urgent scheduling is.
    #[serde(skip_serializing_if = "is_default")]
    pub schedule_priority: Option<SchedulePriority>,
}

/// The scheduler that policies mean when they name none.
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
    /// It does.
    Always,
    /// It does not.
    #[default]
    Never,
}

/// What happens when a cluster already has a resource that is not ours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConflictResolution {
    /// Nothing; the conflict is reported.
    #[default]
    Abort,
    /// It becomes ours.
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

/// What is held back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Suspension {
    /// Nothing is dispatched to any cluster. Not together with dispatchingOnClusters.
    #[serde(skip_serializing_if = "is_default")]
    pub dispatching: Option<bool>,
    /// Nothing is dispatched to these clusters.
    #[serde(skip_serializing_if = "is_default")]
    pub dispatching_on_clusters: Option<SuspendClusters>,
}

/// How urgent scheduling is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SchedulePriority {
    /// Where the class is looked up.
    pub priority_class_source: PriorityClassSource,
    /// Name of the class.
    pub priority_class_name: String,
}

/// Where a priority class is looked up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum PriorityClassSource {
    /// Among the PriorityClass objects of `scheduling.k8s.io`.
    #[default]
    KubePriorityClass,
}
