//! One policy: its permanent id, and the templates that must be reconciled because it changed.

use std::collections::HashSet;
use std::sync::Arc;

use portolan_api::finalizers;
use portolan_api::policy::ResourceSelector;
use portolan_object::{Object, ObjectKey};
use portolan_plan::propagation::claim::{ANNOTATIONS, LABELS};
use portolan_plan::propagation::detect::{claim_of, is_template, permanent_id_label};
use portolan_plan::propagation::matching::rank;
use portolan_runtime::cache::Change;
use portolan_runtime::client::Patch;
use portolan_runtime::{ClientError, Outcome, Reconciler};
use serde_json::json;

use crate::missing::ignore_missing;
use crate::propagation::scoped::Policy;
use crate::propagation::templates::with_nulls;
use crate::propagation::{BY_ID, Pipeline, TemplateKey};

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
        self.queue_selected(&policy);
        self.queue_held(&policy);
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
    async fn leave(&self, key: &ObjectKey, policy: &Policy) -> Result<(), ClientError> {
        let Some(finalizers) = policy.metadata.without_finalizers(&[finalizer(policy)]) else {
            return Ok(());
        };
        let strip = json!({ "metadata": {
            "labels": with_nulls(LABELS, Default::default()),
            "annotations": with_nulls(ANNOTATIONS, Default::default()),
        } });
        let mut templates = Vec::new();
        for id in ids(policy) {
            for binding in self.0.bindings.by_index(BY_ID, &id) {
                let binding_key = binding.metadata.key();
                let api = self.0.bindings.api(&binding_key);
                ignore_missing(api.patch(&binding_key, &Patch::Merge(strip.clone())).await)?;
                templates.push((binding.template_kind(), binding.template_key()));
            }
        }
        for (kind, template) in templates {
            let Some(cache) = self.0.templates.of_kind(&kind.group_kind()) else { continue };
            let api = self.0.hub.client.resource::<Object>(cache.resource());
            ignore_missing(api.patch(&template, &Patch::Merge(strip.clone())).await)?;
        }
        let patch = json!({ "metadata": {
            "resourceVersion": policy.metadata.resource_version, "finalizers": finalizers } });
        self.0.policies.api(key).patch(key, &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Queues the templates that the policy selects.
    fn queue_selected(&self, policy: &Policy) {
        for selector in &policy.spec.resource_selectors {
            self.queue_matching(selector, &policy.metadata.namespace);
        }
    }

    fn queue_matching(&self, selector: &ResourceSelector, policy_namespace: &str) {
        let Ok(version) = selector.api_version.parse::<portolan_object::GroupVersion>() else { return };
        let kind = version.kind(&*selector.kind);
        let Some(cache) = self.0.templates.of_kind(&kind.group_kind()) else { return };
        let namespace =
            if policy_namespace.is_empty() { selector.namespace.as_str() } else { policy_namespace };
        let candidates: Vec<Arc<Object>> = match (namespace, selector.name.as_str()) {
            ("", _) => cache.list(),
            (namespace, "") => cache.list_namespace(namespace),
            (namespace, name) => cache.get(&ObjectKey::namespaced(namespace, name)).into_iter().collect(),
        };
        for template in candidates {
            if rank(selector, &template).is_some() && is_template(&template) {
                self.0
                    .template_queue
                    .add(TemplateKey { kind: cache.resource().gvk.clone(), key: template.key() });
            }
        }
    }

    /// Queues the templates that the policy has claimed, selected or not.
    fn queue_held(&self, policy: &Policy) {
        let bindings = ids(policy).into_iter().flat_map(|id| self.0.bindings.by_index(BY_ID, &id));
        let held: HashSet<TemplateKey> = bindings
            .map(|binding| TemplateKey { kind: binding.template_kind(), key: binding.template_key() })
            .collect();
        held.into_iter().for_each(|key| self.0.template_queue.add(key));
    }
}

fn finalizer(policy: &Policy) -> &'static str {
    if policy.metadata.namespace.is_empty() {
        finalizers::CLUSTER_PROPAGATION_POLICY
    } else {
        finalizers::PROPAGATION_POLICY
    }
}
