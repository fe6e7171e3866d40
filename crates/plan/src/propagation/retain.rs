//! Retaining: which fields survive in a member when a manifest is applied over an existing object.
//!
//! The member's own controllers write some fields of a propagated object, such as an allocated address or a bound
//! volume. A manifest without them would remove them.

use std::collections::BTreeSet;

use portolan_api::annotations;
use portolan_object::Object;
use serde_json::{Map, Value};

use super::fields::copy;
use super::interpreter::interpreter;

/// Carries over the member's fields by the built-in rules: `desired` becomes the object to send.
pub fn retain(desired: &mut Object, observed: &Object) {
    retain_metadata(desired, observed);
    retain_fields(desired, observed);
}

/// Carries over the fields that the member owns in objects of this kind.
pub fn retain_fields(desired: &mut Object, observed: &Object) {
    let hook = interpreter(&desired.group_version_kind()).and_then(|interpreter| interpreter.retain.custom());
    if let Some(retain) = hook {
        retain(desired, observed);
    }
}

/// Carries over metadata, for every kind. Labels and annotations of the member stay, except those that an earlier manifest set and this one dropped.
pub fn retain_metadata(desired: &mut Object, observed: &Object) {
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
