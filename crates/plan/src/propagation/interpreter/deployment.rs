//! `apps/v1` Deployment.

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::{Deployment, View, ViewError};
use portolan_api::resources;
use portolan_object::Object;
use serde_json::Value;

use super::counters::{pick_with_generations, retain_replicas, set_spec_replicas, sum_observed};
use super::{Hook, Interpreter, Replicas, Report, pod_references};
use crate::propagation::fields;

const COUNTERS: &[&str] =
    &["replicas", "readyReplicas", "updatedReplicas", "availableReplicas", "unavailableReplicas"];

const POD_SPEC: &[&str] = &["spec", "template", "spec"];

pub(super) const INTERPRETER: Interpreter = Interpreter {
    resource: resources::DEPLOYMENT,
    status_fields: &[
        "replicas",
        "readyReplicas",
        "updatedReplicas",
        "availableReplicas",
        "unavailableReplicas",
        "observedGeneration",
    ],
    replicas: Hook::Custom(Replicas { count: replicas, set: set_spec_replicas, pod_spec: POD_SPEC }),
    components: Hook::Default,
    prune: Hook::Custom(prune),
    retain: Hook::Custom(retain_replicas),
    reflect: Hook::Custom(reflect),
    health: Hook::Custom(is_healthy),
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Custom(dependencies),
};

fn replicas(template: &Object) -> i64 {
    Deployment::read(template).ok().and_then(|deployment| deployment.spec.replicas).unwrap_or(1)
}

fn prune(template: &mut Object) {
    let revisions = ["deployment.kubernetes.io/revision", "deployment.kubernetes.io/revision-history"];
    fields::remove_annotations(template, &revisions);
}

fn reflect(object: &Object) -> Option<Value> {
    pick_with_generations(object, INTERPRETER.status_fields)
}

fn is_healthy(object: &Object) -> Result<bool, ViewError> {
    let Deployment { spec, status } = Deployment::read(object)?;
    Ok(status.observed_generation == object.generation()
        && status.updated_replicas >= spec.replicas.unwrap_or(1)
        && status.available_replicas >= status.updated_replicas)
}

fn aggregate(template: &Object, status: Value, reports: &[Report]) -> Option<Value> {
    Some(sum_observed(template, status, reports, COUNTERS))
}

fn dependencies(template: &Object) -> Result<Vec<DependentObjectReference>, ViewError> {
    pod_references::of_pod_spec(template, POD_SPEC)
}
