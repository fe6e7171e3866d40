//! One template: finds its policy, writes the claim, and keeps its binding up to date.
//!
//! A new binding is created with its target clusters, which saves two writes before the first object is in a member.
//! After that `schedule` keeps them up to date.

use std::sync::Arc;

use portolan_api::policy::PropagationSpec;
use portolan_api::{annotations, labels, names};
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use portolan_plan::propagation::claim::{ANNOTATIONS, Claim, LABELS};
use portolan_plan::propagation::detect::{Candidate, Decision, decide, is_template};
use portolan_plan::propagation::replicas::Demand;
use portolan_plan::propagation::{binding, reschedule};
use portolan_runtime::client::{BoxError, Delete, Patch};
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{Api, ClientError, Outcome, Reconciler};
use serde_json::{Map, Value, json};

use crate::missing::ignore_missing;
use crate::propagation::schedule::place;
use crate::propagation::scoped::{Binding, Policy};
use crate::propagation::{Pipeline, TemplateKey};

pub(super) struct Templates(pub(super) Pipeline);

/// A template cannot be claimed yet.
#[derive(Debug, thiserror::Error)]
enum TemplateError {
    #[error(
        "policy {policy} waits for override policy {missing}, which does not exist: create it, or remove it from \
         dependentOverrides"
    )]
    MissingOverride { policy: String, missing: String },
    #[error("the API server no longer serves {0}: the template is propagated when it does again")]
    NotServed(GroupVersionKind),
}

impl Reconciler for Templates {
    type Key = TemplateKey;

    async fn reconcile(&self, key: &TemplateKey) -> Outcome {
        match self.0.template(&key.kind, &key.key) {
            Some(template) if template.is_deleting() || !is_template(&template) => Outcome::Done,
            Some(template) => self.reconcile_template(template).await.into(),
            None => {
                // The binding checks with the API server.
                self.0.binding_queue.add(binding_key(&key.kind.kind, &key.key));
                Outcome::Done
            }
        }
    }
}

/// The key of the binding of a template.
pub(super) fn binding_key(kind: &str, template: &ObjectKey) -> ObjectKey {
    ObjectKey::namespaced(&*template.namespace, names::binding(kind, &template.name))
}

/// The permanent ids of the policies that claim a binding.
pub(super) fn claim_ids(binding: &Binding) -> Vec<String> {
    LABELS.iter().filter_map(|label| binding.metadata.label(label)).map(str::to_owned).collect()
}

impl Templates {
    async fn reconcile_template(&self, template: Arc<Object>) -> Result<Outcome, BoxError> {
        let policies = &self.0.policies;
        let namespaced = match template.namespace() {
            "" => Vec::new(),
            namespace => policies.namespaced.list_namespace(namespace),
        };
        let cluster = policies.cluster.list();
        let (namespaced, cluster) = (candidates(&namespaced), candidates(&cluster));
        match decide(&template, &namespaced, &cluster) {
            Decision::Nothing | Decision::Wait => Ok(Outcome::Done),
            Decision::Release(claim) => {
                self.release(&template, &claim).await?;
                Ok(Outcome::Done)
            }
            Decision::Follow(policy, spec) => {
                let claim = portolan_plan::propagation::detect::claim_of(policy);
                self.bind(&template, spec, &claim).await
            }
            Decision::Take(policy, spec, claim) => {
                if let Some(missing) = self.missing_override(policy, spec) {
                    let (policy, missing) = (policy.name.clone(), missing.clone());
                    return Err(TemplateError::MissingOverride { policy, missing }.into());
                }
                let claimed = self.claim(&template, &claim).await?;
                self.bind(&claimed, spec, &claim).await
            }
        }
    }

