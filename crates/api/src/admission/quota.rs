//! Admission of FederatedResourceQuotas (karmada pkg/webhook/federatedresourcequota).

use portolan_object::quantity::Quantity as Amount;
use portolan_object::{FieldError, Status};
use serde_json::{Value, json};

use super::{deny_for, typed};
use crate::cluster::{MAX_NAME_LENGTH, is_name};
use crate::policy::{FederatedResourceQuota, FederatedResourceQuotaSpec, ResourceList};

const WEBHOOK: &str = "federatedresourcequota.karmada.io";
/// Longest name: it becomes the value of a label on Works.
const MAX_QUOTA_NAME: usize = 63;

/// Resource names without a domain that a quota can limit (kubernetes pkg/apis/core/helper, `standardQuotaResources`).
const STANDARD: &[&str] = &[
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
    "services.nodeports",
    "services.loadbalancers",
];
/// The first of the names in [`STANDARD`] of which there are only whole numbers.
const FIRST_COUNT: usize = 10;

/// Resources without a domain of which the overall use is known: what pods request.
const REQUESTED: &[&str] = &["cpu", "memory", "ephemeral-storage"];

/// Validates a quota. The texts returned are warnings.
pub(super) fn admit(object: &Value) -> Result<Vec<String>, Status> {
    let Some(quota) = typed::<FederatedResourceQuota>(object) else { return Ok(Vec::new()) };
    let mut errors = Vec::new();
    let name = &quota.metadata.name;
    if name.len() > MAX_QUOTA_NAME {
        let detail = format!("must be no more than {MAX_QUOTA_NAME} characters");
        errors.push(FieldError::invalid("metadata.name", &json!(name), detail));
    }
    check_spec(&quota.spec, &mut errors);
    let status = &quota.status;
    check_list("status.overall", &status.overall, &mut errors);
    check_list("status.overallUsed", &status.overall_used, &mut errors);
    for (index, cluster) in status.aggregated_status.iter().enumerate() {
        let path = format!("status.aggregatedStatus[{index}]");
        check_cluster(&path, &cluster.cluster_name, &mut errors);
        check_list(&format!("{path}.hard"), &cluster.hard, &mut errors);
        check_list(&format!("{path}.used"), &cluster.used, &mut errors);
    }
    deny_for(WEBHOOK, &errors)?;
    Ok(quota.spec.overall.keys().filter(|name| !is_requested(name)).map(|name| uncounted(name)).collect())
}

/// Whether pods request the resource by this name, so that its overall use is known.
fn is_requested(name: &str) -> bool {
    let is_extended = is_qualified(name) && !name.starts_with("requests.") && !name.starts_with("count/");
    REQUESTED.contains(&name) || is_extended || name.starts_with("hugepages-")
}

fn uncounted(name: &str) -> String {
    let request = name.strip_prefix("requests.").filter(|request| is_requested(request));
    let instead = request.map(|request| format!("; write {request}")).unwrap_or_default();
    format!(
        "spec.overall[{name}] limits nothing by itself: only what pods request is counted over all clusters (cpu, memory, \
         ephemeral-storage, extended resources){instead}. In clusters of staticAssignments it limits as in a ResourceQuota"
    )
}

fn check_spec(spec: &FederatedResourceQuotaSpec, errors: &mut Vec<FieldError>) {
    check_list("spec.overall", &spec.overall, errors);
    for (index, assignment) in spec.static_assignments.iter().enumerate() {
        let path = format!("spec.staticAssignments[{index}]");
        check_cluster(&path, &assignment.cluster_name, errors);
        check_list(&format!("{path}.hard"), &assignment.hard, errors);
        for name in assignment.hard.keys().filter(|name| !spec.overall.contains_key(*name)) {
            let detail = "assignment resourceName is not exist in overall";
            errors.push(FieldError::invalid(format!("{path}.hard[{name}]"), &json!(name), detail));
        }
    }
    for (name, quantity) in &spec.overall {
        let Some(overall) = quantity.amount() else { continue };
        let hard = spec.static_assignments.iter().filter_map(|one| one.hard.get(name)?.amount());
        let assigned = hard.fold(Amount::default(), Amount::plus);
        if overall < assigned {
            let path = format!("spec.overall[{name}]");
            errors.push(FieldError::invalid(path, &quantity.0, "overall is less than assignments"));
        }
    }
}

fn check_cluster(path: &str, name: &str, errors: &mut Vec<FieldError>) {
    if !is_name(name) {
        let detail = format!("must be a DNS-1123 label of at most {MAX_NAME_LENGTH} characters");
        errors.push(FieldError::invalid(format!("{path}.clusterName"), &json!(name), detail));
    }
}

