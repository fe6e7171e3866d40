//! A new size of a Deployment: in the middle of a rollout each set gets its share, so that the risk stays the same.

use super::Wanted;
use super::sets::{Set, Sets};

/// Gives the sets the sizes for a Deployment that was scaled, or is paused.
pub(super) fn resize(sets: &mut Sets<'_>, wanted: Wanted) {
    let active = sets.all().filter(|set| set.replicas > 0).count();
    if active <= 1 {
        let only = match active {
            1 => sets.old.iter_mut().chain(&mut sets.current).find(|set| set.replicas > 0),
            _ if sets.current.is_some() => sets.current.as_mut(),
            _ => sets.old.last_mut(),
        };
        if let Some(only) = only {
            only.resize(wanted.replicas, wanted);
        }
        return;
    }
    let is_saturated = |set: &Set<'_>| {
        set.desired() == Some(wanted.replicas)
            && set.replicas == wanted.replicas
            && set.status.available_replicas == wanted.replicas
    };
    if sets.current.as_ref().is_some_and(is_saturated) {
        sets.old.iter_mut().filter(|set| set.replicas > 0).for_each(|set| set.resize(0, wanted));
    } else if !wanted.recreate {
        divide(sets, wanted);
    }
}

/// Divides the pods to add or to remove by the sizes of the sets; the largest gets what is left.
fn divide(sets: &mut Sets<'_>, wanted: Wanted) {
    let allowed = if wanted.replicas > 0 { wanted.most() } else { 0 };
    let change = allowed - sets.replicas();
    let running = sets.all().map(|set| set.status.replicas).sum();
    let mut active: Vec<&mut Set<'_>> =
        sets.old.iter_mut().chain(&mut sets.current).filter(|set| set.replicas > 0).collect();
    // The newer one of two equal sets grows first, and the older one shrinks first.
    active.sort_by_key(|set| set.created());
    if change > 0 {
        active.reverse();
    }
    active.sort_by_key(|set| std::cmp::Reverse(set.replicas));
    let mut added = 0;
    let mut sizes = Vec::new();
    for set in &active {
        let left = change - added;
        let share = match change.signum() {
            1 => fraction(set, wanted, running).min(left),
            -1 => fraction(set, wanted, running).max(left),
            _ => 0,
        };
        added += share;
        sizes.push(set.replicas + share);
    }
    if let Some(first) = sizes.first_mut() {
        *first = (*first + change - added).max(0);
    }
    active.into_iter().zip(sizes).for_each(|(set, size)| set.resize(size, wanted));
}

/// The pods that a set gets, or loses, if it keeps its share of all. `running` are the pods of all sets, for a set that does
/// not say for which size it was made.
fn fraction(set: &Set<'_>, wanted: Wanted, running: i64) -> i64 {
    if wanted.replicas == 0 {
        return -set.replicas;
    }
    let before = set.most().filter(|most| *most > 0).unwrap_or(running);
    if before <= 0 {
        return 0;
    }
    // Half away from zero, in whole numbers. Users can write any number into the annotation.
    let before = i128::from(before);
    let scaled = (2 * i128::from(set.replicas) * i128::from(wanted.most()) + before) / (2 * before);
    i64::try_from(scaled).unwrap_or(i64::MAX) - set.replicas
}
