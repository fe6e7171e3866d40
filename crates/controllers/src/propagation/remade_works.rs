//! Works that were deleted by hand and are made again. `portolan_plan::propagation::remade` decides.

use std::sync::Arc;

use portolan_api::annotations::binding::REMADE_WORKS;
use portolan_api::work::Work;
use portolan_object::ObjectKey;
use portolan_plan::propagation::remade::remaking;
use portolan_runtime::ClientError;
use portolan_runtime::client::Patch;
use serde_json::{Value, json};

use crate::missing::ignore_missing;
use crate::propagation::Pipeline;
use crate::propagation::scoped::Binding;
use crate::propagation::source::target;
use crate::removal::release;

/// Notes such Works on the binding and releases them; makes Works for objects that are left without one. The annotation that
/// changes queues the binding again. `targets` are the clusters that have the object.
pub(super) async fn remake(
    pipeline: &Pipeline,
    key: &ObjectKey,
    binding: &Binding,
    works: &[Arc<Work>],
    targets: &[&str],
) -> Result<(), ClientError> {
    let Some(object) = target(&pipeline.hub.federated_types, binding) else { return Ok(()) };
    let is_preserved = binding.spec.preserve_resources_on_deletion;
    let remaking = remaking(&binding.metadata, &object, is_preserved, works, targets);
    for work in &remaking.stand_ins {
        match pipeline.hub.client.kind::<Work>().create(work).await {
            Ok(created) => pipeline.hub.work_written(created),
            Err(ClientError::AlreadyExists(_)) => {}
            Err(error) => return Err(error),
        }
    }
    if let Some(note) = remaking.note {
        let value = if note.is_empty() { Value::Null } else { json!(note) };
        // An annotation of another pass is not overwritten.
        let latest = pipeline.bindings.get(key);
        let version = latest
            .as_ref()
            .map_or(&binding.metadata.resource_version, |latest| &latest.metadata.resource_version);
        let patch =
            json!({ "metadata": { "resourceVersion": version, "annotations": { REMADE_WORKS: value } } });
        let patched = ignore_missing(pipeline.bindings.api(key).patch(key, &Patch::Merge(patch)).await)?;
        let Some(mut written) = patched else {
            // The cache is behind: the next binding decides about these Works.
            return Ok(());
        };
        written.metadata.managed_fields.clear();
        pipeline.bindings.written(written);
    }
    for work in &remaking.released {
        release(&pipeline.hub, work).await?;
    }
    Ok(())
}
