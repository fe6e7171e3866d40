//! `kubeflow.org` Notebook.

use portolan_api::kubernetes::ViewError;
use portolan_api::resources::StaticResource;
use portolan_object::Object;
use serde_json::{Value, json};

use crate::propagation::interpreter::counters::{pick, statuses};
use crate::propagation::interpreter::third_party::combine::{at, condition, number, only, status_of, text};
use crate::propagation::interpreter::{Hook, Interpreter, Replicas, Report, Requirements};

pub(in crate::propagation::interpreter::third_party) const INTERPRETER: Interpreter = Interpreter {
    resource: StaticResource::namespaced("kubeflow.org", "v1", "Notebook", "notebooks"),
    status_fields: &["readyReplicas", "containerState", "conditions"],
    // A notebook is one pod.
    replicas: Hook::Custom(Replicas {
        count: |_| 1,
        set: |_, _| {},
        requirements: Requirements::OfPodSpec(&["spec", "template", "spec"]),
    }),
    components: Hook::Default,
    prune: Hook::Default,
    retain: Hook::Default,
    reflect: Hook::Custom(|object| pick(object, INTERPRETER.status_fields).map(Value::Object)),
    health: Hook::Custom(is_healthy),
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Default,
};

fn is_healthy(object: &Object) -> Result<bool, ViewError> {
    let Some(state) = at(status_of(object), &["containerState"]) else { return Ok(false) };
    if at(state, &["running"]).is_some() {
        return Ok(true);
    }
    if let Some(waiting) = at(state, &["waiting"]) {
        return Ok(text(waiting, &["reason"]) == "ContainerCreating");
    }
    let Some(ended) = at(state, &["terminated"]) else { return Ok(false) };
    let is_failure = matches!(text(ended, &["reason"]), "Error" | "OOMKilled" | "ContainerCannotRun");
    Ok(!is_failure && number(ended, &["exitCode"]) == 0)
}

/// The state of the last cluster in which it does not run, otherwise the state with the latest start.
fn aggregate(_template: &Object, status: Value, reports: &[Report]) -> Option<Value> {
    if reports.is_empty() {
        return Some(status);
    }
    if let Some(status) = only(reports) {
        return Some(status);
    }
    let (mut failed, mut problem, mut started) = (Vec::new(), None, Vec::new());
    for report in reports {
        let Some(status) = &report.status else { continue };
        let state = at(status, &["containerState"]).cloned().unwrap_or_else(|| json!({}));
        match at(&state, &["running"]) {
            Some(running) => started.push(text(running, &["startedAt"]).to_owned()),
            None => {
                failed.push(report.cluster.as_str());
                let is_empty = state.as_object().is_some_and(serde_json::Map::is_empty);
                problem =
                    Some(if is_empty { json!({ "waiting": { "reason": "Unschedulable" } }) } else { state });
            }
        }
    }
    let latest = started.iter().max().cloned().unwrap_or_default();
    let mut conditions = Vec::new();
    if !failed.is_empty() {
        let message = format!("Notebook executed failed in member clusters: {}", failed.join(", "));
        conditions.push(condition("Failed", "NotebookFailed", &message, ""));
    }
    if started.len() == reports.len() {
        conditions.push(condition("Ready", "Ready", "All notebooks are ready", &latest));
    }
    let ready: i64 = statuses(reports).map(|status| number(status, &["readyReplicas"])).sum();
    let state = problem.unwrap_or_else(|| json!({ "running": { "startedAt": latest } }));
    Some(json!({ "readyReplicas": ready, "containerState": state, "conditions": conditions }))
}
