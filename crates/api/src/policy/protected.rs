//! What override policies cannot change: the identity of an object, the metadata that API servers and garbage collectors
//! act on, and the labels and annotations by which Portolan recognizes its own objects.
//!
//! Admission refuses policies that name one of these; `plan` compares the result with the template, because a path alone
//! does not tell what a patch changes.

use crate::{annotations, labels};

/// Fields outside `metadata` that cannot change.
pub const PROTECTED_FIELDS: &[&str] = &["apiVersion", "kind"];

/// Fields of `metadata` that cannot change. Templates reach members without the ones that an API server writes.
pub const PROTECTED_METADATA: &[&str] = &[
    "name",
    "namespace",
    "generateName",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "managedFields",
    "ownerReferences",
    "finalizers",
];

/// Prefix of all labels and annotations of Portolan.
const OWN_PREFIX: &str = "portolan.dev/";

/// Labels that Portolan writes and reads.
const RESERVED_LABELS: &[&str] = &[
    labels::MANAGED,
    labels::SYSTEM,
    labels::work::PERMANENT_ID,
    labels::binding::PERMANENT_ID,
    labels::binding::MANAGED_BY,
    labels::cluster_binding::PERMANENT_ID,
    labels::propagation_policy::PERMANENT_ID,
    labels::cluster_propagation_policy::PERMANENT_ID,
    labels::template::CLAIMED_BY,
    labels::multi_cluster_service::PERMANENT_ID,
    labels::endpoint_slice::MANAGED_BY,
    labels::endpoint_slice::IMPORT_NAME,
    labels::endpoint_slice::SOURCE_CLUSTER,
];

/// Annotations by which an object in a member is known as propagated: from which Work, binding and template it comes.
pub const PROPAGATION_ANNOTATIONS: &[&str] = &[
    annotations::work::NAMESPACE,
    annotations::work::NAME,
    annotations::work::CONFLICT_RESOLUTION,
    annotations::binding::NAMESPACE,
    annotations::binding::NAME,
    annotations::cluster_binding::NAME,
    annotations::template::UID,
    annotations::template::GENERATION,
    annotations::template::MANAGED_LABELS,
    annotations::template::MANAGED_ANNOTATIONS,
];

/// Further annotations that Portolan writes and reads.
const RESERVED_ANNOTATIONS: &[&str] = &[
    annotations::propagation_policy::NAMESPACE,
    annotations::propagation_policy::NAME,
    annotations::cluster_propagation_policy::NAME,
    annotations::service_import::DERIVED_SERVICE,
];

/// Whether a label cannot be added or changed.
pub fn is_reserved_label(key: &str) -> bool {
    key.starts_with(OWN_PREFIX) || RESERVED_LABELS.contains(&key)
}

/// Whether an annotation cannot be added or changed.
pub fn is_reserved_annotation(key: &str) -> bool {
    key.starts_with(OWN_PREFIX)
        || PROPAGATION_ANNOTATIONS.contains(&key)
        || RESERVED_ANNOTATIONS.contains(&key)
}

/// Whether a change at a JSON pointer can only be a change of something protected. `metadata` as a whole and the whole
/// object count: they contain the identity.
pub fn is_protected_path(pointer: &str) -> bool {
    let tokens: Vec<String> =
        pointer.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~")).collect();
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    match tokens.as_slice() {
        [] | ["metadata"] => true,
        ["metadata", "labels", key, ..] => is_reserved_label(key),
        ["metadata", "annotations", key, ..] => is_reserved_annotation(key),
        ["metadata", field, ..] => PROTECTED_METADATA.contains(field),
        [field, ..] => PROTECTED_FIELDS.contains(field),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protected_paths() {
        let cases = [
            ("", true),
            ("/apiVersion", true),
            ("/kind", true),
            ("/kind/x", true),
            ("/metadata", true),
            ("/metadata/name", true),
            ("/metadata/namespace", true),
            ("/metadata/ownerReferences/0/uid", true),
            ("/metadata/finalizers/-", true),
            ("/metadata/labels/karmada.io~1managed", true),
            ("/metadata/labels/portolan.dev~1clusterset", true),
            ("/metadata/annotations/work.karmada.io~1name", true),
            ("/metadata/labels", false),
            ("/metadata/labels/app", false),
            ("/metadata/annotations/note", false),
            ("/spec/metadata/name", false),
            ("/spec/kind", false),
            ("/data/kind", false),
            ("/metadata~1name", false),
        ];
        for (pointer, want) in cases {
            assert_eq!(is_protected_path(pointer), want, "{pointer:?}");
        }
    }
}
