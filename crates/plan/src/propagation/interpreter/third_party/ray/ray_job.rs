//! `ray.io` RayJob.

use portolan_api::kubernetes::ViewError;
use portolan_api::resources::StaticResource;
use portolan_object::Object;
use serde_json::{Map, Value};

use super::{components, dependencies};
use crate::propagation::interpreter::counters::statuses;
use crate::propagation::interpreter::third_party::combine::{only, status_of, text};
use crate::propagation::interpreter::{Hook, Interpreter, Report};

pub(in crate::propagation::interpreter::third_party) const INTERPRETER: Interpreter = Interpreter {
    resource: StaticResource::namespaced("ray.io", "v1", "RayJob", "rayjobs"),
    status_fields: &["jobStatus", "jobDeploymentStatus", "reason", "message"],
    replicas: Hook::Default,
    components: Hook::Custom(|template| components(cluster(template))),
    prune: Hook::Default,
    retain: Hook::Default,
    reflect: Hook::Default,
    health: Hook::Custom(is_healthy),
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Custom(|template| dependencies(template, cluster(template))),
};

/// The worst is last; a state that is not listed is like the first.
const DEPLOYMENT_STATES: &[&str] = &[
    "",
    "Initializing",
    "Waiting",
    "Suspending",
    "Suspended",
    "Retrying",
    "Running",
    "Complete",
    "ValidationFailed",
    "Failed",
];
const JOB_STATES: &[&str] = &["", "PENDING", "RUNNING", "SUCCEEDED", "STOPPED", "FAILED"];

fn cluster(job: &Object) -> &Value {
    job.at(&["spec", "rayClusterSpec"]).unwrap_or(&Value::Null)
}

/// It runs, or has succeeded.
fn is_healthy(object: &Object) -> Result<bool, ViewError> {
    let status = status_of(object);
    Ok(match text(status, &["jobDeploymentStatus"]) {
        "Running" => true,
        "Complete" => text(status, &["jobStatus"]) == "SUCCEEDED",
        _ => false,
    })
}

fn aggregate(_template: &Object, status: Value, reports: &[Report]) -> Option<Value> {
    if reports.is_empty() {
        return Some(status);
    }
    if let Some(status) = only(reports) {
        return Some(status);
    }
    let mut status = Map::new();
    let mut copy = |from: Option<&Value>, fields: &[&str]| {
        for field in fields {
            if let Some(value) = from.and_then(|from| from.get(*field)).filter(|value| !value.is_null()) {
                status.insert((*field).to_owned(), value.clone());
            }
        }
    };
    let deployment = worst(reports, "jobDeploymentStatus", DEPLOYMENT_STATES);
    copy(deployment, &["jobDeploymentStatus", "reason", "message"]);
    copy(worst(reports, "jobStatus", JOB_STATES), &["jobStatus"]);
    Some(Value::Object(status))
}

/// The first of the statuses with the worst state.
fn worst<'a>(reports: &'a [Report], field: &str, states: &[&str]) -> Option<&'a Value> {
    let rank = |status: &&Value| {
        let state = text(status, &[field]);
        states.iter().position(|known| *known == state).unwrap_or_default()
    };
    let with_state = statuses(reports).filter(|status| status.get(field).is_some_and(Value::is_string));
    // The first of equals: `max_by_key` returns the last.
    with_state.reduce(|worst, next| if rank(&next) > rank(&worst) { next } else { worst })
}
