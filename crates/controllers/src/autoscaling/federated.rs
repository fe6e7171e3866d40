//! FederatedHPAs: looks at the members every 15 s and scales the template.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::autoscaling::{AutoscalerCondition, AutoscalerStatus, FederatedHPA};
use portolan_api::labels::template::RETAIN_REPLICAS;
use portolan_object::{Object, ObjectKey};
use portolan_plan::autoscaling::{Decision, History, Observed, Settings, condition_of, evaluate};
use portolan_runtime::cache::Change;
use portolan_runtime::client::{BoxError, Patch};
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{Cache, ClientError, Outcome, Reconciler, driver};
use serde_json::json;

use super::members::{self, Answers};
use super::scale::{ScaleError, Workload, replicas};
use crate::hub::Hub;
use crate::merge::difference;
use crate::propagation::{Binding, Pipeline};

const WORKERS: usize = 8;
/// Time between two looks (karmada `--horizontal-pod-autoscaler-sync-period`).
const PERIOD: Duration = Duration::from_secs(15);

struct Autoscalers {
    hub: Hub,
    pipeline: Pipeline,
    autoscalers: Cache<FederatedHPA>,
    histories: Mutex<HashMap<ObjectKey, History>>,
}

/// Nothing can be decided: a condition, and the event with the same message.
struct Blocked {
    condition: AutoscalerCondition,
}

impl Blocked {
    /// The target cannot be scaled.
    fn unable(reason: &str, message: String) -> Self {
        Self { condition: condition_of("AbleToScale", false, reason, message) }
    }
}

/// Starts the controller of FederatedHPAs.
pub(super) fn start(hub: &Hub, pipeline: &Pipeline) {
    let autoscalers = Cache::<FederatedHPA>::of_kind(&hub.client)
        .trim(|autoscaler| autoscaler.metadata.managed_fields.clear())
        .start(&hub.scope);
    let queue = hub.client.metrics().queue("autoscalers", None);
    let (hub, pipeline, scope) = (hub.clone(), pipeline.clone(), hub.scope.clone());
    spawn_until_stop(&scope, async move {
        if !autoscalers.synced().await {
            return;
        }
        let changed = queue.clone();
        autoscalers.observe(move |change| {
            let is_own_status =
                matches!((&change.old, &change.new), (Some(old), Some(new)) if old.spec == new.spec);
            if !is_own_status {
                changed.add(change.key.clone());
            }
        });
        let (moved, targeting) = (queue.clone(), autoscalers.clone());
        pipeline.observe_binding_changes(move |change| {
            for autoscaler in moved_target(change, &targeting) {
                moved.add(autoscaler);
            }
        });
        let scope = hub.scope.clone();
        let reconciler = Autoscalers { hub, pipeline, autoscalers, histories: Mutex::default() };
        driver::run(Arc::new(reconciler), &queue, WORKERS, &scope);
    });
}

/// The autoscalers of a target that has other clusters than before, which are not to wait for their next turn.
fn moved_target(change: &Change<Binding>, autoscalers: &Cache<FederatedHPA>) -> Vec<ObjectKey> {
    let names = |binding: &Option<Arc<Binding>>| {
        let clusters = binding.as_ref().map(|binding| binding.spec.clusters.as_slice()).unwrap_or_default();
        clusters.iter().map(|target| target.name.clone()).collect::<Vec<_>>()
    };
    let Some(binding) = change.latest().filter(|_| names(&change.old) != names(&change.new)) else {
        return Vec::new();
    };
    let resource = &binding.spec.resource;
    let listed = autoscalers.list_namespace(&change.key.namespace).into_iter();
    let is_targeting = |autoscaler: &Arc<FederatedHPA>| {
        let target = &autoscaler.spec.scale_target_ref;
        (&target.kind, &target.name) == (&resource.kind, &resource.name)
    };
    listed.filter(is_targeting).map(|autoscaler| autoscaler.metadata.key()).collect()
}

