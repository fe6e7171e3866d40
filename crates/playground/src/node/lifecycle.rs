//! Pod lifecycle (kubelet): address, containers, status, deletion of the pods on our nodes.
//!
//! A level-triggered pass per pod runs when the pod, one of its containers or one of its probes changes, or a wait is
//! over. A pass reads the object and the running containers, lets the pure modules decide (`record`, `status`,
//! `environment`), starts and stops containers, and writes the status if it changed. Any pass may be repeated or lost.

mod ending;
mod running_pod;
mod sandbox;
mod starting;
mod used_objects;
mod volumes;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::kubernetes::{View, ViewError};
use portolan_api::resources;
use portolan_net::{Clock, Shutdown};
use portolan_object::{Object, ObjectKey};
use portolan_runtime::client::{Delete, Patch};
use portolan_runtime::driver::{self, Outcome, Reconciler};
use portolan_runtime::events::{EventRecorder, Severity};
use portolan_runtime::{Api, Cache, Client, ClientError, Queue};
use serde_json::{Value, json};

use crate::network::{AttachError, ClusterName, Interface, Network};
use crate::node::binding::regarding;
use crate::node::pod_spec::{PodSpec, PodSummary, RestartPolicy, is_finished, node_of};
use crate::node::record::{ContainerState, NextStep};
use crate::node::status::{self, StatusInput};
use crate::pods::Pods;
use crate::sandbox::Host;

use self::running_pod::{ContainerRef, PodEnvironment, RunningPod, WrittenStatus};
use self::used_objects::UsedObjects;

/// Passes at a time.
const WORKERS: usize = 4;

/// What all pods of our nodes share.
pub(crate) struct NodeContext {
    pub(crate) client: Client,
    pub(crate) cluster: ClusterName,
    pub(crate) network: Network,
    /// The host of pods in namespaces mode.
    pub(crate) host: Option<Host>,
    /// Directory of persistent volumes.
    pub(crate) storage: PathBuf,
    /// Address of the cluster's DNS server.
    pub(crate) dns: Option<IpAddr>,
    /// Our nodes by name, with their addresses.
    pub(crate) nodes: BTreeMap<String, Interface>,
    pub(crate) pods: Cache<Object>,
    pub(crate) services: Cache<Object>,
    /// Running pods, for the kubelet endpoints.
    pub(crate) register: Pods,
    pub(crate) clock: Clock,
}

/// The controller.
struct Lifecycle {
    context: NodeContext,
    api: Api<Object>,
    config_maps: Api<Object>,
    secrets: Api<Object>,
    /// Of pods with volumes, which are in namespaces mode.
    used: Option<UsedObjects>,
    running: Mutex<BTreeMap<ObjectKey, RunningPod>>,
    queue: Queue<ObjectKey>,
    events: EventRecorder,
    scope: Shutdown,
}

