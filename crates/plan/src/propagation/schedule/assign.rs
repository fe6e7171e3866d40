//! Assigning replicas to the chosen clusters (karmada pkg/scheduler/core/assignment.go).

use portolan_api::cluster::Cluster;
use portolan_api::policy::{ReplicaScheduling, ReplicaSchedulingType, StaticClusterWeight};
use portolan_api::work::TargetCluster;

use super::Request;
use crate::propagation::affinity;
use crate::propagation::division::{ReplicaShare, TieBreak, divide};

/// Assigns replicas to `feasible` clusters, which are sorted by name; the result keeps that order.
pub(super) fn assign(request: &Request<'_>, feasible: &[&Cluster]) -> Vec<TargetCluster> {
    let target = |cluster: &Cluster, replicas: i64| TargetCluster {
        name: cluster.metadata.name.clone(),
        replicas: i32::try_from(replicas).unwrap_or(i32::MAX),
        ..TargetCluster::default()
    };
    // Without replicas there is nothing to divide: every cluster gets a copy.
    let Some(replicas) = request.replicas.filter(|&replicas| replicas > 0) else {
        return feasible.iter().map(|cluster| target(cluster, 0)).collect();
    };
    match &request.placement.replica_scheduling {
        Some(scheduling) if scheduling.replica_scheduling_type == ReplicaSchedulingType::Divided => {
            let shares = static_shares(scheduling, feasible);
            let shares = divide(replicas, &shares, TieBreak::for_uid(request.uid));
            let shares = feasible.iter().zip(shares).filter(|(_, share)| *share > 0);
            shares.map(|(cluster, share)| target(cluster, share)).collect()
        }
        _ => feasible.iter().map(|cluster| target(cluster, replicas)).collect(),
    }
}

/// The largest weight among the rules that match a cluster; one each if no rule matches any cluster.
fn static_shares(scheduling: &ReplicaScheduling, feasible: &[&Cluster]) -> Vec<ReplicaShare> {
    let rules: &[StaticClusterWeight] =
        scheduling.weight_preference.as_ref().map_or(&[], |preference| &preference.static_weight_list);
    let weight = |cluster: &Cluster| {
        let matching = rules.iter().filter(|rule| affinity::matches(&rule.target_cluster, cluster));
        matching.map(|rule| rule.weight).max().unwrap_or_default()
    };
    let mut shares: Vec<ReplicaShare> = feasible
        .iter()
        .map(|cluster| ReplicaShare { cluster: cluster.metadata.name.clone(), weight: weight(cluster) })
        .collect();
    if shares.iter().all(|share| share.weight == 0) {
        shares.iter_mut().for_each(|share| share.weight = 1);
    }
    shares
}
