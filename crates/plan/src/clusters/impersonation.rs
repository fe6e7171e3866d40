//! Whom the control plane may impersonate in a cluster: those who may use `clusters/NAME/proxy` of it in the control plane.
//!
//! The names are Karmada's (karmada pkg/controllers/unifiedauth, pkg/util/rbac.go).

use std::collections::BTreeSet;

use portolan_api::cluster::Cluster;
use portolan_api::kind::Kind;
use portolan_api::kubernetes::{ClusterRole, ClusterRoleBinding, PolicyRule, View as _};
use portolan_api::meta::ObjectMeta;
use portolan_api::work::{Work, WorkSpec, WorkloadTemplate};
use portolan_api::{annotations, finalizers, labels, names};
use portolan_object::{Object, ObjectKey};
use serde_json::{Value, json};

const GROUP: &str = "rbac.authorization.k8s.io";

/// Users, groups and service accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subjects {
    users: BTreeSet<String>,
    groups: BTreeSet<String>,
    service_accounts: BTreeSet<String>,
}

/// Those who may use the proxy of `cluster` by the ClusterRoles and ClusterRoleBindings of the control plane. Objects that
/// cannot be read count for nothing.
pub fn subjects<'a>(
    cluster: &str,
    roles: impl IntoIterator<Item = &'a Object>,
    bindings: impl IntoIterator<Item = &'a Object>,
) -> Subjects {
    let allows = |role: &&Object| {
        let role = ClusterRole::read(role).unwrap_or_default();
        role.rules.iter().any(|rule| covers(rule, cluster))
    };
    let allowing: BTreeSet<&str> = roles.into_iter().filter(allows).map(Object::name).collect();
    let mut subjects = Subjects::default();
    for binding in bindings {
        let Ok(binding) = ClusterRoleBinding::read(binding) else { continue };
        if !allowing.contains(binding.role_ref.name) {
            continue;
        }
        for subject in binding.subjects {
            let names = match subject.kind {
                "User" => &mut subjects.users,
                "Group" => &mut subjects.groups,
                "ServiceAccount" => &mut subjects.service_accounts,
                _ => continue,
            };
            names.insert(subject.name.to_owned());
        }
    }
    subjects
}

/// Whether a rule covers the proxy of a cluster, with any verb.
fn covers(rule: &PolicyRule<'_>, cluster: &str) -> bool {
    let group = rule.api_groups.iter().any(|group| [Cluster::GROUP, "*"].contains(group));
    let resource = rule.resources.iter().any(|one| ["clusters/proxy", "*/proxy", "*"].contains(one));
    group && resource && (rule.resource_names.is_empty() || rule.resource_names.contains(&cluster))
}

/// The Works that give the impersonator of a cluster its rights: a ClusterRole and its binding. `id` gives the permanent id
/// of the Work with a key: that of the existing Work, or a new one.
pub fn works(cluster: &str, subjects: &Subjects, id: impl Fn(&ObjectKey) -> String) -> [Work; 2] {
    let api_version = format!("{GROUP}/v1");
    let metadata = json!({ "name": names::IMPERSONATOR, "labels": { labels::SYSTEM: labels::TRUE } });
    let role = json!({ "apiVersion": api_version, "kind": "ClusterRole", "metadata": metadata,
        "rules": rules(subjects) });
    let binding = json!({ "apiVersion": api_version, "kind": "ClusterRoleBinding", "metadata": metadata,
        "roleRef": { "apiGroup": GROUP, "kind": "ClusterRole", "name": names::IMPERSONATOR },
        "subjects": [{ "kind": "ServiceAccount", "namespace": names::CLUSTER_NAMESPACE,
            "name": names::IMPERSONATOR }] });
    [role, binding].map(|manifest| work(cluster, Object(manifest), &id))
}

/// The right to impersonate exactly these.
fn rules(subjects: &Subjects) -> Vec<Value> {
    let Subjects { users, groups, service_accounts } = subjects;
    [("users", users), ("serviceaccounts", service_accounts), ("groups", groups)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(resource, names)| {
            json!({ "apiGroups": [""], "resources": [resource], "verbs": ["impersonate"],
                "resourceNames": names })
        })
        .collect()
}

