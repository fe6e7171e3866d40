//! The status of a template, summed up from what the members report (karmada-behaviour 4.8).
//!
//! Where Karmada's result is a defect (a StatefulSet whose observedGeneration never moves) the better result is
//! taken and listed in `docs/differences.md`.

use std::collections::BTreeSet;

use portolan_object::Object;
use serde_json::{Map, Value, json};

/// One cluster's report.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The cluster.
    pub cluster: String,
    /// The reflected status; `None` while nothing was reported.
    pub status: Option<Value>,
}

/// Computes the template's new status; `None` when its kind is not aggregated.
///
/// `reports` are sorted by cluster. Fields that nobody reports keep what the template has.
pub fn aggregate(template: &Object, reports: &[Report]) -> Option<Value> {
    let kind = template.group_version_kind();
    let old = template.at(&["status"]).cloned().unwrap_or_else(|| json!({}));
    let status = match (kind.group.as_str(), kind.kind.as_str()) {
        ("apps", "Deployment") => {
            let counters =
                ["replicas", "readyReplicas", "updatedReplicas", "availableReplicas", "unavailableReplicas"];
            counted(template, old, reports, &counters)
        }
        ("apps", "ReplicaSet") => {
            counted(template, old, reports, &["replicas", "readyReplicas", "availableReplicas"])
        }
        ("apps", "StatefulSet") => {
            let counters =
                ["replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"];
            counted(template, old, reports, &counters)
        }
        ("apps", "DaemonSet") => {
            let counters = [
                "currentNumberScheduled",
                "desiredNumberScheduled",
                "numberAvailable",
                "numberMisscheduled",
                "numberReady",
                "updatedNumberScheduled",
                "numberUnavailable",
            ];
            counted(template, old, reports, &counters)
        }
        ("", "Service") if template.str_at(&["spec", "type"]) == "LoadBalancer" => load_balancer(reports),
        ("networking.k8s.io", "Ingress") => load_balancer(reports),
        ("batch", "Job") => job(old, reports),
        ("batch", "CronJob") => cron_job(reports),
        ("", "Pod") => pod(reports),
        ("", "PersistentVolume") => {
            phase(old, reports, &["Failed", "Pending", "Available", "Bound", "Released"], "Pending")
        }
        ("", "PersistentVolumeClaim") => claim(old, reports),
        ("policy", "PodDisruptionBudget") => disruption_budget(old, reports),
        ("autoscaling", "HorizontalPodAutoscaler") => {
            summed(old, reports, &["currentReplicas", "desiredReplicas"])
        }
        _ => return None,
    };
    Some(status)
}

fn statuses(reports: &[Report]) -> impl Iterator<Item = &Value> {
    reports.iter().filter_map(|report| report.status.as_ref())
}

fn number(status: &Value, field: &str) -> i64 {
    status.get(field).and_then(Value::as_i64).unwrap_or_default()
}

/// Sums counters; a sum of zero is left out, as Go's `omitempty` would.
fn summed(old: Value, reports: &[Report], counters: &[&str]) -> Value {
    let mut status = match old {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    for counter in counters {
        let sum: i64 = statuses(reports).map(|report| number(report, counter)).sum();
        if sum == 0 {
            status.remove(*counter);
        } else {
            status.insert((*counter).to_owned(), json!(sum));
        }
    }
    Value::Object(status)
}

fn counted(template: &Object, old: Value, reports: &[Report], counters: &[&str]) -> Value {
    let mut status = summed(old, reports, counters);
    // The template counts as observed once every member runs this generation of it.
    let caught_up = statuses(reports).filter(|report| {
        number(report, "observedGeneration") >= number(report, "generation")
            && number(report, "resourceTemplateGeneration") >= template.generation()
    });
    if caught_up.count() == reports.len() && template.generation() > 0 {
        status["observedGeneration"] = json!(template.generation());
    }
    status
}

/// Every address once: host names first, then addresses.
fn load_balancer(reports: &[Report]) -> Value {
    let entries =
        statuses(reports).filter_map(|status| status["loadBalancer"]["ingress"].as_array()).flatten();
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    let mut sorted: Vec<&Value> = entries.collect();
    sorted.sort_by_cached_key(|entry| {
        let hostname = text(entry, "hostname");
        (hostname.is_empty(), hostname, text(entry, "ip"), text(entry, "ipMode"))
    });
    sorted.dedup();
    if sorted.is_empty() {
        json!({ "loadBalancer": {} })
    } else {
        json!({ "loadBalancer": { "ingress": sorted } })
    }
}

fn has_condition(status: &Value, kind: &str) -> bool {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|condition| condition["type"] == kind && condition["status"] == "True")
}

