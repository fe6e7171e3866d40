//! `batch.volcano.sh` Job.

use std::collections::BTreeMap;

use portolan_api::kubernetes::ViewError;
use portolan_api::resources::StaticResource;
use portolan_api::work::Component;
use portolan_object::Object;
use serde_json::{Map, Value, json};

use super::combine::{
    at, conditions, map, number, only, optional_number, status_of, sum, text, without_empty,
};
use super::pod_groups::component;
use crate::propagation::interpreter::counters::{pick, statuses};
use crate::propagation::interpreter::{Hook, Interpreter, Report};

pub(super) const INTERPRETER: Interpreter = Interpreter {
    resource: StaticResource::namespaced("batch.volcano.sh", "v1alpha1", "Job", "jobs"),
    status_fields: &[
        "minAvailable",
        "pending",
        "running",
        "succeeded",
        "failed",
        "terminating",
        "unknown",
        "version",
        "retryCount",
        "runningDuration",
        "taskStatusCount",
        "controlledResources",
        "state",
        "conditions",
    ],
    replicas: Hook::Default,
    components: Hook::Custom(components),
    prune: Hook::Default,
    retain: Hook::Default,
    reflect: Hook::Custom(|object| pick(object, INTERPRETER.status_fields).map(Value::Object)),
    health: Hook::Custom(is_healthy),
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Default,
};

/// One component for each task, with the pods that it needs at least.
fn components(template: &Object) -> Vec<Component> {
    let tasks = template.at(&["spec", "tasks"]).and_then(Value::as_array);
    let task = |(index, task): (usize, &Value)| {
        let name = match text(task, &["name"]) {
            "" => format!("task-{index}"),
            name => name.to_owned(),
        };
        component(&name, optional_number(task, &["minAvailable"]).unwrap_or(1), at(task, &["template"]))
    };
    tasks.into_iter().flatten().enumerate().map(task).collect()
}

fn is_healthy(object: &Object) -> Result<bool, ViewError> {
    const HEALTHY: &[&str] = &[
        "Running",
        "Completed",
        "Pending",
        "Aborting",
        "Aborted",
        "Restarting",
        "Completing",
        "Terminating",
        "Terminated",
    ];
    Ok(HEALTHY.contains(&text(status_of(object), &["state", "phase"])))
}

fn aggregate(_template: &Object, _status: Value, reports: &[Report]) -> Option<Value> {
    if let Some(status) = only(reports) {
        return Some(status);
    }
    let mut status = Map::new();
    let counters =
        ["minAvailable", "pending", "running", "succeeded", "failed", "terminating", "unknown", "retryCount"];
    sum(&mut status, reports, &counters);
    let newest = statuses(reports).map(|report| number(report, &["version"])).max();
    status.insert("version".to_owned(), json!(newest));
    let longest = statuses(reports)
        .map(|report| text(report, &["runningDuration"]))
        .max_by(|one, other| seconds(one).total_cmp(&seconds(other)));
    status.insert("runningDuration".to_owned(), json!(longest));
    status.insert("taskStatusCount".to_owned(), tasks(reports));
    let resources = statuses(reports).filter_map(|report| at(report, &["controlledResources"]));
    let resources: Map<String, Value> = resources.flat_map(|found| map(found.clone())).collect();
    status.insert("controlledResources".to_owned(), Value::Object(resources));
    status.insert("state".to_owned(), state(reports));
    status.insert("conditions".to_owned(), json!(phases(reports)));
    Some(without_empty(Value::Object(status)).unwrap_or_else(|| json!({})))
}

/// Pods of each task in each phase.
fn tasks(reports: &[Report]) -> Value {
    let mut counts: BTreeMap<&str, BTreeMap<&str, i64>> = BTreeMap::new();
    for report in statuses(reports) {
        for (task, found) in at(report, &["taskStatusCount"]).and_then(Value::as_object).into_iter().flatten()
        {
            for (phase, count) in at(found, &["phase"]).and_then(Value::as_object).into_iter().flatten() {
                *counts.entry(task).or_default().entry(phase).or_default() +=
                    count.as_i64().unwrap_or_default();
            }
        }
    }
    counts.into_iter().map(|(task, phases)| (task.to_owned(), json!({ "phase": phases }))).collect()
}

/// Failed if it failed in any cluster, completed once it is completed in every cluster.
fn state(reports: &[Report]) -> Value {
    let failed: Vec<&str> = reports
        .iter()
        .filter(|report| matches!(phase(report), "Failed" | "Aborted"))
        .map(|report| report.cluster.as_str())
        .collect();
    let time = statuses(reports).map(|report| text(report, &["state", "lastTransitionTime"])).max();
    if !failed.is_empty() {
        let message = format!("Job failed in clusters: {}", failed.join(","));
        return json!({ "phase": "Failed", "reason": "VolcanoJobFailed", "message": message,
                       "lastTransitionTime": time });
    }
    if !reports.is_empty() && reports.iter().all(|report| phase(report) == "Completed") {
        return json!({ "phase": "Completed", "reason": "Completed", "message": "Job completed successfully",
                       "lastTransitionTime": time });
    }
    json!({})
}

/// The conditions of the first cluster that failed; otherwise the newest of each phase.
fn phases(reports: &[Report]) -> Vec<Value> {
    const FAILED: &[&str] = &["Failed", "Aborted", "Aborting", "Terminated", "Terminating"];
    let has_failed =
        |report: &&Value| conditions(report).iter().any(|one| FAILED.contains(&text(one, &["status"])));
    if let Some(report) = statuses(reports).find(has_failed) {
        return conditions(report).to_vec();
    }
    let mut newest: BTreeMap<&str, &Value> = BTreeMap::new();
    for found in statuses(reports).flat_map(conditions) {
        let time = |one: &Value| text(one, &["lastTransitionTime"]).to_owned();
        let is_newer = newest.get(text(found, &["status"])).is_none_or(|known| time(found) > time(known));
        if is_newer {
            newest.insert(text(found, &["status"]), found);
        }
    }
    newest.into_values().cloned().collect()
}

/// A duration such as `1h2m3s`, in seconds.
fn seconds(duration: &str) -> f64 {
    let (mut total, mut digits) = (0.0, String::new());
    for character in duration.chars() {
        let unit = match character {
            'h' => 3600.0,
            'm' => 60.0,
            's' => 1.0,
            other => {
                digits.push(other);
                continue;
            }
        };
        total += digits.parse::<f64>().unwrap_or_default() * unit;
        digits.clear();
    }
    total + digits.parse::<f64>().unwrap_or_default()
}

fn phase(report: &Report) -> &str {
    report.status.as_ref().map_or("", |status| text(status, &["state", "phase"]))
}
