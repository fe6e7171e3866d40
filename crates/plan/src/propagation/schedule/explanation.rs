//! Every step of one scheduling, for people who ask why a workload is where it is.

use portolan_api::work::TargetCluster;

use super::assign::Division;
use super::error::PlacementError;
use super::filter::Rejection;
use super::spread::Spread;

/// The result of scheduling.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// The clusters, sorted by name.
    pub clusters: Vec<TargetCluster>,
    /// The group of `clusterAffinities` that was used; empty if the placement has none.
    pub affinity_name: String,
}

/// Every step of one scheduling, and its result.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation<'a> {
    /// The groups of `clusterAffinities` that were tried, in this order; one without a name for other placements.
    pub attempts: Vec<Attempt<'a>>,
    /// Fields of the placement that have no effect on this binding, as sentences.
    pub notes: Vec<&'static str>,
    /// The result; of several failed attempts the error of the first.
    pub result: Result<Placed, PlacementError>,
}

/// One attempt to place a binding.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt<'a> {
    /// The group of `clusterAffinities`; empty if the placement has none.
    pub affinity_name: &'a str,
    /// Every cluster, sorted by name.
    pub clusters: Vec<ClusterVerdict<'a>>,
    /// The groups of the spread constraints, the outermost first.
    pub spreads: Vec<Spread<'a>>,
    /// The divisions of replicas: none if replicas are not divided, one for each tier that was used.
    pub divisions: Vec<Division<'a>>,
    /// The reason for which it failed.
    pub error: Option<PlacementError>,
}

/// The decision about one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterVerdict<'a> {
    /// Name of the cluster.
    pub cluster: &'a str,
    /// The decision.
    pub verdict: Verdict,
}

/// The decision about one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It did not pass the filters.
    Rejected(Rejection),
    /// It passed the filters.
    Fits(Standing),
}

/// A cluster among those that passed the filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// 0 for the clusters of the affinity, n for those of its n-th overflow affinity.
    pub tier: usize,
    /// Preference among clusters of one tier.
    pub score: i64,
    /// Replicas that it had before.
    pub assigned: i64,
    /// Replicas for which it has room besides.
    pub allocatable: i64,
    /// Whether it was chosen.
    pub choice: Choice,
}

/// Whether a cluster that passed the filters was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// It is a target, with this number of replicas; 0 for what has no replicas.
    Chosen {
        /// Its replicas.
        replicas: i64,
    },
    /// The spread constraints are met without it.
    NotNeeded,
    /// The division gives it no replicas.
    NoReplicas,
    /// The attempt failed before the choice.
    Undecided,
}
