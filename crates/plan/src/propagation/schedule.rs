//! Scheduling: the target clusters of a binding and the replicas of each.
//!
//! One call decides about one binding from one snapshot of the clusters. The steps are those of Karmada's scheduler (karmada
//! pkg/scheduler/core/generic_scheduler.go):
//!
//! 1. filters reject clusters (`filter`);
//! 2. the others are sorted by preference (`candidate`);
//! 3. spread constraints choose among them (`spread`);
//! 4. replicas are assigned to the chosen ones (`assign`).
//!
//! With `clusterAffinities` these steps are repeated for one group after the other until one succeeds.

mod assign;
mod candidate;
mod constraint;
mod error;
mod explanation;
mod filter;
mod request;
mod spread;
mod strategy;
mod tiers;

use std::collections::BTreeSet;

use portolan_api::cluster::Cluster;
use portolan_api::policy::Placement;
use portolan_api::work::{TargetCluster, TargetComponent};

pub use assign::{Division, DivisionMode, Share};
pub use constraint::{Bounds, GroupBy};
pub use error::{PlacementError, Rejections};
pub use explanation::{Attempt, Choice, ClusterVerdict, Explanation, Placed, Standing, Verdict};
pub use filter::Rejection;
pub use request::{Estimates, Peers, Request};
pub use spread::{Spread, SpreadError, SpreadGroup};
pub use strategy::Strategy;

use assign::Assigned;
use candidate::Candidate;
use constraint::Constraints;
use spread::{Demand, Selection};
use tiers::Tiers;

/// Selections after which one that does not settle ends.
const MAX_SELECTIONS: usize = 16;

/// Chooses the target clusters of a binding.
///
/// # Errors
/// See [`PlacementError`]; with several groups of clusters the error of the first group is reported.
pub fn schedule(request: &Request<'_>, clusters: &[&Cluster]) -> Result<Placed, PlacementError> {
    explain(request, clusters).result
}

