//! Creates and updates the binding of a claimed template.
//!
//! A new binding is created with its target clusters, which saves two writes before the first object is in a member.
//! After that `schedule` keeps them up to date.

use std::collections::BTreeMap;
use std::time::Duration;

use portolan_api::admission::quota_exceeded;
use portolan_api::events::{GET_REPLICAS_FAILED, GET_REPLICAS_SUCCEED};
use portolan_api::policy::PropagationSpec;
use portolan_api::work::{ResourceBindingSpec, TargetCluster};
use portolan_api::{annotations, names, resources};
use portolan_object::{Object, ObjectKey};
use portolan_plan::propagation::claim::{ANNOTATIONS, Claim, LABELS};
use portolan_plan::propagation::detect::Candidate;
use portolan_plan::propagation::replicas::Demand;
use portolan_plan::propagation::{binding, policy_messages, reschedule};
use portolan_runtime::ClientError;
use portolan_runtime::client::{BoxError, Delete};
use portolan_runtime::events::{Regarding, Severity};

use crate::missing::ignore_missing;
use crate::propagation::Pipeline;
use crate::propagation::interpreters::InterpretError;
use crate::propagation::schedule::place;
use crate::propagation::scoped::Binding;
use crate::propagation::works::of_binding;

/// The result of applying a policy to a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Applied {
    /// The binding was created or updated.
    Written,
    /// The binding was up to date.
    AsItWas,
    /// Another object must go first: another pass.
    Later,
    /// The binding was deleted by hand, and is made after this time.
    After(Duration),
}

/// The policy requires something that does not exist.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unmet {
    #[error(
        "policy {policy} waits for override policy {missing}, which does not exist: create it, or remove it from \
         dependentOverrides"
    )]
    Override { policy: String, missing: String },
    #[error(
        "policy {policy} gives its objects the scheduling priority of PriorityClass {missing}, which does not exist: \
         create it, or change spec.schedulePriority"
    )]
    PriorityClass { policy: String, missing: String },
}

/// Checks that everything exists that a policy requires before it places anything.
pub(super) fn requirements(pipeline: &Pipeline, policy: Candidate<'_>) -> Result<(), Unmet> {
    let name = || policy.metadata.name.clone();
    let is_there = |name: &String| {
        let key = ObjectKey::namespaced(&*policy.metadata.namespace, &**name);
        pipeline.overrides.get(&key).is_some()
    };
    if let Some(missing) = policy.spec.dependent_overrides.iter().find(|name| !is_there(name)) {
        return Err(Unmet::Override { policy: name(), missing: missing.clone() });
    }
    match &policy.spec.schedule_priority {
        Some(asked) if priority_of_class(pipeline, &asked.priority_class_name).is_none() => {
            Err(Unmet::PriorityClass { policy: name(), missing: asked.priority_class_name.clone() })
        }
        _ => Ok(()),
    }
}

/// The value of a PriorityClass of the hub.
fn priority_of_class(pipeline: &Pipeline, name: &str) -> Option<i32> {
    let classes = pipeline.templates.of_kind(&resources::PRIORITY_CLASS.gvk().group_kind())?;
    let class = classes.get(&ObjectKey::cluster(name))?;
    class.at(&["value"]).and_then(serde_json::Value::as_i64).and_then(|value| i32::try_from(value).ok())
}

/// The key of the binding of a template.
pub(crate) fn binding_key(kind: &str, template: &ObjectKey) -> ObjectKey {
    ObjectKey::namespaced(&*template.namespace, names::binding(kind, &template.name))
}

/// Creates or updates the binding of a template.
pub(super) async fn bind(
    pipeline: &Pipeline,
    template: &Object,
    policy: &PropagationSpec,
    claim: &Claim,
) -> Result<Applied, BoxError> {
    let priority = policy.schedule_priority.as_ref();
    let priority = priority.and_then(|asked| priority_of_class(pipeline, &asked.priority_class_name));
    let demand = read_demand(pipeline, template).await?;
    write(pipeline, Source { template, policy, demand: &demand, priority, targets: None }, claim).await
}

/// Creates or updates the binding of a template that has these clusters, whatever a scheduler would choose.
pub(super) async fn bind_to(
    pipeline: &Pipeline,
    template: &Object,
    policy: &PropagationSpec,
    claim: &Claim,
    demand: &Demand,
    targets: Vec<TargetCluster>,
) -> Result<Applied, BoxError> {
    let source = Source { template, policy, demand, priority: None, targets: Some(&targets) };
    write(pipeline, source, claim).await
}

/// The replicas of a template.
pub(super) async fn read_demand(pipeline: &Pipeline, template: &Object) -> Result<Demand, InterpretError> {
    let key = binding_key(template.kind(), &template.key());
    let demand = pipeline.interpreters.demand(template).await;
    let is_news = match &demand {
        Ok(_) => pipeline.uncounted.forget(&key),
        Err(error) => {
            let (about, failure) = (Regarding::object(template), error.to_string());
            pipeline.hub.events.record(about, Severity::Warning, GET_REPLICAS_FAILED, failure.clone());
            pipeline.bindings.get(&key).is_some() && pipeline.uncounted.note(&key, failure)
        }
    };
    if is_news {
        pipeline.binding_queue.add(key);
    }
    demand
}

