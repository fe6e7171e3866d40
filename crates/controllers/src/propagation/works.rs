//! The Works of one binding: exactly one per target cluster.

pub(super) mod events;
mod pass;
pub(super) mod write;

use std::collections::HashMap;
use std::sync::Arc;

use portolan_api::names;
use portolan_api::policy::PurgeMode;
use portolan_api::work::{ResourceBindingSpec, TargetCluster, Work};
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubefed::changes::Changes;
use portolan_plan::propagation::overrides;
use portolan_plan::propagation::removal::{Cause, Origin};
use portolan_plan::propagation::work::{self, Input, Recipient, build_with, targets};
use portolan_runtime::ClusterName;
use portolan_runtime::client::BoxError;

use crate::failures::Failures;
use crate::hub::{Hub, WORKS_BY_BINDING, binding_of};
use crate::propagation::Pipeline;
use crate::propagation::remade_works::remake;
use crate::propagation::scoped::{Binding, Override};
use crate::propagation::source::Source;
use crate::removal::remove;
use pass::{Pass, SyncedWorks, TargetError};
use write::{WorkWrite, is_removed, write_for};

/// The Works of a binding, from the cache.
pub(crate) fn of_binding(hub: &Hub, binding: &ObjectKey) -> Vec<Arc<Work>> {
    hub.works.by_index(WORKS_BY_BINDING, &binding.to_string())
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
        return SyncedWorks::from(Err(error.into()));
    }
    let mut by_cluster: HashMap<&str, &Arc<Work>> = HashMap::new();
    for work in &present {
        if let Some(cluster) = names::cluster_of_execution_namespace(&work.metadata.namespace) {
            by_cluster.insert(cluster, work);
        }
    }
    if let Some(result) = purge(pipeline, binding, &by_cluster).await {
        return result.into();
    }
    let mut in_effect = pipeline.overrides_in_effect("");
    let cluster_wide = in_effect.len();
    if !template.namespace().is_empty() {
        in_effect.extend(pipeline.overrides_in_effect(template.namespace()));
    }
    let overrides = views(&in_effect);
    let (cluster_overrides, overrides) = overrides.split_at(cluster_wide);
    let input =
        Input { template, binding: &binding.metadata, spec: &binding.spec, cluster_overrides, overrides };
    let is_frozen = is_frozen(pipeline, binding);
    let mut pass = Pass::new(pipeline, binding, source);
    if let Some(leaving) = pipeline.leaving_overrides.wait(template) {
        pass.hold(leaving);
    }
    for target in &wanted {
        let old = by_cluster.remove(target.name.as_str()).cloned();
        let old = old.or_else(|| taken_over(pipeline, source, &target.name));
        if is_frozen && old.as_ref().is_some_and(|old| !old.metadata.is_deleting()) {
            continue;
        }
        let held = old
            .as_ref()
            .and_then(|old| pipeline.leaving_overrides.hold(&old.metadata, template.namespace(), &in_effect));
        if let Some(held) = held {
            pass.hold(held);
            continue;
        }
        match write_for_target(pipeline, &input, changes.as_ref(), target, old.as_deref()).await {
            Ok(write) => pass.add(write, old.as_deref()),
            Err(error) => pass.fail(error, old.as_deref()),
        }
    }
    pass.send(by_cluster).await
}

/// Whether the Works of a binding stay as they are: the policy that made it is gone. The objects stay, as the template and
/// the override policies were then.
fn is_frozen(pipeline: &Pipeline, binding: &Binding) -> bool {
    let mut owners = binding.metadata.owner_references.iter();
    let is_of_policy = owners.any(|owner| owner.uid == binding.spec.resource.uid);
    is_of_policy && !pipeline.is_governed(binding)
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

/// The override policies as `plan` takes them.
pub(super) fn views(policies: &[Arc<Override>]) -> Vec<overrides::Policy<'_>> {
    policies
        .iter()
        .map(|policy| overrides::Policy { metadata: &policy.metadata, spec: &policy.spec })
        .collect()
}
