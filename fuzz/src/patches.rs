//! Patches of stored objects, and the field ownership that they keep.

use portolan_object::apply::FieldSet;
use portolan_object::patch::{json_patch as apply_json_patch, strategic};
use portolan_object::{GroupVersionKind, builtin};
use serde_json::{Value, json};

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": "web", "namespace": "default", "finalizers": ["a/b"], "labels": { "app": "web" } },
        "spec": {
            "replicas": 2,
            "template": { "spec": { "containers": [
                { "name": "web", "image": "nginx", "ports": [{ "containerPort": 80, "protocol": "TCP" }] },
                { "name": "log", "image": "busybox", "args": ["-f"] },
            ] } },
        },
    })
}

/// `application/json-patch+json`.
pub(crate) fn json_patch(data: &[u8]) {
    let Ok(operations) = serde_json::from_slice::<Value>(data) else { return };
    let _ = apply_json_patch(&deployment(), &operations);
}

/// `application/strategic-merge-patch+json`.
pub(crate) fn strategic_merge_patch(data: &[u8]) {
    let Ok(patch) = serde_json::from_slice::<Value>(data) else { return };
    let kind = GroupVersionKind::new("apps", "v1", "Deployment");
    let schema = builtin::schema(&kind).expect("apps/v1 Deployment is built in");
    let _ = strategic::merge(&deployment(), &patch, schema);
}

/// `metadata.managedFields[].fieldsV1`.
pub(crate) fn managed_fields(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    let Ok(set) = FieldSet::parse(&value) else { return };
    let mut doubled = set.clone();
    doubled.union(&set);
    assert_eq!(doubled, set, "a set joined with itself is the same set");
    assert_eq!(FieldSet::parse(&set.clone().into_value()), Ok(set), "what is printed parses to the same set");
}
