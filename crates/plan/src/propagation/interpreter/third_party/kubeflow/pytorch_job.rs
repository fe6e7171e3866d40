//! `kubeflow.org` PyTorchJob.

use portolan_api::resources::StaticResource;
use portolan_object::Object;
use serde_json::{Map, Value, json};

use super::{clusters_with, combine, components, dependencies, is_not_failed};
use crate::propagation::interpreter::counters::statuses;
use crate::propagation::interpreter::third_party::combine::{conditions, latest, text, without_empty};
use crate::propagation::interpreter::{Hook, Interpreter, Report};

const ROLES: &[&str] = &["Master", "Worker"];
const SPECS: &str = "pytorchReplicaSpecs";

pub(in crate::propagation::interpreter::third_party) const INTERPRETER: Interpreter = Interpreter {
    resource: StaticResource::namespaced("kubeflow.org", "v1", "PyTorchJob", "pytorchjobs"),
    status_fields: super::JOB_STATUS,
    replicas: Hook::Default,
    components: Hook::Custom(|template| components(template, SPECS, ROLES)),
    prune: Hook::Default,
    retain: Hook::Default,
    reflect: Hook::Default,
    health: Hook::Custom(is_not_failed),
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Custom(|template| dependencies(template, SPECS, ROLES)),
};

/// The conditions in the order of a job's life, because `kubectl get` shows the last one.
fn aggregate(_template: &Object, status: Value, reports: &[Report]) -> Option<Value> {
    let mut status = combine(status, reports);
    let mut times = Map::new();
    latest(&mut times, reports, "completionTime");
    let ended = times.get("completionTime").and_then(Value::as_str).unwrap_or_default().to_owned();
    let started = status.get("startTime").and_then(Value::as_str).unwrap_or_default().to_owned();
    let failed = clusters_with(reports, "Failed");
    let succeeded = reports
        .iter()
        .filter(|report| {
            let one = std::slice::from_ref(*report);
            !clusters_with(one, "Succeeded").is_empty() && clusters_with(one, "Failed").is_empty()
        })
        .count();
    let is_complete = !reports.is_empty() && succeeded == reports.len();
    let mut found = Vec::new();
    if !clusters_with(reports, "Created").is_empty() {
        found.push(step(
            "Created",
            true,
            (&started, &started),
            "PyTorchJobCreated",
            "PyTorchJob is created.",
        ));
    }
    let running = statuses(reports)
        .flat_map(conditions)
        .filter(|condition| text(condition, &["type"]) == "Running")
        .last();
    if let Some(running) = running {
        let times = (text(running, &["lastUpdateTime"]), text(running, &["lastTransitionTime"]));
        let is_running = failed.is_empty() && !is_complete;
        found.push(step("Running", is_running, times, "PyTorchJobRunning", "PyTorchJob is running."));
    }
    if !failed.is_empty() {
        let message = format!("PyTorchJob executed failed in member clusters: {}", failed.join(", "));
        found.push(step("Failed", true, (&ended, &ended), "PyTorchJobFailed", &message));
    } else if is_complete {
        let message = "PyTorchJob is successfully completed.";
        found.push(step("Succeeded", true, (&ended, &ended), "PyTorchJobSucceeded", message));
        status.extend(times);
    }
    status.insert("conditions".to_owned(), json!(found));
    Some(without_empty(Value::Object(status)).unwrap_or_else(|| json!({})))
}

fn step(kind: &str, holds: bool, times: (&str, &str), reason: &str, message: &str) -> Value {
    json!({ "type": kind, "status": if holds { "True" } else { "False" }, "lastUpdateTime": times.0,
            "lastTransitionTime": times.1, "reason": reason, "message": message })
}
