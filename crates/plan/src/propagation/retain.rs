//! What survives in a member when a manifest is applied over the object that is already there.
//!
//! The member's own controllers write some fields of a propagated object (an allocated address, a bound volume);
//! sending the manifest without them would take them away again (karmada: pkg/resourceinterpreter/default/native/retain.go).

use std::collections::BTreeSet;

use portolan_api::{annotations, labels};
use portolan_object::Object;
use serde_json::{Map, Value};

/// Carries over what belongs to the member: `desired` is changed to the object to send.
pub fn retain(desired: &mut Object, observed: &Object) {
    retain_metadata(desired, observed);
    let kind = desired.group_version_kind();
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("apps", "Deployment") if keeps_replicas(desired) => copy(desired, observed, &["spec", "replicas"]),
        ("", "Pod") => retain_pod(desired, observed),
        ("", "Service") => retain_service(desired, observed),
        ("", "ServiceAccount") => {
            merge_references(desired, observed, "secrets");
            merge_references(desired, observed, "imagePullSecrets");
        }
        ("", "PersistentVolumeClaim") => copy(desired, observed, &["spec", "volumeName"]),
        ("", "PersistentVolume") => copy(desired, observed, &["spec", "claimRef"]),
        ("batch", "Job") => {
            copy(desired, observed, &["spec", "selector", "matchLabels"]);
            copy(desired, observed, &["spec", "template", "metadata", "labels"]);
        }
        ("", "Secret") if desired.str_at(&["type"]) == "kubernetes.io/service-account-token" => {
            copy(desired, observed, &["data"]);
        }
        _ => {}
    }
}

