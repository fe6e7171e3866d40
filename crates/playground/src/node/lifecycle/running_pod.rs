//! State of one pod between two passes of `lifecycle`. Nothing here waits or calls the API server.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use portolan_net::Clock;
use portolan_object::Object;
use serde_json::Value;

use crate::network::Interface;
use crate::node::health::Health;
use crate::node::lifecycle::used_objects::VolumeInputs;
use crate::node::pod_spec::{ContainerSpec, PodSpec, TokenSource};
use crate::node::record::{ContainerRecord, ContainerState, Termination};
use crate::node::status::{self, Ending};
use crate::pods::{Container, ContainerSettings, Pod, Run, StdinMode};

/// A container of a pod, by its list in the spec and its position there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ContainerRef {
    /// `spec.initContainers[n]`.
    Init(usize),
    /// `spec.containers[n]`.
    Main(usize),
}

/// A pod with an address on one of our nodes.
pub(super) struct RunningPod {
    pub(super) spec: PodSpec,
    pub(super) pod: Arc<Pod>,
    pub(super) host_address: IpAddr,
    /// `status.startTime`.
    pub(super) started: Timestamp,
    pub(super) written: Option<WrittenStatus>,
    /// In the order of `spec.initContainers`.
    init: Vec<ContainerRecord>,
    /// In the order of `spec.containers`.
    containers: Vec<ContainerRecord>,
    health: BTreeMap<ContainerRef, Arc<Health>>,
    is_stopping: bool,
    /// Why the node ends the pod.
    pub(super) ending: Option<Ending>,
    pub(super) volumes: WrittenVolumes,
}

/// Address, host and clock of a new pod.
pub(super) struct PodEnvironment {
    pub(super) network: Interface,
    pub(super) host_address: IpAddr,
    pub(super) clock: Clock,
}

/// The volumes between two passes.
#[derive(Debug, Default)]
pub(super) struct WrittenVolumes {
    /// What the last complete write was made of.
    pub(super) written: Option<VolumeInputs>,
    /// Time when empty directories were measured last.
    pub(super) measured: Option<Timestamp>,
    /// Tokens, with the times from which they are renewed.
    pub(super) tokens: BTreeMap<TokenSource, (String, Timestamp)>,
}

impl WrittenVolumes {
    /// The time from which a token is renewed.
    pub(super) fn renewal(&self) -> Option<Timestamp> {
        self.tokens.values().map(|(_, renewal)| *renewal).min()
    }
}

/// The last status that was written.
pub(super) struct WrittenStatus {
    /// The object in the answer of the API server.
    pub(super) object: Object,
    /// The status that was sent.
    pub(super) sent: Value,
}

impl RunningPod {
    pub(super) fn new(pod: &Object, spec: PodSpec, environment: PodEnvironment) -> Self {
        let now = environment.clock.now();
        let container = |spec: &ContainerSpec| {
            let stdin = match (spec.stdin, spec.stdin_once) {
                (false, _) => StdinMode::Closed,
                (true, true) => StdinMode::Once,
                (true, false) => StdinMode::Open,
            };
            let settings = ContainerSettings {
                network: environment.network.clone(),
                clock: environment.clock.clone(),
                stdin,
                tty: spec.tty,
            };
            let container = Container::new(&spec.name, &spec.image, settings);
            (spec.name.clone(), Arc::new(container))
        };
        let containers = spec.all_containers().map(container).collect();
        let status = &pod.0["status"];
        Self {
            init: status::records(&spec.init_containers, &status["initContainerStatuses"], now),
            containers: status::records(&spec.containers, &status["containerStatuses"], now),
            pod: Arc::new(Pod {
                key: pod.key(),
                uid: pod.uid().to_owned(),
                network: environment.network,
                sandbox: Mutex::default(),
                containers,
            }),
            host_address: environment.host_address,
            started: status::parse_time(&status["startTime"]).unwrap_or(now),
            written: None,
            health: BTreeMap::new(),
            is_stopping: false,
            ending: None,
            volumes: WrittenVolumes::default(),
            spec,
        }
    }

    /// The init containers, in order.
    pub(super) fn init_refs(&self) -> impl Iterator<Item = ContainerRef> + use<> {
        (0..self.init.len()).map(ContainerRef::Init)
    }

    /// The containers beside the init containers, in order.
    pub(super) fn main_refs(&self) -> impl Iterator<Item = ContainerRef> + use<> {
        (0..self.containers.len()).map(ContainerRef::Main)
    }

    fn all_refs(&self) -> impl Iterator<Item = ContainerRef> + use<> {
        self.init_refs().chain(self.main_refs())
    }

    /// Records of the init containers, in order.
    pub(super) fn init_records(&self) -> &[ContainerRecord] {
        &self.init
    }

    /// Records of the containers beside the init containers, in order.
    pub(super) fn main_records(&self) -> &[ContainerRecord] {
        &self.containers
    }

