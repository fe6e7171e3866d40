//! `ray.io` RayCluster.

use portolan_api::kubernetes::ViewError;
use portolan_api::resources::StaticResource;
use portolan_object::Object;
use portolan_object::quantity::Quantity;
use serde_json::{Map, Value, json};

use super::components;
use crate::propagation::interpreter::counters::statuses;
use crate::propagation::interpreter::third_party::combine::{
    at, conditions, first, latest, only, status_of, sum, true_condition,
};
use crate::propagation::interpreter::{Hook, Interpreter, Report};

pub(in crate::propagation::interpreter::third_party) const INTERPRETER: Interpreter = Interpreter {
    resource: StaticResource::namespaced("ray.io", "v1", "RayCluster", "rayclusters"),
    status_fields: &[],
    replicas: Hook::Default,
    components: Hook::Custom(|template| components(template.at(&["spec"]).unwrap_or(&Value::Null))),
    prune: Hook::Default,
    retain: Hook::Default,
    reflect: Hook::Default,
    health: Hook::Custom(is_healthy),
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Default,
};

fn is_healthy(object: &Object) -> Result<bool, ViewError> {
    let holds = |kind: &str| true_condition(status_of(object), kind).is_some();
    Ok(holds("HeadPodReady") && holds("RayClusterProvisioned") && !holds("RayClusterReplicaFailure"))
}

fn aggregate(_template: &Object, status: Value, reports: &[Report]) -> Option<Value> {
    if reports.is_empty() {
        return Some(status);
    }
    if let Some(status) = only(reports) {
        return Some(status);
    }
    let mut status = Map::new();
    let all: Vec<&Value> = statuses(reports).flat_map(conditions).collect();
    status.insert("conditions".to_owned(), json!(all));
    let counters = [
        "readyWorkerReplicas",
        "availableWorkerReplicas",
        "maxWorkerReplicas",
        "minWorkerReplicas",
        "desiredWorkerReplicas",
    ];
    sum(&mut status, reports, &counters);
    for amount in ["desiredCPU", "desiredGPU", "desiredTPU", "desiredMemory"] {
        status.insert(amount.to_owned(), json!(total(reports, amount)));
    }
    latest(&mut status, reports, "lastUpdateTime");
    first(&mut status, reports, &["endpoints", "head", "state", "stateTransitionTimes"]);
    Some(Value::Object(status))
}

/// The sum of quantities, written like the first that is not zero.
fn total(reports: &[Report], field: &str) -> String {
    let texts = statuses(reports).filter_map(|status| at(status, &[field])).filter_map(|value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    });
    let quantities = texts.filter_map(|text| Quantity::parse(&text).ok());
    let sum = quantities.reduce(|sum, next| if sum.is_zero() { next.plus(sum) } else { sum.plus(next) });
    sum.map_or_else(|| "0".to_owned(), |sum| sum.to_string())
}
