//! The rights that the account of the control plane needs in a cluster, from what is placed there.

use std::collections::BTreeSet;

use portolan_api::names;
use serde_json::{Value, json};

/// Group and plural of a resource; `*` as plural stands for all of the group.
pub type GroupResource = (String, String);

const READ: [&str; 3] = ["get", "list", "watch"];
const WRITE: [&str; 7] = ["get", "list", "watch", "create", "update", "patch", "delete"];
const RBAC: &str = "rbac.authorization.k8s.io";

/// What policies with `propagateDeps` place together with a workload.
pub const DEPENDENCIES: [(&str, &str); 5] = [
    ("", "configmaps"),
    ("", "secrets"),
    ("", "serviceaccounts"),
    ("", "persistentvolumeclaims"),
    ("", "services"),
];

/// The rules of a ClusterRole that allows everything: what `join` makes.
pub fn everything() -> Vec<Value> {
    vec![
        json!({ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }),
        json!({ "nonResourceURLs": ["*"], "verbs": ["get"] }),
    ]
}

/// The rules of a ClusterRole for the account of `cluster`: what the control plane itself needs, and all writes of
/// `placed`. An account that writes roles with rights that it does not have needs the verbs `escalate` and `bind`.
pub fn needed(cluster: &str, placed: &BTreeSet<GroupResource>) -> Vec<Value> {
    let mut rules = own_needs(cluster);
    let groups: BTreeSet<&str> = placed.iter().map(|(group, _)| group.as_str()).collect();
    for group in groups {
        let resources: Vec<&str> =
            placed.iter().filter(|(own, _)| own == group).map(|(_, resource)| resource.as_str()).collect();
        let granting: &[&str] = if group == RBAC { &["escalate", "bind"] } else { &[] };
        let verbs: Vec<&str> = WRITE.iter().chain(granting).copied().collect();
        rules.push(json!({ "apiGroups": [group], "resources": resources, "verbs": verbs }));
    }
    rules
}

/// What health, capacity, discovery, cluster sets, renewal of tokens and leaving need.
fn own_needs(cluster: &str) -> Vec<Value> {
    let role = names::cluster_role(cluster);
    let accounts = [names::service_account(cluster), names::IMPERSONATOR.to_owned()];
    let rule = |group: &str, resources: &[&str], verbs: &[&str]| json!({ "apiGroups": [group], "resources": resources, "verbs": verbs });
    let named = |group: &str, resources: &[&str], names: Value, verbs: &[&str]| json!({ "apiGroups": [group], "resources": resources, "resourceNames": names, "verbs": verbs });
    let admission = ["validatingadmissionpolicies", "validatingadmissionpolicybindings"];
    let roles = ["clusterroles", "clusterrolebindings"];
    vec![
        rule("", &["namespaces", "services"], &WRITE),
        rule("", &["nodes", "pods", "resourcequotas", "serviceaccounts"], &READ),
        rule("apps", &["*"], &READ),
        rule("discovery.k8s.io", &["endpointslices"], &WRITE),
        rule("multicluster.x-k8s.io", &["*"], &WRITE),
        rule("about.k8s.io", &["*"], &WRITE),
        rule("apiextensions.k8s.io", &["customresourcedefinitions"], &WRITE),
        rule("coordination.k8s.io", &["leases"], &WRITE),
        rule("admissionregistration.k8s.io", &admission, &WRITE),
        rule(RBAC, &roles, &READ),
        rule(RBAC, &roles, &["create"]),
        named(RBAC, &roles, json!([names::IMPERSONATOR]), &["update", "patch", "delete", "escalate", "bind"]),
        named(RBAC, &roles, json!([role]), &["patch", "delete"]),
        named("", &["serviceaccounts/token"], json!(accounts), &["create"]),
        named("", &["serviceaccounts"], json!(accounts), &["patch", "delete"]),
        json!({ "nonResourceURLs": ["*"], "verbs": ["get"] }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(rules: &[Value], group: &str, resource: &str, verb: &str) -> bool {
        let has = |rule: &Value, field: &str, wanted: &str| {
            let list = rule[field].as_array().into_iter().flatten();
            list.filter_map(Value::as_str).any(|one| one == wanted || one == "*")
        };
        rules.iter().filter(|rule| rule["resourceNames"].is_null()).any(|rule| {
            has(rule, "apiGroups", group) && has(rule, "resources", resource) && has(rule, "verbs", verb)
        })
    }

    #[test]
    fn what_is_placed_can_be_written_and_nothing_else() {
        let placed = [("apps", "deployments"), ("batch", "jobs")];
        let placed = placed.map(|(group, resource)| (group.to_owned(), resource.to_owned())).into();
        let rules = needed("eu", &placed);
        let cases = [
            ("apps", "deployments", "create", true),
            ("batch", "jobs", "delete", true),
            ("apps", "daemonsets", "list", true),
            ("apps", "daemonsets", "create", false),
            ("", "secrets", "list", false),
            ("", "pods", "list", true),
            ("", "pods", "create", false),
            ("rbac.authorization.k8s.io", "clusterroles", "update", false),
            ("rbac.authorization.k8s.io", "clusterroles", "escalate", false),
        ];
        for (group, resource, verb, want) in cases {
            assert_eq!(grants(&rules, group, resource, verb), want, "{verb} {resource}.{group}");
        }
        assert!(grants(&everything(), "", "secrets", "delete"));
    }

    #[test]
    fn who_places_roles_can_grant_what_they_hold() {
        let placed = [("rbac.authorization.k8s.io".to_owned(), "clusterroles".to_owned())].into();
        assert!(grants(&needed("eu", &placed), "rbac.authorization.k8s.io", "clusterroles", "escalate"));
    }
}