    pub(super) fn record(&self, container: ContainerRef) -> &ContainerRecord {
        match container {
            ContainerRef::Init(index) => &self.init[index],
            ContainerRef::Main(index) => &self.containers[index],
        }
    }

    pub(super) fn record_mut(&mut self, container: ContainerRef) -> &mut ContainerRecord {
        match container {
            ContainerRef::Init(index) => &mut self.init[index],
            ContainerRef::Main(index) => &mut self.containers[index],
        }
    }

    pub(super) fn container_spec(&self, container: ContainerRef) -> &ContainerSpec {
        match container {
            ContainerRef::Init(index) => &self.spec.init_containers[index],
            ContainerRef::Main(index) => &self.spec.containers[index],
        }
    }

    pub(super) fn container(&self, container: ContainerRef) -> &Arc<Container> {
        // Names are unique in a pod, and the map was made from the same spec.
        &self.pod.containers[&self.container_spec(container).name]
    }

    /// Records a new run.
    pub(super) fn record_start(&mut self, container: ContainerRef, run: &Arc<Run>, health: Arc<Health>) {
        self.container(container).started(run.clone());
        self.record_mut(container).set_running(&run.id, run.started);
        self.health.insert(container, health);
    }

    /// Records the runs that have ended.
    pub(super) fn record_exits(&mut self) {
        for container in self.all_refs() {
            let Some(run) = self.current_run(container) else { continue };
            if let Some(exit) = run.exit() {
                let reason = if exit.code == 0 { "Completed" } else { "Error" };
                self.health.remove(&container);
                self.record_mut(container).set_terminated(Termination {
                    id: run.id.clone(),
                    code: exit.code,
                    reason: reason.to_owned(),
                    message: String::new(),
                    started: run.started,
                    finished: exit.at,
                });
            }
        }
    }

    /// Records the results of a container's probes.
    pub(super) fn record_health(&mut self, container: ContainerRef) {
        let Some(health) = self.health.get(&container).cloned() else { return };
        let is_stopping = self.is_stopping;
        let record = self.record_mut(container);
        if matches!(record.state, ContainerState::Running { .. }) {
            record.started = health.is_started();
            record.ready = health.is_ready() && !is_stopping;
        }
    }

    /// The run of a container that is running according to its record.
    fn current_run(&self, container: ContainerRef) -> Option<Arc<Run>> {
        match &self.record(container).state {
            ContainerState::Running { id, .. } => {
                self.container(container).current().filter(|run| run.id == *id)
            }
            _ => None,
        }
    }

    /// Whether no container runs.
    pub(super) fn has_stopped(&self) -> bool {
        self.all_refs().all(|container| self.current_run(container).is_none())
    }

    /// Asks all containers to end. The names of the containers that run, on the first call.
    pub(super) fn stop_all(&mut self) -> Vec<String> {
        let is_first = !std::mem::replace(&mut self.is_stopping, true);
        let mut stopped = Vec::new();
        for container in self.all_refs() {
            if let Some(run) = self.current_run(container) {
                run.stop();
                stopped.push(self.container_spec(container).name.clone());
                self.record_mut(container).ready = false;
            }
        }
        if is_first { stopped } else { Vec::new() }
    }

    /// Kills all containers.
    pub(super) fn kill_all(&self) {
        for container in self.pod.containers.values() {
            if let Some(run) = container.current() {
                run.kill();
            }
        }
    }

    /// Probe failures since the last call, for events.
    pub(super) fn take_probe_failures(&self) -> Vec<String> {
        self.health.values().flat_map(|health| health.take_failures()).collect()
    }

    /// Kills the containers that failed a startup or liveness probe. The reasons, for events.
    pub(super) fn kill_unhealthy(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        for (container, health) in &self.health {
            if let Some(reason) = health.take_kill_reason()
                && let Some(run) = self.current_run(*container)
            {
                run.kill();
                reasons.push(reason);
            }
        }
        reasons
    }

    /// Whether the newest status has a final phase.
    pub(super) fn is_finished(&self, pod: &Object) -> bool {
        crate::node::pod_spec::is_finished(self.newest(pod))
    }

    /// The newest known version of the object: the cache may be older than our last write.
    pub(super) fn newest<'a>(&'a self, pod: &'a Object) -> &'a Object {
        match &self.written {
            Some(written) if resource_version(&written.object) > resource_version(pod) => &written.object,
            _ => pod,
        }
    }

    /// Whether this status was the last one sent, and the object did not change since.
    pub(super) fn has_sent(&self, newest: &Object, wanted: &Value) -> bool {
        self.written.as_ref().is_some_and(|written| {
            written.sent == *wanted && written.object.resource_version() == newest.resource_version()
        })
    }
}

/// The resource version as a number; Kubernetes API servers write increasing numbers.
fn resource_version(object: &Object) -> u64 {
    object.resource_version().parse().unwrap_or_default()
}
