//! The Works of one binding: one per target cluster, no more and no less.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::try_join_all;
use portolan_api::names;
use portolan_api::work::{TargetCluster, Work};
use portolan_api::{annotations, labels};
use portolan_object::{Object, ObjectKey};
use portolan_plan::propagation::overrides;
use portolan_plan::propagation::work::{Input, build, is_current, targets};
use portolan_runtime::client::{BoxError, Delete};
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{ClientError, ClusterName};

use crate::hub::{Hub, WORKS_BY_BINDING};
use crate::propagation::Pipeline;
use crate::propagation::forms::{Binding, Override};

/// The Works of a binding, as the cache has them.
pub(super) fn of_binding(hub: &Hub, binding: &ObjectKey) -> Vec<Arc<Work>> {
    hub.works.by_index(WORKS_BY_BINDING, &binding.to_string())
}

/// Creates, changes and removes Works until there is one per target.
pub(super) async fn settle(
    pipeline: &Pipeline,
    key: &ObjectKey,
    binding: &Binding,
    template: &Object,
) -> Result<(), BoxError> {
    let present = of_binding(&pipeline.hub, key);
    let mut by_cluster: HashMap<&str, &Arc<Work>> = HashMap::new();
    for work in &present {
        if let Some(cluster) = names::cluster_of_execution_namespace(&work.metadata.namespace) {
            by_cluster.insert(cluster, work);
        }
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
    let mut failure: Option<BoxError> = None;
    for target in targets(&binding.spec) {
        let old = by_cluster.remove(target.name.as_str());
        match wanted(&pipeline.hub, &input, &target, old.map(AsRef::as_ref)) {
            Ok(Some(write)) => writes.push(put(&pipeline.hub, write)),
            Ok(None) => {}
            Err(error) => {
                let about = Regarding::object(template);
                pipeline.hub.events.record(
                    about,
                    Severity::Warning,
                    "ApplyOverridePolicyFailed",
                    error.to_string(),
                );
                failure = Some(error);
            }
        }
    }
    try_join_all(writes).await?;
    let evicting = |cluster: &str| {
        let tasks = &binding.spec.graceful_eviction_tasks;
        tasks.iter().any(|task| {
            task.from_cluster == cluster && task.purge_mode != Some(portolan_api::policy::PurgeMode::Directly)
        })
    };
    let orphans =
        by_cluster.iter().filter(|(cluster, work)| !work.metadata.is_deleting() && !evicting(cluster));
    try_join_all(orphans.map(|(_, work)| remove(&pipeline.hub, work))).await?;
    failure.map_or(Ok(()), Err)
}

/// A write that brings one Work in line.
pub(super) enum Write {
    Create(Work),
    Replace(Work),
}

/// The Work for a target; `None` when the one that is there says the same.
fn wanted(
    hub: &Hub,
    input: &Input<'_>,
    target: &TargetCluster,
    old: Option<&Work>,
) -> Result<Option<Write>, BoxError> {
    // A cluster that is gone gets nothing; scheduling takes it out of the binding.
    let Some(cluster) = hub.cluster(&ClusterName::new(target.name.as_str())) else { return Ok(None) };
    let id = old.and_then(|old| old.metadata.label(labels::work::PERMANENT_ID)).map(str::to_owned);
    let id = id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let new = build(input, target, &cluster, &id)?;
    Ok(difference(old, new))
}

/// What to write so that `new` is there.
pub(super) fn difference(old: Option<&Work>, new: Work) -> Option<Write> {
    let Some(old) = old else { return Some(Write::Create(new)) };
    if old.metadata.is_deleting() || is_current(old, &new) {
        return None;
    }
    let mut changed = old.clone();
    for overrides in [annotations::policy::APPLIED_OVERRIDES, annotations::policy::APPLIED_CLUSTER_OVERRIDES]
    {
        changed.metadata.annotations.remove(overrides);
    }
    changed.metadata.labels.extend(new.metadata.labels);
    changed.metadata.annotations.extend(new.metadata.annotations);
    changed.spec = new.spec;
    Some(Write::Replace(changed))
}

/// Sends a write.
pub(super) async fn put(hub: &Hub, write: Write) -> Result<(), ClientError> {
    let api = hub.client.kind::<Work>();
    let written = match write {
        Write::Create(work) => api.create(&work).await?,
        Write::Replace(work) => api.replace(&work).await?,
    };
    hub.work_written(written);
    Ok(())
}

/// Asks for the removal of a Work; execution removes the object in the member first.
pub(super) async fn remove(hub: &Hub, work: &Work) -> Result<(), ClientError> {
    let key = work.metadata.key();
    match hub.client.kind::<Work>().delete(&key, &Delete::default()).await {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

pub(super) fn views(policies: &[Arc<Override>]) -> Vec<overrides::Policy<'_>> {
    policies
        .iter()
        .map(|policy| overrides::Policy { metadata: &policy.metadata, spec: &policy.spec })
        .collect()
}
