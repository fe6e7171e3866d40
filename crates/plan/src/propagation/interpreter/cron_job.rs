//! `batch/v1` CronJob.

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::ViewError;
use portolan_api::resources;
use portolan_object::Object;
use serde_json::{Map, Value, json};

use super::counters::statuses;
use super::{Hook, Interpreter, Report, pod_references};

pub(super) const INTERPRETER: Interpreter = Interpreter {
    resource: resources::CRON_JOB,
    status_fields: &["active", "lastScheduleTime", "lastSuccessfulTime"],
    replicas: Hook::Default,
    components: Hook::Default,
    prune: Hook::Default,
    retain: Hook::Default,
    reflect: Hook::Default,
    health: Hook::Default,
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Custom(dependencies),
};

/// All active Jobs, and the latest times.
fn aggregate(_template: &Object, _status: Value, reports: &[Report]) -> Option<Value> {
    let active = statuses(reports).filter_map(|status| status["active"].as_array()).flatten();
    let active: Vec<&Value> = active.collect();
    let mut status = Map::new();
    if !active.is_empty() {
        status.insert("active".to_owned(), json!(active));
    }
    for field in ["lastScheduleTime", "lastSuccessfulTime"] {
        if let Some(latest) = statuses(reports).filter_map(|status| status[field].as_str()).max() {
            status.insert(field.to_owned(), json!(latest));
        }
    }
    Some(Value::Object(status))
}

fn dependencies(template: &Object) -> Result<Vec<DependentObjectReference>, ViewError> {
    pod_references::of_pod_spec(template, &["spec", "jobTemplate", "spec", "template", "spec"])
}
