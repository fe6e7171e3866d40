//! Bindings that a user or another program deleted while their template is still claimed.
//!
//! Such a binding is made again at once, and until then its Works stay: deleting them would delete the objects in the
//! members. The Works are found by the name of the binding, which the next binding of the template has too.

use std::sync::Arc;

use portolan_api::kubefed::is_federated;
use portolan_api::names;
use portolan_api::work::Work;
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use portolan_plan::propagation::binding::belongs_to_another;
use portolan_plan::propagation::claim::Claim;
use portolan_plan::propagation::removal::Cause;
use portolan_runtime::ClientError;
use portolan_runtime::client::BoxError;

use crate::failures::Failures;
use crate::propagation::scoped::Binding;
use crate::propagation::works::of_binding;
use crate::propagation::{Pipeline, TemplateKey};
use crate::removal::{release, remove};

/// Whether a template, as the API server has it, still needs a binding that is being deleted.
pub(super) fn is_needed(pipeline: &Pipeline, binding: &Binding, template: &Object) -> bool {
    has_binding(pipeline, &binding.template_kind(), template)
        && !belongs_to_another(&binding.metadata, template)
}

/// Whether a template is to have a binding.
fn has_binding(pipeline: &Pipeline, kind: &GroupVersionKind, template: &Object) -> bool {
    !template.is_deleting()
        && (Claim::on(template).is_some()
            || pipeline.hub.federations.of(template).is_some()
            || is_federated(kind))
}

/// Releases the Works that were deleted by hand: no binding makes them again, and the objects stay.
async fn release_deleted(pipeline: &Pipeline, works: &[Arc<Work>]) -> Result<(), BoxError> {
    let by_hand = works.iter().filter(|work| work.metadata.is_deleting() && Cause::of(work).is_none());
    Failures::of_all(by_hand.map(|work| release(&pipeline.hub, work))).await.into_result()
}

/// Handles the Works of a binding that is not there: a claimed template gets its binding again, which decides about those
/// that were deleted by hand; the Works of a template that the API server does not have are deleted.
pub(super) async fn without_binding(pipeline: &Pipeline, key: &ObjectKey) -> Result<(), BoxError> {
    let works = of_binding(&pipeline.hub, key);
    let manifest = works.first().and_then(|work| work.spec.workload.manifests.first());
    let Some(manifest) = manifest.map(|manifest| Object(manifest.clone())) else { return Ok(()) };
    let Some(kind) = template_kind(pipeline, key, &manifest) else {
        return release_deleted(pipeline, &works).await;
    };
    // The template is in the namespace of the binding; an override cannot change its name.
    let template = ObjectKey::namespaced(&*key.namespace, manifest.name());
    if let Some(found) = pipeline.template(&kind, &template) {
        let has_binding = has_binding(pipeline, &kind, &found);
        // A federated object is queued by the deletion of its binding.
        pipeline.template_queue.add(TemplateKey { kind, key: template });
        return if has_binding { Ok(()) } else { release_deleted(pipeline, &works).await };
    }
    let Some(cache) = pipeline.templates.of_kind(&kind.group_kind()) else {
        return release_deleted(pipeline, &works).await;
    };
    match pipeline.hub.client.resource::<Object>(cache.resource()).get(&template).await {
        // The status names the object, so the type is served and the object does not exist.
        Err(ClientError::NotFound(status))
            if status.details.as_ref().is_some_and(|details| !details.name.is_empty()) => {}
        Ok(_) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    match pipeline.bindings.api(key).get(key).await {
        Err(error) if error.is_not_found() => {}
        Ok(_) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    let leaving = works.iter().filter(|work| !work.metadata.is_deleting() || Cause::of(work).is_none());
    Failures::of_all(leaving.map(|work| remove(&pipeline.hub, work, Cause::TemplateDeleted)))
        .await
        .into_result()
}

/// The kind of the object in the hub that a binding was about: that of the manifest, or the federated kind. `None` if the
/// binding was of neither, and nothing is known about its Works.
fn template_kind(pipeline: &Pipeline, binding: &ObjectKey, manifest: &Object) -> Option<GroupVersionKind> {
    let kind = manifest.group_version_kind();
    if names::binding(&kind.kind, manifest.name()) == binding.name {
        return Some(kind);
    }
    let of = pipeline.hub.federated_types.of_binding(binding, &kind.group_kind(), manifest.name());
    of.map(|configured| configured.of.federated.gvk.clone())
}
