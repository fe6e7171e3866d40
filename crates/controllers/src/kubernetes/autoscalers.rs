//! HorizontalPodAutoscalers of a cluster, by the decision that FederatedHPAs use (`plan::autoscaling`): the same algorithm over
//! the pods of one cluster. Metrics of pods are read from `metrics.k8s.io`; others are refused by the decision with a
//! condition.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::autoscaling::{AutoscalerCondition, FederatedHpaSpec};
use portolan_api::resources;
use portolan_net::{Clock, Shutdown};
use portolan_object::time::format_time;
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use portolan_plan::autoscaling::{
    Decision, History, Observed, PodId, Settings, Usage, condition_of, evaluate, read,
};
use portolan_runtime::client::Selection;
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{
    Api, Cache, Client, ClientError, EventRecorder, Outcome, Queue, Reconciler, Resource, driver,
};
use serde_json::{Value, json};

use crate::merge::status_patch;
use crate::missing::ignore_missing;

const WORKERS: usize = 2;
/// Time between two looks.
const PERIOD: Duration = Duration::from_secs(15);
/// Kinds that can be scaled.
const TARGETS: [resources::StaticResource; 3] =
    [resources::DEPLOYMENT, resources::REPLICA_SET, resources::STATEFUL_SET];

struct Autoscalers {
    client: Client,
    api: Api<Object>,
    autoscalers: Cache<Object>,
    histories: Mutex<HashMap<ObjectKey, History>>,
    events: EventRecorder,
    clock: Clock,
}

/// The target with its pods and their metrics.
struct Target {
    api: Api<Object>,
    scale: Object,
    replicas: i32,
    pods: Vec<portolan_plan::autoscaling::PodSample>,
    usage: Result<BTreeMap<PodId, Usage>, String>,
}

pub(super) fn start(client: &Client, clock: &Clock, scope: &Shutdown) {
    let resource = Resource::from(resources::HORIZONTAL_POD_AUTOSCALER);
    let autoscalers = Cache::of_objects(client, resource.clone()).start(scope);
    let queue = Queue::new("autoscalers of pods");
    let adder = queue.clone();
    autoscalers.observe(move |change| {
        let spec =
            |object: &Option<Arc<Object>>| object.as_ref().and_then(|object| object.at(&["spec"]).cloned());
        if change.new.is_none() || spec(&change.old) != spec(&change.new) {
            adder.add(change.key.clone());
        }
    });
    let controller = Autoscalers {
        client: client.clone(),
        api: client.resource(&resource),
        autoscalers,
        histories: Mutex::default(),
        events: EventRecorder::new(client, "horizontal-pod-autoscaler", clock.clone(), scope),
        clock: clock.clone(),
    };
    driver::run(Arc::new(controller), &queue, WORKERS, scope);
}

impl Reconciler for Autoscalers {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        if !self.autoscalers.synced().await {
            return Outcome::Done;
        }
        let Some(autoscaler) = self.autoscalers.get(key).filter(|found| !found.is_deleting()) else {
            self.histories.lock().remove(key);
            return Outcome::Done;
        };
        match self.look(key, &autoscaler).await {
            Ok(()) => Outcome::RequeueAfter(PERIOD),
            Err(error) => Outcome::retry(error),
        }
    }
}

impl Autoscalers {
    async fn look(&self, key: &ObjectKey, autoscaler: &Object) -> Result<(), ClientError> {
        let mut status = autoscaler.at(&["status"]).cloned().unwrap_or_else(|| json!({}));
        let spec = autoscaler.at(&["spec"]).cloned().unwrap_or_default();
        match serde_json::from_value::<FederatedHpaSpec>(spec) {
            Err(error) => self.block(autoscaler, &mut status, "InvalidSpec", error.to_string()),
            Ok(spec) => match self.observe(key, &spec).await {
                Err(message) => self.block(autoscaler, &mut status, "FailedGetScale", message),
                Ok(target) => self.decide(key, autoscaler, &spec, target, &mut status).await?,
            },
        }
        if autoscaler.at(&["status"]) == Some(&status) {
            return Ok(());
        }
        ignore_missing(self.api.patch_status(key, &status_patch(autoscaler, &status)).await).map(drop)
    }

    /// Nothing can be decided.
    fn block(&self, autoscaler: &Object, status: &mut Value, reason: &str, message: String) {
        self.events.record(Regarding::object(autoscaler), Severity::Warning, reason, message.clone());
        self.set(status, condition_of("AbleToScale", false, reason, message));
    }

