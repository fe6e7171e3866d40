//! Computes the status of a pod from its spec, its records and its last status.
//!
//! Pure. Phase and conditions follow the kubelet (kubernetes pkg/kubelet/status/generate.go): a final phase is kept,
//! conditions keep their `lastTransitionTime`, and conditions of other owners are kept.

use std::net::IpAddr;

use jiff::Timestamp;
use portolan_object::Object;
use portolan_object::time::format_time;
use serde_json::{Map, Value, json};

use crate::node::pod_spec::{ContainerSpec, PodSpec, RestartPolicy};
use crate::node::record::{ContainerRecord, ContainerState, Termination};

/// Input of [`status`].
#[derive(Debug)]
pub(crate) struct StatusInput<'a> {
    pub(crate) spec: &'a PodSpec,
    /// The last written status.
    pub(crate) last: &'a Value,
    /// Records of the init containers, in the order of the spec.
    pub(crate) init: &'a [ContainerRecord],
    /// Records of the containers, in the order of the spec.
    pub(crate) containers: &'a [ContainerRecord],
    /// Addresses of the pod, the primary one first.
    pub(crate) pod_addresses: &'a [IpAddr],
    pub(crate) host_address: IpAddr,
    pub(crate) started: Timestamp,
    pub(crate) now: Timestamp,
    /// Whether all containers were stopped because the pod is being deleted.
    pub(crate) is_over: bool,
    /// Why the node ends the pod.
    pub(crate) ending: Option<&'a Ending>,
}

/// Why the node ends a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// Time of the decision.
    pub(crate) at: Timestamp,
}

/// Computes the status.
pub(crate) fn status(input: &StatusInput<'_>) -> Value {
    let phase = phase(input);
    let mut status = Map::new();
    status.insert("phase".to_owned(), json!(phase));
    let ending = input.ending.filter(|_| phase == "Failed").map(|ending| (ending.reason, &*ending.message));
    let known = |field: &str| input.last[field].as_str();
    for (field, text) in [
        ("reason", ending.map(|(reason, _)| reason).or_else(|| known("reason"))),
        ("message", ending.map(|(_, message)| message).or_else(|| known("message"))),
    ] {
        if let Some(text) = text {
            status.insert(field.to_owned(), json!(text));
        }
    }
    status.insert("startTime".to_owned(), json!(format_time(input.started)));
    status.insert("hostIP".to_owned(), json!(input.host_address.to_string()));
    status.insert("hostIPs".to_owned(), json!([{ "ip": input.host_address.to_string() }]));
    if let Some(address) = input.pod_addresses.first() {
        let all: Vec<Value> = input.pod_addresses.iter().map(|address| json!({ "ip": address })).collect();
        status.insert("podIP".to_owned(), json!(address));
        status.insert("podIPs".to_owned(), json!(all));
    }
    status.insert("conditions".to_owned(), conditions(input, phase));
    if !input.init.is_empty() {
        let init = input.spec.init_containers.iter().zip(input.init);
        let statuses: Vec<Value> = init
            .map(|(spec, record)| {
                let is_done = matches!(&record.state, ContainerState::Terminated(ended) if ended.code == 0);
                container_status(spec, record, if spec.is_sidecar() { record.ready } else { is_done })
            })
            .collect();
        status.insert("initContainerStatuses".to_owned(), json!(statuses));
    }
    let containers = input.spec.containers.iter().zip(input.containers);
    let statuses: Vec<Value> =
        containers.map(|(spec, record)| container_status(spec, record, record.ready)).collect();
    status.insert("containerStatuses".to_owned(), json!(statuses));
    Value::Object(status)
}

