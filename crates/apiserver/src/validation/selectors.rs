//! Label selectors inside objects.

use portolan_object::selector::LabelSelector;
use serde_json::Value;

use super::faults::{self, Faults};
use super::metadata;
use super::names::{label_key_faults, label_value_faults};
use super::path::Path;
use crate::tree;

/// Checks a `metav1.LabelSelector`.
pub(super) fn selector(path: &Path<'_>, selector: &Value, faults: &mut Faults) {
    metadata::labels(&path.child("matchLabels"), selector.get("matchLabels"), faults);
    let expressions = path.child("matchExpressions");
    for (index, expression) in tree::list(selector, "/matchExpressions").iter().enumerate() {
        requirement(&expressions.index(index), expression, faults);
    }
}

fn requirement(path: &Path<'_>, expression: &Value, faults: &mut Faults) {
    let values: Vec<&str> = tree::texts(expression, "/values").collect();
    match tree::text(expression, "/operator") {
        "In" | "NotIn" if values.is_empty() => {
            faults.required(&path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            faults.forbidden(&path.child("values"), detail);
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        operator => faults.invalid(&path.child("operator"), operator, "not a valid selector operator"),
    }
    let key = tree::text(expression, "/key");
    faults.texts(&path.child("key"), key, label_key_faults(key));
    for (index, value) in values.into_iter().enumerate() {
        faults.texts(&path.child("values").index(index), value, label_value_faults(value));
    }
}

/// A selector as faults print it.
pub(super) fn printed(selector: &Value) -> String {
    faults::printed(&["matchLabels", "matchExpressions"].map(|member| (member, selector.get(member))))
}

/// Whether a selector asks for nothing at all.
pub(super) fn is_empty(selector: &Value) -> bool {
    tree::map(selector, "/matchLabels").is_none_or(serde_json::Map::is_empty)
        && tree::list(selector, "/matchExpressions").is_empty()
}

/// Whether the labels satisfy the selector; an unreadable selector counts as satisfied, its faults are told already.
pub(super) fn matches(selector: &Value, labels: Option<&Value>) -> bool {
    let Ok(selector) = LabelSelector::from_value(selector) else { return true };
    let label = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
    selector.matches_with(label)
}
