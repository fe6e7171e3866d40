//! What one scheduling needs to know about a binding.

use std::collections::{BTreeMap, BTreeSet};

use portolan_api::meta::ObjectMeta;
use portolan_api::policy::Placement;
use portolan_api::work::{Component, ResourceBindingSpec, TargetCluster};
use portolan_object::{GroupVersion, GroupVersionKind};

use crate::failover::failed_clusters;
use crate::propagation::reschedule::{View, is_fresh};

/// One binding to be placed.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Kind of the template: a cluster must serve it.
    pub kind: GroupVersionKind,
    /// Uid of the template: decides ties.
    pub uid: &'a str,
    /// The constraints of its policy.
    pub placement: &'a Placement,
    /// Replicas to place; `None` for objects without, and for workloads that are scaled to zero.
    pub replicas: Option<i64>,
    /// Components of a workload with several pod templates. Two or more are placed as a whole and not divided.
    pub components: &'a [Component],
    /// Current targets: a cluster stays a target in spite of a new taint or an API list that lost the kind.
    pub current: &'a [TargetCluster],
    /// Clusters from which it is being evicted.
    pub evicted_from: Vec<&'a str>,
    /// Clusters that the workload left because it was unhealthy there; they are chosen only if no other placement is
    /// possible.
    pub failed_in: BTreeSet<String>,
    /// The group of `clusterAffinities` that was used last; an earlier one is not tried again.
    pub observed_affinity: &'a str,
    /// Whether to forget the current targets: the first group of clusters is tried again, and replicas are divided as for
    /// a new workload.
    pub is_fresh: bool,
    /// Room for replicas in the clusters.
    pub estimates: &'a Estimates,
    /// Workloads that must share clusters with this one, and workloads that must not.
    pub peers: Peers<'a>,
}

impl<'a> Request<'a> {
    /// The request for a binding; `None` without a placement, as bindings of dependencies are.
    pub fn of(binding: View<'a>, estimates: &'a Estimates, peers: Peers<'a>) -> Option<Self> {
        let spec = binding.spec;
        let version: GroupVersion =
            spec.resource.api_version.parse().unwrap_or_else(|_| GroupVersion::new("", ""));
        Some(Self {
            kind: version.kind(&*spec.resource.kind),
            uid: &spec.resource.uid,
            placement: spec.placement.as_ref()?,
            replicas: (spec.replicas > 0).then_some(i64::from(spec.replicas)),
            components: &spec.components,
            current: &spec.clusters,
            evicted_from: spec
                .graceful_eviction_tasks
                .iter()
                .map(|task| task.from_cluster.as_str())
                .collect(),
            failed_in: failed_clusters(binding.metadata),
            observed_affinity: &binding.status.scheduler_observed_affinity_name,
            is_fresh: is_fresh(binding),
            estimates,
            peers,
        })
    }

    /// Whether it runs pods.
    pub(super) fn is_workload(&self) -> bool {
        self.replicas.is_some() || !self.components.is_empty()
    }

    /// Replicas that are divided among the clusters or repeated in each. Several components are placed as one.
    pub(super) fn divisible(&self) -> Option<i64> {
        self.replicas.filter(|_| self.components.len() <= 1)
    }

    /// Replicas that a cluster has now; 0 if it is no target.
    pub(super) fn assigned(&self, cluster: &str) -> i64 {
        let current = self.current.iter().find(|target| target.name == cluster);
        current.map_or(0, |target| i64::from(target.replicas))
    }

    /// Whether a cluster is a target now.
    pub(super) fn is_target(&self, cluster: &str) -> bool {
        self.current.iter().any(|target| target.name == cluster)
    }
}

/// How many more replicas of one workload clusters have room for, by name of the cluster. For a workload with several
/// components: how many more complete sets of them.
///
/// A cluster without an entry has room for any number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Estimates(BTreeMap<String, i64>);

impl Estimates {
    /// Adds an estimate. Of several for one cluster the smallest counts (karmada pkg/scheduler/core/util.go).
    pub fn limit(&mut self, cluster: impl Into<String>, replicas: i64) {
        let replicas = replicas.max(0);
        let known = self.0.entry(cluster.into()).or_insert(replicas);
        *known = (*known).min(replicas);
    }

    /// Room in a cluster; `None` is unlimited.
    pub fn room(&self, cluster: &str) -> Option<i64> {
        self.0.get(cluster).copied()
    }
}

impl<Name: Into<String>> FromIterator<(Name, i64)> for Estimates {
    fn from_iter<I: IntoIterator<Item = (Name, i64)>>(entries: I) -> Self {
        let mut estimates = Self::default();
        entries.into_iter().for_each(|(cluster, replicas)| estimates.limit(cluster, replicas));
        estimates
    }
}

/// Targets of other bindings of the same namespace and workload affinity group. The binding itself is not among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peers<'a> {
    /// Of each binding that must share its clusters.
    pub together: Vec<&'a [TargetCluster]>,
    /// Of each binding that must have other clusters.
    pub apart: Vec<&'a [TargetCluster]>,
}

impl<'a> Peers<'a> {
    /// The peers of a binding among `others`.
    pub fn among(
        binding: View<'_>,
        others: impl IntoIterator<Item = (&'a ObjectMeta, &'a ResourceBindingSpec)>,
    ) -> Self {
        let Some(mine) = &binding.spec.workload_affinity_groups else { return Self::default() };
        let mut peers = Self::default();
        for (metadata, spec) in others {
            let ObjectMeta { namespace, name, .. } = binding.metadata;
            let Some(theirs) = &spec.workload_affinity_groups else { continue };
            if metadata.namespace != *namespace || metadata.name == *name {
                continue;
            }
            let is_shared = |mine: &str, theirs: &str| !mine.is_empty() && mine == theirs;
            if is_shared(&mine.affinity_group, &theirs.affinity_group) {
                peers.together.push(&spec.clusters);
            }
            if is_shared(&mine.anti_affinity_group, &theirs.anti_affinity_group) {
                peers.apart.push(&spec.clusters);
            }
        }
        peers
    }
}