/// The fields of an object's status that [`status`] computes.
pub(crate) fn owned_fields(pod: &Object) -> Value {
    const FIELDS: [&str; 11] = [
        "phase",
        "reason",
        "message",
        "startTime",
        "hostIP",
        "hostIPs",
        "podIP",
        "podIPs",
        "conditions",
        "initContainerStatuses",
        "containerStatuses",
    ];
    let status = pod.at(&["status"]).and_then(Value::as_object);
    let fields = FIELDS.iter().filter_map(|field| Some(((*field).to_owned(), status?.get(*field)?.clone())));
    Value::Object(fields.collect())
}

/// Whether all init containers are done, so that the other containers may start.
pub(crate) fn is_initialized(spec: &PodSpec, init: &[ContainerRecord]) -> bool {
    spec.init_containers.iter().zip(init).all(|(spec, record)| init_is_done(spec, record))
}

/// Whether the containers after this init container may start.
pub(crate) fn init_is_done(spec: &ContainerSpec, record: &ContainerRecord) -> bool {
    match (&record.state, spec.is_sidecar()) {
        (ContainerState::Running { .. }, true) => record.started,
        (ContainerState::Terminated(ended), false) => ended.code == 0,
        _ => false,
    }
}

fn phase(input: &StatusInput<'_>) -> &'static str {
    match input.last["phase"].as_str() {
        Some("Succeeded") => return "Succeeded",
        Some("Failed") => return "Failed",
        _ => {}
    }
    if input.ending.is_some() {
        let mut records = input.init.iter().chain(input.containers);
        let is_running = records.any(|record| matches!(record.state, ContainerState::Running { .. }));
        return if is_running { "Running" } else { "Failed" };
    }
    let policy = input.spec.restart_policy;
    let init_failed = input.spec.init_containers.iter().zip(input.init).any(|(spec, record)| {
        !spec.is_sidecar()
            && record.last_termination().is_some_and(|ended| ended.code != 0)
            && policy == RestartPolicy::Never
    });
    if init_failed {
        return "Failed";
    }
    let ended: Vec<&Termination> =
        input.containers.iter().filter_map(ContainerRecord::last_termination).collect();
    let all_ended = ended.len() == input.containers.len();
    let all_succeeded = ended.iter().all(|ended| ended.code == 0);
    if input.is_over {
        return if all_ended && all_succeeded { "Succeeded" } else { "Failed" };
    }
    if !is_initialized(input.spec, input.init) {
        return "Pending";
    }
    let never_ran = |record: &ContainerRecord| {
        matches!(record.state, ContainerState::Waiting { .. }) && record.last.is_none()
    };
    if input.containers.iter().any(never_ran) {
        return "Pending";
    }
    match (all_ended, policy) {
        (false, _) | (true, RestartPolicy::Always) => "Running",
        (true, _) if all_succeeded => "Succeeded",
        (true, RestartPolicy::Never) => "Failed",
        (true, RestartPolicy::OnFailure) => "Running",
    }
}

/// A condition without its times.
struct Condition {
    kind: &'static str,
    is_true: bool,
    reason: &'static str,
    message: String,
}

impl Condition {
    fn new_true(kind: &'static str) -> Self {
        Self { kind, is_true: true, reason: "", message: String::new() }
    }

    fn new_false(kind: &'static str, reason: &'static str, message: String) -> Self {
        Self { kind, is_true: false, reason, message }
    }
}

fn conditions(input: &StatusInput<'_>, phase: &str) -> Value {
    let owned = [
        match input.pod_addresses.first() {
            Some(_) if phase != "Succeeded" && phase != "Failed" => {
                Condition::new_true("PodReadyToStartContainers")
            }
            _ => Condition::new_false("PodReadyToStartContainers", "", String::new()),
        },
        initialized(input, phase),
        containers_ready("Ready", input, phase).unwrap_or_else(|| gates_ready(input)),
        containers_ready("ContainersReady", input, phase)
            .unwrap_or_else(|| Condition::new_true("ContainersReady")),
        Condition::new_true("PodScheduled"),
    ];
    let last: &[Value] = input.last["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let foreign = last.iter().filter(|other| owned.iter().all(|condition| other["type"] != condition.kind));
    let mut conditions: Vec<Value> = foreign.cloned().collect();
    conditions.extend(owned.iter().map(|condition| {
        let old = last.iter().find(|other| other["type"] == condition.kind);
        with_times(condition, old, input.now)
    }));
    Value::Array(conditions)
}

/// The condition with its times: `lastTransitionTime` is kept while the status is the same.
fn with_times(condition: &Condition, old: Option<&Value>, now: Timestamp) -> Value {
    let status = if condition.is_true { "True" } else { "False" };
    let unchanged =
        old.filter(|old| old["status"] == status).and_then(|old| old["lastTransitionTime"].as_str());
    let since = unchanged.map_or_else(|| format_time(now), str::to_owned);
    let mut value = json!({
        "type": condition.kind, "status": status, "lastProbeTime": null, "lastTransitionTime": since,
    });
    for (field, text) in [("reason", condition.reason), ("message", condition.message.as_str())] {
        if !text.is_empty() {
            value[field] = json!(text);
        }
    }
    // Kept from the last status: set by newer API servers.
    if let Some(generation) = old.and_then(|old| old.get("observedGeneration")) {
        value["observedGeneration"] = generation.clone();
    }
    value
}

fn initialized(input: &StatusInput<'_>, phase: &str) -> Condition {
    if phase == "Succeeded" {
        return Condition { reason: "PodCompleted", ..Condition::new_true("Initialized") };
    }
    let missing = input.spec.init_containers.iter().zip(input.init);
    let missing: Vec<&str> = missing
        .filter(|(spec, record)| !init_is_done(spec, record))
        .map(|(spec, _)| spec.name.as_str())
        .collect();
    // Once a container has run, the init containers are done, even if their records are lost.
    let has_run =
        input.containers.iter().any(|record| !matches!(record.state, ContainerState::Waiting { .. }));
    if missing.is_empty() || has_run {
        return Condition::new_true("Initialized");
    }
    let message = format!("containers with incomplete status: [{}]", missing.join(" "));
    Condition::new_false("Initialized", "ContainersNotInitialized", message)
}

/// The false condition when a container is not ready; `None` when all are ready.
fn containers_ready(kind: &'static str, input: &StatusInput<'_>, phase: &str) -> Option<Condition> {
    match phase {
        "Succeeded" => return Some(Condition::new_false(kind, "PodCompleted", String::new())),
        "Failed" => return Some(Condition::new_false(kind, "PodFailed", String::new())),
        _ => {}
    }
    let containers = input.spec.containers.iter().zip(input.containers);
    let unready: Vec<&str> =
        containers.filter(|(_, record)| !record.ready).map(|(spec, _)| spec.name.as_str()).collect();
    (!unready.is_empty()).then(|| {
        let message = format!("containers with unready status: [{}]", unready.join(" "));
        Condition::new_false(kind, "ContainersNotReady", message)
    })
}

fn gates_ready(input: &StatusInput<'_>) -> Condition {
    let conditions = input.last["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let closed = input.spec.readiness_gates.iter().filter_map(|gate| {
        let kind = &gate.condition_type;
        match conditions.iter().find(|condition| condition["type"] == kind.as_str()) {
            None => Some(format!("corresponding condition of pod readiness gate {kind:?} does not exist.")),
            Some(condition) if condition["status"] != "True" => {
                let status = condition["status"].as_str().unwrap_or_default();
                Some(format!("the status of pod readiness gate {kind:?} is not \"True\", but {status}"))
            }
            Some(_) => None,
        }
    });
    let messages: Vec<String> = closed.collect();
    match messages.is_empty() {
        true => Condition::new_true("Ready"),
        false => Condition::new_false("Ready", "ReadinessGatesNotReady", messages.join(", ")),
    }
}

fn container_status(spec: &ContainerSpec, record: &ContainerRecord, ready: bool) -> Value {
    let mut status = json!({
        "name": spec.name,
        "image": spec.image,
        "imageID": "",
        "state": state(&record.state),
        "lastState": record.last.as_ref().map_or_else(|| json!({}), |ended| json!({ "terminated": terminated(ended) })),
        "ready": ready,
        "started": record.started,
        "restartCount": record.restarts,
    });
    let id = match &record.state {
        ContainerState::Running { id, .. } => Some(id),
        ContainerState::Terminated(ended) => Some(&ended.id),
        ContainerState::Waiting { .. } => record.last.as_ref().map(|ended| &ended.id),
    };
    if let Some(id) = id.filter(|id| !id.is_empty()) {
        status["containerID"] = json!(id);
        status["imageID"] = json!(spec.image);
    }
    status
}

fn state(state: &ContainerState) -> Value {
    match state {
        ContainerState::Running { since, .. } => json!({ "running": { "startedAt": format_time(*since) } }),
        ContainerState::Terminated(ended) => json!({ "terminated": terminated(ended) }),
        ContainerState::Waiting { reason, message } if message.is_empty() => {
            json!({ "waiting": { "reason": reason } })
        }
        ContainerState::Waiting { reason, message } => {
            json!({ "waiting": { "reason": reason, "message": message } })
        }
    }
}

fn terminated(ended: &Termination) -> Value {
    let mut terminated = json!({
        "exitCode": ended.code,
        "reason": ended.reason,
        "startedAt": format_time(ended.started),
        "finishedAt": format_time(ended.finished),
    });
    for (field, text) in [("message", &ended.message), ("containerID", &ended.id)] {
        if !text.is_empty() {
            terminated[field] = json!(text);
        }
    }
    terminated
}

/// The records of a pod that ran before this process started, read from its status. Its programs ended with the previous
/// process, so a container with state `running` counts as terminated.
pub(crate) fn records(specs: &[ContainerSpec], statuses: &Value, now: Timestamp) -> Vec<ContainerRecord> {
    let statuses: &[Value] = statuses.as_array().map(Vec::as_slice).unwrap_or_default();
    let find = |name: &str| statuses.iter().find(|status| status["name"] == name);
    specs
        .iter()
        .map(|spec| find(&spec.name).map_or_else(ContainerRecord::new, |status| record(status, now)))
        .collect()
}

fn record(status: &Value, now: Timestamp) -> ContainerRecord {
    let mut record = ContainerRecord::new();
    record.restarts =
        status["restartCount"].as_u64().and_then(|count| count.try_into().ok()).unwrap_or_default();
    record.last = status["lastState"].get("terminated").map(termination);
    if let Some(running) = status["state"].get("running") {
        record.set_terminated(Termination {
            id: status["containerID"].as_str().unwrap_or_default().to_owned(),
            code: crate::programs::KILLED,
            reason: "ContainerStatusUnknown".to_owned(),
            message: "The node stopped while the container was running".to_owned(),
            started: parse_time(&running["startedAt"]).unwrap_or(now),
            finished: now,
        });
    } else if let Some(terminated) = status["state"].get("terminated") {
        record.set_terminated(termination(terminated));
    }
    record
}

fn termination(terminated: &Value) -> Termination {
    let text = |field: &str| terminated[field].as_str().unwrap_or_default().to_owned();
    let finished = parse_time(&terminated["finishedAt"]).unwrap_or(Timestamp::UNIX_EPOCH);
    Termination {
        id: text("containerID"),
        code: terminated["exitCode"].as_i64().and_then(|code| code.try_into().ok()).unwrap_or_default(),
        reason: text("reason"),
        message: text("message"),
        started: parse_time(&terminated["startedAt"]).unwrap_or(finished),
        finished,
    }
}

/// Parses a `metav1.Time`.
pub(crate) fn parse_time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests;
