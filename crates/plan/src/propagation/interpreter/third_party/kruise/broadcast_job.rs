//! `apps.kruise.io` BroadcastJob.

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::ViewError;
use portolan_object::Object;
use serde_json::{Value, json};

use super::{POD_SPEC, resource};
use crate::propagation::fields;
use crate::propagation::interpreter::counters::{pick, set_in_spec};
use crate::propagation::interpreter::third_party::combine::{
    condition, last, map, number, optional_number, status_of, sum, text, true_condition,
};
use crate::propagation::interpreter::{Hook, Interpreter, Replicas, Report, Requirements, pod_references};

pub(in crate::propagation::interpreter::third_party) const INTERPRETER: Interpreter = Interpreter {
    resource: resource("v1alpha1", "BroadcastJob", "broadcastjobs"),
    status_fields: &[
        "conditions",
        "startTime",
        "completionTime",
        "active",
        "succeeded",
        "failed",
        "desired",
        "phase",
    ],
    replicas: Hook::Custom(Replicas {
        count: parallelism,
        set: |manifest, share| set_in_spec(manifest, "parallelism", share),
        requirements: Requirements::OfPodSpec(POD_SPEC),
    }),
    components: Hook::Default,
    prune: Hook::Default,
    retain: Hook::Custom(retain),
    reflect: Hook::Custom(reflect),
    health: Hook::Custom(is_healthy),
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Custom(dependencies),
};

fn parallelism(template: &Object) -> i64 {
    optional_number(&template.0, &["spec", "parallelism"]).unwrap_or(1)
}

/// The controller in the member adds labels to the pod template.
fn retain(manifest: &mut Object, observed: &Object) {
    fields::copy(manifest, observed, &["spec", "template", "metadata", "labels"]);
}

fn reflect(object: &Object) -> Option<Value> {
    pick(object, INTERPRETER.status_fields).map(Value::Object)
}

fn is_healthy(object: &Object) -> Result<bool, ViewError> {
    let status = status_of(object);
    let has_pods = number(status, &["succeeded"]) != 0 || number(status, &["active"]) != 0;
    Ok(number(status, &["desired"]) != 0 && number(status, &["failed"]) == 0 && has_pods)
}

/// Failed if it failed in any cluster, complete once it is complete in every cluster.
fn aggregate(_template: &Object, status: Value, reports: &[Report]) -> Option<Value> {
    let mut status = map(status);
    sum(&mut status, reports, &["active", "succeeded", "failed", "desired"]);
    last(&mut status, reports, &["phase"]);
    let ended = |report: &Report, kind: &str| {
        let found = true_condition(report.status.as_ref()?, kind)?;
        Some(text(found, &["lastTransitionTime"]).to_owned())
    };
    let failed: Vec<(&str, String)> = reports
        .iter()
        .filter_map(|report| Some((report.cluster.as_str(), ended(report, "Failed")?)))
        .collect();
    let complete: Vec<String> = reports.iter().filter_map(|report| ended(report, "Complete")).collect();
    let mut conditions = Vec::new();
    if let Some(time) = failed.iter().map(|(_, time)| time.as_str()).max() {
        let clusters: Vec<&str> = failed.iter().map(|(cluster, _)| *cluster).collect();
        let message = format!("Job executed failed in member clusters: {}", clusters.join(", "));
        conditions.push(condition("Failed", "JobFailed", &message, time));
    }
    if let Some(time) = complete.iter().max().filter(|_| complete.len() == reports.len()) {
        conditions.push(condition("Completed", "Completed", "Job completed", time));
    }
    status.insert("conditions".to_owned(), json!(conditions));
    Some(Value::Object(status))
}

fn dependencies(template: &Object) -> Result<Vec<DependentObjectReference>, ViewError> {
    pod_references::of_pod_spec(template, POD_SPEC)
}