    /// The target of an autoscaler, or why it cannot be scaled.
    async fn observe(&self, key: &ObjectKey, spec: &FederatedHpaSpec) -> Result<Target, String> {
        let reference = &spec.scale_target_ref;
        let target = TARGETS.into_iter().find(|target| target.kind == reference.kind).ok_or_else(|| {
            format!(
                "a {} cannot be scaled here, only Deployments, ReplicaSets and StatefulSets",
                reference.kind
            )
        })?;
        let api = self.client.resource::<Object>(&target.into());
        let scale = api.scale(&ObjectKey::namespaced(&*key.namespace, &*reference.name)).await;
        let scale = scale.map_err(|error| error.to_string())?;
        let replicas = scale.at(&["spec", "replicas"]).and_then(Value::as_i64).unwrap_or_default();
        let selector = scale.str_at(&["status", "selector"]);
        let selection = Selection { namespace: key.namespace.clone(), ..Selection::labels(selector) };
        let pods = self.client.resource::<Object>(&resources::POD.into()).list(&selection).await;
        let pods = pods.map_err(|error| error.to_string())?;
        Ok(Target {
            replicas: i32::try_from(replicas).unwrap_or(i32::MAX),
            pods: pods.items.iter().filter_map(|pod| read::pod("", &pod.object).ok()).collect(),
            usage: self.usage(&selection).await,
            api,
            scale,
        })
    }

    async fn usage(&self, selection: &Selection) -> Result<BTreeMap<PodId, Usage>, String> {
        let gvk = GroupVersionKind::new("metrics.k8s.io", "v1beta1", "PodMetrics");
        let resource = Resource { gvk, plural: "pods".to_owned(), namespaced: true };
        match self.client.resource::<Object>(&resource).list(selection).await {
            Ok(listed) => {
                Ok(listed.items.iter().filter_map(|metrics| read::usage("", &metrics.object)).collect())
            }
            Err(error) if error.is_not_found() => {
                Err("the cluster serves no metrics.k8s.io/v1beta1".to_owned())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Scales the target if that is decided, and fills the status.
    async fn decide(
        &self,
        key: &ObjectKey,
        autoscaler: &Object,
        spec: &FederatedHpaSpec,
        target: Target,
        status: &mut Value,
    ) -> Result<(), ClientError> {
        let (usage, failures) = match target.usage {
            Ok(usage) => (usage, Vec::new()),
            Err(failure) => (BTreeMap::new(), vec![failure]),
        };
        let observed = Observed {
            template_replicas: target.replicas,
            member_replicas: target.replicas,
            pods: &target.pods,
            usage: &usage,
            metric_failures: &failures,
        };
        let mut history = self.histories.lock().get(key).cloned().unwrap_or_default();
        let settings = Settings::at(self.clock.now());
        let Decision { replicas, reason, conditions, metrics, failure } =
            evaluate(spec, &observed, &mut history, &settings);
        let message = "the HPA controller was able to get the target's current scale";
        self.set(status, condition_of("AbleToScale", true, "SucceededGetScale", message));
        if let Some(failure) = failure {
            self.events.record(
                Regarding::object(autoscaler),
                Severity::Warning,
                "FailedComputeMetricsReplicas",
                failure,
            );
        }
        conditions.into_iter().for_each(|condition| self.set(status, condition));
        status["currentReplicas"] = json!(target.replicas);
        status["desiredReplicas"] = json!(replicas);
        status["currentMetrics"] = json!(metrics);
        status["observedGeneration"] = json!(autoscaler.generation());
        if replicas != target.replicas {
            let mut scale = target.scale;
            scale.0["spec"]["replicas"] = json!(replicas);
            let name = &spec.scale_target_ref.name;
            target.api.replace_scale(&ObjectKey::namespaced(&*key.namespace, &**name), &scale).await?;
            history.scaled(target.replicas, replicas, settings.now);
            status["lastScaleTime"] = json!(format_time(settings.now));
            let message = format!("the HPA controller was able to update the target scale to {replicas}");
            self.set(status, condition_of("AbleToScale", true, "SucceededRescale", message));
            let message = format!("New size: {replicas}; reason: {reason}");
            self.events.record(Regarding::object(autoscaler), Severity::Normal, "SuccessfulRescale", message);
        }
        self.histories.lock().insert(key.clone(), history);
        Ok(())
    }

    /// Sets a condition; its time is that of the last change of its status.
    fn set(&self, status: &mut Value, mut new: AutoscalerCondition) {
        new.last_transition_time = Some(crate::time::rfc3339(&self.clock));
        if !status["conditions"].is_array() {
            status["conditions"] = json!([]);
        }
        let Some(conditions) = status["conditions"].as_array_mut() else { return };
        let mut new = json!(new);
        match conditions.iter_mut().find(|known| known["type"] == new["type"]) {
            Some(known) => {
                if known["status"] == new["status"] {
                    new["lastTransitionTime"] = known["lastTransitionTime"].clone();
                }
                *known = new;
            }
            None => conditions.push(new),
        }
    }
}
