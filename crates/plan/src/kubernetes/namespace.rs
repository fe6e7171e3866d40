//! The objects that every namespace has, and the conditions of one that terminates (kubernetes
//! pkg/controller/namespace/deletion/namespaced_resources_deleter.go).

use std::collections::BTreeMap;

use portolan_api::kubernetes::condition;
use portolan_api::resources;
use portolan_object::{Object, ObjectKey};
use serde_json::{Value, json};

/// The entry of `spec.finalizers` that is removed once the namespace is empty.
pub const FINALIZER: &str = "kubernetes";
/// The service account of pods that name none.
pub const SERVICE_ACCOUNT: &str = "default";
/// The ConfigMap with the CA of the API server.
pub const ROOT_CA: &str = "kube-root-ca.crt";

/// Whether the namespace's content must be deleted.
pub fn is_terminating(namespace: &Object) -> bool {
    namespace.is_deleting()
}

/// The objects that every namespace must have; `ca_pem` is the certificate of the API server's CA.
pub fn content(namespace: &str, ca_pem: &str) -> [Object; 2] {
    let account =
        Object::new(&resources::SERVICE_ACCOUNT.gvk(), &ObjectKey::namespaced(namespace, SERVICE_ACCOUNT));
    let mut root_ca = Object::new(&resources::CONFIG_MAP.gvk(), &ObjectKey::namespaced(namespace, ROOT_CA));
    root_ca.set_annotation(
        "kubernetes.io/description",
        "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the \
         internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.",
    );
    root_ca.0["data"] = json!({ "ca.crt": ca_pem });
    [account, root_ca]
}

/// Whether the ConfigMap with the CA was edited, so that its data have to be written again (kubernetes
/// pkg/controller/certificates/rootcacertpublisher/publisher.go).
pub fn is_restored(found: &Object, wanted: &Object) -> bool {
    found.at(&["data"]) != wanted.at(&["data"])
}

/// The objects that are left in a terminating namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remaining {
    /// Number of objects of each resource (`configmaps`, `deployments.apps`).
    pub objects: BTreeMap<String, usize>,
    /// Number of objects that have each finalizer.
    pub finalizers: BTreeMap<String, usize>,
}

impl Remaining {
    /// Whether the namespace can be removed.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }
}

/// The conditions that say why a namespace still exists.
///
/// `failure` is the last error while deleting; `now` is RFC 3339.
pub fn conditions(namespace: &Object, remaining: &Remaining, failure: Option<&str>, now: &str) -> Value {
    let counted = |counts: &BTreeMap<String, usize>, unit: &str| {
        let parts: Vec<String> =
            counts.iter().map(|(name, count)| format!("{name} {unit} {count} resource instances")).collect();
        parts.join(", ")
    };
    let content = counted(&remaining.objects, "has");
    let finalizers = counted(&remaining.finalizers, "in");
    let rows = [
        (
            "NamespaceDeletionDiscoveryFailure",
            None,
            "ResourcesDiscovered",
            "All resources successfully discovered",
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            None,
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "NamespaceDeletionContentFailure",
            failure.map(|failure| ("ContentDeletionFailed", failure.to_owned())),
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        (
            "NamespaceContentRemaining",
            (!content.is_empty())
                .then(|| ("SomeResourcesRemain", format!("Some resources are remaining: {content}"))),
            "ContentRemoved",
            "All content successfully removed",
        ),
        (
            "NamespaceFinalizersRemaining",
            (!finalizers.is_empty()).then(|| {
                (
                    "SomeFinalizersRemain",
                    format!("Some content in the namespace has finalizers remaining: {finalizers}"),
                )
            }),
            "ContentHasNoFinalizers",
            "All content-preserving finalizers finished",
        ),
    ];
    let conditions = rows.map(|(kind, trouble, good_reason, good_message)| {
        let (status, reason, message) = match trouble {
            Some((reason, message)) => ("True", reason, message),
            None => ("False", good_reason, good_message.to_owned()),
        };
        let old = condition(namespace, kind).filter(|old| old.status == status);
        let since = old.map_or(now, |old| old.last_transition_time);
        json!({ "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since })
    });
    json!(conditions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_namespace_has_an_account_and_the_ca() {
        let [account, root_ca] = content("shop", "PEM");
        assert_eq!(
            (account.kind(), account.name(), account.namespace()),
            ("ServiceAccount", "default", "shop")
        );
        assert_eq!(root_ca.0["data"]["ca.crt"], "PEM");
        assert!(!is_restored(&root_ca, &root_ca));
        assert!(is_restored(&Object(json!({ "metadata": { "name": ROOT_CA } })), &root_ca));
    }

    #[test]
    fn conditions_say_what_is_left() {
        let namespace = Object(json!({"metadata": {"name": "shop"}}));
        let remaining = Remaining {
            objects: BTreeMap::from([("pods".to_owned(), 2)]),
            finalizers: BTreeMap::from([("example.io/hold".to_owned(), 1)]),
        };
        let conditions = conditions(&namespace, &remaining, Some("pods: forbidden"), "now");
        let message = |index: usize| conditions[index]["message"].as_str().unwrap();
        assert_eq!(message(2), "pods: forbidden");
        assert_eq!(message(3), "Some resources are remaining: pods has 2 resource instances");
        assert_eq!(
            message(4),
            "Some content in the namespace has finalizers remaining: example.io/hold in 1 resource instances"
        );
    }

    #[test]
    fn an_empty_namespace_says_so() {
        let namespace = Object(json!({"metadata": {"name": "shop"}}));
        let conditions = conditions(&namespace, &Remaining::default(), None, "now");
        assert!(conditions.as_array().unwrap().iter().all(|condition| condition["status"] == "False"));
    }
}
