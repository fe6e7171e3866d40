//! Failover of one binding: lets `portolan_plan::failover` decide from the status that the pass has just written, and
//! writes the result. The write queues the binding again, which is then scheduled.

mod turns;
mod unhealthy;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use portolan_api::annotations::binding::FAILED_CLUSTERS;
use portolan_api::conditions::cluster::READY;
use portolan_api::conditions::work::APPLIED;
use portolan_api::meta::{Taint, condition};
use portolan_api::names;
use portolan_api::work::Work;
use portolan_object::{Object, ObjectKey};
use portolan_plan::failover::{Decision, Facts, Settings, decide, is_outdated, unhealthy_clusters};
use portolan_plan::propagation::reschedule::View;
use portolan_runtime::ClientError;
use portolan_runtime::client::Patch;
use portolan_runtime::events::{Regarding, Severity};
use serde_json::{Value, json};

use crate::propagation::Pipeline;
use crate::propagation::scoped::Binding;
use crate::propagation::works::of_binding;
use turns::Turns;
use unhealthy::Unhealthy;

const SUCCEEDED: &str = "EvictWorkloadFromClusterSucceed";
const FAILED: &str = "EvictWorkloadFromClusterFailed";

/// What failover remembers of all bindings; clones share state. A restart loses the times since which workloads have been
/// unhealthy: they start again, so that nothing is moved too early.
#[derive(Clone)]
pub(super) struct Failover {
    settings: Settings,
    turns: Turns,
    unhealthy: Unhealthy,
}

impl Failover {
    pub(super) fn new(settings: Settings) -> Self {
        let turns = Turns::new(settings.evictions_per_second);
        Self { settings, turns, unhealthy: Unhealthy::default() }
    }

    /// The binding is gone.
    pub(super) fn forget(&self, key: &ObjectKey) {
        self.turns.give_up(key);
        self.unhealthy.forget(key);
    }
}

/// Removes the note about clusters in which the workload failed, if it holds no longer. Returns the binding as it is then.
pub(super) async fn forget_failures(
    pipeline: &Pipeline,
    key: &ObjectKey,
    binding: &Arc<Binding>,
    template: &Object,
) -> Result<Arc<Binding>, ClientError> {
    let view = View { metadata: &binding.metadata, spec: &binding.spec, status: &binding.status };
    if !is_outdated(view, generation(template)) {
        return Ok(binding.clone());
    }
    let version = &binding.metadata.resource_version;
    let patch = json!({ "metadata": { "resourceVersion": version, "annotations": { FAILED_CLUSTERS: Value::Null } } });
    let mut written = pipeline.bindings.api(key).patch(key, &Patch::Merge(patch)).await?;
    written.metadata.managed_fields.clear();
    pipeline.bindings.written(written.clone());
    Ok(Arc::new(written))
}

fn generation(template: &Object) -> i64 {
    template.at(&["metadata", "generation"]).and_then(Value::as_i64).unwrap_or_default()
}

/// Evicts a binding from clusters, and ends its evictions. Returns the time after which to look again without an event.
pub(super) async fn reconcile_failover(
    pipeline: &Pipeline,
    key: &ObjectKey,
    template: &Object,
) -> Result<Option<Duration>, ClientError> {
    let Some(binding) = pipeline.bindings.get(key).filter(|binding| !binding.metadata.is_deleting()) else {
        return Ok(None);
    };
    let (failover, elapsed) = (&pipeline.failover, pipeline.hub.clock.elapsed());
    let unhealthy = unhealthy_clusters(&binding.spec, &binding.status, |name| is_ready(pipeline, name));
    let unhealthy_for = failover.unhealthy.note(key, &unhealthy, elapsed);
    let taints = evicting_taints(pipeline, &binding);
    if binding.spec.graceful_eviction_tasks.is_empty() && taints.is_empty() && unhealthy_for.is_empty() {
        failover.turns.give_up(key);
        return Ok(None);
    }
    let works = of_binding(&pipeline.hub, key);
    let current: Vec<&str> = works
        .iter()
        .filter(|work| is_reported(work))
        .filter_map(|work| names::cluster_of_execution_namespace(&work.metadata.namespace))
        .collect();
    let facts = Facts {
        metadata: &binding.metadata,
        spec: &binding.spec,
        status: &binding.status,
        taints: &taints,
        template_generation: generation(template),
        unhealthy_for: &unhealthy_for,
        current: &current,
        settings: failover.settings,
        may_evict: false,
        now: pipeline.hub.clock.now(),
    };
    let mut decision = decide(facts);
    let mut wait = None;
    if !decision.waits_for_turn {
        failover.turns.give_up(key);
    } else if failover.turns.is_due(key, elapsed) {
        decision = decide(Facts { may_evict: true, ..facts });
    } else {
        wait = failover.turns.wait(key, elapsed);
    }
    let next = [decision.next, wait].into_iter().flatten().min();
    write(pipeline, key, &binding, decision).await?;
    Ok(next)
}