/// Why a pass failed.
#[derive(Debug, thiserror::Error)]
enum PassError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the pod has no address")]
    Address(#[from] AttachError),
    #[error("the pod's spec is unreadable")]
    Spec(#[from] serde_json::Error),
    #[error(transparent)]
    View(#[from] ViewError),
}

/// Starts the controller. Pods that ran before keep their addresses.
pub(crate) fn start(context: NodeContext, scope: &Shutdown) {
    let queue: Queue<ObjectKey> = Queue::new("pods");
    let client = context.client.clone();
    let lifecycle = Arc::new(Lifecycle {
        api: client.resource(&resources::POD.into()),
        config_maps: client.resource(&resources::CONFIG_MAP.into()),
        secrets: client.resource(&resources::SECRET.into()),
        used: context.host.is_some().then(|| UsedObjects::start(&client, &context.pods, &queue, scope)),
        running: Mutex::default(),
        queue: queue.clone(),
        events: EventRecorder::new(&client, "kubelet", context.clock.clone(), scope),
        scope: scope.clone(),
        context,
    });
    let workers_scope = scope.clone();
    portolan_runtime::scope::spawn_until_stop(scope, async move {
        let pods = lifecycle.context.pods.clone();
        if !pods.synced().await {
            return;
        }
        lifecycle.reattach_pods();
        let changed = queue.clone();
        pods.observe(move |change| changed.add(change.key.clone()));
        driver::run(lifecycle, &queue, WORKERS, &workers_scope);
    });
}

impl Reconciler for Lifecycle {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let mut running = self.running.lock().remove(key);
        let pod = self.context.pods.get(key).filter(|pod| self.context.nodes.contains_key(node_of(pod)));
        let passed = self.pass(pod.as_deref(), &mut running).await;
        if let Some(running) = running {
            self.running.lock().insert(key.clone(), running);
        }
        match passed {
            Ok(Some(wait)) => Outcome::RequeueAfter(wait),
            Ok(None) => Outcome::Done,
            Err(PassError::Client(error)) => Outcome::retry(error),
            Err(error) => Outcome::Retry(error.into()),
        }
    }
}

impl Lifecycle {
    /// Takes the addresses of pods that ran before, so that no new pod gets them.
    fn reattach_pods(&self) {
        for pod in self.context.pods.list() {
            if is_finished(&pod) || !self.context.nodes.contains_key(node_of(&pod)) {
                continue;
            }
            match self.attach(&pod) {
                Ok(running) => drop(self.running.lock().insert(pod.key(), running)),
                Err(error) => tracing::warn!(pod = %pod.key(), %error, "pod cannot keep its address"),
            }
        }
    }

    /// One pass. Returns the time until the next pass is due.
    async fn pass(
        &self,
        pod: Option<&Object>,
        running: &mut Option<RunningPod>,
    ) -> Result<Option<Duration>, PassError> {
        if let Some(gone) = running.take_if(|running| pod.is_none_or(|pod| pod.uid() != running.pod.uid)) {
            self.remove(gone);
        }
        let Some(pod) = pod else { return Ok(None) };
        if running.is_none() {
            if is_finished(pod) || pod.is_deleting() {
                // Its programs ended with the process that ran them.
                if pod.is_deleting() {
                    self.delete(pod).await?;
                }
                return Ok(None);
            }
            match self.attach(pod) {
                Ok(attached) => *running = Some(attached),
                Err(error) => {
                    let message = format!("Failed to create pod sandbox: {error}");
                    self.events.record(regarding(pod), Severity::Warning, "FailedCreatePodSandBox", message);
                    return Err(error);
                }
            }
        }
        let Some(current) = running else { return Ok(None) };
        current.record_exits();
        if pod.is_deleting() {
            let wait = self.terminate(pod, current).await?;
            if current.has_stopped() {
                if let Some(stopped) = running.take() {
                    self.remove(stopped);
                }
                self.delete(pod).await?;
                return Ok(None);
            }
            return Ok(wait);
        }
        let wait = self.run_containers(pod, current).await;
        self.write_status(pod, current, false).await?;
        Ok(wait)
    }

    /// Attaches the pod to the network and registers it.
    fn attach(&self, pod: &Object) -> Result<RunningPod, PassError> {
        let spec = PodSpec::of(pod)?;
        let node = &self.context.nodes[node_of(pod)];
        let known: Option<IpAddr> = PodSummary::read(pod)?.status.pod_ip.parse().ok();
        let (network, cluster) = (&self.context.network, &self.context.cluster);
        let interface = match known {
            _ if spec.host_network => node.clone(),
            Some(address) => match network.reattach_pod(cluster, address) {
                Ok(interface) => interface,
                // The range has changed, or another pod has the address: the pod gets a new one.
                Err(AttachError::Claim { .. }) => network.attach_pod(cluster)?,
                Err(error) => return Err(error.into()),
            },
            None => network.attach_pod(cluster)?,
        };
        let environment = PodEnvironment {
            network: interface.for_pod(node_of(pod), pod.namespace()),
            host_address: node.address(),
            clock: self.context.clock.clone(),
        };
        let running = RunningPod::new(pod, spec, environment);
        self.context.register.insert(running.pod.clone());
        Ok(running)
    }

    /// Starts the containers that are due, in order. Returns the time until the next one is due.
    async fn run_containers(&self, pod: &Object, running: &mut RunningPod) -> Option<Duration> {
        let mut wait: Option<Duration> = None;
        let policy = running.spec.restart_policy;
        if !running.is_finished(pod) {
            wait = self.end_if_due(pod, running).await;
        }
        if running.ending.is_some() {
            return self.stop_ending(pod, running);
        }
        let finished = running.is_finished(pod);
        if !finished && let Some(later) = self.ensure_sandbox(pod, running).await {
            return Some(later);
        }
        if !finished {
            match self.ensure_volumes(pod, running).await {
                Ok(next) => wait = earliest(wait, next),
                Err(later) => return Some(later),
            }
        }
        let init_policy = if policy == RestartPolicy::Never { policy } else { RestartPolicy::OnFailure };
        for container in running.init_refs() {
            let spec = running.container_spec(container);
            let (is_sidecar, is_done) =
                (spec.is_sidecar(), status::init_is_done(spec, running.record(container)));
            if !finished && (is_sidecar || !is_done) {
                let policy = if is_sidecar { RestartPolicy::Always } else { init_policy };
                wait = earliest(wait, self.start_if_due(pod, running, container, policy).await);
            }
            running.record_health(container);
            if !status::init_is_done(running.container_spec(container), running.record(container)) {
                return wait;
            }
        }
        for container in running.main_refs() {
            if !finished {
                wait = earliest(wait, self.start_if_due(pod, running, container, policy).await);
            }
            running.record_health(container);
        }
        if finished {
            // Sidecars end after the other containers, and the namespaces after the last container.
            running.stop_all();
            if running.has_stopped() {
                running.pod.sandbox.lock().take();
            }
        }
        self.report_probes(pod, running);
        wait
    }

    /// Starts a container if it is due. Returns the time until it is.
    async fn start_if_due(
        &self,
        pod: &Object,
        running: &mut RunningPod,
        container: ContainerRef,
        policy: RestartPolicy,
    ) -> Option<Duration> {
        match running.record(container).next_step(policy, self.context.clock.now()) {
            NextStep::None => None,
            NextStep::Start => self.start_container(pod, running, container).await,
            NextStep::Wait(left) => {
                let name = running.container_spec(container).name.clone();
                let record = running.record_mut(container);
                if let ContainerState::Terminated(termination) = &record.state {
                    let backoff = record.backoff(termination).as_secs();
                    let message = format!(
                        "back-off {backoff}s restarting failed container={name} pod={}_{}({})",
                        pod.name(),
                        pod.namespace(),
                        pod.uid()
                    );
                    record.set_waiting("CrashLoopBackOff", &*message);
                    let message =
                        format!("Back-off restarting failed container {name} in pod {}", pod.name());
                    self.events.record(regarding(pod), Severity::Warning, "BackOff", message);
                }
                Some(left)
            }
        }
    }

    /// Emits events about probes, and kills containers that failed a startup or liveness probe.
    fn report_probes(&self, pod: &Object, running: &mut RunningPod) {
        for failure in running.take_probe_failures() {
            self.events.record(regarding(pod), Severity::Warning, "Unhealthy", failure);
        }
        for reason in running.kill_unhealthy() {
            self.events.record(regarding(pod), Severity::Normal, "Killing", reason);
        }
    }

    /// Stops the containers of a pod that is being deleted. Returns the time until they are killed.
    async fn terminate(&self, pod: &Object, running: &mut RunningPod) -> Result<Option<Duration>, PassError> {
        for name in running.stop_all() {
            let message = format!("Stopping container {name}");
            self.events.record(regarding(pod), Severity::Normal, "Killing", message);
        }
        let now = self.context.clock.now();
        // The API server sets it to the end of the grace period.
        let deadline = status::parse_time(&pod.0["metadata"]["deletionTimestamp"]).unwrap_or(now);
        let left = Duration::try_from(deadline.duration_since(now)).unwrap_or_default();
        if left.is_zero() {
            running.kill_all();
        }
        let has_stopped = running.has_stopped();
        self.write_status(pod, running, has_stopped).await?;
        Ok((!has_stopped && !left.is_zero()).then_some(left))
    }

    /// Removes the pod from the register and kills its remaining processes.
    fn remove(&self, running: RunningPod) {
        running.kill_all();
        // The processes in the namespaces end with them.
        running.pod.sandbox.lock().take();
        self.context.register.remove(&running.pod.key, &running.pod.uid);
    }

    async fn delete(&self, pod: &Object) -> Result<(), PassError> {
        let options = Delete { grace_period_seconds: Some(0), ..Delete::default() }.uid(pod.uid());
        match self.api.delete(&pod.key(), &options).await {
            // Gone, or replaced by another pod with the same name.
            Ok(()) | Err(ClientError::NotFound(_) | ClientError::Conflict(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the status if it differs from the API server's.
    async fn write_status(
        &self,
        pod: &Object,
        running: &mut RunningPod,
        is_over: bool,
    ) -> Result<(), PassError> {
        let newest = running.newest(pod);
        let wanted = status::status(&StatusInput {
            spec: &running.spec,
            last: &newest.0["status"],
            init: running.init_records(),
            containers: running.main_records(),
            pod_addresses: &running.pod.network.addresses(),
            host_address: running.host_address,
            started: running.started,
            now: self.context.clock.now(),
            is_over,
            ending: running.ending.as_ref(),
        });
        let is_current = without_nulls(&status::owned_fields(newest)) == without_nulls(&wanted);
        if is_current || running.has_sent(newest, &wanted) {
            return Ok(());
        }
        let patch = Patch::Merge(json!({ "metadata": { "uid": pod.uid() }, "status": wanted }));
        match self.api.patch_status(&pod.key(), &patch).await {
            Ok(object) => {
                running.written = Some(WrittenStatus { object, sent: wanted });
                Ok(())
            }
            // Deleted: the watch delivers it.
            Err(ClientError::NotFound(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn earliest(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    a.into_iter().chain(b).min()
}

/// The value without fields that are null: an API server may drop them.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let set = fields.iter().filter(|(_, field)| !field.is_null());
            Value::Object(set.map(|(name, field)| (name.clone(), without_nulls(field))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}
