//! Writes and removes the claims of policies, on templates and bindings.

use std::collections::BTreeMap;

use portolan_api::{annotations, labels};
use portolan_object::{GroupVersionKind, Object};
use portolan_plan::propagation::autoscaled::Marking;
use portolan_plan::propagation::claim::{ANNOTATIONS, Claim, LABELS};
use portolan_runtime::client::{BoxError, Patch};
use portolan_runtime::{Api, ClientError};
use serde_json::{Map, Value, json};

use crate::collections::{template_api, trim_template};
use crate::failures::Failures;
use crate::missing::ignore_missing;
use crate::propagation::scoped::Binding;
use crate::propagation::{BY_ID, Pipeline};

/// Claims that are removed at the same time.
const CONCURRENT_WRITES: usize = 32;

/// The kind of a template is not served any more.
#[derive(Debug, thiserror::Error)]
#[error("the API server no longer serves {0}: the template is propagated when it does again")]
pub(super) struct NotServed(GroupVersionKind);

/// Writes a claim onto a template, and the record of lazy activation if there is one.
pub(super) async fn claim(
    pipeline: &Pipeline,
    template: &Object,
    claim: &Claim,
    record: Option<&str>,
) -> Result<Object, BoxError> {
    let mut annotations = claim.annotations();
    annotations.extend(record.map(|record| (annotations::policy::ACTIVATION.to_owned(), record.to_owned())));
    let metadata = json!({
        "labels": with_nulls(LABELS, claim.labels()),
        "annotations": with_nulls(ANNOTATIONS, annotations),
    });
    write(pipeline, template, metadata).await
}

/// Writes the record of lazy activation, or removes it.
pub(super) async fn record(
    pipeline: &Pipeline,
    template: &Object,
    record: Option<&str>,
) -> Result<Object, BoxError> {
    write(pipeline, template, json!({ "annotations": { annotations::policy::ACTIVATION: record } })).await
}

/// Sets or removes the label by which members keep their own replicas.
pub(super) async fn mark_autoscaled(
    pipeline: &Pipeline,
    template: &Object,
    marking: Marking,
) -> Result<(), BoxError> {
    let value = matches!(marking, Marking::Set).then_some("true");
    let metadata = json!({
        "labels": { labels::template::RETAIN_REPLICAS: value },
        "annotations": { annotations::template::AUTOSCALED: value },
    });
    write(pipeline, template, metadata).await.map(drop)
}

/// Removes all marks of a claim from a template.
pub(super) async fn release_template(pipeline: &Pipeline, template: &Object) -> Result<(), BoxError> {
    let mut marks = without_claim();
    marks["annotations"][annotations::policy::ACTIVATION] = Value::Null;
    write(pipeline, template, marks).await.map(drop)
}

/// Removes all marks of a claim from a binding; it stays, with its Works and their objects.
pub(super) async fn release_binding(pipeline: &Pipeline, binding: &Binding) -> Result<(), ClientError> {
    let key = binding.metadata.key();
    let mut metadata = without_claim();
    metadata["resourceVersion"] = json!(binding.metadata.resource_version);
    let patch = Patch::Merge(json!({ "metadata": metadata }));
    let written = ignore_missing(pipeline.bindings.api(&key).patch(&key, &patch).await)?;
    written.into_iter().for_each(|binding| pipeline.bindings.written(binding));
    Ok(())
}

/// Removes the claims of the policy with a permanent id from all bindings and then from all templates, so that a pass
/// that is interrupted finds the rest by the templates' labels.
pub(super) async fn release_all(pipeline: &Pipeline, id: &str) -> Failures {
    let mut failures = Failures::default();
    // One chunk at a time is decoded.
    for keys in pipeline.bindings.keys_by_index(BY_ID, id).chunks(CONCURRENT_WRITES) {
        let bindings: Vec<_> = keys.iter().filter_map(|key| pipeline.bindings.get(key)).collect();
        let mut writes = Vec::new();
        bindings.iter().for_each(|binding| writes.push(release_binding(pipeline, binding)));
        failures.append(Failures::of_all(writes).await);
    }
    if !failures.is_empty() {
        return failures;
    }
    for keys in pipeline.templates.keys_by_index(BY_ID, id).chunks(CONCURRENT_WRITES) {
        let templates: Vec<_> = keys.iter().filter_map(|(cache, key)| cache.get(key)).collect();
        let mut writes = Vec::new();
        templates.iter().for_each(|template| writes.push(release_existing(pipeline, template)));
        failures.append(Failures::of_all(writes).await);
    }
    failures
}

/// Releases a template; one that is gone needs no release.
async fn release_existing(pipeline: &Pipeline, template: &Object) -> Result<(), BoxError> {
    match release_template(pipeline, template).await {
        Err(error) if is_gone(&error) => Ok(()),
        result => result,
    }
}

fn is_gone(error: &BoxError) -> bool {
    error.downcast_ref().is_some_and(ClientError::is_not_found)
}

/// Patches the metadata of a template, and puts the answer into the cache. Fails with a conflict if the template has
/// changed since it was read.
async fn write(pipeline: &Pipeline, template: &Object, mut metadata: Value) -> Result<Object, BoxError> {
    metadata["resourceVersion"] = json!(template.resource_version());
    let patch = Patch::Merge(json!({ "metadata": metadata }));
    let mut written = api(pipeline, template)?.patch(&template.key(), &patch).await?;
    trim_template(&mut written);
    if let Some(cache) = pipeline.templates.of_kind(&written.group_version_kind().group_kind()) {
        cache.written(written.key(), written.resource_version(), written.clone());
    }
    Ok(written)
}

fn api(pipeline: &Pipeline, template: &Object) -> Result<Api<Object>, NotServed> {
    let kind = template.group_version_kind();
    let cache = pipeline.templates.of_kind(&kind.group_kind()).ok_or(NotServed(kind))?;
    Ok(template_api(&pipeline.hub.client, cache.resource()))
}

/// Metadata of a merge patch that removes every mark of a claim.
fn without_claim() -> Value {
    json!({
        "labels": with_nulls(LABELS, BTreeMap::new()),
        "annotations": with_nulls(ANNOTATIONS, BTreeMap::new()),
    })
}

/// A merge patch that sets `values` and removes the other `keys`.
fn with_nulls(keys: &[&str], values: BTreeMap<String, String>) -> Value {
    let mut patch: Map<String, Value> = keys.iter().map(|key| ((*key).to_owned(), Value::Null)).collect();
    patch.extend(values.into_iter().map(|(key, value)| (key, Value::String(value))));
    Value::Object(patch)
}
