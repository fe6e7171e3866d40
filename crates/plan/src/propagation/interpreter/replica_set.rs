//! `apps/v1` ReplicaSet.

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::{ReplicaSet, View, ViewError};
use portolan_api::resources;
use portolan_object::Object;
use serde_json::Value;

use super::counters::{pick_with_generations, set_spec_replicas, sum_observed};
use super::{Hook, Interpreter, Replicas, Report, Requirements, conditions, pod_references};

const COUNTERS: &[&str] = &["replicas", "readyReplicas", "availableReplicas"];

const POD_SPEC: &[&str] = &["spec", "template", "spec"];

pub(super) const INTERPRETER: Interpreter = Interpreter {
    resource: resources::REPLICA_SET,
    status_fields: &["replicas", "readyReplicas", "availableReplicas", "observedGeneration", "conditions"],
    replicas: Hook::Custom(Replicas {
        count: replicas,
        set: set_spec_replicas,
        requirements: Requirements::OfPodSpec(POD_SPEC),
    }),
    components: Hook::Default,
    prune: Hook::Default,
    retain: Hook::Default,
    reflect: Hook::Custom(reflect),
    health: Hook::Custom(is_healthy),
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Custom(dependencies),
};

fn replicas(template: &Object) -> i64 {
    ReplicaSet::read(template).ok().and_then(|set| set.spec.replicas).unwrap_or(1)
}

fn reflect(object: &Object) -> Option<Value> {
    pick_with_generations(object, INTERPRETER.status_fields)
}

fn is_healthy(object: &Object) -> Result<bool, ViewError> {
    let ReplicaSet { spec, status } = ReplicaSet::read(object)?;
    Ok(status.observed_generation == object.generation()
        && status.available_replicas >= spec.replicas.unwrap_or(1))
}

fn aggregate(template: &Object, status: Value, reports: &[Report]) -> Option<Value> {
    Some(conditions::aggregated(sum_observed(template, status, reports, COUNTERS), reports))
}

fn dependencies(template: &Object) -> Result<Vec<DependentObjectReference>, ViewError> {
    pod_references::of_pod_spec(template, POD_SPEC)
}
