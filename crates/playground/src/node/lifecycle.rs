//! The life of the pods on our nodes: address, containers, status, end.
//!
//! One level-triggered pass per pod, whenever the pod, one of its runs or one of its probes changes, or a wait is
//! over. A pass looks at the object and at what runs, lets the pure parts decide (`record`, `status`, `environment`),
//! starts and stops programs, and writes the status when it is another one. Any pass may be repeated or lost.

mod kept;
mod sandbox;
mod starting;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::resources;
use portolan_net::{Clock, Shutdown};
use portolan_object::{Object, ObjectKey};
use portolan_runtime::client::{Delete, Patch};
use portolan_runtime::driver::{self, Outcome, Reconciler};
use portolan_runtime::events::{EventRecorder, Severity};
use portolan_runtime::{Api, Cache, Client, ClientError, Queue};
use serde_json::{Value, json};

use crate::containers::Pods;
use crate::network::{AttachError, ClusterName, Interface, Network};
use crate::node::binding::regarding;
use crate::node::pod_spec::{PodSpec, RestartPolicy, is_finished, node_of};
use crate::node::record::{Next, State};
use crate::node::status::{self, Input};
use crate::sandbox::Host;

use self::kept::{Kept, Place, Written};

/// Passes at a time.
const WORKERS: usize = 4;

/// What the life of pods depends on.
pub(crate) struct Surroundings {
    pub(crate) client: Client,
    pub(crate) cluster: ClusterName,
    pub(crate) network: Network,
    /// What pods with namespaces need of this machine.
    pub(crate) host: Option<Host>,
    /// The DNS server of the cluster.
    pub(crate) dns: Option<IpAddr>,
    /// Our nodes by name, with their places on the network.
    pub(crate) nodes: BTreeMap<String, Interface>,
    pub(crate) pods: Cache<Object>,
    pub(crate) services: Cache<Object>,
    /// Where the kubelet endpoints find what runs.
    pub(crate) register: Pods,
    pub(crate) clock: Clock,
}

/// Runs the pods of our nodes.
struct Lifecycle {
    around: Surroundings,
    api: Api<Object>,
    config_maps: Api<Object>,
    secrets: Api<Object>,
    kept: Mutex<BTreeMap<ObjectKey, Kept>>,
    queue: Queue<ObjectKey>,
    events: EventRecorder,
    scope: Shutdown,
}

