//! The choice among the candidates by spread constraints (karmada pkg/scheduler/core/spreadconstraint).
//!
//! The constraints on groups are met one inside the other: first the regions are chosen, then among their clusters the
//! providers, then the zones, then the groups of each label. Each chosen group gets the best of its clusters, and the best of
//! the other clusters of the chosen groups follow, up to the largest number of clusters. Karmada has no choice by
//! provider, zone and label.

mod combination;
mod groups;
mod room;

use std::collections::HashMap;

use super::candidate::Candidate;
use super::constraint::{Bounds, Constraints, GroupBy, GroupConstraint};
use combination::{Group, Wanted};
pub(super) use groups::Demand;

/// Combinations of the groups of one constraint that are tried, if the constraints inside of it cannot be met with the
/// best ones.
const ALTERNATIVES: usize = 256;

/// Spread constraints cannot be met.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpreadError {
    /// Fewer clusters pass the filters than the policy asks for.
    #[error(
        "the number of feasible clusters is less than spreadConstraint.MinGroups: {feasible} of at least {min}"
    )]
    FewClusters {
        /// Clusters that passed the filters.
        feasible: usize,
        /// The minimum.
        min: usize,
    },
    /// Fewer groups have a cluster than the policy asks for.
    #[error(
        "the number of feasible {by} is less than spreadConstraint.MinGroups: {feasible} of at least {min}"
    )]
    FewGroups {
        /// What makes the groups.
        by: GroupBy,
        /// Groups with a cluster that passed the filters.
        feasible: usize,
        /// The minimum.
        min: usize,
    },
    /// The groups that may be used have too few clusters.
    #[error(
        "the number of clusters is less than the cluster spreadConstraint.MinGroups: at most {max} of a {by} can be used, and these have fewer than {min} clusters"
    )]
    FewClustersInGroups {
        /// What makes the groups.
        by: GroupBy,
        /// The largest number of groups.
        max: usize,
        /// The smallest number of clusters.
        min: usize,
    },
    /// The largest allowed number of clusters has no room for the replicas.
    #[error(
        "no enough resource when selecting {count} clusters: they have room for {room} of {replicas} replicas"
    )]
    NoRoom {
        /// The number of clusters.
        count: usize,
        /// Replicas for which the best of them have room.
        room: i64,
        /// Replicas to place.
        replicas: i64,
    },
    /// Each constraint can be met, but not all of them with the same clusters.
    #[error(
        "no clusters meet all spreadConstraints together: use fewer constraints, lower their minGroups, or raise their maxGroups"
    )]
    Together,
    /// The search for groups would take too long.
    #[error(
        "too many groups for the spreadConstraint of {by}: lower its minGroups or maxGroups, or the minGroups of cluster"
    )]
    TooManyGroups {
        /// What makes the groups.
        by: GroupBy,
    },
}

/// The groups of one spread constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spread<'a> {
    /// What makes the groups.
    pub by: GroupBy,
    /// How many are wanted.
    pub bounds: Bounds,
    /// The groups, by name.
    pub groups: Vec<SpreadGroup<'a>>,
}

/// A group of clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpreadGroup<'a> {
    /// Value of the field or label.
    pub name: &'a str,
    /// Clusters that passed the filters.
    pub clusters: usize,
    /// Preference among the groups.
    pub score: i64,
    /// Whether it is used.
    pub is_chosen: bool,
}

/// The chosen candidates in order of preference, and the groups that were looked at.
pub(super) struct Selection<'a> {
    pub(super) chosen: Vec<Candidate<'a>>,
    pub(super) spreads: Vec<Spread<'a>>,
}