/// Schedules as [`schedule`] does, and tells every step.
pub fn explain<'a>(request: &Request<'a>, clusters: &[&'a Cluster]) -> Explanation<'a> {
    let explanation = explain_once(request, clusters);
    if explanation.result.is_ok() || request.failed_in.is_empty() {
        return explanation;
    }
    // Rather where it failed than nowhere.
    let again = explain_once(&Request { failed_in: BTreeSet::new(), ..request.clone() }, clusters);
    if again.result.is_ok() { again } else { explanation }
}

fn explain_once<'a>(request: &Request<'a>, clusters: &[&'a Cluster]) -> Explanation<'a> {
    let mut clusters = clusters.to_vec();
    clusters.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
    let constraints = Constraints::of(request.placement);
    let mut attempts = Vec::new();
    let mut placed = None;
    for tiers in Tiers::of(request) {
        let (attempt, targets) = attempt(request, &tiers, &constraints, &clusters);
        attempts.push(attempt);
        if let Some(clusters) = targets {
            placed = Some(Placed { clusters, affinity_name: tiers.name.to_owned() });
            break;
        }
    }
    let failure = || match attempts.first().and_then(|first| first.error.clone()) {
        Some(PlacementError::NoFit(rejections)) if names_only_unknown(request.placement, &clusters) => {
            PlacementError::UnknownClusters(rejections)
        }
        Some(error) => error,
        // There is always an attempt, and an attempt without targets has an error.
        None => PlacementError::NoFit(Rejections::new(clusters.len(), Vec::new(), Vec::new())),
    };
    let result = placed.ok_or_else(failure);
    Explanation { attempts, notes: unused_fields(request.placement), result }
}

/// Fields of a placement that have no effect, as sentences.
pub fn unused_fields(placement: &Placement) -> Vec<&'static str> {
    if !placement.spread_constraints.is_empty() && Strategy::asked(placement) == Strategy::StaticWeight {
        return vec!["spreadConstraints are not used together with static weights."];
    }
    Vec::new()
}

/// Whether the placement lists clusters by name in all its affinities, and none of them exists: probably a typing error.
fn names_only_unknown(placement: &Placement, clusters: &[&Cluster]) -> bool {
    let groups = placement.cluster_affinities.iter();
    let overflow = groups.clone().flat_map(|group| &group.overflow_affinities).map(|term| &term.affinity);
    let groups = groups.map(|group| &group.affinity).chain(overflow);
    let mut affinities = placement.cluster_affinity.iter().chain(groups).peekable();
    let exists = |name: &String| clusters.iter().any(|cluster| cluster.metadata.name == *name);
    affinities.peek().is_some()
        && affinities.all(|one| !one.cluster_names.is_empty() && !one.cluster_names.iter().any(exists))
}

/// One attempt; the targets if it succeeds.
fn attempt<'a>(
    request: &Request<'a>,
    tiers: &Tiers<'a>,
    constraints: &Constraints,
    clusters: &[&'a Cluster],
) -> (Attempt<'a>, Option<Vec<TargetCluster>>) {
    let mut verdicts = Vec::with_capacity(clusters.len());
    let mut candidates = Vec::new();
    for cluster in clusters {
        let verdict = match filter::check(request, tiers, &constraints.groups, cluster) {
            Ok(tier) => {
                let candidate = Candidate::new(request, cluster, tier);
                candidates.push(candidate);
                Verdict::Fits(Standing {
                    tier,
                    score: candidate.score,
                    assigned: candidate.assigned,
                    allocatable: candidate.allocatable,
                    choice: Choice::Undecided,
                })
            }
            Err(rejection) => Verdict::Rejected(rejection),
        };
        verdicts.push(ClusterVerdict { cluster: &cluster.metadata.name, verdict });
    }
    candidates.sort_by(Candidate::by_preference);
    let mut attempt = Attempt {
        affinity_name: tiers.name,
        clusters: verdicts,
        spreads: Vec::new(),
        divisions: Vec::new(),
        error: None,
    };
    let targets = match choose(request, tiers, constraints, &candidates, &mut attempt) {
        Ok(targets) => Some(targets),
        Err(error) => {
            attempt.error = Some(error);
            None
        }
    };
    (attempt, targets)
}

/// Chooses among the candidates and assigns replicas. Notes the steps in `attempt`.
fn choose<'a>(
    request: &Request<'a>,
    tiers: &Tiers<'a>,
    constraints: &Constraints,
    candidates: &[Candidate<'a>],
    attempt: &mut Attempt<'a>,
) -> Result<Vec<TargetCluster>, PlacementError> {
    if candidates.is_empty() {
        let names: Vec<&str> = attempt.clusters.iter().map(|verdict| verdict.cluster).collect();
        let rejected = attempt.clusters.iter().filter_map(|verdict| match &verdict.verdict {
            Verdict::Rejected(rejection) => Some(rejection.clone()),
            Verdict::Fits(_) => None,
        });
        return Err(PlacementError::NoFit(Rejections::new(
            names.len(),
            rejected.collect(),
            tiers.missing(&names),
        )));
    }
    let Selection { chosen, spreads } = select(request, constraints, candidates)?;
    attempt.spreads = spreads;
    let assigned = assign::assign(request, &chosen, tiers.overflows());
    let Assigned { targets, divisions } =
        assigned.map_err(|error| PlacementError::NotEnough { available: error.available })?;
    attempt.divisions = divisions;
    record_choices(attempt, &chosen, &targets);
    let mut targets: Vec<TargetCluster> =
        targets.into_iter().map(|(name, replicas)| target(request, constraints, name, replicas)).collect();
    targets.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(targets)
}

/// The candidates that the spread constraints leave. Static weights name their clusters, so that constraints do not count.
fn select<'a>(
    request: &Request<'_>,
    constraints: &Constraints,
    candidates: &[Candidate<'a>],
) -> Result<Selection<'a>, SpreadError> {
    let strategy = Strategy::asked(request.placement);
    if constraints.is_empty() || strategy == Strategy::StaticWeight {
        return Ok(Selection { chosen: candidates.to_vec(), spreads: Vec::new() });
    }
    let demand = Demand {
        replicas: request.replicas.unwrap_or_default(),
        is_divided: strategy != Strategy::Duplicated,
    };
    let needed = if !request.components.is_empty() && constraints.is_single_cluster() {
        // One complete set of the components.
        Some(1)
    } else {
        request.replicas
    };
    let needed = needed.filter(|_| strategy.needs_room());
    let select = |candidates: &[Candidate<'a>]| spread::select(candidates, constraints, demand, needed);
    let is_divided = request.divisible().is_some() && strategy != Strategy::Duplicated;
    if constraints.groups.is_empty() || is_divided {
        return select(candidates);
    }
    settle(request.divisible().unwrap_or_default(), candidates, select)
}

/// Repeats a selection with its own result as the current targets, until the result stays the same.
///
/// Duplicated workloads and plain objects are scheduled in every pass, and the scores of groups depend on the current
/// targets: without this, the next pass could choose other clusters, and the one after it the first ones again. Of results
/// that alternate the first by name is taken.
fn settle<'a>(
    replicas: i64,
    candidates: &[Candidate<'a>],
    select: impl Fn(&[Candidate<'a>]) -> Result<Selection<'a>, SpreadError>,
) -> Result<Selection<'a>, SpreadError> {
    let mut candidates = candidates.to_vec();
    let mut seen: Vec<(Vec<&str>, Selection<'a>)> = Vec::new();
    loop {
        let selection = select(&candidates)?;
        let mut names: Vec<&str> = selection.chosen.iter().map(Candidate::name).collect();
        names.sort_unstable();
        let start = seen.iter().position(|(earlier, _)| *earlier == names);
        if start.is_some() || seen.len() == MAX_SELECTIONS {
            let alternating = seen.split_off(start.unwrap_or_default());
            let first = alternating.into_iter().min_by(|(one, _), (other, _)| one.cmp(other));
            return Ok(first.map_or(selection, |(_, selection)| selection));
        }
        for candidate in &mut candidates {
            candidate.set_target(names.binary_search(&candidate.name()).is_ok(), replicas);
        }
        candidates.sort_by(Candidate::by_preference);
        seen.push((names, selection));
    }
}

fn target(request: &Request<'_>, constraints: &Constraints, name: &str, replicas: i64) -> TargetCluster {
    let whole = request.components.len() > 1 && constraints.is_single_cluster();
    let components = if whole { request.components } else { &[] };
    let component = |one: &portolan_api::work::Component| TargetComponent {
        name: one.name.clone(),
        replicas: one.replicas,
    };
    TargetCluster {
        name: name.to_owned(),
        replicas: i32::try_from(replicas).unwrap_or(i32::MAX),
        components: components.iter().map(component).collect(),
    }
}

/// Notes which of the candidates were chosen.
fn record_choices(attempt: &mut Attempt<'_>, chosen: &[Candidate<'_>], targets: &[(&str, i64)]) {
    let mut choices: Vec<(&str, Choice)> =
        chosen.iter().map(|candidate| (candidate.name(), Choice::NoReplicas)).collect();
    choices.sort_by_key(|(name, _)| *name);
    for &(name, replicas) in targets {
        if let Ok(index) = choices.binary_search_by_key(&name, |(name, _)| name) {
            choices[index].1 = Choice::Chosen { replicas };
        }
    }
    for verdict in &mut attempt.clusters {
        if let Verdict::Fits(standing) = &mut verdict.verdict {
            let found = choices.binary_search_by_key(&verdict.cluster, |(name, _)| name);
            standing.choice = found.map_or(Choice::NotNeeded, |index| choices[index].1);
        }
    }
}

#[cfg(test)]
mod tests;
