//! `apps.kruise.io` DaemonSet.

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::ViewError;
use portolan_object::Object;
use serde_json::Value;

use super::{POD_SPEC, resource};
use crate::propagation::interpreter::counters::pick_with_generations;
use crate::propagation::interpreter::third_party::combine::{Fields, number, status_of};
use crate::propagation::interpreter::{Hook, Interpreter, Report, pod_references};

const FIELDS: Fields = Fields {
    sums: &[
        "currentNumberScheduled",
        "numberMisscheduled",
        "desiredNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
        "numberUnavailable",
    ],
    last: &["daemonSetHash"],
};

pub(in crate::propagation::interpreter::third_party) const INTERPRETER: Interpreter = Interpreter {
    resource: resource("v1alpha1", "DaemonSet", "daemonsets"),
    status_fields: &[
        "currentNumberScheduled",
        "numberMisscheduled",
        "desiredNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
        "numberUnavailable",
        "daemonSetHash",
        "observedGeneration",
    ],
    replicas: Hook::Default,
    components: Hook::Default,
    prune: Hook::Default,
    retain: Hook::Default,
    reflect: Hook::Custom(reflect),
    health: Hook::Custom(is_healthy),
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Custom(dependencies),
};

fn reflect(object: &Object) -> Option<Value> {
    pick_with_generations(object, INTERPRETER.status_fields)
}

fn is_healthy(object: &Object) -> Result<bool, ViewError> {
    let status = status_of(object);
    let updated = number(status, &["updatedNumberScheduled"]);
    Ok(number(status, &["observedGeneration"]) == object.generation()
        && updated >= number(status, &["desiredNumberScheduled"])
        && number(status, &["numberAvailable"]) >= updated)
}

fn aggregate(template: &Object, status: Value, reports: &[Report]) -> Option<Value> {
    Some(FIELDS.combine(template, status, reports))
}

fn dependencies(template: &Object) -> Result<Vec<DependentObjectReference>, ViewError> {
    pod_references::of_pod_spec(template, POD_SPEC)
}