/// Chooses among `candidates`, which are in order of preference.
///
/// `needed` is the number of replicas for which the chosen ones must have room; `None` if room does not matter.
pub(super) fn select<'a>(
    candidates: &[Candidate<'a>],
    constraints: &Constraints,
    demand: Demand,
    needed: Option<i64>,
) -> Result<Selection<'a>, SpreadError> {
    let bounds = constraints.cluster_bounds();
    if candidates.len() < bounds.min {
        return Err(SpreadError::FewClusters { feasible: candidates.len(), min: bounds.min });
    }
    let (mut chosen, mut rest, spreads, fixed) = if constraints.groups.is_empty() {
        let (chosen, rest) = candidates.split_at(bounds.max.min(candidates.len()));
        (chosen.to_vec(), rest.to_vec(), Vec::new(), 0)
    } else {
        // The smallest number of groups wins over the largest number of clusters, as in Karmada.
        let least = constraints.groups.iter().map(|group| group.bounds.min).max().unwrap_or_default();
        let bounds = Bounds { max: bounds.max.max(least), ..bounds };
        let search = Search { constraints: &constraints.groups, clusters: bounds, demand };
        let found = search.choose(candidates, &[])?;
        let fixed = found.cover.len();
        let wanted = bounds.max.min(fixed + found.rest.len());
        let (more, rest) = found.rest.split_at(wanted - fixed);
        ([&found.cover, more].concat(), rest.to_vec(), found.spreads, fixed)
    };
    if let Some(replicas) = needed {
        let room = room::make_room(&mut chosen, fixed, &mut rest, replicas);
        // For groups, the division says what is missing.
        if room < replicas && fixed == 0 {
            return Err(SpreadError::NoRoom { count: chosen.len(), room, replicas });
        }
    }
    chosen.sort_by(Candidate::by_preference);
    Ok(Selection { chosen, spreads })
}

/// The search through the constraints on groups.
#[derive(Clone, Copy)]
struct Search<'c> {
    /// The constraints that are still to be met, the outermost first.
    constraints: &'c [GroupConstraint],
    clusters: Bounds,
    demand: Demand,
}

/// What a search found.
struct Found<'a> {
    /// At least one candidate of each chosen group.
    cover: Vec<Candidate<'a>>,
    /// The other candidates of the chosen groups, in order of preference.
    rest: Vec<Candidate<'a>>,
    spreads: Vec<Spread<'a>>,
}

