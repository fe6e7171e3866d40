//! The clusters that one attempt may use: those of an affinity, and those of its overflow affinities behind them.

use portolan_api::cluster::Cluster;
use portolan_api::policy::{ClusterAffinity, ClusterAffinityTerm, OverflowAffinityTerm, Placement};

use super::request::Request;
use crate::propagation::affinity;

/// One attempt: tier 0 is the affinity itself, tier n its n-th overflow affinity.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tiers<'a> {
    /// Name of the group of `clusterAffinities`; empty without.
    pub(super) name: &'a str,
    /// `None` selects every cluster.
    main: Option<&'a ClusterAffinity>,
    /// Only for workloads: other objects need no capacity, so that there is nothing to overflow.
    overflow: &'a [OverflowAffinityTerm],
}

impl<'a> Tiers<'a> {
    /// The attempts in their order: one for a single affinity, else one for each group from the observed one on (karmada
    /// pkg/scheduler/scheduler.go). An earlier group is not tried again unless the request is fresh.
    pub(super) fn of(request: &Request<'a>) -> Vec<Self> {
        let Placement { cluster_affinity, cluster_affinities, .. } = request.placement;
        if cluster_affinities.is_empty() {
            return vec![Self { main: cluster_affinity.as_ref(), ..Self::default() }];
        }
        let observed = |group: &ClusterAffinityTerm| group.affinity_name == request.observed_affinity;
        let first = if request.is_fresh { None } else { cluster_affinities.iter().position(observed) };
        let group = |group: &'a ClusterAffinityTerm| Self {
            name: &group.affinity_name,
            main: Some(&group.affinity),
            overflow: if request.is_workload() { &group.overflow_affinities } else { &[] },
        };
        cluster_affinities[first.unwrap_or_default()..].iter().map(group).collect()
    }

    /// The tier of a cluster; `None` if the attempt does not use it.
    pub(super) fn tier(&self, cluster: &Cluster) -> Option<usize> {
        if self.main.is_none_or(|main| affinity::matches(main, cluster)) {
            return Some(0);
        }
        let overflow = self.overflow.iter().position(|term| affinity::matches(&term.affinity, cluster));
        overflow.map(|position| position + 1)
    }

    /// Whether there are overflow affinities, which are filled one after the other.
    pub(super) fn overflows(&self) -> bool {
        !self.overflow.is_empty()
    }

    /// The names that the affinities list and that are not among `clusters`, which are sorted.
    pub(super) fn missing(&self, clusters: &[&str]) -> Vec<String> {
        let overflow = self.overflow.iter().map(|term| &term.affinity);
        let names = self.main.into_iter().chain(overflow).flat_map(|affinity| &affinity.cluster_names);
        names.filter(|name| clusters.binary_search(&name.as_str()).is_err()).cloned().collect()
    }
}
