//! `apps.kruise.io` AdvancedCronJob.

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::ViewError;
use portolan_object::Object;
use serde_json::{Value, json};

use super::resource;
use crate::propagation::interpreter::counters::statuses;
use crate::propagation::interpreter::third_party::combine::{last, latest, map};
use crate::propagation::interpreter::{Hook, Interpreter, Report, pod_references};

pub(in crate::propagation::interpreter::third_party) const INTERPRETER: Interpreter = Interpreter {
    resource: resource("v1alpha1", "AdvancedCronJob", "advancedcronjobs"),
    status_fields: &["active", "type", "lastScheduleTime"],
    replicas: Hook::Default,
    components: Hook::Default,
    prune: Hook::Default,
    retain: Hook::Default,
    reflect: Hook::Default,
    health: Hook::Default,
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Custom(dependencies),
};

/// All active jobs, and the latest time.
fn aggregate(_template: &Object, status: Value, reports: &[Report]) -> Option<Value> {
    let mut status = map(status);
    let active: Vec<&Value> =
        statuses(reports).filter_map(|report| report["active"].as_array()).flatten().collect();
    status.insert("active".to_owned(), json!(active));
    last(&mut status, reports, &["type"]);
    latest(&mut status, reports, "lastScheduleTime");
    Some(Value::Object(status))
}

fn dependencies(template: &Object) -> Result<Vec<DependentObjectReference>, ViewError> {
    let templates = ["jobTemplate", "broadcastJobTemplate"];
    let specs = templates
        .iter()
        .filter_map(|name| template.at(&["spec", "template", name, "spec", "template", "spec"]));
    pod_references::of_pod_specs(template, &specs.collect::<Vec<_>>())
}