/// Labels and annotations of the member stay, except those that an earlier manifest set and this one dropped.
fn retain_metadata(desired: &mut Object, observed: &Object) {
    for field in ["resourceVersion", "finalizers", "ownerReferences"] {
        copy(desired, observed, &["metadata", field]);
    }
    let sets = [
        ("labels", annotations::template::MANAGED_LABELS),
        ("annotations", annotations::template::MANAGED_ANNOTATIONS),
    ];
    for (field, recorded) in sets {
        let ours: BTreeSet<&str> = observed.annotation(recorded).unwrap_or_default().split(',').collect();
        let theirs = observed.at(&["metadata", field]).and_then(Value::as_object).into_iter().flatten();
        let kept: Vec<(String, Value)> = theirs
            .filter(|(key, _)| !ours.contains(key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if kept.is_empty() {
            continue;
        }
        let target = desired.metadata_mut().entry(field).or_insert_with(|| Value::Object(Map::new()));
        if let Some(target) = target.as_object_mut() {
            for (key, value) in kept {
                target.entry(key).or_insert(value);
            }
        }
    }
}

fn keeps_replicas(desired: &Object) -> bool {
    desired.label(labels::template::RETAIN_REPLICAS) == Some("true")
}

fn retain_pod(desired: &mut Object, observed: &Object) {
    for field in ["nodeName", "serviceAccountName", "volumes"] {
        copy(desired, observed, &["spec", field]);
    }
    for list in ["containers", "initContainers"] {
        let theirs = observed.at(&["spec", list]).and_then(Value::as_array).cloned().unwrap_or_default();
        let ours =
            desired.0.get_mut("spec").and_then(|spec| spec.get_mut(list)).and_then(Value::as_array_mut);
        for container in ours.into_iter().flatten() {
            let same = theirs.iter().find(|other| other["name"] == container["name"]);
            if let Some(mounts) = same.and_then(|other| other.get("volumeMounts")) {
                container["volumeMounts"] = mounts.clone();
            }
        }
    }
}

/// The member's address always wins: it cannot change, and it is unique only there.
fn retain_service(desired: &mut Object, observed: &Object) {
    for field in ["clusterIP", "clusterIPs"] {
        if observed.at(&["spec", field]).is_some_and(|value| !is_empty(value)) {
            copy(desired, observed, &["spec", field]);
        }
    }
    if observed.at(&["spec", "healthCheckNodePort"]).and_then(Value::as_i64).is_some_and(|port| port > 0) {
        copy(desired, observed, &["spec", "healthCheckNodePort"]);
    }
}

fn merge_references(desired: &mut Object, observed: &Object, field: &str) {
    let theirs = observed.at(&[field]).and_then(Value::as_array).cloned().unwrap_or_default();
    if theirs.is_empty() {
        return;
    }
    let Some(root) = desired.0.as_object_mut() else { return };
    let ours = root.entry(field).or_insert_with(|| Value::Array(Vec::new()));
    if let Some(ours) = ours.as_array_mut() {
        ours.extend(theirs.into_iter().filter(|reference| !ours.contains(reference)).collect::<Vec<_>>());
    }
}

/// Copies the value at `path`, making the maps on the way; nothing happens when the member has none.
fn copy(desired: &mut Object, observed: &Object, path: &[&str]) {
    let Some(value) = observed.at(path) else { return };
    let Some((last, parents)) = path.split_last() else { return };
    let mut target = &mut desired.0;
    for name in parents {
        let Some(map) = target.as_object_mut() else { return };
        target = map.entry(*name).or_insert_with(|| Value::Object(Map::new()));
    }
    if let Some(map) = target.as_object_mut() {
        map.insert((*last).to_owned(), value.clone());
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn retains() {
        let cases = [
            (
                "a service keeps the member's address",
                json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": []}}),
                json!({"metadata": {"resourceVersion": "7"}, "spec": {"clusterIP": "10.1.0.9", "clusterIPs": ["10.1.0.9"]}}),
                json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "resourceVersion": "7"},
                       "spec": {"ports": [], "clusterIP": "10.1.0.9", "clusterIPs": ["10.1.0.9"]}}),
            ),
            (
                "labels of the member stay, dropped ones go",
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "labels": {"a": "new"}}}),
                json!({"metadata": {"labels": {"a": "old", "b": "ours", "c": "theirs"},
                       "annotations": {"resourcetemplate.karmada.io/managed-labels": "a,b",
                                       "resourcetemplate.karmada.io/managed-annotations":
                                       "resourcetemplate.karmada.io/managed-annotations,resourcetemplate.karmada.io/managed-labels"}}}),
                json!({"apiVersion": "v1", "kind": "ConfigMap",
                       "metadata": {"name": "c", "labels": {"a": "new", "c": "theirs"}}}),
            ),
            (
                "replicas only when asked",
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 2},
                       "metadata": {"labels": {"resourcetemplate.karmada.io/retain-replicas": "true"}}}),
                json!({"spec": {"replicas": 5}}),
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 5},
                       "metadata": {"labels": {"resourcetemplate.karmada.io/retain-replicas": "true"}}}),
            ),
            (
                "a claim keeps its volume",
                json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "p"}}),
                json!({"spec": {"volumeName": "pv-1"}}),
                json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "p"},
                       "spec": {"volumeName": "pv-1"}}),
            ),
            (
                "a pod keeps where it runs and what is mounted",
                json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {"containers": [{"name": "a"}, {"name": "b"}]}}),
                json!({"spec": {"nodeName": "n", "volumes": [{"name": "token"}],
                                "containers": [{"name": "a", "volumeMounts": [{"name": "token"}]}]}}),
                json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {"nodeName": "n",
                       "volumes": [{"name": "token"}],
                       "containers": [{"name": "a", "volumeMounts": [{"name": "token"}]}, {"name": "b"}]}}),
            ),
            (
                "a service account keeps its secrets",
                json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {}, "secrets": [{"name": "mine"}]}),
                json!({"secrets": [{"name": "mine"}, {"name": "generated"}]}),
                json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {},
                       "secrets": [{"name": "mine"}, {"name": "generated"}]}),
            ),
        ];
        for (name, desired, observed, want) in cases {
            let mut object = Object(desired);
            retain(&mut object, &Object(observed));
            assert_eq!(object.0, want, "{name}");
        }
    }
}
