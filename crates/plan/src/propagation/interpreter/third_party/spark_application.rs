//! `sparkoperator.k8s.io` SparkApplication.

use portolan_api::kubernetes::ViewError;
use portolan_api::quantity::Quantity;
use portolan_api::resources::StaticResource;
use portolan_api::work::{Component, ReplicaRequirements};
use portolan_object::Object;
use serde_json::{Map, Value, json};

use super::combine::{at, latest, map, number, only, optional_number, status_of, sum, text};
use super::pod_groups::with_requirements;
use crate::propagation::interpreter::counters::{pick, statuses};
use crate::propagation::interpreter::{Hook, Interpreter, Report};
use crate::propagation::requirements::of_pod_spec;

pub(super) const INTERPRETER: Interpreter = Interpreter {
    resource: StaticResource::namespaced(
        "sparkoperator.k8s.io",
        "v1beta2",
        "SparkApplication",
        "sparkapplications",
    ),
    status_fields: &[
        "applicationState",
        "driverInfo",
        "executorState",
        "sparkApplicationId",
        "lastSubmissionAttemptTime",
        "submissionAttempts",
        "executionAttempts",
        "submissionID",
        "terminationTime",
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

/// Least memory that Spark adds for what is outside of the heap, in bytes: 384 MiB.
const MIN_OVERHEAD: f64 = 384.0 * 1024.0 * 1024.0;

fn components(template: &Object) -> Vec<Component> {
    let Some(spec) = template.at(&["spec"]) else { return Vec::new() };
    vec![
        with_requirements("driver", 1, Some(requirements(spec, "driver"))),
        with_requirements("executor", executors(spec), Some(requirements(spec, "executor"))),
    ]
}

/// The executors that it starts with.
fn executors(spec: &Value) -> i64 {
    let instances = optional_number(spec, &["executor", "instances"]).unwrap_or(1);
    let is_dynamic = at(spec, &["dynamicAllocation", "enabled"]).and_then(Value::as_bool) == Some(true);
    if !is_dynamic {
        return instances;
    }
    let least = |field: &str| optional_number(spec, &["dynamicAllocation", field]).unwrap_or(1);
    instances.max(least("initialExecutors")).max(least("minExecutors"))
}

fn requirements(spec: &Value, role: &str) -> ReplicaRequirements {
    let empty = Value::Null;
    let pod = at(spec, &[role]).unwrap_or(&empty);
    // Node selector, affinity and tolerations have the names that they have in a pod.
    let of_pod = of_pod_spec(pod).unwrap_or_default();
    let mut requests = std::collections::BTreeMap::new();
    let cores = at(pod, &["cores"]).cloned().unwrap_or_else(|| json!(1));
    requests.insert("cpu".to_owned(), Quantity(cores));
    if let Some(bytes) = memory(spec, pod) {
        // Below the size of any machine, and not negative.
        #[allow(clippy::cast_possible_truncation)]
        requests.insert("memory".to_owned(), Quantity(json!((bytes.ceil() as i64).to_string())));
    }
    let (gpu, count) = (text(pod, &["gpu", "name"]), number(pod, &["gpu", "quantity"]));
    if !gpu.is_empty() && count > 0 {
        requests.insert(gpu.to_owned(), Quantity(json!(count)));
    }
    ReplicaRequirements {
        node_claim: of_pod.node_claim,
        resource_request: requests,
        priority_class_name: text(pod, &["priorityClassName"]).to_owned(),
        ..ReplicaRequirements::default()
    }
}

/// Memory of a pod in bytes: the heap and what Spark adds to it. `None` if it is malformed.
fn memory(spec: &Value, pod: &Value) -> Option<f64> {
    let is_on_the_heap = matches!(text(spec, &["type"]).to_lowercase().as_str(), "java" | "scala");
    let default = if is_on_the_heap { 0.10 } else { 0.40 };
    let factor = match at(spec, &["memoryOverheadFactor"]) {
        Some(Value::String(text)) => text.parse().unwrap_or(default),
        Some(other) => other.as_f64().unwrap_or(default),
        None => default,
    };
    let heap = bytes(match text(pod, &["memory"]) {
        "" => "1g",
        memory => memory,
    })?;
    let overhead = match text(pod, &["memoryOverhead"]) {
        "" => (heap * factor).max(MIN_OVERHEAD),
        overhead => bytes(overhead)?,
    };
    Some(heap + overhead)
}

/// Bytes of an amount as Java writes it, such as `512m` or `2g`: with binary units.
fn bytes(amount: &str) -> Option<f64> {
    let lower = amount.trim().to_lowercase();
    let digits = lower.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let power = match lower.get(digits.len()..)? {
        "" | "b" => 0,
        "k" | "kb" => 1,
        "m" | "mb" => 2,
        "g" | "gb" => 3,
        "t" | "tb" => 4,
        "p" | "pb" => 5,
        _ => return None,
    };
    Some(digits.parse::<f64>().ok()? * 1024_f64.powi(power))
}

fn is_healthy(object: &Object) -> Result<bool, ViewError> {
    let state = at(status_of(object), &["applicationState", "state"]).and_then(Value::as_str);
    Ok(state.is_some_and(|state| state != "FAILED"))
}

/// The worst state is that of the application.
fn aggregate(_template: &Object, status: Value, reports: &[Report]) -> Option<Value> {
    if reports.is_empty() {
        return Some(status);
    }
    if let Some(status) = only(reports) {
        return Some(status);
    }
    let mut status = map(status);
    let states = statuses(reports).filter_map(|report| at(report, &["applicationState"]));
    let worst = states.reduce(|worst, next| if rank(next) > rank(worst) { next } else { worst });
    status.insert("applicationState".to_owned(), worst.cloned().unwrap_or_else(|| json!({})));
    sum(&mut status, reports, &["executionAttempts", "submissionAttempts"]);
    latest(&mut status, reports, "lastSubmissionAttemptTime");
    latest(&mut status, reports, "terminationTime");
    let executors = statuses(reports).filter_map(|report| at(report, &["executorState"])?.as_object());
    let executors: Map<String, Value> =
        executors.flatten().map(|(name, state)| (name.clone(), state.clone())).collect();
    status.insert("executorState".to_owned(), Value::Object(executors));
    Some(Value::Object(status))
}

fn rank(state: &Value) -> u8 {
    match text(state, &["state"]) {
        "SUBMITTED" | "PENDING_RERUN" => 1,
        "COMPLETED" => 2,
        "SUSPENDING" | "SUSPENDED" => 3,
        "RUNNING" | "RESUMING" | "SUCCEEDING" => 4,
        "INVALIDATING" => 5,
        "FAILING" | "FAILED" | "SUBMISSION_FAILED" => 6,
        _ => 0,
    }
}