impl<'c> Search<'c> {
    /// Meets the remaining constraints with `candidates`. Of each of the groups `outer`, which are chosen already, a
    /// candidate must stay.
    fn choose<'a>(
        self,
        candidates: &[Candidate<'a>],
        outer: &[Vec<&'a str>],
    ) -> Result<Found<'a>, SpreadError> {
        let Some((constraint, inner)) = self.constraints.split_first() else {
            return cover(candidates, outer, self.clusters).ok_or(SpreadError::Together);
        };
        let members = groups::members(candidates, &constraint.by);
        let by = &constraint.by;
        if members.len() < constraint.bounds.min {
            let (feasible, min) = (members.len(), constraint.bounds.min);
            return Err(SpreadError::FewGroups { by: by.clone(), feasible, min });
        }
        let groups: Vec<Group<'a>> = members
            .iter()
            .map(|(&name, indices)| {
                let of_group: Vec<_> = indices.iter().map(|&index| candidates[index]).collect();
                let (min_groups, min_clusters) = (constraint.bounds.min, self.clusters.min);
                let score = groups::score(&of_group, self.demand, min_groups, min_clusters);
                Group { name, clusters: indices.len(), score }
            })
            .collect();
        let mut failure = None;
        for chosen in self.combinations(constraint, inner, &groups)? {
            let names: Vec<&str> = chosen.iter().map(|&index| groups[index].name).collect();
            let mut kept: Vec<usize> = names.iter().flat_map(|name| &members[name]).copied().collect();
            kept.sort_unstable();
            let kept: Vec<Candidate<'a>> = kept.into_iter().map(|index| candidates[index]).collect();
            let of_groups = names
                .iter()
                .map(|name| members[name].iter().map(|&index| candidates[index].name()).collect::<Vec<_>>());
            let required: Vec<Vec<&str>> = outer.iter().cloned().chain(of_groups).collect();
            match (Search { constraints: inner, ..self }).choose(&kept, &required) {
                Ok(mut found) => {
                    found.spreads.insert(0, spread(constraint, &groups, &names));
                    return Ok(found);
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        let (max, min) = (constraint.bounds.max, self.clusters.min);
        let few = SpreadError::FewClustersInGroups { by: by.clone(), max: max.min(members.len()), min };
        Err(failure.unwrap_or(few))
    }

    /// The combinations of groups to try, the best one first. One is enough if no constraint follows.
    fn combinations(
        self,
        constraint: &GroupConstraint,
        inner: &[GroupConstraint],
        groups: &[Group<'_>],
    ) -> Result<Vec<Vec<usize>>, SpreadError> {
        // Each group, here and inside, needs a cluster of its own.
        let inner_min = inner.iter().map(|one| one.bounds.min).max().unwrap_or_default();
        let max = constraint.bounds.max.min(self.clusters.max).min(groups.len());
        let wanted = |min| Wanted { min, max, clusters: self.clusters.min.max(inner_min) };
        if max < constraint.bounds.min {
            return Err(SpreadError::Together);
        }
        let too_many = |_| SpreadError::TooManyGroups { by: constraint.by.clone() };
        let best = |min| combination::best(groups, wanted(min)).map_err(too_many);
        if inner.is_empty() && self.constraints.len() == 1 {
            return Ok(best(constraint.bounds.min)?.into_iter().collect());
        }
        let mut combinations = Vec::new();
        for min in constraint.bounds.min..=max {
            combinations.extend(best(min)?);
        }
        for min in constraint.bounds.min..=max {
            let left = ALTERNATIVES.saturating_sub(combinations.len());
            combinations.extend(combination::some(groups, wanted(min), left));
        }
        Ok(combinations)
    }
}

fn spread<'a>(constraint: &GroupConstraint, groups: &[Group<'a>], chosen: &[&str]) -> Spread<'a> {
    let group = |group: &Group<'a>| SpreadGroup {
        name: group.name,
        clusters: group.clusters,
        score: group.score,
        is_chosen: chosen.contains(&group.name),
    };
    Spread {
        by: constraint.by.clone(),
        bounds: constraint.bounds,
        groups: groups.iter().map(group).collect(),
    }
}

/// Takes candidates until each of the groups has one: always the one in most groups without one, and of these the preferred
/// one. `None` if a group has no candidate, or if too many clusters are needed or too few are there.
fn cover<'a>(candidates: &[Candidate<'a>], groups: &[Vec<&'a str>], bounds: Bounds) -> Option<Found<'a>> {
    let mut groups_of: HashMap<&str, Vec<usize>> = HashMap::new();
    for (group, names) in groups.iter().enumerate() {
        names.iter().for_each(|name| groups_of.entry(name).or_default().push(group));
    }
    let mut rest = candidates.to_vec();
    let mut is_open = vec![true; groups.len()];
    let mut cover = Vec::new();
    while is_open.contains(&true) {
        let in_open = |candidate: &Candidate<'_>| {
            groups_of.get(candidate.name()).map_or(0, |of| of.iter().filter(|&&group| is_open[group]).count())
        };
        // `max_by_key` takes the last of equals.
        let (position, count) = rest.iter().map(in_open).enumerate().rev().max_by_key(|(_, count)| *count)?;
        if count == 0 {
            return None;
        }
        let candidate = rest.remove(position);
        groups_of.get(candidate.name()).into_iter().flatten().for_each(|&group| is_open[group] = false);
        cover.push(candidate);
    }
    let is_possible = cover.len() <= bounds.max && cover.len() + rest.len() >= bounds.min;
    is_possible.then_some(Found { cover, rest, spreads: Vec::new() })
}
