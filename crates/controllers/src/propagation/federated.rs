//! Federated objects: a template that no policy claims and that a Federation selects is in every cluster that takes part.
//!
//! The binding has the mark of the Federation and its clusters from here, so that nothing schedules it. The template has no
//! mark: it looks as its user wrote it.

use std::borrow::Cow;
use std::sync::Arc;

use portolan_api::cluster::Cluster;
use portolan_api::federation::Federation;
use portolan_api::labels;
use portolan_api::work::AggregatedStatusItem;
use portolan_object::{Object, ObjectKey};
use portolan_plan::federation::selection::kinds;
use portolan_plan::federation::targets::{Request, is_ready, propagation, targets};
use portolan_plan::propagation::binding::belongs_to_another;
use portolan_plan::propagation::claim::Claim;
use portolan_runtime::Outcome;
use portolan_runtime::cache::Change;
use portolan_runtime::client::BoxError;
use portolan_runtime::events::{Regarding, Severity};

use crate::propagation::bind::{Applied, bind_to, binding_key, read_demand};
use crate::propagation::scoped::Binding;
use crate::propagation::{BY_ID, Pipeline, TemplateKey, claims};

/// Event on a template: an annotation for its federation cannot be read.
const FAILED: &str = "FederationFailed";
/// Event on a template: a policy has it, and not the federation that selects it too.
const LEFT: &str = "FederationLeavesToPolicy";

/// Keeps the binding of a template without a policy up to date, or takes it out of its federation.
pub(super) async fn federate(pipeline: &Pipeline, template: &Object) -> Result<Outcome, BoxError> {
    let key = binding_key(template.kind(), &template.key());
    let present = pipeline.bindings.get(&key);
    let Some(federation) = pipeline.hub.federations.of(template) else {
        // The objects in the clusters stay.
        if let Some(binding) = present.filter(|binding| name_of(binding).is_some()) {
            claims::release_binding(pipeline, &binding).await?;
        }
        return Ok(Outcome::Done);
    };
    let is_new =
        present.as_ref().and_then(|binding| name_of(binding)) != Some(federation.metadata.name.as_str());
    if is_new && pipeline.fresh_policies.decide_about(&pipeline.policies, template).await? {
        // The cache of policies is behind.
        return Ok(Outcome::Stale);
    }
    let demand = read_demand(pipeline, template).await?;
    let present = present.filter(|binding| !belongs_to_another(&binding.metadata, template));
    let clusters = pipeline.hub.clusters.list();
    let clusters: Vec<&Cluster> = clusters.iter().map(AsRef::as_ref).collect();
    let request = Request {
        template,
        federation: &federation.spec,
        replicas: demand.replicas,
        clusters: &clusters,
        present: present.as_ref().map_or(&[][..], |binding| &binding.spec.clusters),
    };
    let targets = match targets(request) {
        Ok(targets) => targets,
        Err(error) => {
            let about = Regarding::object(template);
            pipeline.hub.events.record(about, Severity::Warning, FAILED, error.to_string());
            return Ok(Outcome::Done);
        }
    };
    let claim = Claim::Federation { name: federation.metadata.name.clone() };
    let applied =
        bind_to(pipeline, template, &propagation(demand.replicas), &claim, &demand, targets).await?;
    Ok(match applied {
        Applied::Later => Outcome::Stale,
        Applied::After(delay) => Outcome::RequeueAfter(delay),
        Applied::Written | Applied::AsItWas => Outcome::Done,
    })
}

/// Says on a template that a policy took it from the federation that selects it.
pub(super) fn report_policy(pipeline: &Pipeline, template: &Object, policy: &str) {
    let Some(federation) = pipeline.hub.federations.of(template) else { return };
    let message = format!(
        "policy {policy} places it, so that Federation {} does not: delete the policy, or exclude the object from it, to \
         have it in every cluster",
        federation.metadata.name
    );
    pipeline.hub.events.record(Regarding::object(template), Severity::Warning, LEFT, message);
}

/// The federation that a binding has the mark of.
fn name_of(binding: &Binding) -> Option<&str> {
    binding.metadata.label(labels::federation::NAME)
}

/// Whether a federation that exists has the binding.
pub(super) fn is_federated(pipeline: &Pipeline, binding: &Binding) -> bool {
    let federation = name_of(binding).and_then(|name| pipeline.hub.federations.get(name));
    federation.is_some_and(|federation| !federation.metadata.is_deleting())
}

/// The reports that the status of a template is made from. That of a federated object has the clusters only that can be
/// reached now.
pub(super) fn visible<'a>(
    pipeline: &Pipeline,
    binding: &Binding,
    items: &'a [AggregatedStatusItem],
) -> Cow<'a, [AggregatedStatusItem]> {
    if name_of(binding).is_none() {
        return Cow::Borrowed(items);
    }
    let is_ready = |item: &&AggregatedStatusItem| {
        let cluster = pipeline.hub.clusters.get(&ObjectKey::cluster(&*item.cluster_name));
        cluster.is_some_and(|cluster| is_ready(&cluster))
    };
    items.iter().filter(is_ready).cloned().collect()
}

/// Queues the templates that a federation selects or selected.
pub(super) fn federation_changed(pipeline: &Pipeline, change: &Change<Federation>) {
    let decides = |federation: &Arc<Federation>| (federation.spec.clone(), federation.metadata.is_deleting());
    if change.old.as_ref().map(decides) == change.new.as_ref().map(decides) {
        return;
    }
    for federation in change.old.iter().chain(&change.new) {
        queue_selected(pipeline, federation, None);
        queue_bound(pipeline, &federation.metadata.name);
    }
}

/// Queues the federated templates of a namespace that is new or has other labels.
pub(super) fn namespace_changed(pipeline: &Pipeline, change: &Change<Object>) {
    let (old, new) = (change.old.as_deref().map(Object::labels), change.new.as_deref().map(Object::labels));
    if new.is_none() || old == new {
        return;
    }
    for federation in pipeline.hub.federations.list() {
        queue_selected(pipeline, &federation, Some(&change.key.name));
    }
}

/// Queues every federated object after a cluster came, went, or changed in a way that its clusters, replicas or status
/// depend on.
pub(super) fn cluster_changed(pipeline: &Pipeline, change: &Change<Cluster>) {
    let decides = |cluster: &Arc<Cluster>| {
        let metadata = &cluster.metadata;
        (metadata.labels.clone(), metadata.is_deleting(), is_ready(cluster))
    };
    if change.old.as_ref().map(decides) == change.new.as_ref().map(decides) {
        return;
    }
    for federation in pipeline.hub.federations.list() {
        queue_bound(pipeline, &federation.metadata.name);
    }
}

/// Queues the templates of a federation's kinds, in one namespace or all.
fn queue_selected(pipeline: &Pipeline, federation: &Federation, namespace: Option<&str>) {
    for kind in kinds(&federation.spec) {
        let Some(cache) = pipeline.templates.of_kind(&kind) else { continue };
        let keys = match namespace {
            Some(namespace) => cache.keys_of_namespace(namespace),
            None => cache.keys(),
        };
        for key in keys {
            let kind = cache.resource().gvk.clone();
            pipeline.template_queue.add(TemplateKey { kind, key });
        }
    }
}

/// Queues the templates and bindings with the mark of a federation.
fn queue_bound(pipeline: &Pipeline, federation: &str) {
    for binding in pipeline.bindings.by_index(BY_ID, federation) {
        pipeline
            .template_queue
            .add(TemplateKey { kind: binding.template_kind(), key: binding.template_key() });
        pipeline.binding_queue.add(binding.metadata.key());
    }
}
