//! How replicas are distributed over the chosen clusters.

use portolan_api::policy::{Placement, ReplicaDivisionPreference, ReplicaSchedulingType};

use super::request::Request;

/// How replicas are distributed over the chosen clusters (karmada pkg/scheduler/core/assignment.go).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// A copy in each cluster: objects without replicas, and workloads with several components.
    Copied,
    /// All replicas in each cluster.
    Duplicated,
    /// Divided by the weights in the policy.
    StaticWeight,
    /// Divided by the room in the clusters.
    DynamicWeight,
    /// Divided over as few clusters as have room.
    Aggregated,
}

impl Strategy {
    /// The strategy of a request.
    pub(super) fn of(request: &Request<'_>) -> Self {
        if request.divisible().is_none() { Self::Copied } else { Self::asked(request.placement) }
    }

    /// The strategy that the placement asks for, which objects without replicas do not follow.
    pub(super) fn asked(placement: &Placement) -> Self {
        let Some(scheduling) = &placement.replica_scheduling else { return Self::Duplicated };
        if scheduling.replica_scheduling_type == ReplicaSchedulingType::Duplicated {
            return Self::Duplicated;
        }
        match (scheduling.replica_division_preference, &scheduling.weight_preference) {
            (Some(ReplicaDivisionPreference::Aggregated), _) => Self::Aggregated,
            (_, Some(weights)) if weights.dynamic_weight.is_some() => Self::DynamicWeight,
            _ => Self::StaticWeight,
        }
    }

    /// Whether the clusters must have room for the replicas.
    pub(super) fn needs_room(self) -> bool {
        matches!(self, Self::DynamicWeight | Self::Aggregated)
    }
}
