//! The object that `kubectl apply` makes of a live object and a manifest: a three-way merge with the manifest that was
//! applied last.

use portolan_object::schema::Schema;
use portolan_object::{Object, builtin, patch};
use serde_json::{Map, Value, json};

/// The annotation in which `kubectl apply` keeps the manifest that it sent.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A manifest cannot be merged into the live object.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{object} cannot be merged with the live object: {cause}")]
pub struct MergeError {
    /// Kind, namespace and name.
    pub object: String,
    /// The cause.
    pub cause: String,
}

/// Merges `manifest` into `live`: fields of the manifest are set, and those that only the manifest before had are removed.
/// Built-in kinds merge lists by their keys, other kinds replace them.
///
/// # Errors
/// When a list of the manifest lacks the key by which it merges.
pub fn merge(live: &Object, manifest: &Object) -> Result<Object, MergeError> {
    let before = live.annotation(LAST_APPLIED).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let schema = builtin::schema(&manifest.group_version_kind());
    let mut wanted = manifest.0.clone();
    if let Some(root) = wanted.as_object_mut() {
        root.remove("status");
    }
    if let Some(before) = &before {
        // kubectl always sends annotations, its own at least: those of other writers stay.
        let metadata = wanted.get_mut("metadata").and_then(Value::as_object_mut);
        if let Some(annotations) = metadata.map(|metadata| metadata.entry("annotations").or_insert(json!({})))
            && annotations.is_null()
        {
            *annotations = json!({});
        }
        add_removals(before, &mut wanted, schema);
    }
    let merged = match schema {
        Some(schema) => patch::strategic::merge(&live.0, &wanted, schema),
        None => {
            let mut merged = live.0.clone();
            patch::merge_patch(&mut merged, &wanted).map(|()| merged)
        }
    };
    let failed = |error: patch::PatchError| MergeError {
        object: format!("{} {}", manifest.kind(), manifest.key()),
        cause: error.to_string(),
    };
    let mut merged = Object(merged.map_err(failed)?);
    if before.is_some() {
        merged.set_annotation(LAST_APPLIED, manifest.0.to_string());
    }
    Ok(merged)
}

/// Adds directives that remove what only `before` has.
fn add_removals(before: &Value, wanted: &mut Value, schema: Option<Schema<'_>>) {
    let (Some(before), Some(wanted)) = (before.as_object(), wanted.as_object_mut()) else { return };
    for (name, old) in before {
        let property = schema.and_then(|schema| schema.property(name));
        match (old, wanted.get_mut(name)) {
            (_, None) => drop(wanted.insert(name.clone(), Value::Null)),
            (Value::Object(_), Some(new @ Value::Object(_))) => add_removals(old, new, property),
            (Value::Array(old), Some(Value::Array(_))) => remove_items(name, old, wanted, property),
            _ => {}
        }
    }
}

/// The items of a merged list that are gone.
fn remove_items(name: &str, old: &[Value], wanted: &mut Map<String, Value>, schema: Option<Schema<'_>>) {
    let Some(schema) = schema.filter(|schema| schema.node().patch_merge) else { return };
    let Some(Value::Array(new)) = wanted.get_mut(name) else { return };
    let Some(key) = schema.node().patch_merge_key.as_deref() else {
        let gone: Vec<Value> = old.iter().filter(|item| !new.contains(item)).cloned().collect();
        if !gone.is_empty() {
            wanted.insert(format!("$deleteFromPrimitiveList/{name}"), Value::Array(gone));
        }
        return;
    };
    for item in old {
        match new.iter_mut().find(|one| one.get(key) == item.get(key)) {
            Some(same) => add_removals(item, same, schema.items()),
            None => new.push(json!({ "$patch": "delete", (key): item.get(key) })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(containers: Value, labels: Value) -> Value {
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web", "labels": labels },
            "spec": { "template": { "spec": { "containers": containers } } } })
    }

    fn applied(manifest: &Value) -> Object {
        let mut live = Object(manifest.clone());
        live.set_annotation(LAST_APPLIED, manifest.to_string());
        live
    }

    #[test]
    fn lists_of_built_in_kinds_merge_by_their_key() {
        let before = deployment(
            json!([{ "name": "web", "image": "a" }, { "name": "log", "image": "l" }]),
            json!({ "x": "1" }),
        );
        let mut live = applied(&before);
        live.0["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = json!("Always");
        live.0["spec"]["replicas"] = json!(7);
        let after = Object(deployment(json!([{ "name": "web", "image": "b" }]), json!({})));
        let merged = merge(&live, &after).expect("merges");
        let containers = json!([{ "name": "web", "image": "b", "imagePullPolicy": "Always" }]);
        assert_eq!(merged.0["spec"]["template"]["spec"]["containers"], containers);
        assert_eq!(merged.0["spec"]["replicas"], 7, "a field of another writer stays");
        assert_eq!(merged.label("x"), None, "a label that was applied and is gone");
    }

    #[test]
    fn annotations_of_other_writers_stay() {
        let mut before = deployment(json!([{ "name": "web" }]), json!({}));
        before["metadata"]["annotations"] = json!({ "mine": "1" });
        let mut live = applied(&before);
        live.set_annotation("theirs", "2");
        let merged =
            merge(&live, &Object(deployment(json!([{ "name": "web" }]), json!({})))).expect("merges");
        assert_eq!((merged.annotation("mine"), merged.annotation("theirs")), (None, Some("2")));
    }

    #[test]
    fn other_kinds_replace_lists() {
        let widget = |items: Value, size: Option<i64>| {
            let mut widget = json!({ "apiVersion": "x.io/v1", "kind": "Widget", "metadata": { "name": "w" }, "spec": { "items": items } });
            if let Some(size) = size {
                widget["spec"]["size"] = json!(size);
            }
            widget
        };
        let mut live = applied(&widget(json!([1, 2]), Some(3)));
        live.0["spec"]["other"] = json!(true);
        let merged = merge(&live, &Object(widget(json!([2]), None))).expect("merges");
        assert_eq!(merged.0["spec"], json!({ "items": [2], "other": true }));
    }

    #[test]
    fn an_object_that_was_not_applied_loses_nothing() {
        let live = Object(deployment(json!([{ "name": "web", "image": "a" }]), json!({ "x": "1" })));
        let merged = merge(&live, &Object(deployment(json!([{ "name": "web", "image": "b" }]), json!({}))))
            .expect("merges");
        assert_eq!(merged.label("x"), Some("1"));
        assert_eq!(merged.annotation(LAST_APPLIED), None);
    }
}
