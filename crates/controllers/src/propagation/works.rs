//! The Works of one binding: exactly one per target cluster.

use std::collections::HashMap;
use std::sync::Arc;

use portolan_api::names;
use portolan_api::policy::PurgeMode;
use portolan_api::work::{ResourceBindingSpec, TargetCluster, Work};
use portolan_api::{annotations, labels};
use portolan_object::{Object, ObjectKey};
use portolan_plan::propagation::overrides::{self, OverrideError};
use portolan_plan::propagation::work::{Input, build, is_current, targets};
use portolan_runtime::client::{BoxError, Delete};
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{ClientError, ClusterName};

use crate::failures::Failures;
use crate::hub::{Hub, WORKS_BY_BINDING};
use crate::missing::ignore_missing;
use crate::propagation::Pipeline;
use crate::propagation::scoped::{Binding, Override};

/// The Works of a binding, from the cache.
pub(super) fn of_binding(hub: &Hub, binding: &ObjectKey) -> Vec<Arc<Work>> {
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
    let mut failures = Failures::default();
    for target in targets(&binding.spec) {
        let old = by_cluster.remove(target.name.as_str());
        match write_for_target(&pipeline.hub, &input, &target, old.map(AsRef::as_ref)) {
            Ok(Some(write)) => writes.push(send(&pipeline.hub, write)),
            Ok(None) => {}
            Err(error) => {
                let (about, message) = (Regarding::object(template), error.to_string());
                pipeline.hub.events.record(about, Severity::Warning, "ApplyOverridePolicyFailed", message);
                failures.push(error);
            }
        }
    }
    let failed_writes = Failures::of_all(writes).await;
    if failed_writes.is_empty() {
        let surplus = by_cluster
            .iter()
            .filter(|(cluster, work)| !work.metadata.is_deleting() && !is_evicting(&binding.spec, cluster));
        failures.append(Failures::of_all(surplus.map(|(_, work)| remove(&pipeline.hub, work))).await);
    }
    failures.append(failed_writes);
    failures.into_result()
}

/// Whether a cluster keeps its Work until the object runs elsewhere.
fn is_evicting(spec: &ResourceBindingSpec, cluster: &str) -> bool {
    let mut tasks = spec.graceful_eviction_tasks.iter();
    tasks.any(|task| task.from_cluster == cluster && task.purge_mode != Some(PurgeMode::Directly))
}

/// A write of one Work.
pub(super) enum WorkWrite {
    Create(Work),
    Replace(Work),
}

/// The write for a target; `None` if its Work is up to date.
fn write_for_target(
    hub: &Hub,
    input: &Input<'_>,
    target: &TargetCluster,
    old: Option<&Work>,
) -> Result<Option<WorkWrite>, OverrideError> {
    // No Work for a deleted cluster; scheduling removes it from the binding.
    let Some(cluster) = hub.cluster(&ClusterName::new(target.name.as_str())) else { return Ok(None) };
    let id = old.and_then(|old| old.metadata.label(labels::work::PERMANENT_ID)).map(str::to_owned);
    let id = id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let new = build(input, target, &cluster, &id)?;
    Ok(write_for(old, new))
}

/// The write that turns `old` into `new`; `None` if they agree.
pub(super) fn write_for(old: Option<&Work>, new: Work) -> Option<WorkWrite> {
    let Some(old) = old else { return Some(WorkWrite::Create(new)) };
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
    Some(WorkWrite::Replace(changed))
}

/// Sends a write and updates the cache with its result.
pub(super) async fn send(hub: &Hub, write: WorkWrite) -> Result<(), ClientError> {
    let api = hub.client.kind::<Work>();
    let written = match write {
        WorkWrite::Create(work) => api.create(&work).await?,
        WorkWrite::Replace(work) => api.replace(&work).await?,
    };
    hub.work_written(written);
    Ok(())
}

/// Deletes a Work; `execution` deletes the object in the member and then releases the Work.
pub(super) async fn remove(hub: &Hub, work: &Work) -> Result<(), ClientError> {
    let key = work.metadata.key();
    ignore_missing(hub.client.kind::<Work>().delete(&key, &Delete::default()).await).map(drop)
}

/// The override policies as `plan` takes them.
pub(super) fn views(policies: &[Arc<Override>]) -> Vec<overrides::Policy<'_>> {
    policies
        .iter()
        .map(|policy| overrides::Policy { metadata: &policy.metadata, spec: &policy.spec })
        .collect()
}
