//! `ray.io` RayService.

use std::collections::BTreeMap;

use portolan_api::quantity::Quantity;
use portolan_api::resources::StaticResource;
use portolan_api::work::ReplicaRequirements;
use portolan_object::{Object, quantity};
use serde_json::{Map, Value, json};

use super::{dependencies, workers};
use crate::propagation::division::{ReplicaShare, TieBreak, divide};
use crate::propagation::interpreter::counters::statuses;
use crate::propagation::interpreter::third_party::combine::{
    at, conditions, first, latest, number, only, status_of, sum, text, true_condition,
};
use crate::propagation::interpreter::{Hook, Interpreter, Replicas, Report, Requirements};
use crate::propagation::requirements::of_pod_spec;

pub(in crate::propagation::interpreter::third_party) const INTERPRETER: Interpreter = Interpreter {
    resource: StaticResource::namespaced("ray.io", "v1", "RayService", "rayservices"),
    status_fields: &[],
    replicas: Hook::Custom(Replicas { count: pods, set, requirements: Requirements::Computed(largest) }),
    components: Hook::Default,
    prune: Hook::Default,
    retain: Hook::Default,
    reflect: Hook::Default,
    health: Hook::Custom(|object| Ok(true_condition(status_of(object), "Ready").is_some())),
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Custom(|template| dependencies(template, cluster(template))),
};

/// The worst is last; a state that is not listed is like the first.
const APPLICATION_STATES: &[&str] =
    &["RUNNING", "NOT_STARTED", "DEPLOYING", "DELETING", "UNHEALTHY", "DEPLOY_FAILED"];

fn cluster(service: &Object) -> &Value {
    service.at(&["spec", "rayClusterConfig"]).unwrap_or(&Value::Null)
}

/// One head and all workers.
fn pods(template: &Object) -> i64 {
    let cluster = cluster(template);
    match at(cluster, &["headGroupSpec", "template"]) {
        Some(_) => 1 + workers(cluster).iter().map(|group| number(group, &["replicas"])).sum::<i64>(),
        None => 0,
    }
}

/// Divides the workers over the groups in proportion to their present replicas, or equally if they have none.
fn set(manifest: &mut Object, share: i64) {
    let groups = workers(cluster(manifest));
    let present: Vec<i64> = groups.iter().map(|group| number(group, &["replicas"])).collect();
    let is_idle = present.iter().all(|replicas| *replicas == 0);
    let weights = present.iter().map(|replicas| if is_idle { 1 } else { *replicas });
    // Names in the order of the groups: the earlier group is first among equals.
    let names: Vec<String> = (0..groups.len()).map(|index| format!("{index:06}")).collect();
    let shares: Vec<ReplicaShare<'_>> =
        names.iter().zip(weights).map(|(cluster, weight)| ReplicaShare { cluster, weight }).collect();
    let divided = divide((share - 1).max(0), &shares, TieBreak::for_uid(""));
    for (index, replicas) in divided.into_iter().enumerate() {
        manifest.0["spec"]["rayClusterConfig"]["workerGroupSpecs"][index]["replicas"] = json!(replicas);
    }
}

/// The requirements of the head, with the largest amounts of CPU and memory of any pod.
fn largest(template: &Object) -> Option<ReplicaRequirements> {
    let cluster = cluster(template);
    let head = at(cluster, &["headGroupSpec", "template", "spec"])?;
    let mut requirements = of_pod_spec(head)?;
    for group in workers(cluster) {
        let Some(of_group) = at(group, &["template", "spec"]).and_then(of_pod_spec) else { continue };
        for name in ["cpu", "memory"] {
            let Some(amount) = of_group.resource_request.get(name) else { continue };
            let known = requirements.resource_request.get(name).map_or(0.0, as_f64);
            if as_f64(amount) > known {
                requirements.resource_request.insert(name.to_owned(), amount.clone());
            }
        }
    }
    Some(requirements)
}

fn as_f64(amount: &Quantity) -> f64 {
    match &amount.0 {
        Value::String(text) => {
            quantity::Quantity::parse(text).map(quantity::Quantity::as_f64).unwrap_or_default()
        }
        other => other.as_f64().unwrap_or_default(),
    }
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
    sum(&mut status, reports, &["numServeEndpoints"]);
    latest(&mut status, reports, "lastUpdateTime");
    let observed = statuses(reports).map(|report| number(report, &["observedGeneration"])).max();
    status.insert("observedGeneration".to_owned(), json!(observed));
    let is_down = |report: &Value| report.get("serviceStatus").and_then(Value::as_str) == Some("");
    let service = if statuses(reports).any(is_down) { "" } else { "Running" };
    status.insert("serviceStatus".to_owned(), json!(service));
    first(&mut status, reports, &["activeServiceStatus", "pendingServiceStatus"]);
    if let Some(active) = status.get_mut("activeServiceStatus") {
        active["applicationStatuses"] = json!(applications(reports));
    }
    Some(Value::Object(status))
}

/// Each application with its worst status in any cluster.
fn applications(reports: &[Report]) -> BTreeMap<&String, &Value> {
    let rank = |status: &Value| {
        let state = text(status, &["status"]);
        APPLICATION_STATES.iter().position(|known| *known == state).unwrap_or_default()
    };
    let mut worst: BTreeMap<&String, &Value> = BTreeMap::new();
    let found = statuses(reports)
        .filter_map(|report| at(report, &["activeServiceStatus", "applicationStatuses"])?.as_object());
    for (name, status) in found.flatten() {
        let known = worst.entry(name).or_insert(status);
        if rank(status) > rank(known) {
            *known = status;
        }
    }
    worst
}
