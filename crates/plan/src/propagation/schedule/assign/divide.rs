//! One division of replicas among clusters (karmada pkg/scheduler/core/division_algorithm.go).

use std::cmp::Reverse;

use portolan_api::policy::StaticClusterWeight;

use crate::propagation::affinity;
use crate::propagation::division::{ReplicaShare, TieBreak, divide};
use crate::propagation::schedule::candidate::Candidate;
use crate::propagation::schedule::request::Request;
use crate::propagation::schedule::strategy::Strategy;

/// The arithmetic of one division.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Division<'a> {
    /// 0 for the clusters of the affinity, n for those of its n-th overflow affinity.
    pub tier: usize,
    /// How the weights were found.
    pub strategy: Strategy,
    /// What happens to the replicas that the clusters have already.
    pub mode: DivisionMode,
    /// Replicas that were divided by weight.
    pub amount: i64,
    /// Which of two clusters with equal claims is served first.
    pub ties: TieBreak,
    /// The clusters, in order of preference.
    pub shares: Vec<Share<'a>>,
}

/// What happens to the replicas that the clusters have already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DivisionMode {
    /// They stay as they are, because all replicas are placed.
    Unchanged,
    /// They stay, and the missing ones are divided. Also the first division of a workload.
    ScaleUp,
    /// All replicas are divided in proportion to them.
    ScaleDown,
    /// They are forgotten, and all replicas are divided: static weights always, others on request.
    Fresh,
}

/// The part of one cluster in a division.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share<'a> {
    /// The cluster.
    pub cluster: &'a str,
    /// Replicas before.
    pub previous: i64,
    /// Weight; for dynamic strategies a number of replicas. 0 for a cluster that Aggregated does not need.
    pub weight: i64,
    /// Replicas after.
    pub replicas: i64,
}

/// The clusters have no room for all replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::propagation::schedule) struct NotEnough {
    /// Replicas for which there is room.
    pub(in crate::propagation::schedule) available: i64,
}

/// Divides `replicas` among candidates of one tier, which are in order of preference.
pub(super) fn divide_among<'a>(
    request: &Request<'_>,
    strategy: Strategy,
    candidates: &[Candidate<'a>],
    replicas: i64,
) -> Result<Division<'a>, NotEnough> {
    let plan = match strategy {
        Strategy::DynamicWeight | Strategy::Aggregated => {
            dynamic_plan(request.is_fresh, strategy, candidates, replicas)?
        }
        Strategy::StaticWeight | Strategy::Copied | Strategy::Duplicated => {
            let weights = static_weights(request, candidates);
            Plan { mode: DivisionMode::Fresh, amount: replicas, weights }
        }
    };
    let ties = TieBreak::for_uid(request.uid);
    let weighted = candidates.iter().zip(&plan.weights);
    let claims: Vec<ReplicaShare<'_>> =
        weighted.map(|(candidate, &weight)| ReplicaShare { cluster: candidate.name(), weight }).collect();
    let keeps = matches!(plan.mode, DivisionMode::Unchanged | DivisionMode::ScaleUp);
    let shares = candidates.iter().zip(&claims).zip(divide(plan.amount, &claims, ties));
    let shares = shares.map(|((candidate, claim), share)| Share {
        cluster: candidate.name(),
        previous: candidate.assigned,
        weight: claim.weight,
        replicas: share + if keeps { candidate.assigned } else { 0 },
    });
    let tier = candidates.first().map_or(0, |candidate| candidate.tier);
    Ok(Division { tier, strategy, mode: plan.mode, amount: plan.amount, ties, shares: shares.collect() })
}

/// What is divided, and by which weights, in the order of the candidates.
struct Plan {
    mode: DivisionMode,
    amount: i64,
    weights: Vec<i64>,
}

/// The largest weight among the rules that match a cluster; one each if no rule matches any cluster.
fn static_weights(request: &Request<'_>, candidates: &[Candidate<'_>]) -> Vec<i64> {
    let scheduling = request.placement.replica_scheduling.as_ref();
    let preference = scheduling.and_then(|scheduling| scheduling.weight_preference.as_ref());
    let rules: &[StaticClusterWeight] = preference.map_or(&[], |preference| &preference.static_weight_list);
    let weight = |candidate: &Candidate<'_>| {
        let is_met = |rule: &&StaticClusterWeight| affinity::matches(&rule.target_cluster, candidate.cluster);
        rules.iter().filter(is_met).map(|rule| rule.weight).max().unwrap_or_default()
    };
    let mut weights: Vec<i64> = candidates.iter().map(weight).collect();
    if weights.iter().all(|&weight| weight <= 0) {
        weights.fill(1);
    }
    weights
}

/// Weights by the room in the clusters, or by the replicas that they have.
fn dynamic_plan(
    is_fresh: bool,
    strategy: Strategy,
    candidates: &[Candidate<'_>],
    replicas: i64,
) -> Result<Plan, NotEnough> {
    let assigned = candidates.iter().map(|candidate| candidate.assigned).fold(0_i64, i64::saturating_add);
    let (mode, amount, weight): (_, _, fn(&Candidate<'_>) -> i64) = if is_fresh {
        (DivisionMode::Fresh, replicas, |candidate| candidate.available())
    } else if assigned > replicas {
        (DivisionMode::ScaleDown, replicas, |candidate| candidate.assigned)
    } else if assigned < replicas {
        (DivisionMode::ScaleUp, replicas - assigned, |candidate| candidate.allocatable)
    } else {
        (DivisionMode::Unchanged, 0, |_| 0)
    };
    let mut weights: Vec<i64> = candidates.iter().map(weight).collect();
    let available = weights.iter().copied().fold(0_i64, i64::saturating_add);
    if available < amount {
        return Err(NotEnough { available });
    }
    if strategy == Strategy::Aggregated && amount > 0 {
        keep_fewest(&mut weights, candidates, mode, amount);
    }
    Ok(Plan { mode, amount, weights })
}

/// Sets the weights to 0 that are not needed for `amount`. Clusters with replicas come first when scaling up, then those
/// with larger weights.
fn keep_fewest(weights: &mut [i64], candidates: &[Candidate<'_>], mode: DivisionMode, amount: i64) {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    if mode == DivisionMode::ScaleDown {
        order.sort_by_key(|&index| candidates[index].name());
    }
    let is_new = |index: usize| mode == DivisionMode::ScaleUp && candidates[index].assigned == 0;
    order.sort_by_key(|&index| (is_new(index), Reverse(weights[index])));
    let mut sum = 0_i64;
    for index in order {
        if sum >= amount {
            weights[index] = 0;
        }
        sum = sum.saturating_add(weights[index]);
    }
}
