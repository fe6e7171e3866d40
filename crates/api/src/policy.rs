//! Group `policy.karmada.io/v1alpha1`: what goes where, how it differs there, how much may be used.
//!
//! The namespaced and the cluster-scoped form of a policy share one spec.

mod affinity;
mod failover;
mod overrides;
mod placement;
mod propagation;
pub mod protected;
mod quota;
mod taint;

pub use affinity::{
    ClusterAffinity, ClusterAffinityTerm, FieldSelector, OverflowAffinityTerm, ResourceSelector,
    SuspendClusters,
};
pub use failover::{
    ApplicationFailover, ClusterFailover, DecisionConditions, Failover, PurgeMode, StatePreservation,
    StatePreservationRule,
};
pub use overrides::{
    ArgsOverrider, CommandOverrider, FieldOverrider, FieldPatch, ImageComponent, ImageOverrider,
    ImagePredicate, ListOperator, MapOverrider, OverrideOperator, OverrideRule, OverrideSpec, Overriders,
    PlaintextOverrider,
};
pub use placement::{
    ClusterPreferences, DynamicWeight, Placement, ReplicaDivisionPreference, ReplicaScheduling,
    ReplicaSchedulingType, SpreadConstraint, SpreadField, StaticClusterWeight, WorkloadAffinity,
    WorkloadAffinityTerm,
};
pub use propagation::{
    ActivationPreference, ConflictResolution, PreemptionBehavior, PriorityClassSource, PropagationSpec,
    SchedulePriority, Suspension,
};
pub use quota::{
    ClusterQuotaStatus, FederatedResourceQuotaSpec, FederatedResourceQuotaStatus, ResourceList,
    StaticClusterAssignment,
};
pub use taint::{ClusterTaintPolicySpec, MatchCondition, PolicyTaint};

use crate::kind::kind;
use crate::schema::is_default;

kind! {
    /// Places resources of its namespace into clusters.
    PropagationPolicy, "policy.karmada.io", "v1alpha1", "propagationpolicies", Namespaced {
        /// Resources and their placement.
        spec: PropagationSpec,
    }
}

kind! {
    /// Places resources of any namespace, and cluster-scoped ones, into clusters.
    ClusterPropagationPolicy, "policy.karmada.io", "v1alpha1", "clusterpropagationpolicies", Cluster {
        /// Resources and their placement.
        spec: PropagationSpec,
    }
}

kind! {
    /// Changes resources of its namespace on their way into clusters.
    OverridePolicy, "policy.karmada.io", "v1alpha1", "overridepolicies", Namespaced {
        /// Resources, clusters and changes.
        spec: OverrideSpec,
    }
}

kind! {
    /// Changes resources of any namespace, and cluster-scoped ones, on their way into clusters.
    ClusterOverridePolicy, "policy.karmada.io", "v1alpha1", "clusteroverridepolicies", Cluster {
        /// Resources, clusters and changes.
        spec: OverrideSpec,
    }
}

kind! {
    /// Limits what a namespace may use in all clusters together.
    FederatedResourceQuota, "policy.karmada.io", "v1alpha1", "federatedresourcequotas", Namespaced {
        /// The limits.
        spec: FederatedResourceQuotaSpec,
        /// Observed use.
        #[serde(skip_serializing_if = "is_default")]
        status: FederatedResourceQuotaStatus,
    }
}

kind! {
    /// Taints clusters according to their conditions.
    ClusterTaintPolicy, "policy.karmada.io", "v1alpha1", "clustertaintpolicies", Cluster {
        /// Rules that taint clusters by their conditions.
        spec: ClusterTaintPolicySpec,
    }
}