fn check_list(path: &str, list: &ResourceList, errors: &mut Vec<FieldError>) {
    for (name, quantity) in list {
        let path = format!("{path}[{name}]");
        if !is_quota_resource(name) {
            let detail = "must be a standard resource for quota, or have a domain, such as example.com/gpu";
            errors.push(FieldError::invalid(path.clone(), &json!(name), detail));
        }
        let Some(amount) = quantity.amount() else {
            errors.push(FieldError::invalid(path, &quantity.0, "must be a quantity"));
            continue;
        };
        if amount.is_negative() {
            errors.push(FieldError::invalid(path, &quantity.0, "must be greater than or equal to 0"));
        } else if is_counted(name) && !amount.is_whole() {
            errors.push(FieldError::invalid(path, &quantity.0, "must be an integer"));
        }
    }
}

fn is_quota_resource(name: &str) -> bool {
    let huge_pages = name.strip_prefix("requests.").unwrap_or(name);
    STANDARD.contains(&name) || huge_pages.starts_with("hugepages-") || is_qualified(name)
}

/// Whether a name has a domain: extended resources, also with `requests.`, and counts of objects.
fn is_qualified(name: &str) -> bool {
    name.split_once('/').is_some_and(|(domain, rest)| !domain.is_empty() && !rest.is_empty())
}

/// Whether there are only whole numbers of a resource.
fn is_counted(name: &str) -> bool {
    STANDARD[FIRST_COUNT..].contains(&name) || is_qualified(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_validated() {
        let spec = |overall: Value| json!({ "overall": overall });
        let assigned = |overall: Value, cluster: &str, hard: Value| json!({ "overall": overall, "staticAssignments": [{ "clusterName": cluster, "hard": hard }] });
        let long = "q".repeat(64);
        for (name, spec, field) in [
            (
                "q",
                spec(json!({ "cpu": "1", "example.com/gpu": "2", "hugepages-2Mi": "4Mi", "pods": 3 })),
                None,
            ),
            ("q", assigned(json!({ "cpu": "1" }), "m1", json!({ "cpu": "1000m" })), None),
            (long.as_str(), spec(json!({})), Some("metadata.name")),
            ("q", spec(json!({ "gpu": "1" })), Some("spec.overall[gpu]")),
            ("q", spec(json!({ "cpu": "-1" })), Some("spec.overall[cpu]")),
            ("q", spec(json!({ "pods": "1.5" })), Some("spec.overall[pods]")),
            ("q", spec(json!({ "example.com/gpu": "500m" })), Some("spec.overall[example.com/gpu]")),
            ("q", assigned(json!({ "cpu": "1" }), "m1", json!({ "cpu": "2" })), Some("spec.overall[cpu]")),
            (
                "q",
                assigned(json!({ "cpu": "1" }), "m1", json!({ "memory": "1Gi" })),
                Some("spec.staticAssignments[0].hard[memory]"),
            ),
            (
                "q",
                assigned(json!({ "cpu": "1" }), "M_1", json!({})),
                Some("spec.staticAssignments[0].clusterName"),
            ),
        ] {
            let quota = json!({ "metadata": { "name": name }, "spec": spec });
            let answer = admit(&quota);
            match field {
                None => assert!(answer.is_ok(), "{answer:?}"),
                Some(field) => {
                    let refusal = answer.expect_err(field);
                    assert_eq!(refusal.code, 403, "{quota}");
                    assert!(refusal.message.contains(field), "{}", refusal.message);
                }
            }
        }
    }
    #[test]
    fn limits_of_what_is_not_counted_are_warned_about() {
        let overall = json!({ "cpu": "1", "memory": "1Gi", "example.com/gpu": "2", "hugepages-2Mi": "4Mi",
            "pods": "20", "requests.cpu": "1", "count/deployments.apps": "3" });
        let quota = json!({ "metadata": { "name": "q" }, "spec": { "overall": overall } });
        let warned = admit(&quota).expect("accepted");
        let fields: Vec<&str> = warned.iter().filter_map(|text| text.split(' ').next()).collect();
        assert_eq!(
            fields,
            ["spec.overall[count/deployments.apps]", "spec.overall[pods]", "spec.overall[requests.cpu]"]
        );
        assert!(warned[2].contains("write cpu"), "{}", warned[2]);
        assert!(!warned[1].contains("write"), "{}", warned[1]);
    }
}
