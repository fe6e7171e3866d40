//! `apps.kruise.io` SidecarSet.

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::ViewError;
use portolan_api::resources::StaticResource;
use portolan_object::Object;
use serde_json::{Map, Value};

use crate::propagation::interpreter::third_party::combine::{number, status_of, sum};
use crate::propagation::interpreter::{Hook, Interpreter, Report, pod_references};

const COUNTERS: &[&str] = &["matchedPods", "updatedPods", "readyPods"];

pub(in crate::propagation::interpreter::third_party) const INTERPRETER: Interpreter = Interpreter {
    resource: StaticResource::cluster("apps.kruise.io", "v1alpha1", "SidecarSet", "sidecarsets"),
    status_fields: COUNTERS,
    // It adds containers to the pods of others and has no replicas.
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
    let status = status_of(object);
    let counter = |name: &&str| ((*name).to_owned(), Value::from(number(status, &[name])));
    Some(Value::Object(COUNTERS.iter().map(counter).collect()))
}

/// All matched pods have the newest containers.
fn is_healthy(object: &Object) -> Result<bool, ViewError> {
    let status = status_of(object);
    let matched = number(status, &["matchedPods"]);
    Ok(!status.is_null() && (matched == 0 || number(status, &["updatedPods"]) == matched))
}

fn aggregate(_template: &Object, _status: Value, reports: &[Report]) -> Option<Value> {
    let mut status = Map::new();
    sum(&mut status, reports, COUNTERS);
    Some(Value::Object(status))
}

fn dependencies(template: &Object) -> Result<Vec<DependentObjectReference>, ViewError> {
    pod_references::of_pod_spec(template, &["spec"])
}
