//! `flink.apache.org` FlinkDeployment.

use portolan_api::kubernetes::ViewError;
use portolan_api::quantity::Quantity;
use portolan_api::resources::StaticResource;
use portolan_api::work::{Component, NodeClaim, ReplicaRequirements};
use portolan_object::Object;
use serde_json::Value;

use super::combine::{at, last, map, optional_number, status_of, text};
use super::pod_groups::with_requirements;
use crate::propagation::interpreter::counters::pick;
use crate::propagation::interpreter::{Hook, Interpreter, Report};
use crate::propagation::requirements::of_pod_spec;

pub(super) const INTERPRETER: Interpreter = Interpreter {
    resource: StaticResource::namespaced(
        "flink.apache.org",
        "v1beta1",
        "FlinkDeployment",
        "flinkdeployments",
    ),
    status_fields: &[
        "clusterInfo",
        "error",
        "jobManagerDeploymentStatus",
        "jobStatus",
        "lifecycleState",
        "observedGeneration",
        "reconciliationStatus",
        "taskManager",
    ],
    // A job is not divided: its pods are the two components.
    replicas: Hook::Default,
    components: Hook::Custom(components),
    prune: Hook::Default,
    retain: Hook::Default,
    reflect: Hook::Custom(|object| pick(object, INTERPRETER.status_fields).map(Value::Object)),
    health: Hook::Custom(is_healthy),
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Default,
};

/// Errors of a job that has not started which another cluster would meet as well.
const ERRORS_OF_THE_USER: &[&str] = &["ErrImagePull", "ImagePullBackOff", "CrashLoopBackOff"];

fn job_managers(template: &Object) -> i64 {
    optional_number(&template.0, &["spec", "jobManager", "replicas"]).unwrap_or(1)
}

/// As many as written, or as many as the parallelism needs.
fn task_managers(template: &Object) -> i64 {
    let spec = |path: &[&str]| optional_number(&template.0, path);
    let parallelism = spec(&["spec", "job", "parallelism"]);
    let slots = spec(&["spec", "flinkConfiguration", "taskmanager.numberOfTaskSlots"]);
    spec(&["spec", "taskManager", "replicas"]).unwrap_or_else(|| match (parallelism, slots) {
        (Some(parallelism), Some(slots)) if slots > 0 => {
            parallelism.div_euclid(slots) + i64::from(parallelism % slots > 0)
        }
        _ => 1,
    })
}

fn resource<'a>(template: &'a Object, manager: &str, name: &str) -> Option<&'a Value> {
    template.at(&["spec", manager, "resource", name])
}

/// The requirements on nodes that all pods have, with these resources.
fn requirements(
    template: &Object,
    cpu: Option<&Value>,
    memory: Option<&Value>,
) -> Option<ReplicaRequirements> {
    let pod = template.at(&["spec", "podTemplate", "spec"]);
    let of_pod = pod.and_then(of_pod_spec).unwrap_or_default();
    // Affinity and containers of the pod template are not read, as in Karmada.
    let claim = of_pod.node_claim.map(|claim| NodeClaim { hard_node_affinity: None, ..claim });
    let mut requirements = ReplicaRequirements {
        node_claim: claim.filter(|claim| *claim != NodeClaim::default()),
        priority_class_name: pod.map(|pod| text(pod, &["priorityClassName"]).to_owned()).unwrap_or_default(),
        ..ReplicaRequirements::default()
    };
    for (name, value) in [("cpu", cpu), ("memory", memory)] {
        if let Some(value) = value {
            requirements.resource_request.insert(name.to_owned(), Quantity(value.clone()));
        }
    }
    (requirements != ReplicaRequirements::default()).then_some(requirements)
}

fn components(template: &Object) -> Vec<Component> {
    let of = |manager: &str| {
        requirements(template, resource(template, manager, "cpu"), resource(template, manager, "memory"))
    };
    vec![
        with_requirements("jobmanager", job_managers(template), of("jobManager")),
        with_requirements("taskmanager", task_managers(template), of("taskManager")),
    ]
}

/// A job that runs, has ended, or is about to end is healthy. One that has not started is not, unless the cause is its own.
fn is_healthy(object: &Object) -> Result<bool, ViewError> {
    let status = status_of(object);
    Ok(match at(status, &["jobStatus", "state"]).and_then(Value::as_str) {
        None => {
            text(status, &["jobManagerDeploymentStatus"]) == "READY"
                && text(status, &["lifecycleState"]) == "STABLE"
        }
        Some(
            "RUNNING" | "FINISHED" | "FAILED" | "CANCELED" | "SUSPENDED" | "CANCELLING" | "FAILING"
            | "RESTARTING",
        ) => true,
        Some("CREATED" | "INITIALIZING" | "RECONCILING") => {
            ERRORS_OF_THE_USER.iter().any(|error| text(status, &["error"]).contains(error))
        }
        Some(_) => false,
    })
}

/// The fields of the last member that reports them.
fn aggregate(_template: &Object, status: Value, reports: &[Report]) -> Option<Value> {
    let mut status = map(status);
    last(&mut status, reports, INTERPRETER.status_fields);
    Some(Value::Object(status))
}
