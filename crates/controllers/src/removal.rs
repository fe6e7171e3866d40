//! Deletes Works, each with the recorded cause without which its object stays in the member
//! (`portolan_plan::propagation::removal`).

use portolan_api::annotations::work::REMOVAL_CAUSE;
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
    if Cause::of(work) != Some(cause) {
        record(hub, work, Some(cause)).await?;
    }
    delete(hub, work).await
}

/// Deletes a Work without its object in the member: it is made again.
pub(crate) async fn delete_without_cause(hub: &Hub, work: &Work) -> Result<(), ClientError> {
    if Cause::of(work).is_some() {
        record(hub, work, None).await?;
    }
    delete(hub, work).await
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
