//! The decision about one template: which policy claims it, or whether it is released (karmada pkg/detector/policy.go,
//! pkg/detector/claim.go).

use portolan_object::{Object, ObjectKey};

use super::candidate::{Candidate, claim_of};
use super::order::{first, preemptor};
use crate::propagation::claim::{self, Claim};

/// The decision about a template.
#[derive(Debug, Clone)]
pub enum Decision<'a> {
    /// This policy claims it: keep its binding up to date.
    Follow(Candidate<'a>),
    /// A policy takes it: write the claim, then as [`Decision::Follow`].
    Take(Taking<'a>),
    /// Its policy is deleted or no longer selects it, or its claim is incomplete: remove the claim from its binding and
    /// then from itself. The objects in members stay.
    Release(Option<Claim>),
    /// Its policy is being deleted, and its controller removes the claim.
    Wait,
    /// No policy selects it.
    Nothing,
}

/// A policy takes a template.
#[derive(Debug, Clone)]
pub struct Taking<'a> {
    /// The policy.
    pub policy: Candidate<'a>,
    /// The claim to write.
    pub claim: Claim,
    /// The policy that it takes the template from; `None` for an unclaimed one.
    pub from: Option<ObjectKey>,
}

/// Decides about a template; `namespaced` are the policies of its namespace, `cluster` the cluster-wide ones.
pub fn decide<'a>(
    template: &Object,
    namespaced: &[Candidate<'a>],
    cluster: &[Candidate<'a>],
) -> Decision<'a> {
    if let Some(claim) = Claim::on(template) {
        return claimed(template, claim, namespaced, cluster);
    }
    match first(template, namespaced, cluster) {
        Some(policy) => Decision::Take(taking(policy, None)),
        None if claim::has_marks(template) => Decision::Release(None),
        None => Decision::Nothing,
    }
}

fn taking<'a>(policy: Candidate<'a>, from: Option<ObjectKey>) -> Taking<'a> {
    Taking { policy, claim: claim_of(policy.metadata), from }
}

fn claimed<'a>(
    template: &Object,
    claim: Claim,
    namespaced: &[Candidate<'a>],
    cluster: &[Candidate<'a>],
) -> Decision<'a> {
    let Some(holder) = holder(&claim, namespaced, cluster) else {
        return Decision::Release(Some(claim));
    };
    if let Some(policy) = preemptor(template, holder, namespaced, cluster) {
        return Decision::Take(taking(policy, Some(holder.key())));
    }
    if holder.metadata.is_deleting() {
        return Decision::Wait;
    }
    if holder.rank(template).is_none() {
        return Decision::Release(Some(claim));
    }
    if claim_of(holder.metadata) == claim {
        return Decision::Follow(holder);
    }
    // The policy was deleted and created again.
    Decision::Take(taking(holder, None))
}

/// The policy that a claim names.
pub(super) fn holder<'a>(
    claim: &Claim,
    namespaced: &[Candidate<'a>],
    cluster: &[Candidate<'a>],
) -> Option<Candidate<'a>> {
    namespaced.iter().chain(cluster).find(|policy| policy.is_named_by(claim)).copied()
}
