//! Moving pods from old templates to the present one.

use portolan_api::kubernetes::Deployment;
use portolan_object::Object;

use super::Wanted;
use super::sets::{Set, Sets};
use super::status::Progress;

/// Plans the next step of a rollout. `old_pods` says whether pods of other templates exist that have not finished.
pub(super) fn advance(
    deployment: &Object,
    view: &Deployment<'_>,
    sets: &mut Sets<'_>,
    wanted: Wanted,
    old_pods: bool,
) -> Progress {
    if wanted.recreate {
        let mut active = sets.old.iter_mut().filter(|set| set.replicas > 0).peekable();
        if active.peek().is_some() {
            active.for_each(|set| set.resize(0, wanted));
            return Progress::Estimated;
        }
        if old_pods {
            return Progress::Estimated;
        }
    }
    let target = size_of_current(sets, wanted);
    let Some(current) = &mut sets.current else {
        return Progress::Created(Box::new(sets.created(deployment, &view.spec, target, wanted)));
    };
    if current.replicas != target {
        current.resize(target, wanted);
    } else if !wanted.recreate {
        shrink_old(sets, wanted);
    }
    Progress::Estimated
}

/// The size that the current set may have now.
fn size_of_current(sets: &Sets<'_>, wanted: Wanted) -> i64 {
    let have = sets.current.as_ref().map_or(0, |set| set.replicas);
    if have >= wanted.replicas || wanted.recreate {
        return wanted.replicas;
    }
    let room = (wanted.most() - sets.replicas()).max(0);
    have + room.min(wanted.replicas - have)
}

/// Old sets lose unhealthy pods first, and then available ones as long as enough remain.
fn shrink_old(sets: &mut Sets<'_>, wanted: Wanted) {
    let Some(current) = &sets.current else { return };
    let unavailable_new = current.replicas - current.status.available_replicas;
    let spare = sets.replicas() - wanted.least_available() - unavailable_new;
    if spare <= 0 {
        return;
    }
    // Pods that are not available cost nothing.
    take(&mut sets.old, spare, wanted, |set| set.replicas - set.status.available_replicas);
    let available: i64 = sets.all().map(|set| set.status.available_replicas).sum();
    take(&mut sets.old, available - wanted.least_available(), wanted, |set| set.replicas);
}

/// Takes `total` pods from the oldest sets, at most what `share` says from each.
fn take(sets: &mut [Set<'_>], total: i64, wanted: Wanted, share: impl Fn(&Set<'_>) -> i64) {
    let mut left = total;
    for set in sets.iter_mut().filter(|set| set.replicas > 0) {
        let taken = share(set).clamp(0, set.replicas).min(left);
        if taken > 0 {
            set.resize(set.replicas - taken, wanted);
            left -= taken;
        }
    }
}
