//! The status of a ResourceQuota: what the pods of its namespace use of it.
//!
//! Pods are counted and their requests and limits are summed. Counts of other objects, and quotas with scopes, are not
//! computed: their use is left out of the status.
//!
//! # Source
//! kubernetes pkg/quota/v1/evaluator/core/pods.go.

use portolan_api::kubernetes::read_value;
use portolan_object::Object;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::capacity::{Amounts, PodResources, ResourceName};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    hard: Amounts,
    scopes: Vec<String>,
    scope_selector: Option<Value>,
}

/// The status of `quota` with the pods of its namespace; `None` for a quota that cannot be read or has scopes.
pub fn status<'a>(quota: &Object, pods: impl IntoIterator<Item = &'a Object>) -> Option<Value> {
    let spec: Spec = read_value(quota.at(&["spec"])?).ok()?;
    if !spec.scopes.is_empty() || spec.scope_selector.is_some() {
        return None;
    }
    let mut used = Amounts::default();
    for pod in pods {
        let is_finished = matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed");
        let resources = pod.at(&["spec"]).and_then(|spec| read_value::<PodResources>(spec).ok());
        if let (Some(resources), false) = (resources, is_finished) {
            used.add(&of_pod(&resources), 1);
        }
    }
    let counted = |name: &ResourceName| used.get(name).or_else(|| is_of_pods(name).then_some(0));
    let used = spec.hard.iter().filter_map(|(name, _)| Some((name.clone(), counted(name)?)));
    let used = used.fold(Amounts::default(), |list, (name, number)| list.with(name, number));
    let hard = quota.at(&["spec", "hard"]).cloned().unwrap_or_default();
    Some(json!({ "hard": hard, "used": used.to_list() }))
}

/// What a pod uses, by all names that quotas have for it.
fn of_pod(resources: &PodResources) -> Amounts {
    let mut used = resources.request_with_pod();
    let requests = resources.request();
    let prefixed =
        |prefix: &str, name: &ResourceName| ResourceName::of(&format!("{prefix}.{}", name.as_str()));
    for (name, number) in requests.iter() {
        used = used.with(prefixed("requests", name), number);
    }
    for (name, number) in resources.limit().iter() {
        used = used.with(prefixed("limits", name), number);
    }
    used.with(ResourceName::of("count/pods"), 1)
}

/// Whether an entry of a quota is about pods.
fn is_of_pods(name: &ResourceName) -> bool {
    let name = name.as_str();
    let plain = name.strip_prefix("requests.").or_else(|| name.strip_prefix("limits.")).unwrap_or(name);
    matches!(plain, "cpu" | "memory" | "ephemeral-storage" | "pods" | "count/pods")
        || (name.starts_with("requests.") && plain.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_use_a_quota_until_they_end() {
        let pod = |phase: &str| {
            let resources = json!({ "requests": { "cpu": "100m" }, "limits": { "memory": "1Gi" } });
            Object(
                json!({ "spec": { "containers": [{ "resources": resources }] }, "status": { "phase": phase } }),
            )
        };
        let hard = json!({ "cpu": "1", "requests.cpu": "1", "limits.memory": "4Gi", "memory": "4Gi", "pods": "5",
            "requests.example.com/gpu": "2", "secrets": "3" });
        let quota = Object(json!({ "spec": { "hard": hard } }));
        let status = status(&quota, &[pod("Running"), pod("Pending"), pod("Failed")]).expect("a status");
        assert_eq!(status["hard"], hard);
        let want = json!({ "cpu": "200m", "requests.cpu": "200m", "limits.memory": "2Gi", "memory": "2Gi", "pods": "2",
            "requests.example.com/gpu": "0" });
        assert_eq!(status["used"], want);
    }

    #[test]
    fn quotas_with_scopes_are_left_alone() {
        let quota = Object(json!({ "spec": { "hard": { "pods": "1" }, "scopes": ["BestEffort"] } }));
        assert_eq!(status(&quota, &[]), None);
    }
}
