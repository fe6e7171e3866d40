//! `policy/v1` PodDisruptionBudget.

use portolan_api::kubernetes::{PodDisruptionBudget, View, ViewError};
use portolan_api::resources;
use portolan_object::Object;
use serde_json::{Map, Value, json};

use super::counters::{pick, sum};
use super::{Hook, Interpreter, Report};

const COUNTERS: &[&str] = &["currentHealthy", "desiredHealthy", "expectedPods", "disruptionsAllowed"];

pub(super) const INTERPRETER: Interpreter = Interpreter {
    resource: resources::POD_DISRUPTION_BUDGET,
    status_fields: &[
        "currentHealthy",
        "desiredHealthy",
        "expectedPods",
        "disruptionsAllowed",
        "disruptedPods",
    ],
    replicas: Hook::Default,
    components: Hook::Default,
    prune: Hook::Default,
    retain: Hook::Default,
    reflect: Hook::Custom(reflect),
    health: Hook::Custom(is_healthy),
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Default,
};

fn reflect(object: &Object) -> Option<Value> {
    pick(object, INTERPRETER.status_fields).map(Value::Object)
}

fn is_healthy(object: &Object) -> Result<bool, ViewError> {
    let status = PodDisruptionBudget::read(object)?.status;
    Ok(status.current_healthy >= status.desired_healthy)
}

/// Sums, with the disrupted pods of all clusters as `cluster/pod`.
fn aggregate(_template: &Object, status: Value, reports: &[Report]) -> Option<Value> {
    let mut status = sum(status, reports, COUNTERS);
    for counter in COUNTERS {
        // Required fields of the kind: zero has to be written.
        if status.get(counter).is_none() {
            status[*counter] = json!(0);
        }
    }
    let disrupted: Map<String, Value> = reports
        .iter()
        .filter_map(|report| Some((&report.cluster, report.status.as_ref()?["disruptedPods"].as_object()?)))
        .flat_map(|(cluster, pods)| {
            pods.iter().map(move |(pod, time)| (format!("{cluster}/{pod}"), time.clone()))
        })
        .collect();
    if !disrupted.is_empty() {
        status["disruptedPods"] = Value::Object(disrupted);
    }
    Some(status)
}
