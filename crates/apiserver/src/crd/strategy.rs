//! Defaults and server-owned fields of definitions.

use serde_json::{Map, Value, json};

use super::{CLEANUP, naming};
use crate::tree::{child, default};

/// Fills in the names and the conversion that a definition may leave out.
pub(crate) fn apply_defaults(definition: &mut Map<String, Value>) {
    let Some(spec) = child(definition, "spec") else { return };
    if let Some(names) = child(spec, "names") {
        let kind = names.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        if !kind.is_empty() {
            default(names, "singular", kind.to_lowercase());
            default(names, "listKind", format!("{kind}List"));
        }
    }
    default(spec, "conversion", json!({ "strategy": "None" }));
}

/// The status of a new definition: nothing is accepted yet, and objects will be stored in one version.
pub(crate) fn prepare_for_create(definition: &mut Value) {
    definition["status"] = json!({
        "acceptedNames": { "plural": "", "kind": "" },
        "conditions": null,
        "storedVersions": storage_version(definition).into_iter().collect::<Vec<_>>(),
    });
}

/// Remembers every version that objects may be stored in.
pub(crate) fn prepare_for_update(definition: &mut Value) {
    let Some(storage) = storage_version(definition) else { return };
    let stored = &mut definition["status"]["storedVersions"];
    if !stored.is_array() {
        *stored = json!([]);
    }
    if let Some(versions) = stored.as_array_mut()
        && !versions.contains(&json!(storage))
    {
        versions.push(json!(storage));
    }
}

/// Holds a definition that is about to be deleted until its objects are gone.
pub(crate) fn prepare_for_delete(definition: &mut Value, now: &str) {
    if definition["metadata"]["deletionTimestamp"].is_string() {
        return;
    }
    let text = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon";
    let going = ("True", "InstanceDeletionPending", text.to_owned());
    naming::set_condition(&mut definition["status"], "Terminating", going, now);
    let finalizers = &mut definition["metadata"]["finalizers"];
    if !finalizers.is_array() {
        *finalizers = json!([]);
    }
    if let Some(list) = finalizers.as_array_mut()
        && !list.contains(&json!(CLEANUP))
    {
        list.push(json!(CLEANUP));
    }
}

/// The version in which objects are stored.
pub(super) fn storage_version(definition: &Value) -> Option<String> {
    let versions = definition["spec"]["versions"].as_array()?;
    let storage = versions.iter().find(|version| version["storage"] == true)?;
    storage["name"].as_str().map(str::to_owned)
}
