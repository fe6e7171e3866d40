//! An object that is being deleted in a member: what keeps it there.

use portolan_api::kubernetes::conditions;
use portolan_api::resources;
use portolan_object::Object;

use super::policy::CONTROL_PLANE_CURE;
use super::step::{Hop, Step};

pub(super) fn being_deleted(cluster: &str, object: &Object) -> Step {
    let finalizers: Vec<&str> = object.finalizers().collect();
    if !finalizers.is_empty() {
        let text =
            format!("is being deleted in the member, and kept by its finalizers {}", finalizers.join(", "));
        let cure = format!("remove the finalizers in {cluster}; the control plane creates it again");
        return Step::broken(Hop::Member, text, cure);
    }
    let left = left_in_namespace(object);
    if !left.is_empty() {
        let text = format!("is being deleted in the member: {}", left.join("; "));
        let cure = format!(
            "remove what is left in namespace {} of {cluster}; the control plane creates it again",
            object.name()
        );
        return Step::broken(Hop::Member, text, cure);
    }
    let text = "is being deleted in the member, and is created again when it is gone";
    Step::waiting(Hop::Member, text, CONTROL_PLANE_CURE)
}

/// What keeps a namespace, by its conditions (core/v1 `NamespaceConditionType`).
fn left_in_namespace(object: &Object) -> Vec<String> {
    if !resources::NAMESPACE.is_kind_of(object) {
        return Vec::new();
    }
    conditions(object)
        .filter(|condition| condition.is_true())
        .map(|condition| condition.message.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::explain::Verdict;

    #[test]
    fn what_keeps_an_object_is_told() {
        let object = |kind: &str, finalizers: serde_json::Value, status: serde_json::Value| {
            Object(json!({ "apiVersion": "v1", "kind": kind, "status": status, "metadata": { "name": "shop",
                "deletionTimestamp": "2026-01-02T00:00:00Z", "finalizers": finalizers } }))
        };
        let kept = being_deleted("eu", &object("ConfigMap", json!(["hold"]), json!({})));
        assert_eq!((kept.verdict, kept.text.contains("its finalizers hold")), (Verdict::Broken, true));
        let ending = being_deleted("eu", &object("Pod", json!([]), json!({})));
        assert_eq!(ending.verdict, Verdict::Waiting, "its grace period runs");
        let status = json!({ "conditions": [
            { "type": "NamespaceDeletionContentFailure", "status": "False", "reason": "R", "message": "all went well",
                "lastTransitionTime": "2026-01-02T00:00:00Z" },
            { "type": "NamespaceFinalizersRemaining", "status": "True", "reason": "R", "message": "hold in 1 resource instances",
                "lastTransitionTime": "2026-01-02T00:00:00Z" }] });
        let namespace = being_deleted("eu", &object("Namespace", json!([]), status));
        assert_eq!(namespace.text, "is being deleted in the member: hold in 1 resource instances");
        assert_eq!(namespace.verdict, Verdict::Broken);
    }
}