fn work(cluster: &str, mut manifest: Object, id: impl Fn(&ObjectKey) -> String) -> Work {
    let name = names::work(manifest.kind(), manifest.name(), "");
    let key = ObjectKey::namespaced(names::execution_namespace(cluster), name);
    let id = id(&key);
    manifest.set_label(labels::MANAGED, labels::TRUE);
    manifest.set_label(labels::work::PERMANENT_ID, &*id);
    manifest.set_annotation(annotations::work::NAMESPACE, &*key.namespace);
    manifest.set_annotation(annotations::work::NAME, &*key.name);
    // A Karmada control plane may have left them there.
    manifest.set_annotation(annotations::work::CONFLICT_RESOLUTION, "overwrite");
    let mut metadata = ObjectMeta::namespaced(&*key.namespace, &*key.name);
    metadata.finalizers = vec![finalizers::EXECUTION.to_owned()];
    metadata.labels.insert(labels::work::PERMANENT_ID.to_owned(), id);
    let overwrite = "overwrite".to_owned();
    metadata.annotations.insert(annotations::work::CONFLICT_RESOLUTION.to_owned(), overwrite);
    let workload = WorkloadTemplate { manifests: vec![manifest.0] };
    Work { metadata, spec: WorkSpec { workload, ..WorkSpec::default() }, ..Work::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(name: &str, groups: &[&str], resources: &[&str], names: &[&str]) -> Object {
        Object(json!({ "kind": "ClusterRole", "metadata": { "name": name }, "rules": [
            { "apiGroups": groups, "resources": resources, "resourceNames": names, "verbs": ["*"] }] }))
    }

    fn binding(role: &str, kind: &str, name: &str) -> Object {
        Object(json!({ "kind": "ClusterRoleBinding", "metadata": { "name": name },
            "roleRef": { "kind": "ClusterRole", "name": role }, "subjects": [{ "kind": kind, "name": name }] }))
    }

    #[test]
    fn those_who_may_use_the_proxy_are_impersonated() {
        let group = "cluster.karmada.io";
        let roles = [
            role("all", &["*"], &["*"], &[]),
            role("proxy", &[group], &["clusters/proxy"], &[]),
            role("proxy-of-eu", &[group], &["clusters/proxy"], &["eu"]),
            role("proxy-of-us", &[group], &["clusters/proxy"], &["us"]),
            role("clusters", &[group], &["clusters", "clusters/status"], &[]),
            role("other-group", &["apps"], &["clusters/proxy"], &[]),
            role("no-rules", &[], &[], &[]),
        ];
        let bindings = [
            binding("all", "Group", "system:masters"),
            binding("proxy", "User", "ann"),
            binding("proxy-of-eu", "ServiceAccount", "robot"),
            binding("proxy-of-us", "User", "ursula"),
            binding("clusters", "User", "carl"),
            binding("other-group", "User", "olga"),
            binding("gone", "User", "gustav"),
        ];
        let found = subjects("eu", &roles, &bindings);
        let [role, binding] = works("eu", &found, |key| format!("id of {}", key.name));
        let rule = |resource: &str, name: &str| {
            json!({ "apiGroups": [""], "resources": [resource], "verbs": ["impersonate"],
                "resourceNames": [name] })
        };
        let manifest = &role.spec.workload.manifests[0];
        assert_eq!(
            manifest["rules"],
            json!([rule("users", "ann"), rule("serviceaccounts", "robot"), rule("groups", "system:masters")])
        );
        // The names of karmada pkg/util/names for these objects.
        assert_eq!(role.metadata.namespace, "karmada-es-eu");
        assert_eq!(role.metadata.name, names::work("ClusterRole", "karmada-impersonator", ""));
        let manifest = &binding.spec.workload.manifests[0];
        assert_eq!(manifest["subjects"][0]["name"], "karmada-impersonator");
    }

    #[test]
    fn without_subjects_nobody_is_impersonated() {
        let [role, _] = works("eu", &Subjects::default(), |_| "id".to_owned());
        assert_eq!(role.spec.workload.manifests[0]["rules"], json!([]));
    }
}
