//! Templates of pods, and the ReplicaSet of a template.

use portolan_api::names;
use portolan_object::Object;
use serde_json::{Value, json};

use super::super::pods::{self, controller_reference};

/// The label that tells the pods of one template from those of another.
pub const TEMPLATE_HASH: &str = "pod-template-hash";
/// Longest name of an object.
const MAX_NAME: usize = 253;

/// Whether the templates of two workloads are equal but for [`TEMPLATE_HASH`].
pub(super) fn equals(one: &Object, other: &Object) -> bool {
    comparable(one) == comparable(other)
}

fn comparable(owner: &Object) -> Value {
    let mut template = pods::template(owner);
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(TEMPLATE_HASH);
    }
    if let Some(metadata) = template.get_mut("metadata").and_then(Value::as_object_mut) {
        // Written as null by typed clients.
        metadata.retain(|_, value| !value.is_null());
    }
    template
}

/// The hash of the template; equal templates have equal hashes on every machine.
fn hash(deployment: &Object) -> String {
    let mut text = pods::template(deployment).to_string();
    if let Some(count) = deployment.at(&["status", "collisionCount"]).and_then(Value::as_i64) {
        text.push_str(&count.to_string());
    }
    names::short_hash(&text)
}

/// The ReplicaSet of the present template, with no pods and no annotations yet.
pub(super) fn new_set(deployment: &Object, min_ready_seconds: i64) -> Object {
    let hash = hash(deployment);
    let mut template = pods::template(deployment);
    template["metadata"]["labels"][TEMPLATE_HASH] = json!(hash);
    let mut selector = deployment.at(&["spec", "selector"]).cloned().unwrap_or_default();
    selector["matchLabels"][TEMPLATE_HASH] = json!(hash);
    let prefix: String = deployment.name().chars().take(MAX_NAME - 1 - hash.len()).collect();
    let mut set = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{prefix}-{hash}"), "namespace": deployment.namespace(),
            "labels": template["metadata"]["labels"],
            "ownerReferences": [controller_reference(deployment)],
        },
        "spec": { "replicas": 0, "selector": selector, "template": template },
    });
    if min_ready_seconds > 0 {
        set["spec"]["minReadySeconds"] = json!(min_ready_seconds);
    }
    Object(set)
}
