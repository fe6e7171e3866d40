//! Pruning: which fields of a template must not reach a member.
//!
//! Fields that the control plane's API server filled in belong to the control plane: in a manifest they would
//! conflict with the member's. Called by `work`, never on objects read from members.

use portolan_api::annotations;
use portolan_object::Object;
use serde_json::{Map, Value};

use super::interpreter::interpreter;

/// Metadata that an API server writes.
const SERVER_METADATA: &[&str] = &[
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
    "ownerReferences",
    "finalizers",
];

/// Removes everything from a template that must not reach a member.
pub fn prune(template: &mut Object) {
    if let Some(root) = template.0.as_object_mut() {
        root.remove("status");
    }
    let metadata = template.metadata_mut();
    for field in SERVER_METADATA {
        metadata.remove(*field);
    }
    if let Some(present) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        present.remove(annotations::policy::ACTIVATION);
        present.remove(annotations::template::AUTOSCALED);
    }
    let hook = interpreter(&template.group_version_kind()).and_then(|interpreter| interpreter.prune.custom());
    if let Some(prune) = hook {
        prune(template);
    }
    drop_empty_metadata(template);
}

fn drop_empty_metadata(object: &mut Object) {
    let metadata = object.metadata_mut();
    for field in ["labels", "annotations"] {
        if metadata.get(field).and_then(Value::as_object).is_some_and(Map::is_empty) {
            metadata.remove(field);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn prunes() {
        let cases = [
            (
                "server metadata and status",
                json!({"apiVersion": "v1", "kind": "ConfigMap", "status": {"a": 1}, "data": {"k": "v"},
                       "metadata": {"name": "c", "uid": "u", "resourceVersion": "3", "generation": 2, "selfLink": "x",
                                    "managedFields": [], "finalizers": ["a/b"], "ownerReferences": [],
                                    "creationTimestamp": "t", "labels": {"app": "x"}, "annotations": {}}}),
                json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"k": "v"},
                       "metadata": {"name": "c", "labels": {"app": "x"}}}),
            ),
            (
                "a deployment's revision",
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d",
                       "annotations": {"deployment.kubernetes.io/revision": "3", "keep": "me"}}}),
                json!({"apiVersion": "apps/v1", "kind": "Deployment",
                       "metadata": {"name": "d", "annotations": {"keep": "me"}}}),
            ),
            (
                "a service's address",
                json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
                       "spec": {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "type": "ClusterIP"}}),
                json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"type": "ClusterIP"}}),
            ),
            (
                "but not that of a headless one",
                json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
                       "spec": {"clusterIP": "None", "clusterIPs": ["None"]}}),
                json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
                       "spec": {"clusterIP": "None", "clusterIPs": ["None"]}}),
            ),
            (
                "a job's generated selector",
                json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"},
                       "spec": {"ttlSecondsAfterFinished": 5,
                                "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}},
                                "template": {"metadata": {"labels": {"job-name": "j", "app": "x"}}}}}),
                json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"},
                       "spec": {"selector": {"matchLabels": {}}, "template": {"metadata": {"labels": {"app": "x"}}}}}),
            ),
            (
                "a token secret's content",
                json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
                       "data": {"token": "x"}, "metadata": {"name": "s",
                       "annotations": {"kubernetes.io/service-account.uid": "u"}}}),
                json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
                       "metadata": {"name": "s"}}),
            ),
            (
                "a service account's generated secrets",
                json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"},
                       "secrets": [{"name": "a-token-x7"}, {"name": "mine"}]}),
                json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"},
                       "secrets": [{"name": "mine"}]}),
            ),
        ];
        for (name, template, want) in cases {
            let mut object = Object(template);
            prune(&mut object);
            assert_eq!(object.0, want, "{name}");
        }
    }
}
