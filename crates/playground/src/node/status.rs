//! The status of a pod, from its spec, its records and its last status.
//!
//! Pure. The rules for phase and conditions are those of kubelets: a phase that is final stays, conditions keep the
//! time of their last change, and conditions that others own stay as they are.

use std::net::IpAddr;

use jiff::Timestamp;
use portolan_object::Object;
use portolan_object::time::format_time;
use serde_json::{Map, Value, json};

use crate::node::pod_spec::{ContainerSpec, PodSpec, RestartPolicy};
use crate::node::record::{Ended, Record, State};

/// What a status is made from.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    pub(crate) spec: &'a PodSpec,
    /// The status as it was written last.
    pub(crate) last: &'a Value,
    /// Records of the init containers, in the order of the spec.
    pub(crate) init: &'a [Record],
    /// Records of the containers, in the order of the spec.
    pub(crate) containers: &'a [Record],
    /// Those of the pod, the main one first; none yet when empty.
    pub(crate) pod_addresses: &'a [IpAddr],
    pub(crate) host_address: IpAddr,
    pub(crate) started: Timestamp,
    pub(crate) now: Timestamp,
    /// Whether all containers were ended for good: the pod is being deleted.
    pub(crate) is_over: bool,
}

/// Computes the status.
pub(crate) fn status(input: &Input<'_>) -> Value {
    let phase = phase(input);
    let mut status = Map::new();
    status.insert("phase".to_owned(), json!(phase));
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
                let is_done = matches!(&record.state, State::Ended(ended) if ended.code == 0);
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

/// The fields of a status that nodes own, as they are on the object: what [`status`] is compared with.
pub(crate) fn owned(pod: &Object) -> Value {
    const FIELDS: [&str; 9] = [
        "phase",
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

/// The readiness of init containers: whether the others may start.
pub(crate) fn is_initialized(spec: &PodSpec, init: &[Record]) -> bool {
    spec.init_containers.iter().zip(init).all(|(spec, record)| init_is_done(spec, record))
}

/// Whether the containers after this init container may start.
pub(crate) fn init_is_done(spec: &ContainerSpec, record: &Record) -> bool {
    match (&record.state, spec.is_sidecar()) {
        (State::Running { .. }, true) => record.started,
        (State::Ended(ended), false) => ended.code == 0,
        _ => false,
    }
}

fn phase(input: &Input<'_>) -> &'static str {
    match input.last["phase"].as_str() {
        Some("Succeeded") => return "Succeeded",
        Some("Failed") => return "Failed",
        _ => {}
    }
    let policy = input.spec.restart_policy;
    let init_failed = input.spec.init_containers.iter().zip(input.init).any(|(spec, record)| {
        !spec.is_sidecar()
            && record.ended().is_some_and(|ended| ended.code != 0)
            && policy == RestartPolicy::Never
    });
    if init_failed {
        return "Failed";
    }
    let ended: Vec<&Ended> = input.containers.iter().filter_map(Record::ended).collect();
    let all_ended = ended.len() == input.containers.len();
    let all_succeeded = ended.iter().all(|ended| ended.code == 0);
    if input.is_over {
        return if all_ended && all_succeeded { "Succeeded" } else { "Failed" };
    }
    if !is_initialized(input.spec, input.init) {
        return "Pending";
    }
    let never_ran = |record: &Record| matches!(record.state, State::Waiting { .. }) && record.last.is_none();
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

/// A condition without its time.
struct Finding {
    kind: &'static str,
    holds: bool,
    reason: &'static str,
    message: String,
}

impl Finding {
    fn holds(kind: &'static str) -> Self {
        Self { kind, holds: true, reason: "", message: String::new() }
    }

    fn fails(kind: &'static str, reason: &'static str, message: String) -> Self {
        Self { kind, holds: false, reason, message }
    }
}

fn conditions(input: &Input<'_>, phase: &str) -> Value {
    let findings = [
        match input.pod_addresses.first() {
            Some(_) if phase != "Succeeded" && phase != "Failed" => {
                Finding::holds("PodReadyToStartContainers")
            }
            _ => Finding::fails("PodReadyToStartContainers", "", String::new()),
        },
        initialized(input, phase),
        containers_ready("Ready", input, phase).unwrap_or_else(|| gates_ready(input)),
        containers_ready("ContainersReady", input, phase)
            .unwrap_or_else(|| Finding::holds("ContainersReady")),
        Finding::holds("PodScheduled"),
    ];
    let last: &[Value] = input.last["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let foreign = last.iter().filter(|other| findings.iter().all(|finding| other["type"] != finding.kind));
    let mut conditions: Vec<Value> = foreign.cloned().collect();
    conditions.extend(findings.iter().map(|finding| {
        let old = last.iter().find(|other| other["type"] == finding.kind);
        dated(finding, old, input.now)
    }));
    Value::Array(conditions)
}

fn dated(finding: &Finding, old: Option<&Value>, now: Timestamp) -> Value {
    let status = if finding.holds { "True" } else { "False" };
    let unchanged =
        old.filter(|old| old["status"] == status).and_then(|old| old["lastTransitionTime"].as_str());
    let since = unchanged.map_or_else(|| format_time(now), str::to_owned);
    let mut condition = json!({
        "type": finding.kind, "status": status, "lastProbeTime": null, "lastTransitionTime": since,
    });
    for (field, text) in [("reason", finding.reason), ("message", finding.message.as_str())] {
        if !text.is_empty() {
            condition[field] = json!(text);
        }
    }
    // Written by API servers that know it; what is not known here is kept.
    if let Some(generation) = old.and_then(|old| old.get("observedGeneration")) {
        condition["observedGeneration"] = generation.clone();
    }
    condition
}

fn initialized(input: &Input<'_>, phase: &str) -> Finding {
    if phase == "Succeeded" {
        return Finding { reason: "PodCompleted", ..Finding::holds("Initialized") };
    }
    let missing = input.spec.init_containers.iter().zip(input.init);
    let missing: Vec<&str> = missing
        .filter(|(spec, record)| !init_is_done(spec, record))
        .map(|(spec, _)| spec.name.as_str())
        .collect();
    // Once the containers have run, the init containers did their work, whatever is known of them now.
    let has_run = input.containers.iter().any(|record| !matches!(record.state, State::Waiting { .. }));
    if missing.is_empty() || has_run {
        return Finding::holds("Initialized");
    }
    let message = format!("containers with incomplete status: [{}]", missing.join(" "));
    Finding::fails("Initialized", "ContainersNotInitialized", message)
}

/// Why the containers are not ready; `None` when they are.
fn containers_ready(kind: &'static str, input: &Input<'_>, phase: &str) -> Option<Finding> {
    match phase {
        "Succeeded" => return Some(Finding::fails(kind, "PodCompleted", String::new())),
        "Failed" => return Some(Finding::fails(kind, "PodFailed", String::new())),
        _ => {}
    }
    let containers = input.spec.containers.iter().zip(input.containers);
    let unready: Vec<&str> =
        containers.filter(|(_, record)| !record.ready).map(|(spec, _)| spec.name.as_str()).collect();
    (!unready.is_empty()).then(|| {
        let message = format!("containers with unready status: [{}]", unready.join(" "));
        Finding::fails(kind, "ContainersNotReady", message)
    })
}

fn gates_ready(input: &Input<'_>) -> Finding {
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
        true => Finding::holds("Ready"),
        false => Finding::fails("Ready", "ReadinessGatesNotReady", messages.join(", ")),
    }
}

fn container_status(spec: &ContainerSpec, record: &Record, ready: bool) -> Value {
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
        State::Running { id, .. } => Some(id),
        State::Ended(ended) => Some(&ended.id),
        State::Waiting { .. } => record.last.as_ref().map(|ended| &ended.id),
    };
    if let Some(id) = id.filter(|id| !id.is_empty()) {
        status["containerID"] = json!(id);
        status["imageID"] = json!(spec.image);
    }
    status
}

fn state(state: &State) -> Value {
    match state {
        State::Running { since, .. } => json!({ "running": { "startedAt": format_time(*since) } }),
        State::Ended(ended) => json!({ "terminated": terminated(ended) }),
        State::Waiting { reason, message } if message.is_empty() => {
            json!({ "waiting": { "reason": reason } })
        }
        State::Waiting { reason, message } => json!({ "waiting": { "reason": reason, "message": message } }),
    }
}

fn terminated(ended: &Ended) -> Value {
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

/// The records that a status stands for: what is known of a pod that ran before this process started. Its programs
/// are gone, so a container that was running has ended with them.
pub(crate) fn records(specs: &[ContainerSpec], statuses: &Value, now: Timestamp) -> Vec<Record> {
    let statuses: &[Value] = statuses.as_array().map(Vec::as_slice).unwrap_or_default();
    let find = |name: &str| statuses.iter().find(|status| status["name"] == name);
    specs.iter().map(|spec| find(&spec.name).map_or_else(Record::new, |status| record(status, now))).collect()
}

fn record(status: &Value, now: Timestamp) -> Record {
    let mut record = Record::new();
    record.restarts =
        status["restartCount"].as_u64().and_then(|count| count.try_into().ok()).unwrap_or_default();
    record.last = status["lastState"].get("terminated").map(ended);
    if let Some(running) = status["state"].get("running") {
        record.end(Ended {
            id: status["containerID"].as_str().unwrap_or_default().to_owned(),
            code: crate::programs::KILLED,
            reason: "ContainerStatusUnknown".to_owned(),
            message: "The node stopped while the container was running".to_owned(),
            started: time(&running["startedAt"]).unwrap_or(now),
            finished: now,
        });
    } else if let Some(terminated) = status["state"].get("terminated") {
        record.end(ended(terminated));
    }
    record
}

fn ended(terminated: &Value) -> Ended {
    let text = |field: &str| terminated[field].as_str().unwrap_or_default().to_owned();
    let finished = time(&terminated["finishedAt"]).unwrap_or(Timestamp::UNIX_EPOCH);
    Ended {
        id: text("containerID"),
        code: terminated["exitCode"].as_i64().and_then(|code| code.try_into().ok()).unwrap_or_default(),
        reason: text("reason"),
        message: text("message"),
        started: time(&terminated["startedAt"]).unwrap_or(finished),
        finished,
    }
}

/// Reads a time of the Kubernetes API.
pub(crate) fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests;
