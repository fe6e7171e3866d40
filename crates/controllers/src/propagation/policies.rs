//! One policy: its permanent id, and the templates that must be reconciled because it changed.

use std::sync::Arc;

use portolan_api::finalizers;
use portolan_api::policy::ResourceSelector;
use portolan_object::{GroupVersion, GroupVersionKind, Object, ObjectKey};
use portolan_plan::propagation::detect::{claim_of, is_template, permanent_id_label};
use portolan_plan::propagation::matching::rank;
use portolan_runtime::cache::Change;
use portolan_runtime::client::{BoxError, Patch};
use portolan_runtime::{ClientError, Outcome, Reconciler};
use serde_json::json;

use crate::missing::ignore_missing;
use crate::propagation::scoped::Policy;
use crate::propagation::{BY_ID, Pipeline, TemplateKey, claims};

pub(super) struct Policies(pub(super) Pipeline);

/// Whether a change of a policy is only our own write of its permanent id and finalizer.
pub(super) fn is_own_identity(change: &Change<Policy>) -> bool {
    let (Some(old), Some(new)) = (&change.old, &change.new) else { return false };
    old.spec == new.spec
        && old.metadata.deletion_timestamp == new.metadata.deletion_timestamp
        && new.metadata.has_finalizer(finalizer(new))
        && !ids(new).is_empty()
        && (ids(old).is_empty() || ids(old) == ids(new))
}

/// The permanent id of a policy, as index values.
pub(super) fn ids(policy: &Policy) -> Vec<String> {
    policy.metadata.label(permanent_id_label(&policy.metadata)).map(str::to_owned).into_iter().collect()
}

impl Reconciler for Policies {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let Some(policy) = self.0.policies.get(key) else { return Outcome::Done };
        if policy.metadata.is_deleting() {
            return self.leave(key, &policy).await.into();
        }
        // Templates need not wait for the write: the id is known before.
        queue_selected(&self.0, &policy);
        queue_held(&self.0, &policy);
        self.write_identity(key, &policy).await.into()
    }
}

impl Policies {
    /// Writes the permanent id and the finalizer, in one request.
    async fn write_identity(&self, key: &ObjectKey, policy: &Policy) -> Result<(), ClientError> {
        let finalizers = policy.metadata.with_finalizer(finalizer(policy));
        let label = permanent_id_label(&policy.metadata);
        if finalizers.is_none() && policy.metadata.label(label).is_some() {
            return Ok(());
        }
        let finalizers = finalizers.as_ref().unwrap_or(&policy.metadata.finalizers);
        let claim = claim_of(&policy.metadata);
        let patch = json!({ "metadata": {
            "resourceVersion": policy.metadata.resource_version, "finalizers": finalizers, "labels": claim.labels() } });
        self.0.policies.written(self.0.policies.api(key).patch(key, &Patch::Merge(patch)).await?);
        Ok(())
    }

    /// Removes the claims of a policy that is being deleted; bindings, Works and objects in members stay.
    async fn leave(&self, key: &ObjectKey, policy: &Policy) -> Result<(), BoxError> {
        let Some(finalizers) = policy.metadata.without_finalizers(&[finalizer(policy)]) else {
            return Ok(());
        };
        for id in ids(policy) {
            claims::release_all(&self.0, &id).await.into_result()?;
        }
        let patch = json!({ "metadata": {
            "resourceVersion": policy.metadata.resource_version, "finalizers": finalizers } });
        ignore_missing(self.0.policies.api(key).patch(key, &Patch::Merge(patch)).await)?;
        Ok(())
    }
}

/// Queues the templates that a policy selects.
pub(super) fn queue_selected(pipeline: &Pipeline, policy: &Policy) {
    for selector in &policy.spec.resource_selectors {
        for (kind, object) in fitting(pipeline, selector, &policy.metadata.namespace) {
            if rank(selector, &object).is_some() && is_template(&object, &pipeline.hub.skipped) {
                pipeline.template_queue.add(TemplateKey { kind, key: object.key() });
            }
        }
    }
}

/// The objects of the kind, namespace and name in a selector of a policy. One at a time is decoded.
pub(super) fn fitting(
    pipeline: &Pipeline,
    selector: &ResourceSelector,
    policy_namespace: &str,
) -> impl Iterator<Item = (GroupVersionKind, Arc<Object>)> {
    let version = selector.api_version.parse::<GroupVersion>();
    let kind = version.map(|version| version.kind(&*selector.kind));
    let cache = kind.ok().and_then(|kind| pipeline.templates.of_kind(&kind.group_kind()));
    let namespace = if policy_namespace.is_empty() { selector.namespace.as_str() } else { policy_namespace };
    let keys = match (&cache, namespace, selector.name.as_str()) {
        (None, ..) => Vec::new(),
        (Some(cache), "", _) => cache.keys(),
        (Some(cache), namespace, "") => cache.keys_of_namespace(namespace),
        (Some(_), namespace, name) => vec![ObjectKey::namespaced(namespace, name)],
    };
    keys.into_iter().filter_map(move |key| {
        let cache = cache.as_ref()?;
        Some((cache.resource().gvk.clone(), cache.get(&key)?))
    })
}

/// Queues the templates that a policy has claimed, selected or not.
pub(super) fn queue_held(pipeline: &Pipeline, policy: &Policy) {
    for id in ids(policy) {
        for cache in pipeline.templates.all() {
            for key in cache.keys_by_index(BY_ID, &id) {
                pipeline.template_queue.add(TemplateKey { kind: cache.resource().gvk.clone(), key });
            }
        }
    }
}

/// Queues the templates of policies that wait for `is_met`.
pub(super) fn queue_waiting(pipeline: &Pipeline, is_met: impl Fn(&Policy) -> bool) {
    let waiting = pipeline.policies.list().into_iter().filter(|policy| is_met(policy));
    waiting.for_each(|policy| queue_selected(pipeline, &policy));
}

fn finalizer(policy: &Policy) -> &'static str {
    if policy.metadata.namespace.is_empty() {
        finalizers::CLUSTER_PROPAGATION_POLICY
    } else {
        finalizers::PROPAGATION_POLICY
    }
}
