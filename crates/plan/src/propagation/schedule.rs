//! Which clusters a binding goes to, and how many replicas each of them gets.
//!
//! One call decides for one binding from one picture of the clusters. Filters come first, then replicas are assigned.
//! What the placement asks for and this scheduler cannot do ends in an error that says so, never in a guess.

mod assign;
mod filter;

use portolan_api::cluster::Cluster;
use portolan_api::policy::{ClusterAffinity, Placement};
use portolan_api::work::TargetCluster;
use portolan_object::GroupVersionKind;

pub use filter::Rejection;

/// What is to be placed.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Kind of the template: a cluster must serve it.
    pub kind: &'a GroupVersionKind,
    /// Uid of the template: decides ties.
    pub uid: &'a str,
    /// Where it may go.
    pub placement: &'a Placement,
    /// Replicas to place; `None` for kinds without.
    pub replicas: Option<i64>,
    /// Where it is now: a cluster keeps what it has in spite of a new taint or an API list that lost the kind.
    pub current: &'a [TargetCluster],
    /// Clusters that it is being moved away from.
    pub evicted_from: &'a [String],
    /// The group of `clusterAffinities` that was used last; an earlier one is not tried again.
    pub observed_affinity: &'a str,
}

/// Where it goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// The clusters, sorted by name.
    pub clusters: Vec<TargetCluster>,
    /// The group of `clusterAffinities` that worked; empty when the placement has none.
    pub affinity_name: String,
}

/// Why it cannot be placed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Unplaced {
    /// No cluster passes the filters: what was placed before is withdrawn.
    #[error("{0}")]
    NoFit(Explanation),
    /// The clusters do not take all replicas: what was placed before stays.
    #[error("Clusters available replicas {available} are not enough to schedule.")]
    NotEnough {
        /// Replicas that there is room for.
        available: i64,
    },
    /// The placement asks for something that does not exist here.
    #[error("{asked} is not supported by this version of Portolan: {instead}")]
    Unsupported {
        /// The field and its value.
        asked: &'static str,
        /// What to use.
        instead: &'static str,
    },
}

impl Unplaced {
    /// Reason of the binding's `Scheduled` condition.
    pub fn reason(&self) -> &'static str {
        match self {
            Unplaced::NoFit(_) => "NoClusterFit",
            Unplaced::NotEnough { .. } => "Unschedulable",
            Unplaced::Unsupported { .. } => "SchedulerError",
        }
    }
}

/// Why each cluster was rejected, as a sentence with counts.
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

/// Decides where a binding goes.
///
/// # Errors
/// See [`Unplaced`]; with several groups of clusters the error of the first group is reported.
pub fn schedule(request: &Request<'_>, clusters: &[&Cluster]) -> Result<Placed, Unplaced> {
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
) -> Result<Vec<TargetCluster>, Unplaced> {
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
        return Err(Unplaced::NoFit(Explanation { total: clusters.len(), rejections, missing }));
    }
    feasible.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
    Ok(assign::assign(request, &feasible))
}

/// Finds what the placement asks for in vain, before anything is placed by half of it.
fn reject_unsupported(placement: &Placement) -> Result<(), Unplaced> {
    use portolan_api::policy::{ReplicaDivisionPreference, ReplicaSchedulingType};
    let unsupported = |asked, instead| Err(Unplaced::Unsupported { asked, instead });
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
