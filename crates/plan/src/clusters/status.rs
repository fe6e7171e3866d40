//! The status of a Cluster: the APIs that the member serves (karmada
//! pkg/controllers/status/cluster_status_controller.go).

use std::collections::BTreeMap;

use portolan_api::cluster::{ApiEnablement, ApiResource};
use portolan_api::conditions::cluster as reasons;
use portolan_api::meta::{Condition, ConditionStatus};
use portolan_object::GroupVersionKind;

/// The APIs that a member serves, sorted, so that equal answers give equal status.
///
/// Each item is a kind with its plural name.
pub fn api_enablements<'a>(
    resources: impl IntoIterator<Item = (&'a GroupVersionKind, &'a str)>,
) -> Vec<ApiEnablement> {
    let mut groups: BTreeMap<String, Vec<ApiResource>> = BTreeMap::new();
    for (kind, plural) in resources {
        let resource = ApiResource { name: plural.to_owned(), kind: kind.kind.clone() };
        groups.entry(kind.api_version()).or_default().push(resource);
    }
    let enablement = |(group_version, mut resources): (String, Vec<ApiResource>)| {
        resources.sort_by(|one, other| one.name.cmp(&other.name));
        resources.dedup();
        ApiEnablement { group_version, resources }
    };
    groups.into_iter().map(enablement).collect()
}

/// The `CompleteAPIEnablements` condition; `failed` names the group versions that could not be listed.
pub fn completeness(enablements: &[ApiEnablement], failed: &[String], now: &str) -> Condition {
    let condition = |status: ConditionStatus, reason: &str, message: String| {
        Condition::new(reasons::COMPLETE_API_ENABLEMENTS, status, reason, message, now)
    };
    if enablements.is_empty() {
        return condition(
            ConditionStatus::False,
            reasons::EMPTY,
            "collected empty APIEnablements".to_owned(),
        );
    }
    if !failed.is_empty() {
        let message = format!("discovery failed for: {}", failed.join(", "));
        return condition(ConditionStatus::False, reasons::PARTIAL, message);
    }
    condition(ConditionStatus::True, reasons::COMPLETE, "collected complete APIEnablements".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enablements_are_sorted_and_said_once() {
        let kind = |group: &str, kind: &str| GroupVersionKind::new(group, "v1", kind);
        let (deployment, pod) = (kind("apps", "Deployment"), kind("", "Pod"));
        let set = kind("apps", "DaemonSet");
        let listed = [(&pod, "pods"), (&deployment, "deployments"), (&set, "daemonsets"), (&pod, "pods")];
        let enablements = api_enablements(listed);
        let text: Vec<String> = enablements
            .iter()
            .map(|group| {
                let names: Vec<&str> =
                    group.resources.iter().map(|resource| resource.name.as_str()).collect();
                format!("{}: {}", group.group_version, names.join(" "))
            })
            .collect();
        assert_eq!(text, ["apps/v1: daemonsets deployments", "v1: pods"]);
    }

    #[test]
    fn completeness_says_what_is_missing() {
        let some = api_enablements([(&GroupVersionKind::new("", "v1", "Pod"), "pods")]);
        let reason = |enablements: &[ApiEnablement], failed: &[&str]| {
            let failed: Vec<String> = failed.iter().map(|&name| name.to_owned()).collect();
            let condition = completeness(enablements, &failed, "t");
            (condition.status.as_str(), condition.reason)
        };
        assert_eq!(reason(&some, &[]), ("True", "Complete".to_owned()));
        assert_eq!(reason(&some, &["metrics.k8s.io/v1beta1"]), ("False", "Partial".to_owned()));
        assert_eq!(reason(&[], &[]), ("False", "Empty".to_owned()));
    }
}
