//! ReplicaSchedulingPreferences: the replicas of a federated workload in each cluster (kubefed pkg/schedulingtypes).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use portolan_api::kubefed::{
    FederatedSpec, FederatedType, Placement, ReplicaSchedulingPreference, ReplicaSchedulingPreferenceStatus,
    SCHEDULED,
};
use portolan_api::meta::{Condition, set_condition};
use portolan_api::work::Work;
use portolan_object::time::age;
use portolan_object::{Object, ObjectKey};
use portolan_plan::descheduler::unschedulable;
use portolan_plan::kubefed::preferences::{TARGET_KINDS, observed, with_replicas};
use portolan_plan::kubefed::replicas::{Observed, plan};
use portolan_plan::kubefed::template;
use portolan_runtime::client::{BoxError, Patch};
use portolan_runtime::{Cache, Outcome, Queue, Reconciler, driver};
use serde_json::json;

use super::facts::{self, Unplaceable, resource};
use crate::hub::binding_of;
use crate::merge::difference;
use crate::missing::ignore_missing;
use crate::propagation::{Pipeline, binding_key};

const WORKERS: usize = 4;
/// Time for which reports of members are batched, so that replicas do not follow every pod that starts.
const REPORT_BATCH: Duration = Duration::from_secs(1);
/// Time for which a pod must be unschedulable until its cluster counts as full.
const UNSCHEDULABLE: Duration = Duration::from_secs(60);

struct Preferences {
    pipeline: Pipeline,
    cache: Cache<ReplicaSchedulingPreference>,
}

/// Starts the controller.
pub(super) fn start(pipeline: &Pipeline, cache: &Cache<ReplicaSchedulingPreference>) {
    let queue = pipeline.hub().client.metrics().queue("replica-scheduling-preferences", None);
    observe(pipeline, cache, &queue);
    let preferences = Preferences { pipeline: pipeline.clone(), cache: cache.clone() };
    driver::run(Arc::new(preferences), &queue, WORKERS, &pipeline.hub().scope);
}

/// Queues a preference for every change of it, of its workload, of the workload in a member, and of clusters.
fn observe(pipeline: &Pipeline, cache: &Cache<ReplicaSchedulingPreference>, queue: &Queue<ObjectKey>) {
    let changed = queue.clone();
    cache.observe(move |change| changed.add(change.key.clone()));
    let changed = queue.clone();
    pipeline.observe_templates(move |resource, change| {
        if TARGET_KINDS.contains(&resource.gvk.kind.as_str()) {
            changed.add(change.key.clone());
        }
    });
    let (reported, bindings) = (queue.clone(), pipeline.clone());
    pipeline.hub().works.observe(move |change| {
        let Some(binding) = change.latest().and_then(|work| binding_of(work)) else { return };
        let Some(binding) = bindings.bindings().get(&binding) else { return };
        if TARGET_KINDS.contains(&binding.spec.resource.kind.as_str()) {
            reported.add_after(binding.template_key(), REPORT_BATCH);
        }
    });
    let (switched, all) = (queue.clone(), cache.clone());
    pipeline.hub().federated_types.settings.observe(move |_| {
        all.keys().into_iter().for_each(|key| switched.add(key));
    });
    let (joined, all) = (queue.clone(), cache.clone());
    pipeline.hub().clusters.observe(move |change| {
        if facts::is_relevant(change) {
            all.keys().into_iter().for_each(|key| joined.add(key));
        }
    });
}

/// Replicas cannot be divided, for a reason that the user can mend.
struct Blocked {
    reason: &'static str,
    message: String,
}

impl From<Unplaceable> for Blocked {
    fn from(cause: Unplaceable) -> Self {
        Self { reason: "InvalidTarget", message: cause.to_string() }
    }
}

impl Reconciler for Preferences {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let Some(preference) = self.cache.get(key).filter(|found| !found.metadata.is_deleting()) else {
            return Outcome::Done;
        };
        self.divide(key, &preference).await.into()
    }
}

impl Preferences {
    async fn divide(
        &self,
        key: &ObjectKey,
        preference: &ReplicaSchedulingPreference,
    ) -> Result<Outcome, BoxError> {
        if !self.pipeline.hub().federated_types.settings().divides_replicas {
            let message = "the KubeFedConfig switches SchedulerPreferences off".to_owned();
            let condition = self.condition(false, "SchedulingDisabled", message);
            self.report(key, preference, condition).await?;
            return Ok(Outcome::Done);
        }
        let target = match self.target(key, preference) {
            Ok(target) => target,
            Err(blocked) => {
                let condition = self.condition(false, blocked.reason, blocked.message);
                self.report(key, preference, condition).await?;
                return Ok(Outcome::Done);
            }
        };
        let observed = self.observed(key, &target);
        let plan = plan(&preference.spec, &observed, &key.to_string());
        let written = plan.written();
        let spec = with_replicas(&target.spec, &written, &target.unreachable);
        if spec != target.spec {
            let patch = json!({ "metadata": { "resourceVersion": target.object.resource_version() },
                "spec": difference(&json!(target.spec), &json!(spec)) });
            let api = self.pipeline.hub().client.resource::<Object>(&resource(&target.of));
            if let Some(object) = ignore_missing(api.patch(key, &Patch::Merge(patch)).await)? {
                self.pipeline.template_written(object);
            }
        }
        let (placed, total) = (plan.placed(), i64::from(preference.spec.total_replicas));
        let shares = written.iter().map(|(name, replicas)| format!("{name} {replicas}"));
        let shares = shares.collect::<Vec<_>>().join(", ");
        let condition = match placed < total {
            true => {
                let message = format!(
                    "{placed} of {total} replicas have a place ({shares}): raise maxReplicas, name more clusters, or \
                     add room"
                );
                self.condition(false, "NotEnoughRoom", message)
            }
            false => self.condition(true, "Scheduled", shares),
        };
        self.report(key, preference, condition).await?;
        // A pod that cannot be scheduled counts after a while, which is no change of an object.
        let is_settled =
            observed.values().zip(written.values()).all(|(seen, want)| seen.current == Some(*want));
        Ok(if is_settled { Outcome::Done } else { Outcome::RequeueAfter(UNSCHEDULABLE) })
    }

