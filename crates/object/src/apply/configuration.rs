//! Merging a configuration without making a manager the owner of its fields, as mutating admission policies do.

use serde_json::Value;

use super::check;
use super::merge::merge_object;
use super::root;
use super::shape::{Place, items, property};
use crate::schema::{ListKind, Schema, Shape};

/// Merges the configuration into the object. `managedFields` stay as they are.
///
/// # Errors
/// As texts: what the schema does not declare, and lists, maps and objects that can only be replaced as a whole.
///
/// # Source
/// k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch/smd.go.
pub fn merge_configuration(
    object: &Value,
    configuration: &Value,
    schema: Schema<'_>,
) -> Result<Value, String> {
    let Value::Object(fields) = configuration else {
        return Err("the configuration is not an object".to_owned());
    };
    if let Some(errors) = check::errors(fields, schema) {
        return Err(format!("failed to convert patch object to typed object: {errors}"));
    }
    let mut atomics = Vec::new();
    for (name, value) in fields {
        let place = if name == "metadata" { root::metadata(schema) } else { property(Some(schema), name) };
        find_atomics(&format!(".{name}"), value, place, &mut atomics);
    }
    if !atomics.is_empty() {
        let found = atomics.join(", ");
        return Err(format!(
            "invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {found}"
        ));
    }
    let mut merged = object.clone();
    merge_object(&mut merged, configuration, schema);
    Ok(merged)
}

fn find_atomics(path: &str, value: &Value, place: Place<'_>, found: &mut Vec<String>) {
    let Some(schema) = place else { return };
    let node = schema.node();
    match value {
        Value::Object(fields) => {
            if node.atomic {
                found.push(path.to_owned());
            }
            for (name, value) in fields {
                find_atomics(&format!("{path}.{name}"), value, property(place, name), found);
            }
        }
        Value::Array(list) => {
            if matches!(node.shape, Shape::Array(_)) && node.list == ListKind::Atomic {
                found.push(path.to_owned());
            }
            for (index, item) in list.iter().enumerate() {
                find_atomics(&format!("{path}[{index}]"), item, items(place), found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{GroupVersionKind, builtin};

    fn merge(configuration: &Value) -> Result<Value, String> {
        let schema = builtin::schema(&GroupVersionKind::new("apps", "v1", "Deployment")).unwrap();
        let object = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
            "spec": { "replicas": 1, "template": { "spec": { "containers": [{ "name": "a", "image": "i" }] } } } });
        merge_configuration(&object, configuration, schema)
    }

    #[test]
    fn a_configuration_merges_by_the_keys_of_lists() {
        let containers = json!([{ "name": "a", "tty": true }, { "name": "b", "image": "j" }]);
        let merged =
            merge(&json!({ "spec": { "template": { "spec": { "containers": containers } } } })).unwrap();
        let want = json!([{ "name": "a", "image": "i", "tty": true }, { "name": "b", "image": "j" }]);
        assert_eq!(merged["spec"]["template"]["spec"]["containers"], want);
        assert_eq!(merged["spec"]["replicas"], 1);
    }

    #[test]
    fn what_can_only_be_replaced_as_a_whole_is_refused() {
        let arguments = json!([{ "name": "a", "args": ["-v"] }]);
        let error =
            merge(&json!({ "spec": { "template": { "spec": { "containers": arguments } } } })).unwrap_err();
        assert_eq!(
            error,
            "invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: \
             .spec.template.spec.containers[0].args"
        );
        let error = merge(&json!({ "spec": { "unknown": 1 } })).unwrap_err();
        assert!(error.ends_with(".spec.unknown: field not declared in schema"), "{error}");
    }
}
