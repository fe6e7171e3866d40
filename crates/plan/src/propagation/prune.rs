//! What is cut from a template before it becomes a manifest for members.
//!
//! Fields that the control plane's API server filled in belong to the control plane: sent along, they would fight
//! with the member's own (karmada: pkg/resourceinterpreter/default/native/prune). Called by `work`, never on
//! objects read from members.

use portolan_object::Object;
use serde_json::{Map, Value};

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

/// Labels that the Job controller generates from the Job's uid, which differs in each cluster.
const JOB_LABELS: &[&str] =
    &["controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name"];

/// Removes everything from a template that must not reach a member.
pub fn prune(template: &mut Object) {
    if let Some(root) = template.0.as_object_mut() {
        root.remove("status");
    }
    let metadata = template.metadata_mut();
    for field in SERVER_METADATA {
        metadata.remove(*field);
    }
    let kind = template.group_version_kind();
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("apps", "Deployment") => {
            remove_annotations(
                template,
                &["deployment.kubernetes.io/revision", "deployment.kubernetes.io/revision-history"],
            );
        }
        ("batch", "Job") => prune_job(template),
        ("", "Secret") => prune_secret(template),
        ("", "ServiceAccount") => prune_service_account(template),
        ("", "Service") => prune_service(template),
        ("", "PersistentVolumeClaim") => {
            remove_annotations(template, &["volume.kubernetes.io/selected-node"])
        }
        _ => {}
    }
    drop_empty_metadata(template);
}

fn prune_job(job: &mut Object) {
    let Some(spec) = map_at(&mut job.0, &["spec"]) else { return };
    spec.remove("ttlSecondsAfterFinished");
    if spec.get("manualSelector") == Some(&Value::Bool(true)) {
        return;
    }
    for path in [&["spec", "selector", "matchLabels"][..], &["spec", "template", "metadata", "labels"]] {
        if let Some(labels) = map_at(&mut job.0, path) {
            labels.retain(|key, _| !JOB_LABELS.contains(&key.as_str()));
        }
    }
}

fn prune_secret(secret: &mut Object) {
    if secret.str_at(&["type"]) != "kubernetes.io/service-account-token" {
        return;
    }
    if let Some(root) = secret.0.as_object_mut() {
        root.remove("data");
    }
    remove_annotations(secret, &["kubernetes.io/service-account.uid"]);
}

fn prune_service_account(account: &mut Object) {
    let prefix = format!("{}-token-", account.name());
    if let Some(secrets) = account.0.get_mut("secrets").and_then(Value::as_array_mut) {
        secrets.retain(|secret| !secret["name"].as_str().is_some_and(|name| name.starts_with(&prefix)));
    }
}

/// A headless Service stays headless; any other address is the member's to allocate.
fn prune_service(service: &mut Object) {
    let Some(spec) = map_at(&mut service.0, &["spec"]) else { return };
    if spec.get("clusterIP").and_then(Value::as_str) != Some("None") {
        spec.remove("clusterIP");
        spec.remove("clusterIPs");
    }
}

fn remove_annotations(object: &mut Object, keys: &[&str]) {
    if let Some(annotations) = map_at(&mut object.0, &["metadata", "annotations"]) {
        annotations.retain(|key, _| !keys.contains(&key.as_str()));
    }
}

fn drop_empty_metadata(object: &mut Object) {
    let metadata = object.metadata_mut();
    for field in ["labels", "annotations"] {
        if metadata.get(field).and_then(Value::as_object).is_some_and(Map::is_empty) {
            metadata.remove(field);
        }
    }
}

fn map_at<'a>(value: &'a mut Value, path: &[&str]) -> Option<&'a mut Map<String, Value>> {
    path.iter().try_fold(value, |value, name| value.get_mut(name))?.as_object_mut()
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
