//! What a namespace that is being deleted waits for. Until it is gone it takes no new objects, so that joining waits for it.
//!
//! The namespace controller says it in conditions (kubernetes
//! pkg/controller/namespace/deletion/status_condition_utils.go).

use portolan_api::kubernetes::condition;
use portolan_object::Object;

use crate::kubernetes::namespace::FINALIZER;

/// The conditions that name a cause when they are true, the most telling one first.
const CAUSES: [&str; 5] = [
    "NamespaceFinalizersRemaining",
    "NamespaceContentRemaining",
    "NamespaceDeletionContentFailure",
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionGroupVersionParsingFailure",
];

/// Why a namespace that is being deleted still exists, in one line; `None` if it is not being deleted.
pub fn waits_for(namespace: &Object) -> Option<String> {
    if !namespace.is_deleting() {
        return None;
    }
    let own: Vec<&str> = namespace.finalizers().collect();
    let of_itself = (!own.is_empty()).then(|| format!("it has the finalizers {} itself", own.join(", ")));
    let found = CAUSES.iter().filter_map(|kind| condition(namespace, kind));
    let named = found.filter(|cause| cause.is_true()).map(|cause| cause.message.to_owned());
    let causes: Vec<String> = named.chain(of_itself).collect();
    if !causes.is_empty() {
        return Some(causes.join("; "));
    }
    let is_untouched = namespace.at(&["status", "conditions"]).is_none();
    Some(if is_untouched && holds_content(namespace) {
        "its namespace controller (kube-controller-manager) has not said yet what is left in it".to_owned()
    } else {
        "its content is being deleted".to_owned()
    })
}

/// Whether the namespace controller has not finished with it.
fn holds_content(namespace: &Object) -> bool {
    let listed = namespace.at(&["spec", "finalizers"]).and_then(serde_json::Value::as_array);
    listed.into_iter().flatten().any(|finalizer| finalizer == FINALIZER)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn namespace(finalizers: &Value, of_spec: &Value, conditions: &Value) -> Object {
        Object(json!({ "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": "karmada-cluster", "deletionTimestamp": "2026-01-01T00:00:00Z",
                "finalizers": finalizers },
            "spec": { "finalizers": of_spec }, "status": { "conditions": conditions } }))
    }

    fn cause(kind: &str, status: &str, message: &str) -> Value {
        json!({ "type": kind, "status": status, "message": message })
    }

    #[test]
    fn a_namespace_that_stays_waits_for_nothing() {
        let present =
            Object(json!({ "metadata": { "name": "karmada-cluster", "finalizers": ["example.io/a"] } }));
        assert_eq!(waits_for(&present), None);
    }

    #[test]
    fn what_holds_a_namespace_is_named() {
        let content = cause("NamespaceContentRemaining", "True", "configmaps has 1 resource instances");
        let finalizer =
            cause("NamespaceFinalizersRemaining", "True", "example.io/hold in 1 resource instances");
        let none =
            cause("NamespaceFinalizersRemaining", "False", "All content-preserving finalizers finished");
        let failure = cause("NamespaceDeletionDiscoveryFailure", "True", "stale GroupVersion discovery");
        let cases = [
            (
                "an object with a finalizer",
                json!([]),
                json!([content, finalizer]),
                "example.io/hold in 1 resource instances; configmaps has 1 resource instances",
            ),
            (
                "an object without one",
                json!([]),
                json!([none, content]),
                "configmaps has 1 resource instances",
            ),
            (
                "an API that does not answer",
                json!([]),
                json!([failure, none]),
                "stale GroupVersion discovery",
            ),
            (
                "a finalizer of the namespace",
                json!(["example.io/a"]),
                json!([none]),
                "it has the finalizers example.io/a itself",
            ),
            ("nothing any more", json!([]), json!([none]), "its content is being deleted"),
        ];
        for (name, own, conditions, want) in cases {
            let got = waits_for(&namespace(&own, &json!(["kubernetes"]), &conditions));
            assert_eq!(got.as_deref(), Some(want), "{name}");
        }
    }

    #[test]
    fn a_namespace_without_a_controller_says_so() {
        let mut untouched = namespace(&json!([]), &json!(["kubernetes"]), &json!([]));
        untouched.0["status"] = json!({ "phase": "Terminating" });
        let text = waits_for(&untouched).expect("it is being deleted");
        assert!(text.contains("kube-controller-manager"), "{text}");
    }
}
