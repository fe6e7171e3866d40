//! The Works of one binding: exactly one per target cluster.

use std::collections::HashMap;
use std::sync::Arc;

use portolan_api::conditions::binding::OVERRIDE_POLICY_FAILED;
use portolan_api::policy::{ClusterOverridePolicy, OverridePolicy, PurgeMode};
use portolan_api::work::{ResourceBindingSpec, TargetCluster, Work};
use portolan_api::{Kind, annotations, names};
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubefed::changes::{ChangeError, Changes};
use portolan_plan::propagation::overrides::{self, OverrideError};
use portolan_plan::propagation::removal::{Cause, Origin};
use portolan_plan::propagation::work::{
    self, Input, Recipient, build_with, is_current, is_of_template, targets,
};
use portolan_runtime::client::BoxError;
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{ClientError, ClusterName};

use crate::failures::Failures;
use crate::hub::{Hub, WORKS_BY_BINDING, binding_of};
use crate::propagation::Pipeline;
use crate::propagation::interpreters::InterpretError;
use crate::propagation::remade_works::remake;
use crate::propagation::scoped::{Binding, Override};
use crate::propagation::source::Source;
use crate::removal::{remove, take_back};

/// The Works of a binding, from the cache.
pub(crate) fn of_binding(hub: &Hub, binding: &ObjectKey) -> Vec<Arc<Work>> {
    hub.works.by_index(WORKS_BY_BINDING, &binding.to_string())
}

/// The result of a pass over the Works of a binding.
pub(super) struct SyncedWorks {
    /// Messages of the override policies that could not be applied.
    pub(super) failed_overrides: Vec<String>,
    /// The failures of the pass, those of overrides among them.
    pub(super) result: Result<(), BoxError>,
}

/// Creates, changes and deletes Works until there is one per target.
///
/// The write for each cluster runs to its end whatever happens to the others. Works of clusters that are no longer
/// targets are deleted only after all writes succeeded, so that an object that moves is created before it is deleted.
pub(super) async fn sync_works(
    pipeline: &Pipeline,
    key: &ObjectKey,
    binding: &Binding,
    source: &Source,
) -> SyncedWorks {
    let (template, changes) = (source.template(), source.changes());
    let present = of_binding(&pipeline.hub, key);
    let wanted = targets(&binding.spec);
    let names: Vec<&str> = wanted.iter().map(|target| target.name.as_str()).collect();
    if let Err(error) = remake(pipeline, key, binding, &present, &names).await {
        return SyncedWorks { failed_overrides: Vec::new(), result: Err(error.into()) };
    }
    let mut by_cluster: HashMap<&str, &Arc<Work>> = HashMap::new();
    for work in &present {
        if let Some(cluster) = names::cluster_of_execution_namespace(&work.metadata.namespace) {
            by_cluster.insert(cluster, work);
        }
    }
    if let Some(result) = purge(pipeline, binding, &by_cluster).await {
        return SyncedWorks { failed_overrides: Vec::new(), result };
    }
    let cluster_wide = pipeline.overrides.cluster.list();
    let namespaced = match template.namespace() {
        "" => Vec::new(),
        namespace => pipeline.overrides.namespaced.list_namespace(namespace),
    };
    let (cluster_wide, namespaced) = (views(&cluster_wide), views(&namespaced));
    let input = Input {
        template,
        binding: &binding.metadata,
        spec: &binding.spec,
        cluster_overrides: &cluster_wide,
        overrides: &namespaced,
    };
    let mut writes = Vec::new();
    let mut failures = Failures::default();
    let (mut failed_overrides, mut overridden) = (Vec::new(), Vec::new());
    let is_frozen = is_frozen(pipeline, binding);
    for target in &wanted {
        let old = by_cluster.remove(target.name.as_str()).cloned();
        let old = old.or_else(|| taken_over(pipeline, source, &target.name));
        if is_frozen && old.as_ref().is_some_and(|old| !old.metadata.is_deleting()) {
            continue;
        }
        match write_for_target(pipeline, &input, changes.as_ref(), target, old.as_deref()).await {
            Ok(Some(write)) => {
                overridden.extend(write.overridden(old.as_deref()));
                writes.push(send(&pipeline.hub, write));
            }
            Ok(None) => {}
            // The federated object says so in its status; the cluster keeps the object from before.
            Err(TargetError::Change(_)) => {}
            Err(error @ (TargetError::Interpret(_) | TargetError::Taken { .. })) => {
                report_failure(&pipeline.hub, source.object(), binding, &error);
                failures.push(error);
            }
            Err(TargetError::Override(error)) => {
                report_failed_override(&pipeline.hub, source.object(), &error);
                failed_overrides.push(error.to_string());
                // The Work of an earlier release can have an object that no override may make.
                let is_spoiled = |old: &&Work| !old.metadata.is_deleting() && !is_of_template(old, template);
                if let Some(spoiled) = old.as_deref().filter(is_spoiled) {
                    writes.push(send(&pipeline.hub, WorkWrite::Remove(Box::new(spoiled.clone()))));
                }
                failures.push(error);
            }
        }
    }
    let has_writes = !writes.is_empty();
    let failed_writes = Failures::of_all(writes).await;
    if has_writes && failed_writes.is_empty() {
        report_success(&pipeline.hub, source.object(), binding);
        overridden.iter().for_each(|work| report_overrides(&pipeline.hub, source.object(), work));
    }
    if failed_writes.is_empty() {
        let surplus = by_cluster
            .iter()
            .filter(|(cluster, work)| !is_removed(work) && !is_evicting(&binding.spec, cluster));
        let removals = surplus.map(|(_, work)| remove(&pipeline.hub, work, Cause::Withdrawn));
        failures.append(Failures::of_all(removals).await);
    }
    failures.append(failed_writes);
    SyncedWorks { failed_overrides, result: failures.into_result() }
}

