//! Exchanges of clusters so that the chosen ones have room for all replicas.

use crate::propagation::schedule::candidate::Candidate;

/// Replaces chosen candidates from the last one on by those of `rest` with the most room, until all together have room for
/// `replicas` (karmada pkg/scheduler/core/spreadconstraint/select_clusters_by_cluster.go). The first `fixed` stay. Returns
/// the room in the end.
pub(super) fn make_room<'a>(
    chosen: &mut [Candidate<'a>],
    fixed: usize,
    rest: &mut [Candidate<'a>],
    replicas: i64,
) -> i64 {
    let room =
        |chosen: &[Candidate<'_>]| chosen.iter().map(Candidate::available).fold(0_i64, i64::saturating_add);
    for position in (fixed..chosen.len()).rev() {
        if room(chosen) >= replicas {
            break;
        }
        // Of equal ones the first: `max_by_key` takes the last.
        let most = rest.iter_mut().rev().max_by_key(|candidate| candidate.available());
        if let Some(most) = most.filter(|most| most.available() > chosen[position].available()) {
            std::mem::swap(most, &mut chosen[position]);
        }
    }
    room(chosen)
}
