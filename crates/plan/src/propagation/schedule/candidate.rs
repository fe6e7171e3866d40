//! The clusters that passed the filters, in the order in which they are preferred.

use std::cmp::Ordering;

use portolan_api::cluster::Cluster;

use super::request::Request;

/// Score of a cluster that is a target now (karmada pkg/scheduler/framework/plugins/clusterlocality).
const LOCALITY: i64 = 100;
/// Room of a cluster that no estimate limits, for what has no number of replicas.
const UNLIMITED: i64 = i32::MAX as i64;

/// A cluster that passed the filters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) cluster: &'a Cluster,
    /// 0 for the clusters of the affinity, n for those of its n-th overflow affinity.
    pub(super) tier: usize,
    /// Preference among clusters of one tier.
    pub(super) score: i64,
    /// Replicas that it has now.
    pub(super) assigned: i64,
    /// Replicas for which it has room besides.
    pub(super) allocatable: i64,
}

impl<'a> Candidate<'a> {
    pub(super) fn new(request: &Request<'_>, cluster: &'a Cluster, tier: usize) -> Self {
        let name = &cluster.metadata.name;
        let unlimited = request.divisible().unwrap_or(UNLIMITED);
        Self {
            cluster,
            tier,
            score: if request.is_target(name) { LOCALITY } else { 0 },
            assigned: request.assigned(name),
            allocatable: request.estimates.room(name).unwrap_or(unlimited),
        }
    }

    /// The candidate as if it were a target with these replicas, or none.
    pub(super) fn set_target(&mut self, is_target: bool, replicas: i64) {
        self.score = if is_target { LOCALITY } else { 0 };
        self.assigned = if is_target { replicas } else { 0 };
    }

    pub(super) fn name(&self) -> &'a str {
        &self.cluster.metadata.name
    }

    /// Replicas that it could have in total.
    pub(super) fn available(&self) -> i64 {
        self.allocatable.saturating_add(self.assigned)
    }

    /// Preferred clusters first: lower tier, higher score, more room, name (karmada
    /// pkg/scheduler/core/spreadconstraint/util.go).
    pub(super) fn by_preference(&self, other: &Self) -> Ordering {
        self.tier
            .cmp(&other.tier)
            .then(other.score.cmp(&self.score))
            .then(other.available().cmp(&self.available()))
            .then(self.name().cmp(other.name()))
    }
}
