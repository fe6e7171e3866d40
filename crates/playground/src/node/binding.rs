//! Scheduler (kube-scheduler): binds pods without a node to a node.
//!
//! `schedule` decides; this controller watches pods and nodes, posts Bindings, and reports unschedulable pods in condition
//! and event. Pods of other schedulers are ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::kubernetes::{View, condition};
use portolan_api::resources;
use portolan_net::{Clock, Shutdown};
use portolan_object::time::format_time;
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use portolan_runtime::client::Patch;
use portolan_runtime::driver::{self, Outcome, Reconciler};
use portolan_runtime::events::{EventRecorder, Regarding, Severity};
use portolan_runtime::{Api, Cache, Client, ClientError, Queue};
use serde_json::{Value, json};

use crate::node::pod_spec::{PodSpec, PodSummary, node_of};
use crate::node::schedule::{self, Unschedulable};

/// Interval between attempts to schedule an unschedulable pod, in addition to changes of nodes.
const UNSCHEDULABLE_RETRY_INTERVAL: Duration = Duration::from_secs(60);

/// Starts the scheduler.
pub(crate) fn start(
    client: &Client,
    pods: Cache<Object>,
    nodes: Cache<Object>,
    clock: Clock,
    scope: &Shutdown,
) {
    let queue: Queue<ObjectKey> = Queue::new("scheduler");
    let waiting = queue.clone();
    pods.observe(move |change| {
        if change.new.as_ref().is_some_and(|pod| is_pending(pod)) {
            waiting.add(change.key.clone());
        }
    });
    let (waiting, all) = (queue.clone(), pods.clone());
    nodes.observe(move |_| {
        for pod in all.list().iter().filter(|pod| is_pending(pod)) {
            waiting.add(pod.key());
        }
    });
    let binder = Arc::new(Binder {
        client: client.clone(),
        api: client.resource(&resources::POD.into()),
        pods,
        nodes,
        assumed: Mutex::default(),
        events: EventRecorder::new(client, "default-scheduler", clock.clone(), scope),
        clock,
    });
    // One worker: each decision sees the ones before it.
    driver::run(binder, &queue, 1, scope);
}

/// Whether this scheduler must bind the pod.
fn is_pending(pod: &Object) -> bool {
    // A pod that cannot be read is not scheduled.
    let Ok(summary) = PodSummary::read(pod) else { return false };
    summary.spec.node_name.is_empty()
        && !pod.is_deleting()
        && !summary.is_finished()
        && matches!(summary.spec.scheduler_name, "" | "default-scheduler")
        && summary.spec.scheduling_gates.is_empty()
}

struct Binder {
    client: Client,
    api: Api<Object>,
    pods: Cache<Object>,
    nodes: Cache<Object>,
    /// Node by pod uid, for bindings that the cache does not have yet.
    assumed: Mutex<BTreeMap<String, String>>,
    events: EventRecorder,
    clock: Clock,
}

impl Reconciler for Binder {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let Some(pod) = self.pods.get(key).filter(|pod| is_pending(pod)) else {
            return Outcome::Done;
        };
        if self.assumed.lock().contains_key(pod.uid()) {
            return Outcome::Done;
        }
        let spec = match PodSpec::of(&pod) {
            Ok(spec) => spec,
            Err(error) => return Outcome::Retry(error.into()),
        };
        match self.choose(&spec) {
            Ok(node) => self.bind(&pod, node).await.into(),
            Err(reason) => self
                .report_unschedulable(&pod, &reason)
                .await
                .map(|()| Outcome::RequeueAfter(UNSCHEDULABLE_RETRY_INTERVAL))
                .into(),
        }
    }
}

impl Binder {
    fn choose(&self, spec: &PodSpec) -> Result<String, Unschedulable> {
        let pods = self.with_assumed();
        let nodes = self.nodes.list();
        schedule::choose(spec, nodes.iter().map(AsRef::as_ref), pods.iter().map(AsRef::as_ref))
    }

    /// All pods, including bindings that the cache does not have yet.
    fn with_assumed(&self) -> Vec<Arc<Object>> {
        let pods = self.pods.list();
        let mut assumed = self.assumed.lock();
        let unbound: BTreeSet<&str> =
            pods.iter().filter(|pod| node_of(pod).is_empty()).map(|pod| pod.uid()).collect();
        assumed.retain(|uid, _| unbound.contains(uid.as_str()));
        let with_node = |pod: &Arc<Object>| match assumed.get(pod.uid()) {
            None => pod.clone(),
            Some(node) => {
                let mut bound = Object::clone(pod);
                bound.0["spec"]["nodeName"] = json!(node);
                Arc::new(bound)
            }
        };
        pods.iter().map(with_node).collect()
    }

    async fn bind(&self, pod: &Object, node: String) -> Result<(), ClientError> {
        let key = pod.key();
        let path = format!("/api/v1/namespaces/{}/pods/{}/binding", key.namespace, key.name);
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding",
            "metadata": { "name": key.name, "namespace": key.namespace, "uid": pod.uid() },
            "target": { "apiVersion": "v1", "kind": "Node", "name": node },
        });
        match self.client.post::<Value>(&path, &binding).await {
            Ok(_) => {
                let message = format!("Successfully assigned {key} to {node}");
                self.events.record(regarding(pod), Severity::Normal, "Scheduled", message);
                self.assumed.lock().insert(pod.uid().to_owned(), node);
                Ok(())
            }
            // Deleted, or bound by another scheduler: the watch delivers it.
            Err(ClientError::NotFound(_) | ClientError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes the reason into the pod's condition unless it is there.
    async fn report_unschedulable(&self, pod: &Object, reason: &Unschedulable) -> Result<(), ClientError> {
        let reported = condition(pod, "PodScheduled");
        if reported.is_some_and(|known| known.status == "False" && known.message == reason.message) {
            return Ok(());
        }
        let conditions = pod.at(&["status", "conditions"]).and_then(Value::as_array);
        let mut conditions = conditions.cloned().unwrap_or_default();
        conditions.retain(|condition| condition["type"] != "PodScheduled");
        conditions.push(json!({
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": reason.message,
            "lastProbeTime": null, "lastTransitionTime": format_time(self.clock.now()),
        }));
        self.events.record(regarding(pod), Severity::Warning, "FailedScheduling", &reason.message);
        let patch = json!({ "metadata": { "uid": pod.uid() }, "status": { "conditions": conditions } });
        match self.api.patch_status(&pod.key(), &Patch::Merge(patch)).await {
            Ok(_) | Err(ClientError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Reference to a pod for events; objects of a list have no kind.
pub(crate) fn regarding(pod: &Object) -> Regarding {
    Regarding { gvk: GroupVersionKind::new("", "v1", "Pod"), key: pod.key(), uid: pod.uid().to_owned() }
}
