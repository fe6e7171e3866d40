//! What the caches of one member keep of Services and Namespaces.

use portolan_object::Object;
use portolan_runtime::cache::drop_managed_fields;

/// Drops `managedFields` and `status` of a Service.
pub(super) fn trim_service(service: &mut Object) {
    drop_managed_fields(service);
    if let Some(map) = service.0.as_object_mut() {
        map.remove("status");
    }
}

/// Keeps name, uid and deletion timestamp of a Namespace.
pub(super) fn trim_namespace(namespace: &mut Object) {
    let mut kept = Object::new(&namespace.group_version_kind(), &namespace.key());
    for field in ["uid", "deletionTimestamp"] {
        if let Some(value) = namespace.at(&["metadata", field]) {
            kept.metadata_mut().insert(field.to_owned(), value.clone());
        }
    }
    *namespace = kept;
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_trimmed_namespace_still_says_whether_it_is_being_deleted() {
        for (name, deletion) in [("present", Value::Null), ("deleting", json!("2026-01-02T03:04:05Z"))] {
            let mut namespace = Object(json!({ "apiVersion": "v1", "kind": "Namespace",
                "metadata": { "name": "shop", "uid": "u1", "labels": { "a": "b" }, "deletionTimestamp": deletion },
                "status": { "phase": "Active" } }));
            let is_deleting = namespace.is_deleting();
            trim_namespace(&mut namespace);
            assert_eq!(namespace.is_deleting(), is_deleting, "{name}");
            assert_eq!((namespace.uid(), namespace.0.get("status")), ("u1", None), "{name}");
        }
    }
}
