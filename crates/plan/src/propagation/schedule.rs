//! Scheduling: the target clusters of a binding and the replicas of each.
//!
//! One call decides about one binding from one snapshot of the clusters. Filters run first, then replicas are assigned.
//! A placement with a feature that this scheduler does not have is refused with an error that names the feature.

mod assign;
mod filter;

use portolan_api::cluster::Cluster;
use portolan_api::conditions;
use portolan_api::policy::{ClusterAffinity, Placement};
use portolan_api::work::TargetCluster;
use portolan_object::GroupVersionKind;

pub use filter::Rejection;

/// One binding to be placed.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Kind of the template: a cluster must serve it.
    pub kind: &'a GroupVersionKind,
    /// Uid of the template: decides ties.
    pub uid: &'a str,
    /// The constraints of its policy.
    pub placement: &'a Placement,
    /// Replicas to place; `None` for kinds without.
    pub replicas: Option<i64>,
    /// Current targets: a cluster stays a target in spite of a new taint or an API list that lost the kind.
    pub current: &'a [TargetCluster],
    /// Clusters from which it is being evicted.
    pub evicted_from: &'a [String],
    /// The group of `clusterAffinities` that was used last; an earlier one is not tried again.
    pub observed_affinity: &'a str,
}

/// The result of scheduling.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// The clusters, sorted by name.
    pub clusters: Vec<TargetCluster>,
    /// The group of `clusterAffinities` that was used; empty if the placement has none.
    pub affinity_name: String,
}

/// A binding cannot be placed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlacementError {
    /// No cluster passes the filters: the current targets are withdrawn.
    #[error("{0}")]
    NoFit(Explanation),
    /// The clusters have no room for all replicas: the current targets stay.
    #[error("Clusters available replicas {available} are not enough to schedule.")]
    NotEnough {
        /// Replicas for which there is room.
        available: i64,
    },
    /// The placement uses a feature that does not exist here.
    #[error("{asked} is not supported by this version of Portolan: {instead}")]
    Unsupported {
        /// The field and its value.
        asked: &'static str,
        /// The alternative.
        instead: &'static str,
    },
}

impl PlacementError {
    /// Reason of the binding's `Scheduled` condition.
    pub fn reason(&self) -> &'static str {
        match self {
            PlacementError::NoFit(_) => conditions::binding::NO_CLUSTER_FIT,
            PlacementError::NotEnough { .. } => conditions::binding::UNSCHEDULABLE,
            PlacementError::Unsupported { .. } => conditions::binding::SCHEDULER_ERROR,
        }
    }
}

/// The reasons for which clusters were rejected, with counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    total: usize,
    rejections: Vec<Rejection>,
    missing: Vec<String>,
}

impl std::fmt::Display for Explanation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.total == 0 {
            f.write_str("0/0 clusters are available: no cluster has joined yet.")?;
        } else {
            let mut texts: Vec<String> = self.rejections.iter().map(ToString::to_string).collect();
            texts.sort();
            let counted =
                texts.chunk_by(|one, other| one == other).map(|same| format!("{} {}", same.len(), same[0]));
            let mut reasons: Vec<String> = counted.collect();
            reasons.sort();
            write!(f, "0/{} clusters are available: {}.", self.total, reasons.join(", "))?;
        }
        if !self.missing.is_empty() {
            write!(f, " The placement names clusters that do not exist: {}.", self.missing.join(", "))?;
        }
        Ok(())
    }
}

/// Chooses the target clusters of a binding.
///
/// # Errors
/// See [`PlacementError`]; with several groups of clusters the error of the first group is reported.
pub fn schedule(request: &Request<'_>, clusters: &[&Cluster]) -> Result<Placed, PlacementError> {
    reject_unsupported(request.placement)?;
    let groups = &request.placement.cluster_affinities;
    if groups.is_empty() {
        let everything = ClusterAffinity::default();
        let affinity = request.placement.cluster_affinity.as_ref().unwrap_or(&everything);
        let clusters = place(request, affinity, clusters)?;
        return Ok(Placed { clusters, affinity_name: String::new() });
    }
    let first =
        groups.iter().position(|group| group.affinity_name == request.observed_affinity).unwrap_or_default();
    let mut failure = None;
    for group in &groups[first..] {
        match place(request, &group.affinity, clusters) {
            Ok(clusters) => return Ok(Placed { clusters, affinity_name: group.affinity_name.clone() }),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    Err(failure.expect("there is at least one group, and every one failed"))
}

fn place(
    request: &Request<'_>,
    affinity: &ClusterAffinity,
    clusters: &[&Cluster],
) -> Result<Vec<TargetCluster>, PlacementError> {
    let mut rejections = Vec::new();
    let mut feasible = Vec::new();
    for cluster in clusters {
        match filter::check(request, affinity, cluster) {
            Ok(()) => feasible.push(*cluster),
            Err(rejection) => rejections.push(rejection),
        }
    }
    if feasible.is_empty() {
        let exists = |name: &String| clusters.iter().any(|cluster| cluster.metadata.name == *name);
        let missing = affinity.cluster_names.iter().filter(|name| !exists(name)).cloned().collect();
        return Err(PlacementError::NoFit(Explanation { total: clusters.len(), rejections, missing }));
    }
    feasible.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
    Ok(assign::assign(request, &feasible))
}

/// Refuses placements with unsupported features before anything is placed.
fn reject_unsupported(placement: &Placement) -> Result<(), PlacementError> {
    use portolan_api::policy::{ReplicaDivisionPreference, ReplicaSchedulingType};
    let unsupported = |asked, instead| Err(PlacementError::Unsupported { asked, instead });
    if !placement.spread_constraints.is_empty() {
        return unsupported("placement.spreadConstraints", "name the clusters in clusterAffinity");
    }
    if placement.workload_affinity.is_some() {
        return unsupported("placement.workloadAffinity", "name the clusters in clusterAffinity");
    }
    if placement.cluster_affinities.iter().any(|group| !group.overflow_affinities.is_empty()) {
        return unsupported(
            "placement.clusterAffinities[].overflowAffinities",
            "list the group's clusters in one group",
        );
    }
    let Some(replicas) = &placement.replica_scheduling else { return Ok(()) };
    if replicas.replica_scheduling_type == ReplicaSchedulingType::Duplicated {
        return Ok(());
    }
    let static_weights = "use replicaDivisionPreference Weighted with a staticWeightList";
    if replicas.replica_division_preference == Some(ReplicaDivisionPreference::Aggregated) {
        return unsupported("replicaDivisionPreference Aggregated", static_weights);
    }
    if replicas.weight_preference.as_ref().is_some_and(|weights| weights.dynamic_weight.is_some()) {
        return unsupported("weightPreference.dynamicWeight", static_weights);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
