//! What agents may write, beyond what roles can express: objects of their own cluster only, by name and content.
//!
//! Roles cannot limit the name of an object that is created, and the roles of agents that karmadactl makes are not limited
//! at all where Karmada's are not. A stolen identity of an agent harms its own cluster.

use portolan_object::{GroupVersionKind, Status};
use serde_json::Value;

use crate::agents::{self, roles};
use crate::cluster::Cluster;
use crate::kind::Kind;
use crate::names;
use crate::work::Work;

/// The write of an agent.
#[derive(Debug, Clone, Copy)]
pub struct AgentWrite<'a> {
    /// The kind of the object.
    pub kind: &'a GroupVersionKind,
    /// Empty for the object itself.
    pub subresource: &'a str,
    /// Namespace of the object.
    pub namespace: &'a str,
    /// Name of the object.
    pub name: &'a str,
    /// The object as it is going to be stored.
    pub object: &'a Value,
}

/// Refuses a write of the agent of `cluster` to an object of another cluster, or of the control plane.
///
/// # Errors
/// 403 with the cause.
pub fn confine_agent(cluster: &str, write: &AgentWrite<'_>) -> Result<(), Status> {
    let refusal = check(cluster, write).err();
    refusal.map_or(Ok(()), |cause| {
        let kind = &write.kind.kind;
        let message = format!(
            "{kind} {:?} is forbidden: the agent of cluster {cluster} {cause}; an agent writes only what belongs to its own \
             cluster",
            write.name
        );
        Err(Status::new(403, "Forbidden", message))
    })
}

fn check(cluster: &str, write: &AgentWrite<'_>) -> Result<(), String> {
    let AgentWrite { kind, subresource, namespace, name, object } = *write;
    let is_own = |space: String| {
        (namespace == space).then_some(()).ok_or_else(|| format!("may not write in namespace {namespace:?}"))
    };
    match (kind.group.as_str(), kind.kind.as_str()) {
        (group, Cluster::KIND) if group == Cluster::GROUP => {
            check_cluster(cluster, subresource, name, object)
        }
        (group, Work::KIND) if group == Work::GROUP => is_own(names::execution_namespace(cluster)),
        ("", "Secret") => {
            is_own(names::CLUSTER_NAMESPACE.to_owned())?;
            let own = [cluster.to_owned(), names::impersonation_secret(cluster)];
            own.iter()
                .any(|own| own == name)
                .then_some(())
                .ok_or_else(|| format!("has the secrets {} and {}, not {name:?}", own[0], own[1]))
        }
        ("coordination.k8s.io", "Lease") => {
            let own = [
                (names::CLUSTER_NAMESPACE, cluster.to_owned()),
                (names::SYSTEM_NAMESPACE, names::agent_lease(cluster)),
            ];
            let is_own = own.iter().any(|(space, own)| namespace == *space && name == own);
            is_own.then_some(()).ok_or_else(|| format!("may not write the lease {namespace}/{name}"))
        }
        ("" | "events.k8s.io", "Event") => check_event(cluster, object),
        // Who asks is a part of the request, and the approval decides.
        ("certificates.k8s.io", "CertificateSigningRequest") if subresource.is_empty() => Ok(()),
        _ => Err(format!("may not write objects of {}", kind.api_version())),
    }
}

fn check_cluster(cluster: &str, subresource: &str, name: &str, object: &Value) -> Result<(), String> {
    if name != cluster {
        return Err(format!("may not write cluster {name:?}"));
    }
    if !subresource.is_empty() {
        return Ok(());
    }
    let spec = &object["spec"];
    if spec["syncMode"] != "Pull" {
        return Err("may only have syncMode Pull".to_owned());
    }
    let secrets =
        [("secretRef", cluster.to_owned()), ("impersonatorSecretRef", names::impersonation_secret(cluster))];
    for (field, own) in secrets {
        let reference = &spec[field];
        let is_own = reference["namespace"] == names::CLUSTER_NAMESPACE && reference["name"] == own.as_str();
        if !reference.is_null() && !is_own {
            return Err(format!("has the secret {}/{own} as spec.{field}", names::CLUSTER_NAMESPACE));
        }
    }
    Ok(())
}

/// Events are about the Cluster, its Works, or templates that it reports on; those have their own controllers, whom an agent
/// must not imitate.
fn check_event(cluster: &str, object: &Value) -> Result<(), String> {
    let about = [&object["involvedObject"], &object["regarding"]].into_iter().find(|about| about.is_object());
    let text = |field: &str| about.and_then(|about| about[field].as_str()).unwrap_or_default();
    let is_own = match text("kind") {
        Cluster::KIND => text("name") == cluster,
        Work::KIND => text("namespace") == names::execution_namespace(cluster),
        _ => false,
    };
    is_own.then_some(()).ok_or_else(|| {
        format!("may not write events about {} {}/{}", text("kind"), text("namespace"), text("name"))
    })
}

/// The cluster of the agent that a user is; `None` if it is no agent.
pub fn agent_of(user: &str, groups: &[String]) -> Option<String> {
    let is_agent = groups.iter().any(|group| group == agents::GROUP);
    agents::cluster_of_user(user).filter(|_| is_agent).map(str::to_owned)
}

