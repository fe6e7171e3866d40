//! The fields that a write may change, by what it addresses: the object, or one of its subresources.
//!
//! Pure. Upstream: the `PrepareForUpdate` functions of kubernetes pkg/registry/<group>/<kind>/strategy.go.

use serde_json::Value;

use super::signing_requests;
use super::target::WriteTarget;
use crate::resources::Resource;

/// The old object with the fields of the new one that the target may change.
pub(super) fn isolate(resource: &Resource, target: WriteTarget, old: &Value, mut new: Value) -> Value {
    let take = |pointers: &[&str]| {
        let mut result = old.clone();
        for pointer in pointers {
            copy(&new, &mut result, pointer);
        }
        result
    };
    match target {
        WriteTarget::Object => {
            if resource.has_status() {
                copy(old, &mut new, "status");
            }
            if resource.is("", "namespaces") || signing_requests::is_signing_request(resource) {
                copy(old, &mut new, "spec");
            }
            new
        }
        WriteTarget::Scale | WriteTarget::Binding => new,
        WriteTarget::Status => {
            let mut result = take(&["metadata", "status"]);
            keep_metadata(old, &mut result, metadata_kept_by_status(resource));
            result
        }
        WriteTarget::Finalize => take(&["metadata", "spec.finalizers"]),
        WriteTarget::EphemeralContainers => take(&["metadata.managedFields", "spec.ephemeralContainers"]),
        WriteTarget::Approval => take(&["metadata", "status.conditions"]),
        WriteTarget::Resize => {
            let mut result = take(&["metadata.managedFields"]);
            let count = old["spec"]["containers"].as_array().map_or(0, Vec::len);
            for index in 0..count {
                let resources = new["spec"]["containers"][index].get("resources");
                if let (Some(resources), Some(container)) =
                    (resources, result["spec"]["containers"].get_mut(index))
                {
                    container["resources"] = resources.clone();
                }
            }
            result
        }
    }
}

/// The part of `metadata` that a write to `status` does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeptMetadata {
    /// Everything but `managedFields`.
    All,
    /// These fields.
    Fields(&'static [&'static str]),
}

/// What upstream keeps. It ignores `metadata` for custom resources; for most built-in kinds it stores what is sent.
fn metadata_kept_by_status(resource: &Resource) -> KeptMetadata {
    if resource.as_custom().is_some() {
        return KeptMetadata::All;
    }
    KeptMetadata::Fields(match (resource.kind.group.as_str(), resource.plural.as_str()) {
        ("apps", "deployments") => &["labels"],
        ("", "pods") => &["ownerReferences"],
        ("apiregistration.k8s.io", _) | ("storage.k8s.io", "volumeattachments") => {
            &["labels", "annotations", "finalizers", "ownerReferences"]
        }
        _ => &[],
    })
}

fn keep_metadata(old: &Value, result: &mut Value, kept: KeptMetadata) {
    match kept {
        KeptMetadata::All => {
            let sent = result.clone();
            copy(old, result, "metadata");
            copy(&sent, result, "metadata.managedFields");
        }
        KeptMetadata::Fields(fields) => {
            fields.iter().for_each(|field| copy(old, result, &format!("metadata.{field}")));
        }
    }
}

/// Copies the value at a path; removes it from the target when the source has none.
fn copy(source: &Value, target: &mut Value, path: &str) {
    let (parents, field) = path.rsplit_once('.').unwrap_or(("", path));
    let parents: Vec<&str> = parents.split('.').filter(|name| !name.is_empty()).collect();
    let found =
        parents.iter().try_fold(source, |value, name| value.get(name)).and_then(|value| value.get(field));
    let target = parents.iter().fold(target, |value, name| &mut value[*name]);
    match found {
        Some(value) => target[field] = value.clone(),
        None => {
            if let Some(map) = target.as_object_mut() {
                map.remove(field);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds;

    #[test]
    fn a_write_to_status_changes_the_metadata_that_upstream_lets_it_change() {
        let old = json!({ "metadata": { "name": "a", "labels": { "l": "old" } }, "spec": 1, "status": 1 });
        let new = json!({ "metadata": { "name": "a", "labels": { "l": "new" }, "annotations": { "a": "new" },
            "ownerReferences": [1] }, "spec": 2, "status": 2 });
        let written = |group: &str, plural: &str| {
            let resource = Resource::builtin(kinds::find(group, "v1", plural).unwrap());
            isolate(&resource, WriteTarget::Status, &old, new.clone())
        };
        let service = written("", "services");
        assert_eq!((&service["metadata"], &service["spec"]), (&new["metadata"], &json!(1)));
        assert_eq!(service["status"], 2);
        let deployment = written("apps", "deployments");
        assert_eq!(deployment["metadata"]["labels"]["l"], "old");
        assert_eq!(deployment["metadata"]["annotations"]["a"], "new");
        let pod = written("", "pods");
        assert_eq!(
            (&pod["metadata"]["labels"]["l"], pod["metadata"].get("ownerReferences")),
            (&json!("new"), None)
        );
    }

    #[test]
    fn a_write_to_an_object_keeps_its_status() {
        let resource = Resource::builtin(kinds::find("apps", "v1", "deployments").unwrap());
        let written = isolate(
            &resource,
            WriteTarget::Object,
            &json!({ "status": 1 }),
            json!({ "spec": 2, "status": 2 }),
        );
        assert_eq!(written, json!({ "spec": 2, "status": 1 }));
    }
}