    /// An override policy in `dependentOverrides` that does not exist.
    fn missing_override<'a>(
        &self,
        policy: &portolan_api::meta::ObjectMeta,
        spec: &'a PropagationSpec,
    ) -> Option<&'a String> {
        let is_there = |name: &String| {
            let key = ObjectKey::namespaced(&*policy.namespace, &**name);
            self.0.overrides.get(&key).is_some()
        };
        spec.dependent_overrides.iter().find(|name| !is_there(name))
    }

    /// Writes the claim onto the template.
    async fn claim(&self, template: &Object, claim: &Claim) -> Result<Object, BoxError> {
        let patch = json!({ "metadata": {
            "resourceVersion": template.resource_version(),
            "labels": with_nulls(LABELS, claim.labels()),
            "annotations": with_nulls(ANNOTATIONS, claim.annotations()),
        } });
        let mut claimed = self.api(template)?.patch(&template.key(), &Patch::Merge(patch)).await?;
        portolan_runtime::cache::drop_managed_fields(&mut claimed);
        if let Some(cache) = self.0.templates.of_kind(&claimed.group_version_kind().group_kind()) {
            cache.written(claimed.key(), claimed.resource_version(), claimed.clone());
        }
        Ok(claimed)
    }

    /// Removes the claim from the binding and then from the template. The binding, its Works and their objects stay.
    async fn release(&self, template: &Object, claim: &Claim) -> Result<(), BoxError> {
        let strip = json!({ "metadata": {
            "labels": with_nulls(LABELS, Default::default()),
            "annotations": with_nulls(ANNOTATIONS, Default::default()),
        } });
        let key = binding_key(template.kind(), &template.key());
        if let Some(binding) = self.0.bindings.get(&key)
            && claim.labels().iter().all(|(label, id)| binding.metadata.label(label) == Some(id.as_str()))
        {
            self.0.bindings.api(&key).patch(&key, &Patch::Merge(strip.clone())).await?;
        }
        self.api(template)?.patch(&template.key(), &Patch::Merge(strip)).await?;
        Ok(())
    }

    /// Creates or updates the binding of a template.
    async fn bind(
        &self,
        template: &Object,
        policy: &PropagationSpec,
        claim: &Claim,
    ) -> Result<Outcome, BoxError> {
        let key = binding_key(template.kind(), &template.key());
        let demand = self.0.interpreters.demand(template).await.inspect_err(|error| {
            let about = Regarding::object(template);
            self.0.hub.events.record(about, Severity::Warning, "GetReplicasFailed", error.to_string());
        })?;
        let Some(present) = self.0.bindings.get(&key) else {
            let new = self.new_binding(template, policy, &demand, claim);
            self.0.bindings.written(self.0.bindings.api(&key).create(&new).await?);
            return Ok(Outcome::Done);
        };
        if binding::belongs_to_another(&present.metadata, template) {
            self.remove_orphan(&key, &present).await?;
            return Ok(Outcome::Stale);
        }
        let spec = binding::spec(template, policy, &demand, Some(&present.spec));
        let is_claimed = is_covered(&present.metadata.labels, &claim.labels())
            && is_covered(&present.metadata.annotations, &claim.annotations());
        if is_claimed && !binding::differs(&present.spec, &spec) {
            // The binding is up to date, but its Works may not be.
            if present.spec.resource.resource_version != template.resource_version() {
                self.0.binding_queue.add(key);
            }
            return Ok(Outcome::Done);
        }
        let mut changed = (*present).clone();
        changed.spec = spec;
        LABELS.iter().for_each(|label| drop(changed.metadata.labels.remove(*label)));
        ANNOTATIONS.iter().for_each(|name| drop(changed.metadata.annotations.remove(*name)));
        changed.metadata.labels.extend(claim.labels());
        changed.metadata.annotations.extend(claim.annotations());
        self.0.bindings.written(self.0.bindings.api(&key).replace(&changed).await?);
        Ok(Outcome::Done)
    }

    fn new_binding(
        &self,
        template: &Object,
        policy: &PropagationSpec,
        demand: &Demand,
        claim: &Claim,
    ) -> Binding {
        let mut metadata = binding::metadata(template, claim, &uuid::Uuid::new_v4().to_string());
        let mut spec = binding::spec(template, policy, demand, None);
        let is_cluster_wide = metadata.namespace.is_empty();
        let view = reschedule::View { metadata: &metadata, spec: &spec, status: &Default::default() };
        // Workloads of a group are placed one after the other, and those with a priority in its order, by passes over their
        // bindings.
        if reschedule::is_schedulable(view)
            && view.spec.workload_affinity_groups.is_none()
            && view.spec.schedule_priority.is_none()
            && let Ok(placed) = place(&self.0, view)
        {
            spec.clusters = placed.clusters;
            let record = reschedule::placement_record(&policy.placement);
            metadata.annotations.insert(annotations::policy::APPLIED_PLACEMENT.to_owned(), record);
        }
        let kind = if is_cluster_wide { "ClusterResourceBinding" } else { "ResourceBinding" };
        let api_version = "work.karmada.io/v1alpha2".to_owned();
        Binding { api_version, kind: kind.to_owned(), metadata, spec, ..Binding::default() }
    }

    /// Deletes the binding of an earlier template of the same name.
    async fn remove_orphan(&self, key: &ObjectKey, binding: &Binding) -> Result<(), ClientError> {
        let uid = binding.metadata.uid.clone();
        ignore_missing(self.0.bindings.api(key).delete(key, &Delete::default().uid(uid)).await).map(drop)
    }

    fn api(&self, template: &Object) -> Result<Api<Object>, TemplateError> {
        let kind = template.group_version_kind();
        let cache = self.0.templates.of_kind(&kind.group_kind()).ok_or(TemplateError::NotServed(kind))?;
        Ok(self.0.hub.client.resource(cache.resource()))
    }
}

fn candidates(policies: &[Arc<Policy>]) -> Vec<Candidate<'_>> {
    policies.iter().map(|policy| Candidate { metadata: &policy.metadata, spec: &policy.spec }).collect()
}

fn is_covered(
    actual: &std::collections::BTreeMap<String, String>,
    wanted: &std::collections::BTreeMap<String, String>,
) -> bool {
    wanted.iter().all(|(key, value)| actual.get(key) == Some(value))
}

/// A merge patch that sets `values` and removes the other `keys`.
pub(super) fn with_nulls(keys: &[&str], values: std::collections::BTreeMap<String, String>) -> Value {
    let mut patch: Map<String, Value> = keys.iter().map(|key| ((*key).to_owned(), Value::Null)).collect();
    patch.extend(values.into_iter().map(|(key, value)| (key, Value::String(value))));
    Value::Object(patch)
}

/// Whether a policy created the binding.
pub(super) fn is_claimed(binding: &Binding) -> bool {
    LABELS.iter().any(|label| binding.metadata.label(label).is_some())
        || binding.metadata.label(labels::binding::MANAGED_BY).is_some()
}
