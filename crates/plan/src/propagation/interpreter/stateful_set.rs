//! `apps/v1` StatefulSet.

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::{StatefulSet, View, ViewError};
use portolan_api::resources;
use portolan_object::Object;
use serde_json::Value;

use super::counters::{pick_with_generations, retain_replicas, set_spec_replicas, sum_observed};
use super::{Hook, Interpreter, Replicas, Report, Requirements, conditions, pod_references};

const COUNTERS: &[&str] =
    &["replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"];

const POD_SPEC: &[&str] = &["spec", "template", "spec"];

pub(super) const INTERPRETER: Interpreter = Interpreter {
    resource: resources::STATEFUL_SET,
    // Karmada leaves observedGeneration out here, so that its own aggregation never advances; Portolan reports it.
    status_fields: &[
        "replicas",
        "readyReplicas",
        "currentReplicas",
        "updatedReplicas",
        "availableReplicas",
        "observedGeneration",
        "conditions",
    ],
    replicas: Hook::Custom(Replicas {
        count: replicas,
        set: set_spec_replicas,
        requirements: Requirements::OfPodSpec(POD_SPEC),
    }),
    components: Hook::Default,
    prune: Hook::Default,
    retain: Hook::Custom(retain_replicas),
    reflect: Hook::Custom(reflect),
    health: Hook::Custom(is_healthy),
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Custom(dependencies),
};

fn replicas(template: &Object) -> i64 {
    StatefulSet::read(template).ok().and_then(|set| set.spec.replicas).unwrap_or(1)
}

fn reflect(object: &Object) -> Option<Value> {
    pick_with_generations(object, INTERPRETER.status_fields)
}

fn is_healthy(object: &Object) -> Result<bool, ViewError> {
    let StatefulSet { spec, status } = StatefulSet::read(object)?;
    Ok(status.observed_generation == object.generation()
        && status.updated_replicas >= spec.replicas.unwrap_or(1)
        && status.available_replicas >= status.updated_replicas)
}

fn aggregate(template: &Object, status: Value, reports: &[Report]) -> Option<Value> {
    Some(conditions::aggregated(sum_observed(template, status, reports, COUNTERS), reports))
}

/// Claims that the set makes from its own templates are not dependencies.
fn dependencies(template: &Object) -> Result<Vec<DependentObjectReference>, ViewError> {
    let set = StatefulSet::read(template)?;
    let mut references = pod_references::of_pod_spec(template, POD_SPEC)?;
    let is_own = |name: &str| set.spec.volume_claim_templates.iter().any(|claim| claim.metadata.name == name);
    references.retain(|one| one.kind != resources::PERSISTENT_VOLUME_CLAIM.kind || !is_own(&one.name));
    Ok(references)
}
