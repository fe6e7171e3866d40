//! `autoscaling/v2` HorizontalPodAutoscaler.

use portolan_api::resources;
use portolan_object::Object;
use serde_json::Value;

use super::counters::{pick, sum};
use super::{Hook, Interpreter, Report};

pub(super) const INTERPRETER: Interpreter = Interpreter {
    resource: resources::HORIZONTAL_POD_AUTOSCALER,
    status_fields: &["currentReplicas", "desiredReplicas"],
    replicas: Hook::Default,
    components: Hook::Default,
    prune: Hook::Default,
    retain: Hook::Default,
    reflect: Hook::Custom(reflect),
    health: Hook::Default,
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Default,
};

fn reflect(object: &Object) -> Option<Value> {
    pick(object, INTERPRETER.status_fields).map(Value::Object)
}

fn aggregate(_template: &Object, status: Value, reports: &[Report]) -> Option<Value> {
    Some(sum(status, reports, INTERPRETER.status_fields))
}
