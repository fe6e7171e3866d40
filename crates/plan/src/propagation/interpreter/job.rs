//! `batch/v1` Job.

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::{Job, JobStatus, View, ViewError, read_value};
use portolan_api::resources;
use portolan_object::Object;
use serde_json::{Value, json};

use super::counters::{pick, set_in_spec, sum};
use super::{Hook, Interpreter, Replicas, Report, Requirements, pod_references};
use crate::propagation::fields;

const COUNTERS: &[&str] = &["active", "succeeded", "failed"];

/// Labels that the Job controller generates from the Job's uid, which differs in each cluster.
const GENERATED_LABELS: &[&str] =
    &["controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name"];

const POD_SPEC: &[&str] = &["spec", "template", "spec"];

pub(super) const INTERPRETER: Interpreter = Interpreter {
    resource: resources::JOB,
    status_fields: &["active", "succeeded", "failed", "conditions", "startTime", "completionTime"],
    replicas: Hook::Custom(Replicas {
        count: replicas,
        set: set_parallelism,
        requirements: Requirements::OfPodSpec(POD_SPEC),
    }),
    components: Hook::Default,
    prune: Hook::Custom(prune),
    retain: Hook::Custom(retain),
    reflect: Hook::Custom(reflect),
    health: Hook::Default,
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Custom(dependencies),
};

/// Pods that run at the same time: never more than have to succeed.
fn replicas(template: &Object) -> i64 {
    let spec = Job::read(template).map(|job| job.spec).unwrap_or_default();
    let parallelism = spec.parallelism.unwrap_or(1);
    spec.completions.map_or(parallelism, |completions| parallelism.min(completions))
}

fn set_parallelism(manifest: &mut Object, share: i64) {
    set_in_spec(manifest, "parallelism", share);
}

fn prune(job: &mut Object) {
    let has_manual_selector = Job::read(job).is_ok_and(|job| job.spec.manual_selector);
    let Some(spec) = fields::map_at(&mut job.0, &["spec"]) else { return };
    spec.remove("ttlSecondsAfterFinished");
    if has_manual_selector {
        return;
    }
    for path in [&["spec", "selector", "matchLabels"][..], &["spec", "template", "metadata", "labels"]] {
        if let Some(labels) = fields::map_at(&mut job.0, path) {
            labels.retain(|key, _| !GENERATED_LABELS.contains(&key.as_str()));
        }
    }
}

fn retain(manifest: &mut Object, observed: &Object) {
    fields::copy(manifest, observed, &["spec", "selector", "matchLabels"]);
    fields::copy(manifest, observed, &["spec", "template", "metadata", "labels"]);
}

fn reflect(object: &Object) -> Option<Value> {
    pick(object, INTERPRETER.status_fields).map(Value::Object)
}

/// A finished Job keeps its status.
fn aggregate(_template: &Object, status: Value, reports: &[Report]) -> Option<Value> {
    let present: JobStatus<'_> = read_value(&status).unwrap_or_default();
    if present.has_condition("Complete") || present.has_condition("Failed") {
        return Some(status);
    }
    let has_start_time = present.start_time.is_some();
    let mut status = sum(status, reports, COUNTERS);
    let members: Vec<Option<JobStatus<'_>>> =
        reports.iter().map(|report| read_value(report.status.as_ref()?).ok()).collect();
    let conditions = conditions(reports, &members);
    if !conditions.is_empty() {
        status["conditions"] = Value::Array(conditions);
    }
    let times = |time: fn(&JobStatus<'_>) -> Option<String>| -> Option<Vec<String>> {
        members.iter().map(|member| time(member.as_ref()?)).collect()
    };
    let earliest =
        times(|member| member.start_time.map(str::to_owned)).and_then(|times| times.into_iter().min());
    if let (false, Some(earliest)) = (has_start_time, earliest) {
        status["startTime"] = json!(earliest);
    }
    let latest =
        times(|member| member.completion_time.map(str::to_owned)).and_then(|times| times.into_iter().max());
    if let Some(latest) = latest {
        status["completionTime"] = json!(latest);
    }
    Some(status)
}

/// Failed if it failed in any cluster, complete once it is complete in every cluster.
fn conditions(reports: &[Report], members: &[Option<JobStatus<'_>>]) -> Vec<Value> {
    let has = |member: &Option<JobStatus<'_>>, kind: &str| {
        member.as_ref().is_some_and(|status| status.has_condition(kind))
    };
    let failed = reports.iter().zip(members).filter(|(_, member)| has(member, "Failed"));
    let failed: Vec<&str> = failed.map(|(report, _)| report.cluster.as_str()).collect();
    let everywhere = |kind: &str| !members.is_empty() && members.iter().all(|member| has(member, kind));
    let condition = |kind: &str, reason: &str, message: String| json!({ "type": kind, "status": "True", "reason": reason, "message": message });
    let mut conditions = Vec::new();
    if !failed.is_empty() {
        let message = format!("Job executed failed in member clusters {}", failed.join(","));
        conditions.push(condition("Failed", "JobFailed", message));
    }
    if everywhere("Complete") {
        if everywhere("SuccessCriteriaMet") {
            conditions.push(condition(
                "SuccessCriteriaMet",
                "CompletionsReached",
                "Job completed".to_owned(),
            ));
        }
        conditions.push(condition("Complete", "Completed", "Job completed".to_owned()));
    }
    conditions
}

fn dependencies(template: &Object) -> Result<Vec<DependentObjectReference>, ViewError> {
    pod_references::of_pod_spec(template, POD_SPEC)
}
