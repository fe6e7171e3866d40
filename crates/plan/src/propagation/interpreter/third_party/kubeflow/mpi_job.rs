//! `kubeflow.org` MPIJob.

use portolan_api::kubernetes::ViewError;
use portolan_api::resources::StaticResource;
use portolan_api::work::Component;
use portolan_object::Object;
use serde_json::{Map, Value, json};

use super::combine;
use crate::propagation::interpreter::counters::pick;
use crate::propagation::interpreter::third_party::combine::{
    at, conditions, latest, newest_conditions, only, optional_number, status_of, text, true_condition,
};
use crate::propagation::interpreter::third_party::pod_groups::component;
use crate::propagation::interpreter::{Hook, Interpreter, Report};

pub(in crate::propagation::interpreter::third_party) const INTERPRETER: Interpreter = Interpreter {
    resource: StaticResource::namespaced("kubeflow.org", "v2beta1", "MPIJob", "mpijobs"),
    status_fields: super::JOB_STATUS,
    replicas: Hook::Default,
    components: Hook::Custom(components),
    prune: Hook::Default,
    retain: Hook::Default,
    reflect: Hook::Custom(|object| pick(object, INTERPRETER.status_fields).map(Value::Object)),
    health: Hook::Custom(is_healthy),
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Default,
};

/// The roles by name; workers have no replicas unless the number is written.
fn components(template: &Object) -> Vec<Component> {
    let roles = template.at(&["spec", "mpiReplicaSpecs"]).and_then(Value::as_object);
    let of_role = |(role, spec): (&String, &Value)| {
        let pods = at(spec, &["template"])?;
        let default = i64::from(!role.eq_ignore_ascii_case("worker"));
        Some(component(role, optional_number(spec, &["replicas"]).unwrap_or(default), Some(pods)))
    };
    roles.into_iter().flatten().filter_map(of_role).collect()
}

fn is_healthy(object: &Object) -> Result<bool, ViewError> {
    let status = status_of(object);
    Ok(!conditions(status).is_empty() && true_condition(status, "Failed").is_none())
}

/// The newest condition of each type.
fn aggregate(_template: &Object, status: Value, reports: &[Report]) -> Option<Value> {
    if reports.is_empty() {
        return Some(status);
    }
    if let Some(status) = only(reports) {
        return Some(status);
    }
    let mut status = combine(Value::Object(Map::new()), reports);
    latest(&mut status, reports, "completionTime");
    let time = |condition: &Value| match text(condition, &["lastUpdateTime"]) {
        "" => text(condition, &["lastTransitionTime"]).to_owned(),
        time => time.to_owned(),
    };
    status.insert("conditions".to_owned(), json!(newest_conditions(reports, time)));
    Some(Value::Object(status))
}
