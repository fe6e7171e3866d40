//! `apps.kruise.io` UnitedDeployment.

use std::collections::BTreeMap;

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::ViewError;
use portolan_object::Object;
use serde_json::{Value, json};

use super::{is_rolled_out, replicas, resource};
use crate::propagation::interpreter::counters::{pick_with_generations, set_spec_replicas, statuses};
use crate::propagation::interpreter::third_party::combine::{Fields, conditions, text};
use crate::propagation::interpreter::{Hook, Interpreter, Replicas, Report, Requirements, pod_references};
use crate::propagation::requirements::of_pod_spec;

const FIELDS: Fields = Fields {
    sums: &["replicas", "readyReplicas", "updatedReplicas", "availableReplicas", "unavailableReplicas"],
    last: &[],
};

/// Templates of the workload that it makes in each subset; one of them is set.
const TEMPLATES: &[&str] =
    &["statefulSetTemplate", "advancedStatefulSetTemplate", "cloneSetTemplate", "deploymentTemplate"];

pub(in crate::propagation::interpreter::third_party) const INTERPRETER: Interpreter = Interpreter {
    resource: resource("v1alpha1", "UnitedDeployment", "uniteddeployments"),
    status_fields: &[
        "replicas",
        "readyReplicas",
        "updatedReplicas",
        "availableReplicas",
        "unavailableReplicas",
        "conditions",
        "observedGeneration",
    ],
    replicas: Hook::Custom(Replicas {
        count: replicas,
        set: set_spec_replicas,
        requirements: Requirements::Computed(|template| pod_spec(template).and_then(of_pod_spec)),
    }),
    components: Hook::Default,
    prune: Hook::Default,
    retain: Hook::Default,
    reflect: Hook::Custom(reflect),
    health: Hook::Custom(is_rolled_out),
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Custom(dependencies),
};

/// Karmada looks for a pod template in `spec.template` itself, where a UnitedDeployment has none.
fn pod_spec(template: &Object) -> Option<&Value> {
    TEMPLATES.iter().find_map(|name| template.at(&["spec", "template", name, "spec", "template", "spec"]))
}

fn reflect(object: &Object) -> Option<Value> {
    pick_with_generations(object, INTERPRETER.status_fields)
}

/// Of several conditions of one type, that of the last member.
fn aggregate(template: &Object, status: Value, reports: &[Report]) -> Option<Value> {
    let mut status = FIELDS.combine(template, status, reports);
    let all = statuses(reports).flat_map(conditions);
    let by_type: BTreeMap<&str, &Value> = all.map(|one| (text(one, &["type"]), one)).collect();
    if !by_type.is_empty() {
        status["conditions"] = json!(by_type.into_values().collect::<Vec<_>>());
    }
    Some(status)
}

fn dependencies(template: &Object) -> Result<Vec<DependentObjectReference>, ViewError> {
    pod_references::of_pod_specs(template, pod_spec(template).as_slice())
}