    /// The workload of a preference, and the clusters that it can be in.
    fn target(&self, key: &ObjectKey, preference: &ReplicaSchedulingPreference) -> Result<Target, Blocked> {
        let hub = self.pipeline.hub();
        let kind = &preference.spec.target_kind;
        let types = hub.federated_types.list();
        let configured = types.iter().find(|one| one.of.federated.gvk.kind == *kind);
        let Some(of) = configured.map(|one| one.of.clone()).filter(|_| TARGET_KINDS.contains(&kind.as_str()))
        else {
            let message = format!("spec.targetKind is {kind:?}: use {}", TARGET_KINDS.join(" or "));
            return Err(Blocked { reason: "UnknownTargetKind", message });
        };
        let found = self.pipeline.template(&of.federated.gvk, key);
        let Some(object) = found.filter(|object| !object.is_deleting()) else {
            let message = format!("there is no {kind} {key}: create it; its name is that of the preference");
            return Err(Blocked { reason: "TargetNotFound", message });
        };
        let spec = template::spec(&object).map_err(Unplaceable::Template)?;
        let clusters = facts::clusters(hub);
        let mut candidates: BTreeSet<String> = clusters.keys().cloned().collect();
        if preference.spec.intersect_with_cluster_selector {
            let selected = facts::selected(&clusters, &by_selector(&spec));
            candidates = selected.map_err(Unplaceable::Placement)?.clusters;
        }
        let candidates = facts::gate(&self.pipeline, &clusters, &object, &of)?.allow(candidates);
        let is_ready = |name: &String| clusters.get(name).is_some_and(|cluster| facts::is_ready(cluster));
        let (ready, unreachable) = candidates.into_iter().partition(is_ready);
        let target = Target { of, object, spec, ready, unreachable };
        if target.ready.is_empty() {
            let message = "no cluster that answers can have the workload; it stays as it is".to_owned();
            return Err(Blocked { reason: "NoClusters", message });
        }
        Ok(target)
    }

    /// What each cluster that answers has of the workload, and has room for.
    fn observed(&self, key: &ObjectKey, target: &Target) -> BTreeMap<String, Observed> {
        let hub = self.pipeline.hub();
        let works = facts::works(hub, &binding_key(&target.of.federated.gvk.kind, key));
        let observe = |name: &String| {
            let work = works.get(name);
            let status = work.and_then(|work| work.status.manifest_statuses.first()?.status.as_ref());
            let unschedulable = self.unschedulable(name, key, target);
            observed(work.and_then(|work| replicas_asked(work)), status, unschedulable)
        };
        target.ready.iter().map(|name| (name.clone(), observe(name))).collect()
    }

    /// Pods of the workload that no node of a cluster can run.
    fn unschedulable(&self, cluster: &str, key: &ObjectKey, target: &Target) -> i64 {
        let hub = self.pipeline.hub();
        let pods = hub.capacities.of(cluster);
        let pods = pods.and_then(|pods| pods.pods_of(&target.of.target.gvk.kind, &key.namespace, &key.name));
        let (pods, now) = (pods.unwrap_or_default(), hub.clock.now());
        i64::from(unschedulable(pods.iter().map(AsRef::as_ref), |since| age(since, now), UNSCHEDULABLE))
    }

    fn condition(&self, holds: bool, reason: &str, message: String) -> Condition {
        Condition::new(SCHEDULED, holds, reason, message, &*self.pipeline.hub().now())
    }

    async fn report(
        &self,
        key: &ObjectKey,
        preference: &ReplicaSchedulingPreference,
        condition: Condition,
    ) -> Result<(), BoxError> {
        let mut status = ReplicaSchedulingPreferenceStatus {
            observed_generation: preference.metadata.generation,
            ..preference.status.clone()
        };
        set_condition(&mut status.conditions, condition);
        if status == preference.status {
            return Ok(());
        }
        let patch = json!({ "status": difference(&json!(preference.status), &json!(status)) });
        let api = self.pipeline.hub().client.kind::<ReplicaSchedulingPreference>();
        if let Some(written) = ignore_missing(api.patch_status(key, &Patch::Merge(patch)).await)? {
            let version = written.metadata.resource_version.clone();
            self.cache.written(key.clone(), &version, written);
        }
        Ok(())
    }
}

/// The federated workload of a preference.
struct Target {
    of: FederatedType,
    object: Arc<Object>,
    spec: FederatedSpec,
    /// The clusters that can have it and answer.
    ready: BTreeSet<String>,
    /// The clusters that can have it and do not answer.
    unreachable: BTreeSet<String>,
}

/// The spec with the selector of its placement only; the list of clusters is what preferences write.
fn by_selector(spec: &FederatedSpec) -> FederatedSpec {
    let selector = spec.placement.as_ref().and_then(|placement| placement.cluster_selector.clone());
    let placement = Placement { clusters: None, cluster_selector: selector };
    FederatedSpec { placement: Some(placement), ..FederatedSpec::default() }
}

/// The replicas in the manifest of a Work.
fn replicas_asked(work: &Work) -> Option<i64> {
    work.spec.workload.manifests.first()?.pointer("/spec/replicas")?.as_i64()
}