/// Makes what [`agents::ROLE_MAKER`] writes a role or binding of an agent: the rules and the user are those of
/// [`roles::of_agent`], whatever the request says. Objects of other kinds and names are refused.
///
/// # Errors
/// 403 for all other objects.
pub fn make_role(write: &AgentWrite<'_>) -> Result<Option<Value>, Status> {
    let AgentWrite { kind, namespace, name, object, .. } = *write;
    let refused = || {
        let message = format!(
            "{} {name:?} is forbidden: a token that is not bound to a cluster makes the roles of a new agent and nothing else",
            kind.kind
        );
        Err(Status::new(403, "Forbidden", message))
    };
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Namespace") if roles::is_space(name) => Ok(None),
        ("certificates.k8s.io", "CertificateSigningRequest") => {
            if object["spec"]["username"].as_str().is_some_and(is_token) { Ok(None) } else { refused() }
        }
        ("rbac.authorization.k8s.io", kind) => {
            let Some(wanted) = roles::named(kind, namespace, name) else { return refused() };
            let mut made = object.clone();
            for field in ["rules", "roleRef", "subjects", "aggregationRule"] {
                match wanted.0.get(field) {
                    Some(value) => made[field] = value.clone(),
                    None => drop(made.as_object_mut().and_then(|made| made.remove(field))),
                }
            }
            Ok(Some(made))
        }
        _ => refused(),
    }
}

/// Whether a user is one of a bootstrap token.
fn is_token(user: &str) -> bool {
    user.starts_with("system:bootstrap:")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_agent_writes_what_belongs_to_its_cluster() {
        let pull = |secret: &str| json!({ "spec": { "syncMode": "Pull", "secretRef": { "namespace": "karmada-cluster", "name": secret } } });
        let about = |kind: &str, namespace: &str, name: &str| json!({ "involvedObject": { "kind": kind, "namespace": namespace, "name": name } });
        let none = json!({});
        let cluster = ("cluster.karmada.io", "v1alpha1", "Cluster");
        let work = ("work.karmada.io", "v1alpha1", "Work");
        let secret = ("", "v1", "Secret");
        let lease = ("coordination.k8s.io", "v1", "Lease");
        let event = ("", "v1", "Event");
        let cases = [
            (cluster, "", "", "eu", pull("eu"), true),
            (cluster, "", "", "us", pull("eu"), false),
            (cluster, "", "", "eu", pull("us"), false),
            (cluster, "", "", "eu", json!({ "spec": { "syncMode": "Push" } }), false),
            (cluster, "status", "", "eu", none.clone(), true),
            (cluster, "status", "", "us", none.clone(), false),
            (work, "", "karmada-es-eu", "w", none.clone(), true),
            (work, "status", "karmada-es-us", "w", none.clone(), false),
            (secret, "", "karmada-cluster", "eu", none.clone(), true),
            (secret, "", "karmada-cluster", "eu-impersonator", none.clone(), true),
            (secret, "", "karmada-cluster", "us", none.clone(), false),
            (secret, "", "kube-system", "eu", none.clone(), false),
            (lease, "", "karmada-cluster", "eu", none.clone(), true),
            (lease, "", "karmada-cluster", "us", none.clone(), false),
            (lease, "", "karmada-system", "karmada-agent-eu", none.clone(), true),
            (event, "", "karmada-es-eu", "e", about("Work", "karmada-es-eu", "w"), true),
            (event, "", "default", "e", about("Cluster", "", "eu"), true),
            (event, "", "default", "e", about("Cluster", "", "us"), false),
            (event, "", "default", "e", about("Deployment", "default", "web"), false),
            (("rbac.authorization.k8s.io", "v1", "ClusterRole"), "", "", "r", none.clone(), false),
        ];
        for ((group, version, kind), subresource, namespace, name, object, want) in cases {
            let kind = GroupVersionKind::new(group, version, kind);
            let write = AgentWrite { kind: &kind, subresource, namespace, name, object: &object };
            let got = confine_agent("eu", &write);
            assert_eq!(got.is_ok(), want, "{} {namespace}/{name} {subresource}: {got:?}", kind.kind);
        }
    }

    #[test]
    fn the_role_maker_writes_the_rules_of_agents_whatever_it_asks_for() {
        let made = |kind: (&str, &str), namespace: &str, name: &str, object: Value| {
            let kind = GroupVersionKind::new(kind.0, "v1", kind.1);
            make_role(&AgentWrite { kind: &kind, subresource: "", namespace, name, object: &object })
        };
        let rbac = "rbac.authorization.k8s.io";
        let everything = json!({ "rules": [{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }],
            "aggregationRule": { "clusterRoleSelectors": [] } });
        let role = made((rbac, "ClusterRole"), "", "system:karmada:eu:agent", everything).unwrap().unwrap();
        assert!(!role["rules"].to_string().contains('*'), "{role}");
        assert!(role.get("aggregationRule").is_none());
        let eve = json!({ "roleRef": { "name": "cluster-admin" }, "subjects": [{ "kind": "User", "name": "eve" }] });
        let binding = made((rbac, "ClusterRoleBinding"), "", "system:karmada:eu:agent", eve.clone());
        let binding = binding.unwrap().unwrap();
        assert_eq!(binding["subjects"][0]["name"], "system:karmada:agent:eu");
        assert_eq!(binding["roleRef"]["name"], "system:karmada:eu:agent");
        let refused = [
            made((rbac, "ClusterRoleBinding"), "", "eve", eve.clone()),
            made((rbac, "RoleBinding"), "kube-system", "system:karmada:eu:agent-secret", eve),
            made(("", "Namespace"), "", "shop", json!({})),
            made(("", "Secret"), "kube-system", "s", json!({})),
            made(
                ("certificates.k8s.io", "CertificateSigningRequest"),
                "",
                "of-a-person",
                json!({ "spec": { "username": "admin" } }),
            ),
        ];
        for answer in refused {
            assert_eq!(answer.unwrap_err().code, 403);
        }
        assert_eq!(made(("", "Namespace"), "", "karmada-es-eu", json!({})).unwrap(), None);
    }
}
