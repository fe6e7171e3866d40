//! The row of a pod: its readiness, its restarts, and the one word that says how it is.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::kinds::table::cells::{Row, elapsed};
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::tree;

pub(crate) static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::string("Ready", "Containers that are ready, of all that should be."),
        Column::string("Status", "What the pod is doing or waiting for."),
        Column::string("Restarts", "How often containers were restarted, and when last."),
        AGE,
        Column::string("IP", "Address of the pod.").wide(),
        Column::string("Node", "Node that the pod is bound to.").wide(),
        Column::string("Nominated Node", "Node on which others are being evicted for this pod.").wide(),
        Column::string("Readiness Gates", "Conditions that must hold besides ready containers.").wide(),
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    let summary = summarize(row.object);
    let restarts = match summary.last_restart {
        Some(last) if summary.restarts != 0 => {
            format!("{} ({} ago)", summary.restarts, elapsed(&last.to_string(), row.now))
        }
        _ => summary.restarts.to_string(),
    };
    vec![
        row.name(),
        json!(format!("{}/{}", summary.ready, summary.total)),
        json!(summary.status),
        json!(restarts),
        row.age(),
        json!(row.text_or("/status/podIPs/0/ip", "<none>")),
        json!(row.text_or("/spec/nodeName", "<none>")),
        json!(row.text_or("/status/nominatedNodeName", "<none>")),
        json!(readiness_gates(row)),
    ]
}

fn readiness_gates(row: Row<'_>) -> String {
    let gates = row.list("/spec/readinessGates");
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let holds = |gate: &&Value| condition(row.object, tree::str_at(gate, "/conditionType")) == Some("True");
    format!("{}/{}", gates.iter().filter(holds).count(), gates.len())
}

/// Totals over the containers of a pod.
#[derive(Default)]
struct Summary {
    ready: usize,
    total: usize,
    restarts: i64,
    last_restart: Option<Timestamp>,
    status: String,
}

/// Restarts counted over a set of containers.
#[derive(Default, Clone, Copy)]
struct Restarts {
    count: i64,
    last: Option<Timestamp>,
}

impl Restarts {
    fn add(&mut self, container: &Value) {
        self.count += tree::integer(container, "/restartCount").unwrap_or_default();
        let finished = tree::str_at(container, "/lastState/terminated/finishedAt").parse().ok();
        self.last = self.last.max(finished);
    }
}

fn summarize(pod: &Value) -> Summary {
    let sidecars: Vec<&str> = tree::list(pod, "/spec/initContainers")
        .iter()
        .filter(|container| tree::str_at(container, "/restartPolicy") == "Always")
        .map(|container| tree::str_at(container, "/name"))
        .collect();
    let mut summary = Summary {
        total: tree::list(pod, "/spec/containers").len() + sidecars.len(),
        status: initial_status(pod).to_owned(),
        ..Summary::default()
    };
    let initial = initialization(pod, &sidecars, &mut summary);
    if initial.is_running && condition(pod, "Initialized") != Some("True") {
        summary.restarts = initial.all.count;
        summary.last_restart = initial.all.last;
    } else {
        containers(pod, initial.sidecars, &mut summary);
    }
    if !tree::str_at(pod, "/metadata/deletionTimestamp").is_empty() {
        let phase = tree::str_at(pod, "/status/phase");
        if tree::str_at(pod, "/status/reason") == "NodeLost" {
            "Unknown".clone_into(&mut summary.status);
        } else if phase != "Succeeded" && phase != "Failed" {
            "Terminating".clone_into(&mut summary.status);
        }
    }
    summary
}

fn initial_status(pod: &Value) -> &str {
    let is_gated = tree::list(pod, "/status/conditions").iter().any(|condition| {
        tree::str_at(condition, "/type") == "PodScheduled"
            && tree::str_at(condition, "/reason") == "SchedulingGated"
    });
    match tree::str_at(pod, "/status/reason") {
        _ if is_gated => "SchedulingGated",
        "" => tree::str_at(pod, "/status/phase"),
        reason => reason,
    }
}

/// Progress of the init containers.
struct Initialization {
    /// One of them is still running, waiting, or has failed.
    is_running: bool,
    all: Restarts,
    sidecars: Restarts,
}

fn initialization(pod: &Value, sidecars: &[&str], summary: &mut Summary) -> Initialization {
    let mut state =
        Initialization { is_running: false, all: Restarts::default(), sidecars: Restarts::default() };
    let total = tree::list(pod, "/spec/initContainers").len();
    for (index, container) in tree::list(pod, "/status/initContainerStatuses").iter().enumerate() {
        let is_sidecar = sidecars.contains(&tree::str_at(container, "/name"));
        state.all.add(container);
        if is_sidecar {
            state.sidecars.add(container);
        }
        let terminated = tree::present(container, "/state/terminated");
        if terminated.is_some_and(|terminated| tree::integer(terminated, "/exitCode").unwrap_or(0) == 0) {
            continue;
        }
        if is_sidecar && tree::is_true(container, "/started") {
            summary.ready += usize::from(tree::is_true(container, "/ready"));
            continue;
        }
        let waiting = tree::str_at(container, "/state/waiting/reason");
        summary.status = match terminated {
            Some(terminated) => format!("Init:{}", termination(terminated)),
            None if !waiting.is_empty() && waiting != "PodInitializing" => format!("Init:{waiting}"),
            None => format!("Init:{index}/{total}"),
        };
        state.is_running = true;
        break;
    }
    state
}

/// Counts the ordinary containers. The first one with something to say gives the status, so they are read from
/// the last to the first.
fn containers(pod: &Value, sidecars: Restarts, summary: &mut Summary) {
    let mut restarts = sidecars;
    let mut has_running = false;
    let mut failure = None;
    for container in tree::list(pod, "/status/containerStatuses").iter().rev() {
        restarts.add(container);
        let waiting = tree::str_at(container, "/state/waiting/reason");
        if !waiting.is_empty() {
            waiting.clone_into(&mut summary.status);
        } else if let Some(terminated) = tree::present(container, "/state/terminated") {
            summary.status = termination(terminated);
            if tree::integer(terminated, "/exitCode").unwrap_or(0) != 0 {
                failure = Some(summary.status.clone());
            }
        } else if tree::is_true(container, "/ready") && tree::present(container, "/state/running").is_some() {
            has_running = true;
            summary.ready += 1;
        }
    }
    summary.restarts = restarts.count;
    summary.last_restart = restarts.last;
    if summary.status == "Completed" {
        summary.status = match failure {
            _ if has_running && condition(pod, "Ready") == Some("True") => "Running".to_owned(),
            Some(failure) => failure,
            None if has_running => "NotReady".to_owned(),
            None => return,
        };
    }
}

fn termination(terminated: &Value) -> String {
    let signal = tree::integer(terminated, "/signal").unwrap_or_default();
    match tree::str_at(terminated, "/reason") {
        "" if signal != 0 => format!("Signal:{signal}"),
        "" => format!("ExitCode:{}", tree::integer(terminated, "/exitCode").unwrap_or_default()),
        reason => reason.to_owned(),
    }
}

/// The status of a condition of the pod.
fn condition<'a>(pod: &'a Value, kind: &str) -> Option<&'a str> {
    let conditions = tree::list(pod, "/status/conditions");
    let found = conditions.iter().find(|condition| tree::str_at(condition, "/type") == kind)?;
    Some(tree::str_at(found, "/status"))
}
