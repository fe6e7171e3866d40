//! The order among policies that select a template, and when one takes it from another (karmada
//! pkg/detector/compare.go, pkg/detector/preemption.go).

use std::cmp::Reverse;

use portolan_object::Object;

use super::candidate::Candidate;
use crate::propagation::matching::Rank;

/// The policy that an unclaimed template gets: one of its namespace before a cluster-wide one, then higher priority, then
/// closer selector, then smaller name. Policies being deleted take nothing new.
pub(super) fn first<'a>(
    template: &Object,
    namespaced: &[Candidate<'a>],
    cluster: &[Candidate<'a>],
) -> Option<Candidate<'a>> {
    [namespaced, cluster].into_iter().find_map(|policies| best(template, policies, |_, _| true))
}

/// The policy that takes a claimed template from its holder: with `preemption: Always`, a selector that names the template,
/// and precedence over the holder.
pub(super) fn preemptor<'a>(
    template: &Object,
    holder: Candidate<'_>,
    namespaced: &[Candidate<'a>],
    cluster: &[Candidate<'a>],
) -> Option<Candidate<'a>> {
    let takes = |policy: Candidate<'a>, rank| refusal(policy, rank, holder).is_none();
    [namespaced, cluster].into_iter().find_map(|policies| best(template, policies, takes))
}

/// Why a policy that selects a template leaves it to the policy that claimed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPreemption {
    /// Its `preemption` is not `Always`.
    Never,
    /// Only a selector with the name of the template takes it.
    NotByName,
    /// Its priority is not higher.
    Priority {
        /// Its priority.
        own: i32,
        /// The priority of the policy that claimed the template.
        holder: i32,
    },
    /// A ClusterPropagationPolicy takes nothing from a PropagationPolicy.
    ClusterWide,
}

/// Why `policy` cannot take a template from `holder`; `None` if it does.
pub(super) fn refusal(policy: Candidate<'_>, rank: Rank, holder: Candidate<'_>) -> Option<NoPreemption> {
    let (own, held) = (policy.spec.priority(), holder.spec.priority());
    if policy.is_cluster_wide() && !holder.is_cluster_wide() {
        return Some(NoPreemption::ClusterWide);
    }
    if !policy.may_preempt() {
        return Some(NoPreemption::Never);
    }
    if rank != Rank::Name {
        return Some(NoPreemption::NotByName);
    }
    let is_of_one_type = policy.is_cluster_wide() == holder.is_cluster_wide();
    (is_of_one_type && own <= held).then_some(NoPreemption::Priority { own, holder: held })
}

/// The best of policies of one type that select a template and that `accept` allows.
fn best<'a>(
    template: &Object,
    policies: &[Candidate<'a>],
    accept: impl Fn(Candidate<'a>, Rank) -> bool,
) -> Option<Candidate<'a>> {
    let candidates = policies.iter().filter(|policy| !policy.metadata.is_deleting());
    let ranked = candidates.filter_map(|policy| Some((*policy, policy.rank(template)?)));
    ranked
        .filter(|(policy, rank)| accept(*policy, *rank))
        .max_by(|one, other| precedence(one).cmp(&precedence(other)))
        .map(|(policy, _)| policy)
}

/// What decides among policies of one type: the greater value wins.
fn precedence<'a>((policy, rank): &(Candidate<'a>, Rank)) -> (i32, Rank, Reverse<&'a str>) {
    (policy.spec.priority(), *rank, Reverse(policy.metadata.name.as_str()))
}

/// What a policy that has a template has before another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advantage {
    /// It is a PropagationPolicy, the other a ClusterPropagationPolicy.
    Namespaced,
    /// A higher priority.
    Priority {
        /// Its priority.
        winner: i32,
        /// The other's.
        loser: i32,
    },
    /// A selector that fits more closely.
    Selector {
        /// How its selector fits.
        winner: Rank,
        /// How the other's fits.
        loser: Rank,
    },
    /// A smaller name.
    Name,
    /// It claimed the template before, and the other does not take it.
    Claim(NoPreemption),
}

/// What `winner` has before `loser`, if both select the unclaimed template and `loser` comes later in the order.
pub(super) fn advantage(winner: (Candidate<'_>, Rank), loser: (Candidate<'_>, Rank)) -> Option<Advantage> {
    if winner.0.is_cluster_wide() != loser.0.is_cluster_wide() {
        return loser.0.is_cluster_wide().then_some(Advantage::Namespaced);
    }
    let (one, other) = (precedence(&winner), precedence(&loser));
    if one <= other {
        return None;
    }
    Some(match () {
        () if one.0 != other.0 => Advantage::Priority { winner: one.0, loser: other.0 },
        () if one.1 != other.1 => Advantage::Selector { winner: one.1, loser: other.1 },
        () => Advantage::Name,
    })
}
