//! `apps/v1` DaemonSet.

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::{DaemonSet, View, ViewError};
use portolan_api::resources;
use portolan_object::Object;
use serde_json::Value;

use super::counters::{pick_with_generations, sum_observed};
use super::{Hook, Interpreter, Report, conditions, pod_references};

const COUNTERS: &[&str] = &[
    "currentNumberScheduled",
    "desiredNumberScheduled",
    "numberAvailable",
    "numberMisscheduled",
    "numberReady",
    "updatedNumberScheduled",
    "numberUnavailable",
];

const POD_SPEC: &[&str] = &["spec", "template", "spec"];

pub(super) const INTERPRETER: Interpreter = Interpreter {
    resource: resources::DAEMON_SET,
    status_fields: &[
        "currentNumberScheduled",
        "numberMisscheduled",
        "desiredNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
        "numberUnavailable",
        "observedGeneration",
        "conditions",
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
    let DaemonSet { status } = DaemonSet::read(object)?;
    Ok(status.observed_generation == object.generation()
        && status.updated_number_scheduled >= status.desired_number_scheduled
        && status.number_available >= status.updated_number_scheduled)
}

fn aggregate(template: &Object, status: Value, reports: &[Report]) -> Option<Value> {
    Some(conditions::aggregated(sum_observed(template, status, reports, COUNTERS), reports))
}

fn dependencies(template: &Object) -> Result<Vec<DependentObjectReference>, ViewError> {
    pod_references::of_pod_spec(template, POD_SPEC)
}