async fn write(pipeline: &Pipeline, source: Source<'_>, claim: &Claim) -> Result<Applied, BoxError> {
    let template = source.template;
    let key = binding_key(template.kind(), &template.key());
    let Some(present) = pipeline.bindings.get(&key) else {
        if let Some(delay) = pipeline.hub.released.wait(&key) {
            return Ok(Applied::After(delay));
        }
        let new = new_binding(pipeline, source, claim).await;
        let created = pipeline.bindings.api(&key).create(&new).await;
        pipeline.bindings.written(created.inspect_err(|_| pipeline.drop_decision(&key))?);
        return Ok(written(pipeline, source));
    };
    if present.metadata.is_deleting() {
        // It is made again when it is gone, which queues the template.
        return Ok(Applied::AsItWas);
    }
    if binding::belongs_to_another(&present.metadata, template) {
        remove_orphan(pipeline, &key, &present).await?;
        return Ok(Applied::Later);
    }
    let spec = source.spec(Some(&present.spec));
    let is_claimed = is_covered(&present.metadata.labels, &claim.labels())
        && is_covered(&present.metadata.annotations, &claim.annotations());
    if is_claimed && !binding::differs(&present.spec, &spec) {
        // The binding is up to date, but its Works may not be.
        if present.spec.resource.resource_version != template.resource_version() {
            pipeline.binding_queue.add(key);
        }
        return Ok(Applied::AsItWas);
    }
    let mut changed = (*present).clone();
    changed.spec = spec;
    LABELS.iter().for_each(|label| drop(changed.metadata.labels.remove(*label)));
    ANNOTATIONS.iter().for_each(|name| drop(changed.metadata.annotations.remove(*name)));
    changed.metadata.labels.extend(claim.labels());
    changed.metadata.annotations.extend(claim.annotations());
    // The targets stay, and may use more of a quota with other requirements.
    let admitted = pipeline.hub.quotas.admit(&key, Some(&present.spec), &changed.spec);
    admitted.map_err(|exceeded| ClientError::Forbidden(quota_exceeded(&exceeded.to_string())))?;
    let replaced = pipeline.bindings.api(&key).replace(&changed).await;
    pipeline.bindings.written(replaced.inspect_err(|_| pipeline.drop_decision(&key))?);
    Ok(written(pipeline, source))
}

/// What the spec of a binding is made from.
#[derive(Clone, Copy)]
struct Source<'a> {
    template: &'a Object,
    policy: &'a PropagationSpec,
    demand: &'a Demand,
    priority: Option<i32>,
    /// The clusters, if nothing schedules the binding.
    targets: Option<&'a [TargetCluster]>,
}

impl Source<'_> {
    fn spec(self, old: Option<&ResourceBindingSpec>) -> ResourceBindingSpec {
        let mut spec = binding::spec(self.template, self.policy, self.demand, self.priority, old);
        if let Some(targets) = self.targets {
            spec.clusters = targets.to_vec();
        }
        spec
    }
}

/// Emits the event that the template was read.
fn written(pipeline: &Pipeline, source: Source<'_>) -> Applied {
    if source.demand.replicas.is_some() {
        let about = Regarding::object(source.template);
        pipeline.hub.events.success(about, GET_REPLICAS_SUCCEED, policy_messages::GOT_REPLICAS);
    }
    Applied::Written
}

async fn new_binding(pipeline: &Pipeline, source: Source<'_>, claim: &Claim) -> Binding {
    let mut metadata = binding::metadata(source.template, claim, &uuid::Uuid::new_v4().to_string());
    let mut spec = source.spec(None);
    if source.targets.is_none() {
        // Works without a binding are those of one that was deleted: what runs stays where it is.
        spec.clusters = binding::targets_of(&of_binding(&pipeline.hub, &metadata.key()));
    }
    let view = reschedule::View { metadata: &metadata, spec: &spec, status: &Default::default() };
    // Workloads of a group are placed one after the other, and those with a priority in its order, by passes over their
    // bindings.
    if reschedule::is_schedulable(view)
        && view.spec.workload_affinity_groups.is_none()
        && view.spec.schedule_priority.is_none()
        && let Ok(placed) = place(pipeline, view).await
    {
        spec.clusters = placed.clusters;
        let record = reschedule::placement_record(&source.policy.placement);
        metadata.annotations.insert(annotations::policy::APPLIED_PLACEMENT.to_owned(), record);
    }
    Binding::new(metadata, spec)
}

/// Deletes the binding of an earlier template of the same name.
async fn remove_orphan(pipeline: &Pipeline, key: &ObjectKey, binding: &Binding) -> Result<(), ClientError> {
    let uid = binding.metadata.uid.clone();
    ignore_missing(pipeline.bindings.api(key).delete(key, &Delete::default().uid(uid)).await).map(drop)
}

fn is_covered(actual: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| actual.get(key) == Some(value))
}
