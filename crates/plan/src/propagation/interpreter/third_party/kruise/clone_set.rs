//! `apps.kruise.io` CloneSet.

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::ViewError;
use portolan_object::Object;
use serde_json::Value;

use super::{POD_SPEC, is_rolled_out, replicas, resource};
use crate::propagation::interpreter::counters::{pick_with_generations, set_spec_replicas};
use crate::propagation::interpreter::third_party::combine::Fields;
use crate::propagation::interpreter::{Hook, Interpreter, Replicas, Report, Requirements, pod_references};

const FIELDS: Fields = Fields {
    sums: &[
        "replicas",
        "readyReplicas",
        "updatedReplicas",
        "availableReplicas",
        "updatedReadyReplicas",
        "expectedUpdatedReplicas",
    ],
    last: &["updateRevision", "currentRevision", "labelSelector"],
};

pub(in crate::propagation::interpreter::third_party) const INTERPRETER: Interpreter = Interpreter {
    resource: resource("v1alpha1", "CloneSet", "clonesets"),
    status_fields: &[
        "replicas",
        "readyReplicas",
        "updatedReplicas",
        "availableReplicas",
        "updatedReadyReplicas",
        "expectedUpdatedReplicas",
        "updateRevision",
        "currentRevision",
        "labelSelector",
        "observedGeneration",
    ],
    replicas: Hook::Custom(Replicas {
        count: replicas,
        set: set_spec_replicas,
        requirements: Requirements::OfPodSpec(POD_SPEC),
    }),
    components: Hook::Default,
    prune: Hook::Default,
    retain: Hook::Default,
    reflect: Hook::Custom(reflect),
    health: Hook::Custom(is_rolled_out),
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Custom(dependencies),
};

fn reflect(object: &Object) -> Option<Value> {
    pick_with_generations(object, INTERPRETER.status_fields)
}

fn aggregate(template: &Object, status: Value, reports: &[Report]) -> Option<Value> {
    Some(FIELDS.combine(template, status, reports))
}

fn dependencies(template: &Object) -> Result<Vec<DependentObjectReference>, ViewError> {
    pod_references::of_pod_spec(template, POD_SPEC)
}
