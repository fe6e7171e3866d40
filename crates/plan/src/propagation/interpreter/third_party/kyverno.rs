//! `kyverno.io` Policy and ClusterPolicy.

use portolan_api::kubernetes::ViewError;
use portolan_api::resources::StaticResource;
use portolan_object::Object;
use serde_json::{Map, Value, json};

use super::combine::{at, last, merge_conditions, number, status_of, text, true_condition};
use crate::propagation::interpreter::counters::{pick, statuses};
use crate::propagation::interpreter::{Hook, Interpreter, Report};

pub(super) const CLUSTER_POLICY: Interpreter =
    interpreter(StaticResource::cluster("kyverno.io", "v1", "ClusterPolicy", "clusterpolicies"));

pub(super) const POLICY: Interpreter =
    interpreter(StaticResource::namespaced("kyverno.io", "v1", "Policy", "policies"));

const STATUS: &[&str] = &["ready", "conditions", "autogen", "rulecount"];

const fn interpreter(resource: StaticResource) -> Interpreter {
    Interpreter {
        resource,
        status_fields: STATUS,
        replicas: Hook::Default,
        components: Hook::Default,
        prune: Hook::Default,
        retain: Hook::Default,
        reflect: Hook::Custom(reflect),
        health: Hook::Custom(is_healthy),
        aggregate: Hook::Custom(aggregate),
        dependencies: Hook::Default,
    }
}

fn reflect(object: &Object) -> Option<Value> {
    pick(object, STATUS).map(Value::Object)
}

/// `status.ready`, or the condition that newer versions have instead.
fn is_healthy(object: &Object) -> Result<bool, ViewError> {
    let status = status_of(object);
    let condition = true_condition(status, "Ready");
    Ok(match at(status, &["ready"]).and_then(Value::as_bool) {
        Some(ready) => ready,
        None => condition.is_some_and(|condition| text(condition, &["reason"]) == "Succeeded"),
    })
}

fn aggregate(_template: &Object, _status: Value, reports: &[Report]) -> Option<Value> {
    let mut status = Map::new();
    last(&mut status, reports, &["autogen", "ready"]);
    let rules = ["validate", "generate", "mutate", "verifyimages"];
    let count = |rule: &&str| -> (String, Value) {
        let sum: i64 = statuses(reports).map(|report| number(report, &["rulecount", rule])).sum();
        ((*rule).to_owned(), json!(sum))
    };
    status.insert("rulecount".to_owned(), Value::Object(rules.iter().map(count).collect()));
    status.insert("conditions".to_owned(), json!(merge_conditions(reports)));
    Some(Value::Object(status))
}
