//! The controllers of pods: deployments, sets, jobs.

use serde_json::{Map, Value, json};

use super::pod::template;
use crate::tree::{child, child_if_present, children, default};

pub(crate) fn replication_controller(object: &mut Map<String, Value>) {
    let Some(spec) = child(object, "spec") else { return };
    default(spec, "replicas", 1);
    if spec.get("template").is_some_and(Value::is_object) {
        template(spec);
    }
    let labels = template_labels(spec);
    if let Some(labels) = labels {
        if spec.get("selector").and_then(Value::as_object).is_none_or(Map::is_empty) {
            spec.insert("selector".to_owned(), labels.clone());
        }
        own_labels(object, labels);
    }
}

pub(crate) fn deployment(object: &mut Map<String, Value>) {
    let Some(spec) = child(object, "spec") else { return };
    template(spec);
    default(spec, "replicas", 1);
    default(spec, "revisionHistoryLimit", 10);
    default(spec, "progressDeadlineSeconds", 600);
    let Some(strategy) = child(spec, "strategy") else { return };
    default(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate"
        && let Some(rolling) = child(strategy, "rollingUpdate")
    {
        default(rolling, "maxUnavailable", "25%");
        default(rolling, "maxSurge", "25%");
    }
}

pub(crate) fn replica_set(object: &mut Map<String, Value>) {
    let Some(spec) = child(object, "spec") else { return };
    template(spec);
    default(spec, "replicas", 1);
}

pub(crate) fn stateful_set(object: &mut Map<String, Value>) {
    let Some(spec) = child(object, "spec") else { return };
    template(spec);
    default(spec, "replicas", 1);
    default(spec, "revisionHistoryLimit", 10);
    default(spec, "podManagementPolicy", "OrderedReady");
    default(spec, "serviceName", "");
    if let Some(strategy) = child(spec, "updateStrategy") {
        if crate::tree::is_unset(strategy.get("type")) {
            strategy.insert("type".to_owned(), json!("RollingUpdate"));
            child(strategy, "rollingUpdate");
        }
        if strategy["type"] == "RollingUpdate"
            && let Some(rolling) = child_if_present(strategy, "rollingUpdate")
        {
            default(rolling, "partition", 0);
        }
    }
    if let Some(policy) = child(spec, "persistentVolumeClaimRetentionPolicy") {
        default(policy, "whenDeleted", "Retain");
        default(policy, "whenScaled", "Retain");
    }
    for claim in children(spec, "volumeClaimTemplates") {
        default(claim, "apiVersion", "v1");
        default(claim, "kind", "PersistentVolumeClaim");
        super::storage::claim(claim);
    }
}

pub(crate) fn daemon_set(object: &mut Map<String, Value>) {
    let Some(spec) = child(object, "spec") else { return };
    template(spec);
    default(spec, "revisionHistoryLimit", 10);
    let Some(strategy) = child(spec, "updateStrategy") else { return };
    default(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate"
        && let Some(rolling) = child(strategy, "rollingUpdate")
    {
        default(rolling, "maxUnavailable", 1);
        default(rolling, "maxSurge", 0);
    }
}

pub(crate) fn job(object: &mut Map<String, Value>) {
    let Some(spec) = child(object, "spec") else { return };
    job_spec(spec);
    if let Some(labels) = template_labels(spec) {
        own_labels(object, labels);
    }
}

pub(crate) fn cron_job(object: &mut Map<String, Value>) {
    let Some(spec) = child(object, "spec") else { return };
    default(spec, "concurrencyPolicy", "Allow");
    default(spec, "suspend", false);
    default(spec, "successfulJobsHistoryLimit", 3);
    default(spec, "failedJobsHistoryLimit", 1);
    if let Some(template) = child_if_present(spec, "jobTemplate") {
        child(template, "metadata");
        if let Some(spec) = child(template, "spec") {
            // What is missing in the jobs is filled in when they are made; only their pods are completed here.
            self::template(spec);
        }
    }
}

fn job_spec(spec: &mut Map<String, Value>) {
    template(spec);
    let is_set = |spec: &Map<String, Value>, name: &str| spec.get(name).is_some_and(|value| !value.is_null());
    if !is_set(spec, "completions") && !is_set(spec, "parallelism") {
        spec.insert("completions".to_owned(), json!(1));
    }
    default(spec, "parallelism", 1);
    let limit = if is_set(spec, "backoffLimitPerIndex") { i64::from(i32::MAX) } else { 6 };
    default(spec, "backoffLimit", limit);
    default(spec, "completionMode", "NonIndexed");
    default(spec, "suspend", false);
    default(spec, "manualSelector", false);
    let replacement = if is_set(spec, "podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" };
    default(spec, "podReplacementPolicy", replacement);
    if let Some(policy) = child_if_present(spec, "podFailurePolicy") {
        for rule in children(policy, "rules") {
            for pattern in children(rule, "onPodConditions") {
                default(pattern, "status", "True");
            }
        }
    }
}

fn template_labels(spec: &Map<String, Value>) -> Option<Value> {
    let labels = spec.get("template")?.pointer("/metadata/labels")?;
    labels.as_object().filter(|labels| !labels.is_empty()).map(|labels| Value::Object(labels.clone()))
}

/// An object without labels takes those of its pods.
fn own_labels(object: &mut Map<String, Value>, labels: Value) {
    if let Some(metadata) = child(object, "metadata")
        && metadata.get("labels").and_then(Value::as_object).is_none_or(Map::is_empty)
    {
        metadata.insert("labels".to_owned(), labels);
    }
}
