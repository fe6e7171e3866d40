//! The writes of single Works.

use std::time::Duration;

use portolan_api::annotations;
use portolan_api::work::Work;
use portolan_object::Object;
use portolan_plan::propagation::removal::Cause;
use portolan_plan::propagation::work::{is_current, is_of_template};
use portolan_runtime::ClientError;

use crate::hub::Hub;
use crate::removal::{remove, take_back};

/// A write of one Work.
pub(in crate::propagation) enum WorkWrite {
    Create(Work),
    Replace(Work),
    /// Its manifest is another object; that one is deleted in the member before the Work is made again.
    Remove(Box<Work>),
    /// It was withdrawn and is wanted again: the object in the member stays.
    TakeBack(Box<Work>),
}

impl WorkWrite {
    /// The time until the write may be sent, if it makes a Work again that was deleted by hand.
    pub(in crate::propagation) fn wait(&self, hub: &Hub) -> Option<Duration> {
        let Self::Create(work) = self else { return None };
        hub.released.wait(&work.metadata.key())
    }

    /// The Work to be written, if its overrides differ from those of `old`.
    pub(super) fn overridden(&self, old: Option<&Work>) -> Option<Work> {
        let (Self::Create(new) | Self::Replace(new)) = self else { return None };
        let records =
            [annotations::policy::APPLIED_OVERRIDES, annotations::policy::APPLIED_CLUSTER_OVERRIDES];
        let is_new = |record: &&str| {
            let applied = new.metadata.annotation(record);
            applied.is_some() && old.and_then(|old| old.metadata.annotation(record)) != applied
        };
        records.iter().any(is_new).then(|| Work { metadata: new.metadata.clone(), ..Work::default() })
    }
}

/// Whether a Work is being deleted with a cause.
pub(in crate::propagation) fn is_removed(work: &Work) -> bool {
    work.metadata.is_deleting() && Cause::of(work).is_some()
}

/// The write that turns `old` into `new`, the Work of `template`; `None` if they agree.
pub(in crate::propagation) fn write_for(
    old: Option<&Work>,
    new: Work,
    template: &Object,
) -> Option<WorkWrite> {
    let Some(old) = old else { return Some(WorkWrite::Create(new)) };
    if old.metadata.is_deleting() {
        // It is made again when it is gone.
        let is_withdrawn = Cause::of(old) == Some(Cause::Withdrawn);
        return is_withdrawn.then(|| WorkWrite::TakeBack(Box::new(old.clone())));
    }
    if is_current(old, &new) {
        return None;
    }
    if !is_of_template(old, template) {
        return Some(WorkWrite::Remove(Box::new(old.clone())));
    }
    let mut changed = old.clone();
    for stale in [
        annotations::policy::APPLIED_OVERRIDES,
        annotations::policy::APPLIED_CLUSTER_OVERRIDES,
        annotations::work::REMOVAL_CAUSE,
    ] {
        changed.metadata.annotations.remove(stale);
    }
    changed.metadata.labels.extend(new.metadata.labels);
    changed.metadata.annotations.extend(new.metadata.annotations);
    changed.metadata.owner_references = new.metadata.owner_references;
    changed.spec = new.spec;
    Some(WorkWrite::Replace(changed))
}

/// Sends a write and updates the cache with its result.
pub(in crate::propagation) async fn send(hub: &Hub, write: WorkWrite) -> Result<(), ClientError> {
    let api = hub.client.kind::<Work>();
    let written = match write {
        WorkWrite::Create(work) => api.create(&work).await?,
        WorkWrite::Replace(work) => api.replace(&work).await?,
        WorkWrite::Remove(work) => {
            let (cluster, key) = (&work.metadata.namespace, work.metadata.key());
            tracing::warn!(%cluster, work = %key, "the work has another object than its template, it is deleted");
            return remove(hub, &work, Cause::Replaced).await;
        }
        WorkWrite::TakeBack(work) => return take_back(hub, &work).await,
    };
    hub.work_written(written);
    Ok(())
}