/// A pass that could not do its work.
#[derive(Debug, thiserror::Error)]
enum PassError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the pod gets no address")]
    Address(#[from] AttachError),
    #[error("the pod's spec is unreadable")]
    Spec(#[from] serde_json::Error),
}

/// Starts to run pods, once the ones that ran before have their addresses back.
pub(crate) fn start(around: Surroundings, scope: &Shutdown) {
    let queue: Queue<ObjectKey> = Queue::new("pods");
    let client = around.client.clone();
    let lifecycle = Arc::new(Lifecycle {
        api: client.resource(&resources::POD.into()),
        config_maps: client.resource(&resources::CONFIG_MAP.into()),
        secrets: client.resource(&resources::SECRET.into()),
        kept: Mutex::default(),
        queue: queue.clone(),
        events: EventRecorder::new(&client, "kubelet", around.clock.clone(), scope),
        scope: scope.clone(),
        around,
    });
    let workers_scope = scope.clone();
    portolan_runtime::scope::spawn_until_stop(scope, async move {
        let pods = lifecycle.around.pods.clone();
        if !pods.synced().await {
            return;
        }
        lifecycle.take_back_addresses();
        let changed = queue.clone();
        pods.observe(move |change| changed.add(change.key.clone()));
        driver::run(lifecycle, &queue, WORKERS, &workers_scope);
    });
}

impl Reconciler for Lifecycle {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let mut kept = self.kept.lock().remove(key);
        let pod = self.around.pods.get(key).filter(|pod| self.around.nodes.contains_key(node_of(pod)));
        let passed = self.pass(pod.as_deref(), &mut kept).await;
        if let Some(kept) = kept {
            self.kept.lock().insert(key.clone(), kept);
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
    /// Pods that ran before keep their addresses: those must be taken before a new pod is given one.
    fn take_back_addresses(&self) {
        for pod in self.around.pods.list() {
            if is_finished(&pod) || !self.around.nodes.contains_key(node_of(&pod)) {
                continue;
            }
            if let Err(error) = self.admit(&pod).map(|kept| self.kept.lock().insert(pod.key(), kept)) {
                tracing::warn!(pod = %pod.key(), %error, "pod cannot be taken over yet");
            }
        }
    }

    /// One pass; the time after which the next one is due.
    async fn pass(
        &self,
        pod: Option<&Object>,
        kept: &mut Option<Kept>,
    ) -> Result<Option<Duration>, PassError> {
        if let Some(gone) = kept.take_if(|kept| pod.is_none_or(|pod| pod.uid() != kept.pod.uid)) {
            self.forget(gone);
        }
        let Some(pod) = pod else { return Ok(None) };
        if kept.is_none() {
            if is_finished(pod) || pod.is_deleting() {
                // Its programs, if it had any, ended with the process that ran them.
                if pod.is_deleting() {
                    self.delete(pod).await?;
                }
                return Ok(None);
            }
            match self.admit(pod) {
                Ok(admitted) => *kept = Some(admitted),
                Err(error) => {
                    let message = format!("Failed to create pod sandbox: {error}");
                    self.events.record(regarding(pod), Severity::Warning, "FailedCreatePodSandBox", message);
                    return Err(error);
                }
            }
        }
        let Some(living) = kept else { return Ok(None) };
        living.see_exits();
        if pod.is_deleting() {
            let wait = self.end(pod, living).await?;
            if living.is_quiet() {
                if let Some(ended) = kept.take() {
                    self.forget(ended);
                }
                self.delete(pod).await?;
                return Ok(None);
            }
            return Ok(wait);
        }
        let wait = self.run(pod, living).await;
        self.write_status(pod, living, false).await?;
        Ok(wait)
    }

    /// Gives the pod its place on the network and enters it into the register.
    fn admit(&self, pod: &Object) -> Result<Kept, PassError> {
        let spec = PodSpec::of(pod)?;
        let node = &self.around.nodes[node_of(pod)];
        let known: Option<IpAddr> = pod.str_at(&["status", "podIP"]).parse().ok();
        let (network, cluster) = (&self.around.network, &self.around.cluster);
        let interface = match known {
            _ if spec.host_network => node.clone(),
            Some(address) => match network.reattach_pod(cluster, address) {
                Ok(interface) => interface,
                // Another range than before, or somebody was faster: the pod moves.
                Err(AttachError::Claim { .. }) => network.attach_pod(cluster)?,
                Err(error) => return Err(error.into()),
            },
            None => network.attach_pod(cluster)?,
        };
        let place = Place {
            network: interface.located(node_of(pod), pod.namespace()),
            host_address: node.address(),
            clock: self.around.clock.clone(),
        };
        let kept = Kept::new(pod, spec, place);
        self.around.register.insert(kept.pod.clone());
        Ok(kept)
    }

    /// Starts what is to be started, in order; the time until something else is due.
    async fn run(&self, pod: &Object, kept: &mut Kept) -> Option<Duration> {
        let mut wait: Option<Duration> = None;
        let policy = kept.spec.restart_policy;
        if !matches!(kept.phase(pod), "Succeeded" | "Failed")
            && let Some(later) = self.provide_sandbox(pod, kept).await
        {
            return Some(later);
        }
        let init_policy = if policy == RestartPolicy::Never { policy } else { RestartPolicy::OnFailure };
        let finished = matches!(kept.phase(pod), "Succeeded" | "Failed");
        for index in 0..kept.init.len() {
            let spec = &kept.spec.init_containers[index];
            let policy = if spec.is_sidecar() { RestartPolicy::Always } else { init_policy };
            if !finished && (spec.is_sidecar() || !status::init_is_done(spec, &kept.init[index])) {
                wait = sooner(wait, self.attend(pod, kept, index, policy).await);
            }
            kept.see_health(index);
            if !status::init_is_done(&kept.spec.init_containers[index], &kept.init[index]) {
                return wait;
            }
        }
        for index in kept.init.len()..kept.len() {
            if !finished {
                wait = sooner(wait, self.attend(pod, kept, index, policy).await);
            }
            kept.see_health(index);
        }
        if finished {
            // Sidecars end with the containers that they were for, and namespaces with the last of them.
            kept.stop_all();
            if kept.is_quiet() {
                kept.pod.sandbox.lock().take();
            }
        }
        self.tell_complaints(pod, kept);
        wait
    }

    /// Starts one container if it is its turn; the time until it is.
    async fn attend(
        &self,
        pod: &Object,
        kept: &mut Kept,
        index: usize,
        policy: RestartPolicy,
    ) -> Option<Duration> {
        match kept.record(index).next(policy, self.around.clock.now()) {
            Next::Stay => None,
            Next::Start => self.start_container(pod, kept, index).await,
            Next::Wait(left) => {
                let name = kept.container_spec(index).name.clone();
                let record = kept.record_mut(index);
                if let State::Ended(ended) = &record.state {
                    let backoff = record.backoff(ended).as_secs();
                    let message = format!(
                        "back-off {backoff}s restarting failed container={name} pod={}_{}({})",
                        pod.name(),
                        pod.namespace(),
                        pod.uid()
                    );
                    record.wait("CrashLoopBackOff", &*message);
                    let message =
                        format!("Back-off restarting failed container {name} in pod {}", pod.name());
                    self.events.record(regarding(pod), Severity::Warning, "BackOff", message);
                }
                Some(left)
            }
        }
    }

    fn tell_complaints(&self, pod: &Object, kept: &mut Kept) {
        for complaint in kept.take_complaints() {
            self.events.record(regarding(pod), Severity::Warning, "Unhealthy", complaint);
        }
        for verdict in kept.carry_out_verdicts() {
            self.events.record(regarding(pod), Severity::Normal, "Killing", verdict);
        }
    }

    /// Ends a pod that is being deleted; the time until its programs are killed.
    async fn end(&self, pod: &Object, kept: &mut Kept) -> Result<Option<Duration>, PassError> {
        for name in kept.stop_all() {
            let message = format!("Stopping container {name}");
            self.events.record(regarding(pod), Severity::Normal, "Killing", message);
        }
        let now = self.around.clock.now();
        // The API server sets it to the end of the grace period.
        let deadline = status::time(&pod.0["metadata"]["deletionTimestamp"]).unwrap_or(now);
        let left = Duration::try_from(deadline.duration_since(now)).unwrap_or_default();
        if left.is_zero() {
            kept.kill_all();
        }
        let is_quiet = kept.is_quiet();
        self.write_status(pod, kept, is_quiet).await?;
        Ok((!is_quiet && !left.is_zero()).then_some(left))
    }

    /// Takes the pod out of the register and ends what is left of it.
    fn forget(&self, kept: Kept) {
        kept.kill_all();
        // With its namespaces ends whatever still runs in them.
        kept.pod.sandbox.lock().take();
        self.around.register.remove(&kept.pod.key, &kept.pod.uid);
    }

    async fn delete(&self, pod: &Object) -> Result<(), PassError> {
        let options = Delete { grace_period_seconds: Some(0), ..Delete::default() }.uid(pod.uid());
        match self.api.delete(&pod.key(), &options).await {
            // Gone, or another pod of the same name.
            Ok(()) | Err(ClientError::NotFound(_) | ClientError::Conflict(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the status if it is another one than the API server has.
    async fn write_status(&self, pod: &Object, kept: &mut Kept, is_over: bool) -> Result<(), PassError> {
        let newest = kept.newest(pod);
        let wanted = status::status(&Input {
            spec: &kept.spec,
            last: &newest.0["status"],
            init: &kept.init,
            containers: &kept.containers,
            pod_addresses: &kept.pod.network.addresses(),
            host_address: kept.host_address,
            started: kept.started,
            now: self.around.clock.now(),
            is_over,
        });
        let is_there = without_nulls(&status::owned(newest)) == without_nulls(&wanted);
        if is_there || kept.has_sent(newest, &wanted) {
            return Ok(());
        }
        let patch = Patch::Merge(json!({ "metadata": { "uid": pod.uid() }, "status": wanted }));
        match self.api.patch_status(&pod.key(), &patch).await {
            Ok(object) => {
                kept.written = Some(Written { object, sent: wanted });
                Ok(())
            }
            // Deleted meanwhile: the watch tells.
            Err(ClientError::NotFound(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn sooner(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    a.into_iter().chain(b).min()
}

/// The value without members that are null: an API server may leave them out.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(_, member)| !member.is_null());
            Value::Object(kept.map(|(name, member)| (name.clone(), without_nulls(member))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}
