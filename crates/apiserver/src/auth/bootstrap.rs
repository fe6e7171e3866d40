//! Default roles and bindings, and their reconciliation.
//!
//! At start the server adds missing rules and subjects, removes retired subjects, and keeps additional ones. Objects with the annotation
//! `rbac.authorization.kubernetes.io/autoupdate: "false"` are not changed.

mod roles;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::rule::Rule;
use super::user::{AUTHENTICATED, MASTERS, NODES, SERVICE_ACCOUNTS, UNAUTHENTICATED};
use crate::tree;

const API_VERSION: &str = "rbac.authorization.k8s.io/v1";
const GROUP: &str = "rbac.authorization.k8s.io";
const AUTO_UPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";

/// The default cluster roles.
pub fn cluster_roles() -> Vec<Value> {
    roles::ROLES.iter().map(roles::Role::to_value).collect()
}

/// Subjects that an older version of this server bound and that are removed again, by the name of the binding.
const RETIRED: [(&str, &str, &str); 1] = [("system:node", "Group", NODES)];

/// The default cluster role bindings.
///
/// `system:node` has no subjects, as upstream since 1.8. There is no node authorizer that restricts a node to the
/// objects of its pods, so the group of nodes has no rights at all.
pub fn cluster_role_bindings() -> Vec<Value> {
    let bindings: [(&str, &[(&str, &str)]); 10] = [
        ("cluster-admin", &[("Group", MASTERS)]),
        ("system:monitoring", &[("Group", "system:monitoring")]),
        ("system:discovery", &[("Group", AUTHENTICATED)]),
        ("system:basic-user", &[("Group", AUTHENTICATED)]),
        ("system:public-info-viewer", &[("Group", AUTHENTICATED), ("Group", UNAUTHENTICATED)]),
        ("system:node", &[]),
        ("system:node-proxier", &[("User", "system:kube-proxy")]),
        ("system:kube-controller-manager", &[("User", "system:kube-controller-manager")]),
        ("system:kube-scheduler", &[("User", "system:kube-scheduler")]),
        ("system:service-account-issuer-discovery", &[("Group", SERVICE_ACCOUNTS)]),
    ];
    bindings.into_iter().map(|(role, subjects)| binding(role, subjects)).collect()
}

fn binding(role: &str, subjects: &[(&str, &str)]) -> Value {
    let subject = |(kind, name): &(&str, &str)| json!({ "apiGroup": GROUP, "kind": kind, "name": name });
    let mut binding = json!({
        "apiVersion": API_VERSION,
        "kind": "ClusterRoleBinding",
        "metadata": metadata(role, Map::new()),
        "roleRef": { "apiGroup": GROUP, "kind": "ClusterRole", "name": role },
    });
    if !subjects.is_empty() {
        binding["subjects"] = subjects.iter().map(subject).collect();
    }
    binding
}

fn metadata(name: &str, mut labels: Map<String, Value>) -> Value {
    labels.insert("kubernetes.io/bootstrapping".to_owned(), json!("rbac-defaults"));
    json!({ "name": name, "labels": labels, "annotations": { AUTO_UPDATE: "true" } })
}

/// `existing` with the missing rules or subjects of `wanted` and without retired ones; `None` when it stays as it is.
///
/// Reconciling the result writes nothing.
pub fn reconcile(existing: Option<&Value>, wanted: &Value) -> Option<Value> {
    let Some(existing) = existing else {
        return Some(wanted.clone());
    };
    let key = AUTO_UPDATE.replace('/', "~1");
    if tree::str_at(existing, &format!("/metadata/annotations/{key}")) == "false" {
        return None;
    }
    let mut merged = existing.clone();
    for part in ["labels", "annotations"] {
        complete(&mut merged["metadata"], wanted.pointer("/metadata"), part);
    }
    if tree::str_at(wanted, "/kind") == "ClusterRole" {
        complete_rules(&mut merged, wanted);
    } else {
        complete_subjects(&mut merged, wanted);
        remove_retired(&mut merged);
    }
    (merged != *existing).then_some(merged)
}

/// Adds missing entries to a map; existing ones keep their value.
fn complete(metadata: &mut Value, wanted: Option<&Value>, part: &str) {
    let Some(wanted) = wanted.and_then(|wanted| wanted.get(part)).and_then(Value::as_object) else {
        return;
    };
    if !metadata[part].is_object() {
        metadata[part] = json!({});
    }
    for (key, value) in wanted {
        if metadata[part].get(key).is_none() {
            metadata[part][key] = value.clone();
        }
    }
}

fn complete_rules(merged: &mut Value, wanted: &Value) {
    let aggregation = wanted.get("aggregationRule");
    if let Some(aggregation) = aggregation {
        if merged.get("aggregationRule") != Some(aggregation) {
            merged["aggregationRule"] = aggregation.clone();
        }
        // The rules of an aggregated role come from other roles.
        return;
    }
    let held = Rule::list(merged, "/rules");
    let pieces = Rule::list(wanted, "/rules").into_iter().filter(|rule| {
        let mut pieces = rule.pieces().into_iter();
        !pieces.all(|piece| held.iter().any(|own| own.covers(&piece)))
    });
    let missing: Vec<Value> = pieces.map(|rule| json!(rule)).collect();
    if missing.is_empty() {
        return;
    }
    match merged.get_mut("rules").and_then(Value::as_array_mut) {
        Some(rules) => rules.extend(missing),
        None => merged["rules"] = json!(missing),
    }
}

fn remove_retired(binding: &mut Value) {
    let name = tree::str_at(binding, "/metadata/name").to_owned();
    let is_retired = |subject: &Value| {
        let [kind, subject] = ["/kind", "/name"].map(|field| tree::str_at(subject, field));
        RETIRED.contains(&(name.as_str(), kind, subject))
    };
    let Some(subjects) = binding.get_mut("subjects").and_then(Value::as_array_mut) else { return };
    subjects.retain(|subject| !is_retired(subject));
    if subjects.is_empty()
        && let Some(binding) = binding.as_object_mut()
    {
        binding.remove("subjects");
    }
}

fn complete_subjects(merged: &mut Value, wanted: &Value) {
    let identity = |subject: &Value| {
        ["/kind", "/namespace", "/name"].map(|field| tree::str_at(subject, field).to_owned())
    };
    let held: BTreeSet<[String; 3]> = tree::list(merged, "/subjects").iter().map(identity).collect();
    let wanted = tree::list(wanted, "/subjects").iter();
    let missing: Vec<Value> = wanted.filter(|subject| !held.contains(&identity(subject))).cloned().collect();
    if missing.is_empty() {
        return;
    }
    match merged.get_mut("subjects").and_then(Value::as_array_mut) {
        Some(subjects) => subjects.extend(missing),
        None => merged["subjects"] = json!(missing),
    }
}