fn job(old: Value, reports: &[Report]) -> Value {
    if has_condition(&old, "Complete") || has_condition(&old, "Failed") {
        return old; // a finished Job stays as it finished
    }
    let mut status = summed(old, reports, &["active", "succeeded", "failed"]);
    let failed: Vec<&str> = reports
        .iter()
        .filter(|report| report.status.as_ref().is_some_and(|status| has_condition(status, "Failed")))
        .map(|report| report.cluster.as_str())
        .collect();
    let everywhere = |kind: &str| {
        !reports.is_empty()
            && reports
                .iter()
                .all(|report| report.status.as_ref().is_some_and(|status| has_condition(status, kind)))
    };
    let mut conditions = Vec::new();
    let mut add = |kind: &str, reason: &str, message: String| {
        conditions.push(json!({ "type": kind, "status": "True", "reason": reason, "message": message }));
    };
    if !failed.is_empty() {
        add("Failed", "JobFailed", format!("Job executed failed in member clusters {}", failed.join(",")));
    }
    if everywhere("Complete") {
        if everywhere("SuccessCriteriaMet") {
            add("SuccessCriteriaMet", "CompletionsReached", "Job completed".to_owned());
        }
        add("Complete", "Completed", "Job completed".to_owned());
    }
    if !conditions.is_empty() {
        status["conditions"] = Value::Array(conditions);
    }
    let times = |field: &str| -> Option<Vec<&str>> {
        reports.iter().map(|report| report.status.as_ref()?.get(field)?.as_str()).collect()
    };
    if status.get("startTime").is_none()
        && let Some(earliest) = times("startTime").and_then(|times| times.into_iter().min())
    {
        status["startTime"] = json!(earliest);
    }
    if let Some(latest) = times("completionTime").and_then(|times| times.into_iter().max()) {
        status["completionTime"] = json!(latest);
    }
    status
}

fn cron_job(reports: &[Report]) -> Value {
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
    Value::Object(status)
}

fn pod(reports: &[Report]) -> Value {
    let phases: BTreeSet<&str> = reports
        .iter()
        .map(|report| report.status.as_ref().and_then(|status| status["phase"].as_str()).unwrap_or("Pending"))
        .collect();
    let precedence = ["Failed", "Pending", "Running", "Succeeded"];
    let mut status = Map::new();
    if let Some(phase) = precedence.into_iter().find(|phase| phases.contains(phase)) {
        status.insert("phase".to_owned(), json!(phase));
    }
    for field in ["containerStatuses", "initContainerStatuses"] {
        let containers = statuses(reports).filter_map(|status| status[field].as_array()).flatten();
        let trimmed: Vec<Value> = containers
            .map(|container| json!({ "ready": container["ready"], "state": container["state"] }))
            .collect();
        if !trimmed.is_empty() {
            status.insert(field.to_owned(), Value::Array(trimmed));
        }
    }
    Value::Object(status)
}

fn phase(old: Value, reports: &[Report], precedence: &[&str], missing: &str) -> Value {
    let phases: BTreeSet<&str> = reports
        .iter()
        .map(|report| report.status.as_ref().and_then(|status| status["phase"].as_str()).unwrap_or(missing))
        .collect();
    let mut status = old;
    if let Some(phase) = precedence.iter().find(|phase| phases.contains(**phase)) {
        status["phase"] = json!(phase);
    }
    status
}

fn claim(old: Value, reports: &[Report]) -> Value {
    let mut phase = "Bound";
    for found in statuses(reports).filter_map(|status| status["phase"].as_str()) {
        match found {
            "Lost" => {
                phase = "Lost";
                break;
            }
            "Bound" => {}
            other => phase = other,
        }
    }
    let mut status = old;
    status["phase"] = json!(phase);
    status
}

fn disruption_budget(old: Value, reports: &[Report]) -> Value {
    let counters = ["currentHealthy", "desiredHealthy", "expectedPods", "disruptionsAllowed"];
    let mut status = summed(old, reports, &counters);
    for counter in counters {
        // Required fields of the kind: zero has to be written.
        if status.get(counter).is_none() {
            status[counter] = json!(0);
        }
    }
    let disrupted: Map<String, Value> = reports
        .iter()
        .filter_map(|report| Some((&report.cluster, report.status.as_ref()?["disruptedPods"].as_object()?)))
        .flat_map(|(cluster, pods)| {
            pods.iter().map(move |(pod, time)| (format!("{cluster}/{pod}"), time.clone()))
        })
        .collect();
    if !disrupted.is_empty() {
        status["disruptedPods"] = Value::Object(disrupted);
    }
    status
}

#[cfg(test)]
mod tests;