/// The Work of one target cannot be built; its cluster keeps the object from before.
#[derive(Debug, thiserror::Error)]
enum TargetError {
    #[error(transparent)]
    Override(#[from] OverrideError),
    #[error(transparent)]
    Interpret(#[from] InterpretError),
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error(
        "cluster {cluster} has this object from the binding {owner} already: remove one of the two, or take the cluster \
         out of the placement of one"
    )]
    Taken { cluster: String, owner: ObjectKey },
}

/// Emits an event on the template and one on the binding.
fn report_failure(hub: &Hub, template: &Object, binding: &Binding, error: &TargetError) {
    for about in [Regarding::object(template), binding.regarding()] {
        hub.events.record(about, Severity::Warning, "SyncWorkFailed", error.to_string());
    }
}

/// Whether the Works of a binding stay as they are: the policy that made it is gone. The objects stay, as the template and
/// the override policies were then.
fn is_frozen(pipeline: &Pipeline, binding: &Binding) -> bool {
    let mut owners = binding.metadata.owner_references.iter();
    let is_of_policy = owners.any(|owner| owner.uid == binding.spec.resource.uid);
    is_of_policy && !pipeline.is_governed(binding)
}

/// Emits an event on the template and one on the policy.
pub(super) fn report_failed_override(hub: &Hub, template: &Object, error: &OverrideError) {
    let gvk = match error.policy_namespace.as_str() {
        "" => ClusterOverridePolicy::gvk(),
        _ => OverridePolicy::gvk(),
    };
    let key = ObjectKey::namespaced(&*error.policy_namespace, &*error.policy);
    let policy = Regarding { gvk, key, uid: String::new() };
    for about in [Regarding::object(template), policy] {
        hub.events.record(about, Severity::Warning, OVERRIDE_POLICY_FAILED, error.to_string());
    }
}

/// Whether a cluster keeps its Work until the object runs elsewhere.
fn is_evicting(spec: &ResourceBindingSpec, cluster: &str) -> bool {
    let mut tasks = spec.graceful_eviction_tasks.iter();
    tasks.any(|task| task.from_cluster == cluster && task.purge_mode != Some(PurgeMode::Directly))
}

/// Deletes the Works from which the object must leave before it is written to others; `None` if there are none. The deletion
/// of the last one queues the binding again.
async fn purge(
    pipeline: &Pipeline,
    binding: &Binding,
    by_cluster: &HashMap<&str, &Arc<Work>>,
) -> Option<Result<(), BoxError>> {
    let purged = by_cluster.iter().filter(|(name, _)| is_purged(&binding.spec, name));
    let purged: Vec<&Arc<Work>> = purged.map(|(_, work)| *work).collect();
    if purged.is_empty() {
        return None;
    }
    let going = purged.into_iter().filter(|work| !is_removed(work));
    let removals = going.map(|work| remove(&pipeline.hub, work, Cause::Withdrawn));
    Some(Failures::of_all(removals).await.into_result())
}

/// Whether the object must leave a cluster before it is written to others.
fn is_purged(spec: &ResourceBindingSpec, cluster: &str) -> bool {
    let mut tasks = spec.graceful_eviction_tasks.iter();
    let is_leaving =
        tasks.any(|task| task.from_cluster == cluster && task.purge_mode == Some(PurgeMode::Directly));
    is_leaving && !targets(spec).iter().any(|target| target.name == cluster)
}

/// Emits events about the written Works of a binding.
fn report_success(hub: &Hub, template: &Object, binding: &Binding) {
    let key = binding.metadata.key();
    let message = format!("Sync work of {}({}/{}) successful.", binding.kind, key.namespace, key.name);
    for about in [binding.regarding(), Regarding::object(template)] {
        hub.events.success(about, "SyncWorkSucceed", message.clone());
    }
}

/// Emits an event on the template for each override policy that changed something in a Work.
fn report_overrides(hub: &Hub, template: &Object, work: &Work) {
    let Some(cluster) = names::cluster_of_execution_namespace(&work.metadata.namespace) else { return };
    let namespace = template.namespace();
    let records = [
        (annotations::policy::APPLIED_CLUSTER_OVERRIDES, "cluster override policy", String::new()),
        (annotations::policy::APPLIED_OVERRIDES, "override policy", format!("{namespace}/")),
    ];
    for (record, kind, prefix) in records {
        let applied = work.metadata.annotation(record).unwrap_or("[]");
        let applied: Vec<serde_json::Value> = serde_json::from_str(applied).unwrap_or_default();
        for policy in applied.iter().filter_map(|policy| policy["policyName"].as_str()) {
            let message = format!("Apply {kind}({prefix}{policy}) for cluster({cluster}) succeed.");
            hub.events.success(Regarding::object(template), "ApplyOverridePolicySucceed", message);
        }
    }
}

/// Whether a Work is being deleted with a cause.
fn is_removed(work: &Work) -> bool {
    work.metadata.is_deleting() && Cause::of(work).is_some()
}

/// A write of one Work.
pub(super) enum WorkWrite {
    Create(Work),
    Replace(Work),
    /// Its manifest is another object; that one is deleted in the member before the Work is made again.
    Remove(Box<Work>),
    /// It was withdrawn and is wanted again: the object in the member stays.
    TakeBack(Box<Work>),
}

impl WorkWrite {
    /// The Work to be written, if its overrides differ from those of `old`.
    fn overridden(&self, old: Option<&Work>) -> Option<Work> {
        let (Self::Create(new) | Self::Replace(new)) = self else { return None };
        let records =
            [annotations::policy::APPLIED_OVERRIDES, annotations::policy::APPLIED_CLUSTER_OVERRIDES];
        let is_new = |record: &&str| {
            let applied = new.metadata.annotation(record);
            applied.is_some() && old.and_then(|old| old.metadata.annotation(record)) != applied
        };
        records.iter().any(is_new).then(|| Work { metadata: new.metadata.clone(), ..Work::default() })
    }
}

/// The write for a target; `None` if its Work is up to date.
async fn write_for_target(
    pipeline: &Pipeline,
    input: &Input<'_>,
    changes: Option<&Changes<'_>>,
    target: &TargetCluster,
    old: Option<&Work>,
) -> Result<Option<WorkWrite>, TargetError> {
    if let Some(owner) = other_binding(pipeline, input, target) {
        return Err(TargetError::Taken { cluster: target.name.clone(), owner });
    }
    // No Work for a deleted cluster; scheduling removes it from the binding.
    let Some(cluster) = pipeline.hub.cluster(&ClusterName::new(target.name.as_str())) else {
        return Ok(None);
    };
    let new_id = uuid::Uuid::new_v4().to_string();
    let manifest = pipeline.interpreters.revise(input.template, input.spec, target).await?;
    let change = |manifest: &mut Object| match changes {
        Some(changes) => changes.apply(manifest, &cluster.metadata.name),
        None => Ok(()),
    };
    let change = |manifest: &mut Object| change(manifest).map_err(TargetError::from);
    let new = build_with(input, manifest, Recipient { target, cluster: &cluster }, old, &new_id, change)?;
    Ok(write_for(old, new, input.template))
}

/// The Work of a namespace of the hub, which passes to the FederatedNamespace of that namespace.
fn taken_over(pipeline: &Pipeline, source: &Source, cluster: &str) -> Option<Arc<Work>> {
    let found = pipeline.hub.works.get(&work::key(source.template(), cluster))?;
    let is_of_namespace = matches!(Origin::of(&found), Origin::Namespace { .. });
    (!source.is_template() && is_of_namespace).then_some(found)
}

/// The binding that has the Work of this object already: a template and a federated object can be of one kind and name.
fn other_binding(pipeline: &Pipeline, input: &Input<'_>, target: &TargetCluster) -> Option<ObjectKey> {
    let found = pipeline.hub.works.get(&work::key(input.template, &target.name))?;
    binding_of(&found).filter(|owner| *owner != input.binding.key())
}

/// The write that turns `old` into `new`, the Work of `template`; `None` if they agree.
pub(super) fn write_for(old: Option<&Work>, new: Work, template: &Object) -> Option<WorkWrite> {
    let Some(old) = old else { return Some(WorkWrite::Create(new)) };
    if old.metadata.is_deleting() {
        // It is made again when it is gone.
        let is_withdrawn = Cause::of(old) == Some(Cause::Withdrawn);
        return is_withdrawn.then(|| WorkWrite::TakeBack(Box::new(old.clone())));
    }
    if is_current(old, &new) {
        return None;
    }
    if !is_of_template(old, template) {
        return Some(WorkWrite::Remove(Box::new(old.clone())));
    }
    let mut changed = old.clone();
    for stale in [
        annotations::policy::APPLIED_OVERRIDES,
        annotations::policy::APPLIED_CLUSTER_OVERRIDES,
        annotations::work::REMOVAL_CAUSE,
    ] {
        changed.metadata.annotations.remove(stale);
    }
    changed.metadata.labels.extend(new.metadata.labels);
    changed.metadata.annotations.extend(new.metadata.annotations);
    changed.metadata.owner_references = new.metadata.owner_references;
    changed.spec = new.spec;
    Some(WorkWrite::Replace(changed))
}

/// Sends a write and updates the cache with its result.
pub(super) async fn send(hub: &Hub, write: WorkWrite) -> Result<(), ClientError> {
    let api = hub.client.kind::<Work>();
    let written = match write {
        WorkWrite::Create(work) => api.create(&work).await?,
        WorkWrite::Replace(work) => api.replace(&work).await?,
        WorkWrite::Remove(work) => {
            let (cluster, key) = (&work.metadata.namespace, work.metadata.key());
            tracing::warn!(%cluster, work = %key, "the work has another object than its template, it is deleted");
            return remove(hub, &work, Cause::Replaced).await;
        }
        WorkWrite::TakeBack(work) => return take_back(hub, &work).await,
    };
    hub.work_written(written);
    Ok(())
}

/// The override policies as `plan` takes them.
pub(super) fn views(policies: &[Arc<Override>]) -> Vec<overrides::Policy<'_>> {
    policies
        .iter()
        .map(|policy| overrides::Policy { metadata: &policy.metadata, spec: &policy.spec })
        .collect()
}
