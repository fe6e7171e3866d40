//! Label selectors that can select nothing because they are malformed, wherever a kind has them.
//!
//! The schemas of Karmada's definitions do not check them, and its controllers only log the error.

use portolan_object::selector::LabelSelector;
use portolan_object::{FieldError, GroupVersionKind, Status};
use serde_json::Value;

/// API groups of which the specs contain no objects of users: those may have selectors of other forms.
const GROUPS: [&str; 7] = [
    "apps.karmada.io",
    "config.karmada.io",
    "networking.karmada.io",
    "policy.karmada.io",
    "portolan.dev",
    "remedy.karmada.io",
    "search.karmada.io",
];

/// Refuses a spec with a malformed `labelSelector`. One that was stored before can change otherwise, so that its finalizer can
/// be removed.
pub(super) fn refuse_malformed(
    kind: &GroupVersionKind,
    object: &Value,
    old: Option<&Value>,
) -> Result<(), Status> {
    let spec = &object["spec"];
    if !GROUPS.contains(&kind.group.as_str()) || old.is_some_and(|old| old["spec"] == *spec) {
        return Ok(());
    }
    let mut errors = Vec::new();
    check(spec, "spec", &mut errors);
    if errors.is_empty() {
        return Ok(());
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    Err(Status::invalid(&kind.group, &kind.kind, name, &errors))
}

fn check(value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let path = format!("{path}.{name}");
                if name == "labelSelector" && field.is_object() {
                    if let Err(error) = LabelSelector::from_value(field) {
                        errors.push(FieldError::invalid(path, field, error.to_string()));
                    }
                } else {
                    check(field, &path, errors);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                check(item, &format!("{path}[{index}]"), errors);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_malformed_label_selector_is_refused_wherever_it_is() {
        let policy = GroupVersionKind::new("policy.karmada.io", "v1alpha1", "PropagationPolicy");
        let expression = |operator: &str, values: &[&str]| json!({ "matchExpressions": [{ "key": "a", "operator": operator, "values": values }] });
        let resource = |selector: &Value| {
            json!({ "metadata": { "name": "p" }, "spec": { "resourceSelectors": [
                { "apiVersion": "v1", "kind": "Secret" },
                { "apiVersion": "v1", "kind": "ConfigMap", "labelSelector": selector }] } })
        };
        let cluster = |selector: &Value| {
            json!({ "metadata": { "name": "p" },
                "spec": { "placement": { "clusterAffinity": { "labelSelector": selector } } } })
        };
        let refused = |object: &Value, old: Option<&Value>| {
            refuse_malformed(&policy, object, old).err().map(|status| status.message)
        };
        for good in [expression("In", &["x"]), expression("Exists", &[]), json!({}), Value::Null] {
            assert_eq!(refused(&resource(&good), None), None, "{good}");
            assert_eq!(refused(&cluster(&good), None), None, "{good}");
        }
        let malformed = [
            expression("Inn", &["x"]),
            expression("In", &[]),
            expression("Exists", &["x"]),
            json!({ "matchLabels": { "a b": "c" } }),
        ];
        for bad in malformed {
            let message = refused(&resource(&bad), None).unwrap_or_default();
            assert!(message.contains("spec.resourceSelectors[1].labelSelector"), "{bad}: {message}");
            let message = refused(&cluster(&bad), None).unwrap_or_default();
            assert!(message.contains("spec.placement.clusterAffinity.labelSelector"), "{bad}: {message}");
            assert_eq!(refused(&cluster(&bad), Some(&cluster(&bad))), None, "it was there before");
        }
    }
}
