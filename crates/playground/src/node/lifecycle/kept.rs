//! What this process knows of one pod between two passes. Nothing here waits or speaks to the API server.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use portolan_net::Clock;
use portolan_object::Object;
use serde_json::Value;

use crate::containers::{Container, Pod, Run, Setting, Stdin};
use crate::network::Interface;
use crate::node::health::Health;
use crate::node::pod_spec::{ContainerSpec, PodSpec};
use crate::node::record::{Ended, Record, State};
use crate::node::status;

/// A pod that has its place.
pub(super) struct Kept {
    pub(super) spec: PodSpec,
    pub(super) pod: Arc<Pod>,
    /// Records of the init containers, in the order of the spec.
    pub(super) init: Vec<Record>,
    /// Records of the other containers, in the order of the spec.
    pub(super) containers: Vec<Record>,
    pub(super) host_address: IpAddr,
    pub(super) started: Timestamp,
    pub(super) written: Option<Written>,
    health: BTreeMap<usize, Arc<Health>>,
    is_stopping: bool,
}

/// Where a pod is.
pub(super) struct Place {
    pub(super) network: Interface,
    pub(super) host_address: IpAddr,
    pub(super) clock: Clock,
}

/// The last status that was written.
pub(super) struct Written {
    /// As the API server answered.
    pub(super) object: Object,
    /// As it was sent.
    pub(super) sent: Value,
}

impl Kept {
    pub(super) fn new(pod: &Object, spec: PodSpec, place: Place) -> Self {
        let now = place.clock.now();
        let container = |spec: &ContainerSpec| {
            let stdin = match (spec.stdin, spec.stdin_once) {
                (false, _) => Stdin::Closed,
                (true, true) => Stdin::Once,
                (true, false) => Stdin::Open,
            };
            let setting =
                Setting { network: place.network.clone(), clock: place.clock.clone(), stdin, tty: spec.tty };
            let container = Container::new(&spec.name, &spec.image, setting);
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
                network: place.network,
                sandbox: Mutex::default(),
                containers,
            }),
            host_address: place.host_address,
            started: status::time(&status["startTime"]).unwrap_or(now),
            written: None,
            health: BTreeMap::new(),
            is_stopping: false,
            spec,
        }
    }

    /// How many containers there are; init containers have the first indices.
    pub(super) fn len(&self) -> usize {
        self.init.len() + self.containers.len()
    }

    pub(super) fn record(&self, index: usize) -> &Record {
        self.init.get(index).unwrap_or_else(|| &self.containers[index - self.init.len()])
    }

    pub(super) fn record_mut(&mut self, index: usize) -> &mut Record {
        match index.checked_sub(self.init.len()) {
            None => &mut self.init[index],
            Some(index) => &mut self.containers[index],
        }
    }

    pub(super) fn container_spec(&self, index: usize) -> &ContainerSpec {
        match index.checked_sub(self.init.len()) {
            None => &self.spec.init_containers[index],
            Some(index) => &self.spec.containers[index],
        }
    }

    pub(super) fn container(&self, index: usize) -> &Arc<Container> {
        // Names are unique in a pod, and the map was made from the same spec.
        &self.pod.containers[&self.container_spec(index).name]
    }

    /// Enters a run that has begun.
    pub(super) fn has_started(&mut self, index: usize, run: &Arc<Run>, health: Arc<Health>) {
        self.container(index).started(run.clone());
        self.record_mut(index).run(&run.id, run.started);
        self.health.insert(index, health);
    }

    /// Enters the runs that have ended.
    pub(super) fn see_exits(&mut self) {
        for index in 0..self.len() {
            let Some(run) = self.running(index) else { continue };
            if let Some(exit) = run.exit() {
                let reason = if exit.code == 0 { "Completed" } else { "Error" };
                self.health.remove(&index);
                self.record_mut(index).end(Ended {
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

    /// Enters what the probes of a container have found.
    pub(super) fn see_health(&mut self, index: usize) {
        let Some(health) = self.health.get(&index).cloned() else { return };
        let is_stopping = self.is_stopping;
        let record = self.record_mut(index);
        if matches!(record.state, State::Running { .. }) {
            record.started = health.is_started();
            record.ready = health.is_ready() && !is_stopping;
        }
    }

    /// The run of a container that runs as far as the record knows.
    fn running(&self, index: usize) -> Option<Arc<Run>> {
        match &self.record(index).state {
            State::Running { id, .. } => self.container(index).current().filter(|run| run.id == *id),
            _ => None,
        }
    }

    /// Whether nothing runs.
    pub(super) fn is_quiet(&self) -> bool {
        (0..self.len()).all(|index| self.running(index).is_none())
    }

    /// Asks everything that runs to end; the names of those asked for the first time.
    pub(super) fn stop_all(&mut self) -> Vec<String> {
        let is_first = !std::mem::replace(&mut self.is_stopping, true);
        let mut asked = Vec::new();
        for index in 0..self.len() {
            if let Some(run) = self.running(index) {
                run.stop();
                asked.push(self.container_spec(index).name.clone());
                self.record_mut(index).ready = false;
            }
        }
        if is_first { asked } else { Vec::new() }
    }

    /// Ends everything that runs.
    pub(super) fn kill_all(&self) {
        for container in self.pod.containers.values() {
            if let Some(run) = container.current() {
                run.kill();
            }
        }
    }

    /// Failures of probes that have not been told.
    pub(super) fn take_complaints(&self) -> Vec<String> {
        self.health.values().flat_map(|health| health.take_complaints()).collect()
    }

    /// Ends the containers that their probes have given up on; what is to be told about them.
    pub(super) fn carry_out_verdicts(&self) -> Vec<String> {
        let mut verdicts = Vec::new();
        for (index, health) in &self.health {
            if let Some(verdict) = health.take_verdict()
                && let Some(run) = self.running(*index)
            {
                run.kill();
                verdicts.push(verdict);
            }
        }
        verdicts
    }

    /// The phase of the newest status.
    pub(super) fn phase<'a>(&'a self, pod: &'a Object) -> &'a str {
        self.newest(pod).str_at(&["status", "phase"])
    }

    /// The newest version of the object that is known: the cache may be behind our own write.
    pub(super) fn newest<'a>(&'a self, pod: &'a Object) -> &'a Object {
        match &self.written {
            Some(written) if version(&written.object) > version(pod) => &written.object,
            _ => pod,
        }
    }

    /// Whether exactly this status was sent and nobody has written since: sending it again would change nothing.
    pub(super) fn has_sent(&self, newest: &Object, wanted: &Value) -> bool {
        self.written.as_ref().is_some_and(|written| {
            written.sent == *wanted && written.object.resource_version() == newest.resource_version()
        })
    }
}

/// The resource version as a number; API servers of Kubernetes count.
fn version(object: &Object) -> u64 {
    object.resource_version().parse().unwrap_or_default()
}