impl Reconciler for Autoscalers {
    type Key = ObjectKey;
    const LOW_PRIORITY: bool = true;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let Some(autoscaler) = self.autoscalers.get(key).filter(|found| !found.metadata.is_deleting()) else {
            self.histories.lock().remove(key);
            return Outcome::Done;
        };
        self.look(key, &autoscaler).await.map(|()| Outcome::RequeueAfter(PERIOD)).into()
    }
}

impl Autoscalers {
    async fn look(&self, key: &ObjectKey, autoscaler: &FederatedHPA) -> Result<(), BoxError> {
        let mut status = autoscaler.status.clone();
        status.observed_generation = Some(autoscaler.metadata.generation);
        match self.observe(autoscaler).await {
            Err(Blocked { condition }) => {
                let is_known = status.conditions.iter().any(|known| known.message == condition.message);
                if !is_known {
                    self.warn(autoscaler, &condition.reason, condition.message.clone());
                }
                self.set_condition(&mut status, condition);
            }
            Ok((workload, scale, answers)) => {
                self.decide(key, autoscaler, &mut status, (workload, scale, answers)).await?;
            }
        }
        Ok(self.write_status(key, autoscaler, &status).await?)
    }

    /// The workload, its scale on the control plane, and the answers of its members.
    async fn observe(&self, autoscaler: &FederatedHPA) -> Result<(Workload, Object, Answers), Blocked> {
        let (target, namespace) = (&autoscaler.spec.scale_target_ref, &autoscaler.metadata.namespace);
        self.refuse_second(autoscaler)?;
        let unscalable = |error: ScaleError| {
            let message = format!("the HPA controller was unable to get the target's current scale: {error}");
            Blocked::unable("FailedGetScale", message)
        };
        let workload =
            Workload::find(&self.hub.client, &self.pipeline, namespace, target).map_err(unscalable)?;
        let scale = workload.scale().await.map_err(unscalable)?;
        let unbound = || {
            let message = format!(
                "{} {} has no ResourceBinding: no policy selects it, so no cluster has it",
                workload.kind.kind, workload.key
            );
            Blocked::unable("FailedGetBinding", message)
        };
        let template = self.pipeline.template(&workload.kind, &workload.key).ok_or_else(unbound)?;
        let binding = self.pipeline.binding_of(&template).ok_or_else(unbound)?;
        if template.label(RETAIN_REPLICAS) == Some("true") {
            let message = "the members keep their own replicas, so that scaling the template has no effect: remove the \
                           label resourcetemplate.karmada.io/retain-replicas from the target";
            return Err(Blocked::unable("ReplicasRetained", message.to_owned()));
        }
        let clusters: Vec<String> = binding.spec.clusters.iter().map(|target| target.name.clone()).collect();
        if clusters.is_empty() {
            let message =
                "the target is not scheduled to any cluster, see the condition Scheduled of its binding";
            return Err(Blocked::unable("FailedGetTargetClusters", message.to_owned()));
        }
        let answers = members::ask(&self.hub, &clusters, &workload.kind, &workload.key).await;
        if answers.replicas == 0 && replicas(&scale) != 0 {
            let message =
                format!("failed to get replicas in any of clusters: {}", answers.failures.join("; "));
            return Err(Blocked::unable("FailedGetScale", message));
        }
        Ok((workload, scale, answers))
    }

    /// Two autoscalers of one target would undo what the other does.
    fn refuse_second(&self, autoscaler: &FederatedHPA) -> Result<(), Blocked> {
        let listed = self.autoscalers.list_namespace(&autoscaler.metadata.namespace);
        let target = &autoscaler.spec.scale_target_ref;
        let same = |other: &&Arc<FederatedHPA>| {
            let theirs = &other.spec.scale_target_ref;
            other.metadata.name != autoscaler.metadata.name
                && (&theirs.kind, &theirs.name) == (&target.kind, &target.name)
        };
        let Some(other) = listed.iter().find(same) else { return Ok(()) };
        let message = format!(
            "{} {} is the target of FederatedHPA {} as well: delete one of the two",
            target.kind, target.name, other.metadata.name
        );
        Err(Blocked { condition: condition_of("ScalingActive", false, "AmbiguousSelector", message) })
    }

