//! What each policy is to a template, with the reason: for people who ask why a policy has no effect.

use std::fmt;

use portolan_object::{Object, ObjectKey};

use super::candidate::Candidate;
use super::decision::{Decision, decide, holder};
use super::order::{Advantage, NoPreemption, advantage, refusal};
use crate::propagation::claim::Claim;
use crate::propagation::matching::{Mismatch, Rank, fit};

/// What a policy is to a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It claims the template.
    Holds,
    /// It claims the template next.
    Takes {
        /// The policy that loses it.
        from: Option<ObjectKey>,
    },
    /// Another policy has the template, or takes it next.
    Loses {
        /// The other policy; without namespace a ClusterPropagationPolicy.
        to: ObjectKey,
        /// Why the other one has it.
        because: Advantage,
    },
    /// It selects the template, but the claim of another policy must be removed first.
    Waits {
        /// The policy that the claim names.
        holder: Option<ObjectKey>,
    },
    /// None of its selectors fits. For each selector, the first part that does not.
    DoesNotSelect(Vec<Mismatch>),
    /// It is being deleted, and takes nothing more.
    BeingDeleted,
}

/// The verdicts on the policies of the template's namespace and on the cluster-wide ones, in the order given.
pub fn explain(
    template: &Object,
    namespaced: &[Candidate<'_>],
    cluster: &[Candidate<'_>],
) -> Vec<(ObjectKey, Verdict)> {
    let decision = decide(template, namespaced, cluster);
    let held = Claim::on(template);
    let held = held.as_ref().and_then(|claim| holder(claim, namespaced, cluster));
    let policies = namespaced.iter().chain(cluster);
    policies.map(|policy| (policy.key(), verdict(template, *policy, &decision, held))).collect()
}

fn verdict(
    template: &Object,
    policy: Candidate<'_>,
    decision: &Decision<'_>,
    held: Option<Candidate<'_>>,
) -> Verdict {
    let key = policy.key();
    if policy.metadata.is_deleting() {
        return Verdict::BeingDeleted;
    }
    let Some(rank) = policy.rank(template) else {
        let selectors = policy.spec.resource_selectors.iter();
        return Verdict::DoesNotSelect(selectors.filter_map(|one| fit(one, template).err()).collect());
    };
    let winner = match decision {
        Decision::Follow(winner) if winner.key() == key => return Verdict::Holds,
        Decision::Take(taking) if taking.policy.key() == key => {
            return Verdict::Takes { from: taking.from.clone() };
        }
        Decision::Follow(winner) => *winner,
        Decision::Take(taking) => taking.policy,
        Decision::Wait | Decision::Release(_) | Decision::Nothing => {
            return Verdict::Waits { holder: held.map(|held| held.key()) };
        }
    };
    Verdict::Loses { to: winner.key(), because: reason(template, (policy, rank), winner, held) }
}

/// Why `winner` has the template and `loser` has not.
fn reason(
    template: &Object,
    loser: (Candidate<'_>, Rank),
    winner: Candidate<'_>,
    held: Option<Candidate<'_>>,
) -> Advantage {
    // A holder that does not select the template any more counts as one that fits least.
    let winners_rank = winner.rank(template).unwrap_or(Rank::Kind);
    let in_order = advantage((winner, winners_rank), loser);
    let by_claim = || held.and_then(|held| refusal(loser.0, loser.1, held)).map(Advantage::Claim);
    in_order.or_else(by_claim).unwrap_or(Advantage::Name)
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds => f.write_str("claims the object"),
            Self::Takes { from: None } => f.write_str("claims the object next"),
            Self::Takes { from: Some(from) } => write!(f, "takes the object from {}", name(from)),
            Self::Loses { to, because } => write!(f, "the object belongs to {}, which {because}", name(to)),
            Self::Waits { holder: Some(holder) } => {
                write!(f, "waits until {} has released the object", name(holder))
            }
            Self::Waits { holder: None } => {
                f.write_str("waits until an old claim is removed from the object")
            }
            Self::DoesNotSelect(parts) => {
                f.write_str("does not select the object:")?;
                for (index, part) in parts.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "," };
                    write!(f, "{separator} {part} of selector {index}")?;
                }
                match parts.is_empty() {
                    true => f.write_str(" it has no selector"),
                    false => f.write_str(" differ"),
                }
            }
            Self::BeingDeleted => f.write_str("is being deleted, and claims nothing more"),
        }
    }
}

impl fmt::Display for Advantage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespaced => f.write_str("goes before every ClusterPropagationPolicy"),
            Self::Priority { winner, loser } => {
                write!(f, "has the higher priority ({winner}, this one {loser})")
            }
            Self::Selector { winner, loser } => write!(f, "selects it by {winner}, this one by {loser}"),
            Self::Name => f.write_str("has the name that sorts first"),
            Self::Claim(reason) => write!(f, "claimed it before: {reason}"),
        }
    }
}

impl fmt::Display for NoPreemption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("set `preemption: Always` to take it"),
            Self::NotByName => f.write_str("only a selector with the name of the object takes it"),
            Self::Priority { own, holder } => {
                write!(f, "a priority above {holder} is needed to take it, this one is {own}")
            }
            Self::ClusterWide => {
                f.write_str("a ClusterPropagationPolicy takes nothing from a PropagationPolicy")
            }
        }
    }
}

/// The kind and the name of a policy.
pub fn name(policy: &ObjectKey) -> String {
    match policy.namespace.as_str() {
        "" => format!("ClusterPropagationPolicy {}", policy.name),
        namespace => format!("PropagationPolicy {namespace}/{}", policy.name),
    }
}
