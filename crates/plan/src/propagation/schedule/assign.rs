//! The replicas of each chosen cluster (karmada pkg/scheduler/core/common.go).

mod divide;

use super::candidate::Candidate;
use super::request::Request;
use super::strategy::Strategy;
pub(super) use divide::NotEnough;
pub use divide::{Division, DivisionMode, Share};

/// The replicas of each candidate, and the divisions that led to them.
#[derive(Debug, Default)]
pub(super) struct Assigned<'a> {
    /// In the order of the candidates. Clusters without replicas are left out of a division.
    pub(super) targets: Vec<(&'a str, i64)>,
    pub(super) divisions: Vec<Division<'a>>,
}

/// Assigns replicas to the chosen clusters.
///
/// With overflow affinities the tiers are filled one after the other: each gets as many replicas as it has room for.
pub(super) fn assign<'a>(
    request: &Request<'_>,
    chosen: &[Candidate<'a>],
    overflows: bool,
) -> Result<Assigned<'a>, NotEnough> {
    let everywhere = |replicas: i64| Assigned {
        targets: chosen.iter().map(|candidate| (candidate.name(), replicas)).collect(),
        divisions: Vec::new(),
    };
    let strategy = Strategy::of(request);
    let Some(replicas) = request.divisible() else { return Ok(everywhere(0)) };
    if strategy == Strategy::Duplicated {
        return Ok(everywhere(replicas));
    }
    let mut assigned = Assigned::default();
    if !(overflows && strategy.needs_room()) {
        assigned.add(divide::divide_among(request, strategy, chosen, replicas)?);
        return Ok(assigned);
    }
    let mut remaining = replicas;
    let mut available = 0_i64;
    for tier in chosen.chunk_by(|one, other| one.tier == other.tier) {
        let room = tier.iter().map(Candidate::available).fold(0_i64, i64::saturating_add);
        available = available.saturating_add(room);
        let part = remaining.min(room);
        if part > 0 {
            assigned.add(divide::divide_among(request, strategy, tier, part)?);
            remaining -= part;
        }
    }
    if remaining > 0 {
        return Err(NotEnough { available });
    }
    Ok(assigned)
}

impl<'a> Assigned<'a> {
    fn add(&mut self, division: Division<'a>) {
        let shares = division.shares.iter().filter(|share| share.replicas > 0);
        self.targets.extend(shares.map(|share| (share.cluster, share.replicas)));
        self.divisions.push(division);
    }
}
