//! What agents may do in the control plane, and what a token allows before there is an agent.
//!
//! Names are Karmada's (karmada pkg/karmadactl/register/register.go, artifacts/deploy/bootstrap-token-configuration.yaml).
//! What roles cannot express, such as the name of an object that is created, `crate::admission` checks.

use portolan_object::Object;
use serde_json::{Value, json};

use super::identity::{self, BOUND_TOKENS, ROLE_MAKER, UNBOUND_TOKENS};
use crate::{labels, names};

const RBAC: &str = "rbac.authorization.k8s.io";
const CLUSTERS: &str = "cluster.karmada.io";
const READ: [&str; 3] = ["get", "list", "watch"];
/// Start of the names of all roles of agents.
pub const ROLES: &str = "system:karmada:";
/// Role of bootstrap tokens.
const REGISTRATION: &str = "system:karmada:agent-bootstrap";
/// Role of [`ROLE_MAKER`].
const ROLE_MAKING: &str = "system:karmada:agent-rbac-generator";

/// The roles of the agent of a cluster and their bindings.
pub fn of_agent(cluster: &str) -> Vec<Object> {
    let user = json!([{ "apiGroup": RBAC, "kind": "User", "name": identity::user(cluster) }]);
    let (own, secret, work) =
        (identity::cluster_role(cluster), identity::secret_role(cluster), identity::work_role(cluster));
    let space = names::execution_namespace(cluster);
    [
        pair("ClusterRole", "", &own, cluster_rules(cluster), user.clone()),
        pair("Role", names::CLUSTER_NAMESPACE, &secret, secret_rules(cluster), user.clone()),
        pair("Role", &space, &work, work_rules(), user),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The roles by which clusters register, and their bindings.
pub fn of_registration() -> Vec<Object> {
    let group = |name: &str| json!({ "apiGroup": RBAC, "kind": "Group", "name": name });
    let maker = json!([{ "apiGroup": RBAC, "kind": "User", "name": ROLE_MAKER }]);
    let request = json!([rule("certificates.k8s.io", &["certificatesigningrequests"], &["create", "get"])]);
    let roles = ["clusterroles", "clusterrolebindings", "roles", "rolebindings"];
    // It grants rights that it does not have; admission replaces the rules by those of `of_agent`.
    let making = json!([
        rule(RBAC, &roles, &["get", "create", "update", "delete", "escalate", "bind"]),
        rule(CLUSTERS, &["clusters"], &["get"]),
        rule("", &["namespaces"], &["get", "create"]),
        rule("certificates.k8s.io", &["certificatesigningrequests"], &["delete"]),
    ]);
    let tokens = json!([group(UNBOUND_TOKENS), group(BOUND_TOKENS)]);
    [
        pair("ClusterRole", "", REGISTRATION, request, tokens),
        pair("ClusterRole", "", ROLE_MAKING, making, maker),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The role or binding of an agent that [`ROLE_MAKER`] may write under this name; `None` if it is not one.
pub fn named(kind: &str, namespace: &str, name: &str) -> Option<Object> {
    let rest = name.strip_prefix(ROLES)?;
    let cluster = ["agent", "agent-secret", "agent-work"]
        .iter()
        .find_map(|suffix| rest.strip_suffix(suffix)?.strip_suffix(':'))?;
    let of_cluster = of_agent(cluster);
    of_cluster
        .into_iter()
        .find(|object| object.kind() == kind && object.namespace() == namespace && object.name() == name)
}

/// Namespaces that [`ROLE_MAKER`] may create.
pub fn is_space(namespace: &str) -> bool {
    namespace == names::CLUSTER_NAMESPACE || names::cluster_of_execution_namespace(namespace).is_some()
}

fn cluster_rules(cluster: &str) -> Value {
    let named = |group: &str, resources: &[&str], names: &[&str], verbs: &[&str]| json!({ "apiGroups": [group], "resources": resources, "resourceNames": names, "verbs": verbs });
    let interpreters = ["resourceinterpreterwebhookconfigurations", "resourceinterpretercustomizations"];
    json!([
        named(CLUSTERS, &["clusters"], &[cluster], &["delete"]),
        rule(CLUSTERS, &["clusters"], &["get", "list", "watch", "create"]),
        named(CLUSTERS, &["clusters/status"], &[cluster], &["update", "patch"]),
        named(CLUSTERS, &["clusters/tunnel"], &[cluster], &["get", "create"]),
        rule("config.karmada.io", &interpreters, &READ),
        rule("", &["namespaces"], &["get"]),
        named("", &["namespaces"], &["kube-system"], &READ),
        rule("", &["services"], &READ),
        rule("", &["events"], &["create", "update", "patch"]),
        rule("coordination.k8s.io", &["leases"], &["get", "create", "update"]),
        rule("certificates.k8s.io", &["certificatesigningrequests"], &["get", "create"]),
    ])
}

fn secret_rules(cluster: &str) -> Value {
    let secrets = [cluster.to_owned(), names::impersonation_secret(cluster)];
    json!([
        { "apiGroups": [""], "resources": ["secrets"], "resourceNames": secrets, "verbs": ["get", "update", "patch"] },
        rule("", &["secrets"], &["create"]),
    ])
}

fn work_rules() -> Value {
    json!([
        rule("work.karmada.io", &["works"], &["get", "list", "watch", "create", "update", "patch", "delete"]),
        rule("work.karmada.io", &["works/status"], &["update", "patch"]),
    ])
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> Value {
    json!({ "apiGroups": [group], "resources": resources, "verbs": verbs })
}

/// A role and its binding of the same name.
fn pair(kind: &str, namespace: &str, name: &str, rules: Value, subjects: Value) -> [Object; 2] {
    let mut metadata = json!({ "name": name, "labels": { labels::SYSTEM: labels::TRUE } });
    if !namespace.is_empty() {
        metadata["namespace"] = json!(namespace);
    }
    let version = format!("{RBAC}/v1");
    let role = json!({ "apiVersion": version, "kind": kind, "metadata": metadata, "rules": rules });
    let binding = json!({ "apiVersion": version, "kind": format!("{kind}Binding"), "metadata": metadata,
        "roleRef": { "apiGroup": RBAC, "kind": kind, "name": name }, "subjects": subjects });
    [Object(role), Object(binding)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_maker_writes_the_roles_of_agents_and_nothing_else() {
        let cases = [
            ("ClusterRole", "", "system:karmada:eu:agent", true),
            ("ClusterRoleBinding", "", "system:karmada:eu:agent", true),
            ("Role", "karmada-cluster", "system:karmada:eu:agent-secret", true),
            ("RoleBinding", "karmada-es-eu", "system:karmada:eu:agent-work", true),
            ("RoleBinding", "karmada-es-us", "system:karmada:eu:agent-work", false),
            ("RoleBinding", "default", "system:karmada:eu:agent-secret", false),
            ("ClusterRoleBinding", "", "cluster-admin", false),
            ("ClusterRole", "", "system:karmada:agent-rbac-generator", false),
            ("ClusterRole", "", "system:karmada:agent-bootstrap", false),
        ];
        for (kind, namespace, name, want) in cases {
            let found = named(kind, namespace, name);
            assert_eq!(found.is_some(), want, "{kind} {namespace}/{name}");
        }
    }

    #[test]
    fn an_agent_has_rights_in_its_own_namespace_only() {
        for object in of_agent("eu") {
            let subjects = object.0["subjects"].as_array();
            for subject in subjects.into_iter().flatten() {
                assert_eq!(subject["name"], "system:karmada:agent:eu");
            }
            let rules = object.0["rules"].as_array().into_iter().flatten();
            for rule in rules {
                assert!(!rule.to_string().contains('*'), "{rule}");
                let is_cluster_wide = object.kind() == "ClusterRole";
                let of_secrets = rule["resources"].to_string().contains("secrets");
                let of_works = rule["resources"].to_string().contains("works");
                assert!(!is_cluster_wide || !(of_secrets || of_works), "{rule}");
            }
        }
    }
}
