//! Label selectors inside objects.

use portolan_object::selector::LabelSelector;
use serde_json::Value;

use super::errors::{self, FieldErrors};
use super::metadata;
use super::names::{label_key_errors, label_value_errors};
use super::path::Path;
use crate::tree;

/// Checks a `metav1.LabelSelector`.
pub(crate) fn selector(path: &Path<'_>, selector: &Value, errors: &mut FieldErrors) {
    metadata::labels(&path.child("matchLabels"), selector.get("matchLabels"), errors);
    let expressions = path.child("matchExpressions");
    for (index, expression) in tree::list(selector, "/matchExpressions").iter().enumerate() {
        requirement(&expressions.index(index), expression, errors);
    }
}

fn requirement(path: &Path<'_>, expression: &Value, errors: &mut FieldErrors) {
    let values: Vec<&str> = tree::strings_at(expression, "/values").collect();
    match tree::str_at(expression, "/operator") {
        "In" | "NotIn" if values.is_empty() => {
            errors.required(&path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            errors.forbidden(&path.child("values"), detail);
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        operator => errors.invalid(&path.child("operator"), operator, "not a valid selector operator"),
    }
    let key = tree::str_at(expression, "/key");
    errors.texts(&path.child("key"), key, label_key_errors(key));
    for (index, value) in values.into_iter().enumerate() {
        errors.texts(&path.child("values").index(index), value, label_value_errors(value));
    }
}

/// A selector as errors print it.
pub(crate) fn printed(selector: &Value) -> String {
    errors::printed(&["matchLabels", "matchExpressions"].map(|member| (member, selector.get(member))))
}

/// Whether a selector asks for nothing at all.
pub(crate) fn is_empty(selector: &Value) -> bool {
    tree::map(selector, "/matchLabels").is_none_or(serde_json::Map::is_empty)
        && tree::list(selector, "/matchExpressions").is_empty()
}

/// Whether the labels satisfy the selector; an unreadable selector counts as satisfied, its errors are told already.
pub(crate) fn matches(selector: &Value, labels: Option<&Value>) -> bool {
    let Ok(selector) = LabelSelector::from_value(selector) else { return true };
    let label = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
    selector.matches_with(label)
}
