//! Objects that follow a template into its clusters, because the template refers to them.
//!
//! Two controllers: `references` records what the template of an independent binding refers to; `attachments` writes the
//! binding of each object that is referred to. The decisions are in `portolan_plan::propagation::dependencies`.

mod attachments;
mod found;
mod references;

use std::sync::Arc;

use portolan_api::config::DependentObjectReference;
use portolan_object::{GroupVersion, Object, ObjectKey};
use portolan_plan::propagation::dependencies::{index_values, object_index_values, recorded, refers_to};
use portolan_runtime::cache::Change;
use portolan_runtime::{Queue, Resource, driver};

use crate::hub::Hub;
use crate::propagation::scoped::Binding;
use crate::propagation::{Pipeline, TemplateKey, bind};

pub(super) use found::found;

/// Workers of each controller; they wait for the API server of the hub.
const WORKERS: usize = 16;
/// Index of bindings by what they refer to.
const BY_REFERENCE: &str = "reference";
/// Index of attached bindings by the bindings that require them, as `namespace/name`.
const BY_REQUIRING: &str = "required-by";

/// The queues of both controllers. Clones share state.
#[derive(Clone)]
pub(super) struct Queues {
    /// Keys of independent bindings.
    independent: Queue<ObjectKey>,
    /// Objects that bindings refer to.
    objects: Queue<TemplateKey>,
}

impl Queues {
    pub(super) fn new(hub: &Hub) -> Self {
        let metrics = hub.client.metrics();
        Self { independent: metrics.queue("dependencies", None), objects: metrics.queue("dependents", None) }
    }
}

/// Adds the indices and queues keys for every change of a binding.
pub(super) fn observe(pipeline: &Pipeline) {
    let bindings = &pipeline.bindings.namespaced;
    bindings.add_index(BY_REFERENCE, |_, binding| index_values(&binding.metadata, &binding.spec));
    bindings.add_index(BY_REQUIRING, |_, binding| {
        binding.spec.required_by.iter().map(|one| format!("{}/{}", one.namespace, one.name)).collect()
    });
    let pipeline = pipeline.clone();
    pipeline.bindings.namespaced.clone().observe(move |change| binding_changed(&pipeline, change));
}

/// Starts both controllers.
pub(super) fn start(pipeline: &Pipeline) {
    let (queues, scope) = (&pipeline.dependencies, &pipeline.hub.scope);
    driver::run(Arc::new(references::References(pipeline.clone())), &queues.independent, WORKERS, scope);
    driver::run(Arc::new(attachments::Attachments(pipeline.clone())), &queues.objects, WORKERS, scope);
}

/// A change of a template queues itself, if something refers to it or did so, and the bindings of templates that refer to
/// it, if it appeared or disappeared. Its own references may have changed, too.
pub(super) fn template_changed(pipeline: &Pipeline, resource: &Resource, change: &Change<Object>) {
    let gvk = &resource.gvk;
    if change.key.namespace.is_empty() {
        return;
    }
    let bindings = &pipeline.bindings.namespaced;
    let own = bind::binding_key(&gvk.kind, &change.key);
    let own_binding = bindings.get(&own);
    if own_binding.as_ref().is_some_and(|binding| binding.spec.propagate_deps) {
        pipeline.dependencies.independent.add(own);
    }
    let values = object_index_values(&gvk.group, &gvk.kind, &change.key);
    let referring: Vec<ObjectKey> =
        values.iter().flat_map(|value| bindings.keys_by_index(BY_REFERENCE, value)).collect();
    let is_attached = own_binding.is_some_and(|binding| !binding.spec.required_by.is_empty());
    if is_attached || !referring.is_empty() {
        pipeline.dependencies.objects.add(TemplateKey { kind: gvk.clone(), key: change.key.clone() });
    }
    if change.old.is_none() || change.new.is_none() {
        referring.into_iter().for_each(|binding| pipeline.binding_queue.add(binding));
    }
}

/// A change of a binding queues its template's references, the objects that it refers to and referred to, and its own
/// object if that is attached.
fn binding_changed(pipeline: &Pipeline, change: &Change<Binding>) {
    if let (Some(old), Some(new)) = (&change.old, &change.new)
        && old.spec == new.spec
        && old.metadata.labels == new.metadata.labels
        && old.metadata.annotations == new.metadata.annotations
        && old.metadata.deletion_timestamp == new.metadata.deletion_timestamp
    {
        return;
    }
    let states = || change.old.iter().chain(&change.new);
    if states().any(|binding| binding.spec.propagate_deps) {
        pipeline.dependencies.independent.add(change.key.clone());
        states()
            .flat_map(|binding| recorded(&binding.metadata))
            .for_each(|one| queue_referred(pipeline, &one));
        let requiring = change.key.to_string();
        let bindings = &pipeline.bindings.namespaced;
        // One at a time is decoded.
        let attached = bindings.keys_by_index(BY_REQUIRING, &requiring).into_iter();
        attached
            .filter_map(|key| bindings.get(&key))
            .for_each(|attached| queue_template(pipeline, &attached));
    }
    if let Some(attached) = states().find(|binding| !binding.spec.required_by.is_empty()) {
        queue_template(pipeline, attached);
    }
}

fn queue_template(pipeline: &Pipeline, binding: &Binding) {
    let Some(cache) = pipeline.templates.of_kind(&binding.template_kind().group_kind()) else { return };
    let kind = cache.resource().gvk.clone();
    pipeline.dependencies.objects.add(TemplateKey { kind, key: binding.template_key() });
}

/// Queues the objects of a reference that exist.
fn queue_referred(pipeline: &Pipeline, reference: &DependentObjectReference) {
    for object in referred(pipeline, reference) {
        let kind = object.group_version_kind();
        pipeline.dependencies.objects.add(TemplateKey { kind, key: object.key() });
    }
}

/// The objects of a reference, from the caches.
fn referred(pipeline: &Pipeline, reference: &DependentObjectReference) -> Vec<Arc<Object>> {
    let Ok(version) = reference.api_version.parse::<GroupVersion>() else { return Vec::new() };
    let Some(cache) = pipeline.templates.of_kind(&version.kind(&*reference.kind).group_kind()) else {
        return Vec::new();
    };
    if reference.name.is_empty() {
        let objects = cache.keys_of_namespace(&reference.namespace).into_iter();
        let objects = objects.filter_map(|key| cache.get(&key));
        return objects.filter(|object| refers_to(reference, object)).collect();
    }
    cache.get(&ObjectKey::namespaced(&*reference.namespace, &*reference.name)).into_iter().collect()
}