/// NoExecute taints of the targets.
fn evicting_taints(pipeline: &Pipeline, binding: &Binding) -> BTreeMap<String, Vec<Taint>> {
    if !pipeline.failover.settings.evicts_by_taint {
        return BTreeMap::new();
    }
    let evicting = |name: &String| {
        let cluster = pipeline.hub.clusters.get(&ObjectKey::cluster(&**name))?;
        let taints = cluster.spec.taints.iter().filter(|taint| taint.effect == "NoExecute");
        let taints: Vec<Taint> = taints.cloned().collect();
        (!taints.is_empty()).then(|| (name.clone(), taints))
    };
    binding.spec.clusters.iter().filter_map(|target| evicting(&target.name)).collect()
}

fn is_ready(pipeline: &Pipeline, name: &str) -> bool {
    let cluster = pipeline.hub.clusters.get(&ObjectKey::cluster(name));
    cluster.is_some_and(|cluster| {
        condition(&cluster.status.conditions, READY).is_some_and(|ready| ready.is_true())
    })
}

/// Whether the member has reported on the manifest as it is now. The agents of Karmada do not say on which.
fn is_reported(work: &Work) -> bool {
    let applied = condition(&work.status.conditions, APPLIED);
    let observed = applied.and_then(|applied| applied.observed_generation);
    applied.is_some() && observed.is_none_or(|observed| observed == work.metadata.generation)
}

/// Writes what was decided, and emits its events.
async fn write(
    pipeline: &Pipeline,
    key: &ObjectKey,
    binding: &Binding,
    decision: Decision,
) -> Result<(), ClientError> {
    for (cluster, cause) in &decision.refused {
        emit(
            pipeline,
            binding,
            Severity::Warning,
            FAILED,
            &format!("Evict from cluster {cluster} failed: {cause}"),
        );
    }
    let Some(spec) = decision.spec else { return Ok(()) };
    let mut wanted = Binding { spec, ..binding.clone() };
    if let Some(failed) = decision.failed_clusters {
        wanted.metadata.annotations.insert(FAILED_CLUSTERS.to_owned(), failed);
    }
    let written = match pipeline.bindings.api(key).replace(&wanted).await {
        Ok(written) => written,
        Err(error) => {
            for cluster in decision.evicted.iter().chain(&decision.ended).filter(|_| !error.is_race()) {
                let message = format!("Evict from cluster {cluster} failed: {error}");
                emit(pipeline, binding, Severity::Warning, FAILED, &message);
            }
            return Err(error);
        }
    };
    pipeline.failover.turns.give_up(key);
    let mut written = written;
    written.metadata.managed_fields.clear();
    pipeline.bindings.written(written);
    for cluster in &decision.evicted {
        let tasks = wanted.spec.graceful_eviction_tasks.iter();
        let task = tasks.rev().find(|task| task.from_cluster == *cluster);
        let reason = task.map(|task| task.message.as_str()).unwrap_or_default();
        tracing::info!(binding = %key, cluster, reason, "the object is evicted");
    }
    for cluster in &decision.ended {
        emit(
            pipeline,
            binding,
            Severity::Normal,
            SUCCEEDED,
            &format!("Evict from cluster {cluster} succeed."),
        );
    }
    Ok(())
}

/// Emits an event on the binding and one on its template.
fn emit(pipeline: &Pipeline, binding: &Binding, severity: Severity, reason: &str, message: &str) {
    let uid = binding.spec.resource.uid.clone();
    let template = Regarding { gvk: binding.template_kind(), key: binding.template_key(), uid };
    for about in [binding.regarding(), template] {
        pipeline.hub.events.record(about, severity, reason, message);
    }
}
