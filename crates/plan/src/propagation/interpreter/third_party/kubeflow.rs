//! `kubeflow.org`: notebooks and training jobs.

mod mpi_job;
mod notebook;
mod pytorch_job;
mod tf_job;

pub(super) use mpi_job::INTERPRETER as MPI_JOB;
pub(super) use notebook::INTERPRETER as NOTEBOOK;
pub(super) use pytorch_job::INTERPRETER as PYTORCH_JOB;
pub(super) use tf_job::INTERPRETER as TF_JOB;

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::ViewError;
use portolan_api::work::Component;
use portolan_object::Object;
use serde_json::{Map, Value, json};

use super::combine::{at, earliest, latest, map, number, optional_number, status_of, text, true_condition};
use super::pod_groups;
use crate::propagation::interpreter::Report;
use crate::propagation::interpreter::counters::statuses;

/// Fields of the status of training jobs.
const JOB_STATUS: &[&str] =
    &["conditions", "replicaStatuses", "startTime", "completionTime", "lastReconcileTime"];

/// A job that has not failed is healthy once it has conditions.
fn is_not_failed(object: &Object) -> Result<bool, ViewError> {
    let status = status_of(object);
    let has_conditions = at(status, &["conditions"]).and_then(Value::as_array).is_some();
    Ok(has_conditions && true_condition(status, "Failed").is_none())
}

/// The components of a job with `roles` below `spec.<field>`, named like them in lower case.
fn components(template: &Object, field: &str, roles: &[&str]) -> Vec<Component> {
    let component = |role: &&str| {
        let spec = template.at(&["spec", field, role])?;
        let replicas = optional_number(spec, &["replicas"]).unwrap_or(1);
        Some(pod_groups::component(&role.to_lowercase(), replicas, at(spec, &["template"])))
    };
    roles.iter().filter_map(component).collect()
}

fn dependencies(
    template: &Object,
    field: &str,
    roles: &[&str],
) -> Result<Vec<DependentObjectReference>, ViewError> {
    let templates = roles.iter().filter_map(|role| template.at(&["spec", field, role, "template"]));
    pod_groups::dependencies(template, &templates.collect::<Vec<_>>())
}

/// Sets the times, and the sums of the pods of each role.
fn combine(status: Value, reports: &[Report]) -> Map<String, Value> {
    let mut status = map(status);
    earliest(&mut status, reports, "startTime");
    latest(&mut status, reports, "lastReconcileTime");
    let mut roles: Map<String, Value> = Map::new();
    for (role, found) in
        statuses(reports).filter_map(|report| at(report, &["replicaStatuses"])?.as_object()).flatten()
    {
        let sums = roles.entry(role.clone()).or_insert_with(|| json!({}));
        for counter in ["active", "succeeded", "failed"] {
            sums[counter] = json!(number(sums, &[counter]) + number(found, &[counter]));
        }
    }
    status.insert("replicaStatuses".to_owned(), Value::Object(roles));
    status
}

/// Clusters in which a job has a true condition.
fn clusters_with<'a>(reports: &'a [Report], kind: &str) -> Vec<&'a str> {
    let has = |report: &&Report| {
        report.status.as_ref().is_some_and(|status| true_condition(status, kind).is_some())
    };
    reports.iter().filter(has).map(|report| report.cluster.as_str()).collect()
}

/// The newest transition to a condition in any cluster.
fn newest_transition(reports: &[Report], kind: &str) -> String {
    let found = statuses(reports).filter_map(|status| true_condition(status, kind));
    found.map(|condition| text(condition, &["lastTransitionTime"])).max().unwrap_or_default().to_owned()
}
