//! `kubeflow.org` TFJob.

use portolan_api::resources::StaticResource;
use portolan_object::Object;
use serde_json::{Value, json};

use super::{clusters_with, combine, components, dependencies, is_not_failed, newest_transition};
use crate::propagation::interpreter::third_party::combine::{condition, latest, without_empty};
use crate::propagation::interpreter::{Hook, Interpreter, Report};

const ROLES: &[&str] = &["PS", "Worker", "Chief", "Master", "Evaluator"];
const SPECS: &str = "tfReplicaSpecs";

pub(in crate::propagation::interpreter::third_party) const INTERPRETER: Interpreter = Interpreter {
    resource: StaticResource::namespaced("kubeflow.org", "v1", "TFJob", "tfjobs"),
    status_fields: super::JOB_STATUS,
    replicas: Hook::Default,
    components: Hook::Custom(|template| components(template, SPECS, ROLES)),
    prune: Hook::Default,
    retain: Hook::Default,
    reflect: Hook::Default,
    health: Hook::Custom(is_not_failed),
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Custom(|template| dependencies(template, SPECS, ROLES)),
};

/// Failed if it failed in any cluster, succeeded once it succeeded in every cluster.
fn aggregate(_template: &Object, status: Value, reports: &[Report]) -> Option<Value> {
    let mut status = combine(status, reports);
    let failed = clusters_with(reports, "Failed");
    let mut conditions = Vec::new();
    if !failed.is_empty() {
        let message = format!("TFJob executed failed in member clusters: {}", failed.join(", "));
        conditions.push(condition("Failed", "TFJobFailed", &message, &newest_transition(reports, "Failed")));
    }
    if !reports.is_empty() && clusters_with(reports, "Succeeded").len() == reports.len() {
        let time = newest_transition(reports, "Succeeded");
        conditions.push(condition("Succeeded", "Completed", "TFJob completed successfully", &time));
        latest(&mut status, reports, "completionTime");
    }
    status.insert("conditions".to_owned(), json!(conditions));
    Some(without_empty(Value::Object(status)).unwrap_or_else(|| json!({})))
}
