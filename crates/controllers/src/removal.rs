//! Deletes Works, each with the recorded cause without which its object stays in the member
//! (`portolan_plan::propagation::removal`).

use portolan_api::annotations::work::REMOVAL_CAUSE;
use portolan_api::finalizers;
use portolan_api::work::Work;
use portolan_plan::propagation::removal::Cause;
use portolan_runtime::ClientError;
use portolan_runtime::client::{Delete, Patch};
use serde_json::{Value, json};

use crate::hub::Hub;
use crate::missing::ignore_missing;

/// Records why a Work goes, and deletes it. `execution` deletes the object in the member and then releases the Work.
///
/// A Work that is being deleted already gets the cause only.
pub(crate) async fn remove(hub: &Hub, work: &Work, cause: Cause) -> Result<(), ClientError> {
    tracing::debug!(work = %work.metadata.key(), %cause, "the work goes");
    if Cause::of(work) != Some(cause) {
        record(hub, work, Some(cause)).await?;
    }
    delete(hub, work).await
}

/// Removes the finalizer of a Work that is being deleted.
pub(crate) async fn release(hub: &Hub, work: &Work) -> Result<(), ClientError> {
    let Some(finalizers) = work.metadata.without_finalizers(&[finalizers::EXECUTION]) else { return Ok(()) };
    let patch = json!({ "metadata": {
        "resourceVersion": work.metadata.resource_version, "finalizers": finalizers } });
    let key = work.metadata.key();
    if Cause::of(work).is_none() {
        hub.released.note(key.clone());
    }
    ignore_missing(hub.client.kind::<Work>().patch(&key, &Patch::Merge(patch)).await).map(drop)
}

async fn delete(hub: &Hub, work: &Work) -> Result<(), ClientError> {
    if work.metadata.is_deleting() {
        return Ok(());
    }
    let options = Delete::default().uid(work.metadata.uid.clone());
    ignore_missing(hub.client.kind::<Work>().delete(&work.metadata.key(), &options).await).map(drop)
}

/// Takes back the cause of a Work that is being deleted: the object stays, and the Work is made again.
pub(crate) async fn take_back(hub: &Hub, work: &Work) -> Result<(), ClientError> {
    tracing::debug!(work = %work.metadata.key(), "the work is wanted again");
    record(hub, work, None).await
}

async fn record(hub: &Hub, work: &Work, cause: Option<Cause>) -> Result<(), ClientError> {
    let value = cause.map_or(Value::Null, |cause| json!(cause.as_str()));
    let patch = json!({ "metadata": { "uid": work.metadata.uid, "annotations": { REMOVAL_CAUSE: value } } });
    let patched = hub.client.kind::<Work>().patch(&work.metadata.key(), &Patch::Merge(patch)).await;
    if let Some(written) = ignore_missing(patched)? {
        hub.work_written(written);
    }
    Ok(())
}