    /// Scales the template if that is decided, and fills the status.
    async fn decide(
        &self,
        key: &ObjectKey,
        autoscaler: &FederatedHPA,
        status: &mut AutoscalerStatus,
        (workload, scale, answers): (Workload, Object, Answers),
    ) -> Result<(), BoxError> {
        let current = replicas(&scale);
        let observed = Observed {
            template_replicas: current,
            member_replicas: answers.replicas,
            pods: &answers.pods,
            usage: &answers.usage,
            metric_failures: &answers.metric_failures,
        };
        let mut history = self.histories.lock().get(key).cloned().unwrap_or_default();
        let settings = Settings::at(self.hub.clock.now());
        let Decision { replicas, reason, conditions, metrics, failure } =
            evaluate(&autoscaler.spec, &observed, &mut history, &settings);
        let message = "the HPA controller was able to get the target's current scale";
        self.set_condition(status, condition_of("AbleToScale", true, "SucceededGetScale", message));
        if let Some(failure) = failure {
            let is_known = status.conditions.iter().any(|known| known.message == failure);
            if !is_known {
                self.warn(autoscaler, "FailedComputeMetricsReplicas", failure);
            }
        }
        conditions.into_iter().for_each(|condition| self.set_condition(status, condition));
        (status.current_replicas, status.desired_replicas) = (current, replicas);
        status.current_metrics = metrics;
        if replicas != current {
            match workload.write(scale, replicas).await {
                Ok(()) => {
                    history.scaled(current, replicas, settings.now);
                    let message =
                        format!("the HPA controller was able to update the target scale to {replicas}");
                    self.set_condition(
                        status,
                        condition_of("AbleToScale", true, "SucceededRescale", message),
                    );
                    status.last_scale_time = Some(self.hub.now());
                    let message = format!("New size: {replicas}; reason: {reason}");
                    let about = Regarding::kind(autoscaler);
                    self.hub.events.record(about, Severity::Normal, "SuccessfulRescale", message);
                }
                Err(ScaleError::Client(error)) if error.is_race() => return Err(error.into()),
                Err(error) => {
                    let message = format!("New size: {replicas}; reason: {reason}; error: {error}");
                    self.warn(autoscaler, "FailedRescale", message);
                    let message =
                        format!("the HPA controller was unable to update the target scale: {error}");
                    self.set_condition(
                        status,
                        condition_of("AbleToScale", false, "FailedUpdateScale", message),
                    );
                }
            }
        }
        self.histories.lock().insert(key.clone(), history);
        Ok(())
    }

    /// Sets a condition; its time is that of the last change of its status.
    fn set_condition(&self, status: &mut AutoscalerStatus, mut new: AutoscalerCondition) {
        new.last_transition_time = Some(self.hub.now());
        match status.conditions.iter_mut().find(|known| known.kind == new.kind) {
            Some(known) => {
                if known.status == new.status {
                    new.last_transition_time.clone_from(&known.last_transition_time);
                }
                *known = new;
            }
            None => status.conditions.push(new),
        }
    }

    async fn write_status(
        &self,
        key: &ObjectKey,
        autoscaler: &FederatedHPA,
        status: &AutoscalerStatus,
    ) -> Result<(), ClientError> {
        if *status == autoscaler.status {
            return Ok(());
        }
        let version = &autoscaler.metadata.resource_version;
        let mut changed = difference(&json!(autoscaler.status), &json!(status));
        // A required field; a new status has no other value to change from.
        changed["desiredReplicas"] = json!(status.desired_replicas);
        let patch = json!({ "metadata": { "resourceVersion": version }, "status": changed });
        let api = self.hub.client.kind::<FederatedHPA>();
        let written = api.patch_status(key, &Patch::Merge(patch)).await?;
        let version = written.metadata.resource_version.clone();
        self.autoscalers.written(key.clone(), &version, written);
        Ok(())
    }

    fn warn(&self, autoscaler: &FederatedHPA, reason: &str, message: String) {
        self.hub.events.record(Regarding::kind(autoscaler), Severity::Warning, reason, message);
    }
}
