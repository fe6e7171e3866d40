//! One override, as the patch library of KubeFed applies it (kubefed pkg/controller/util/overrides.go, with
//! github.com/evanphx/json-patch v4.12).
//!
//! Differs from RFC 6902: `replace` sets a field that is missing, and negative indices count from the end.

use portolan_api::kubefed::OverrideOperation;
use serde_json::Value;

/// An override that cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchFault {
    /// The path has no leading slash.
    #[error("the path has to begin with a slash")]
    NoSlash,
    /// The path is that of a field that identifies the object.
    #[error("the field identifies the object and cannot be overridden")]
    Identity,
    /// The operation is unknown.
    #[error("{0:?} is not an operation: use add, remove or replace")]
    Operation(String),
    /// The field or list that contains the last part of the path is missing.
    #[error("there is no {0} in the template: add it first")]
    NoParent(String),
    /// The field to remove is missing.
    #[error("there is no such field to remove")]
    NoField,
    /// The part of the path for a list is not an index of it.
    #[error("{part:?} is not an index of the list, which has {length} elements")]
    NoIndex {
        /// The part.
        part: String,
        /// Length of the list.
        length: usize,
    },
}

/// Applies one override to an object.
///
/// # Errors
/// Why it cannot be applied; the object is unchanged then.
pub(super) fn apply(
    object: &mut Value,
    operation: OverrideOperation,
    path: &str,
    value: Option<&Value>,
) -> Result<(), PatchFault> {
    let parts: Vec<String> = path
        .strip_prefix('/')
        .ok_or(PatchFault::NoSlash)?
        .split('/')
        .map(|part| part.replace("~1", "/").replace("~0", "~"))
        .collect();
    let (last, parents) = parts.split_last().ok_or(PatchFault::NoSlash)?;
    let mut parent = object;
    let mut walked = String::new();
    for part in parents {
        walked = format!("{walked}/{part}");
        parent = child(parent, part).ok_or_else(|| PatchFault::NoParent(walked.clone()))?;
    }
    match parent {
        Value::Object(fields) => match operation {
            OverrideOperation::Remove => fields.remove(last).map(drop).ok_or(PatchFault::NoField),
            OverrideOperation::Add | OverrideOperation::Replace => {
                fields.insert(last.clone(), value.cloned().unwrap_or_default());
                Ok(())
            }
        },
        Value::Array(elements) => change_list(elements, operation, last, value),
        _ => Err(PatchFault::NoParent(walked)),
    }
}

fn child<'a>(parent: &'a mut Value, part: &str) -> Option<&'a mut Value> {
    match parent {
        Value::Object(fields) => fields.get_mut(part),
        Value::Array(elements) => {
            let index = index(part, elements.len())?;
            elements.get_mut(index)
        }
        _ => None,
    }
}

fn change_list(
    elements: &mut Vec<Value>,
    operation: OverrideOperation,
    part: &str,
    value: Option<&Value>,
) -> Result<(), PatchFault> {
    let length = elements.len();
    let value = || value.cloned().unwrap_or_default();
    // One more place than elements: the end.
    let places = if operation == OverrideOperation::Add { length + 1 } else { length };
    let place = match (operation, part) {
        (OverrideOperation::Add, "-") => Some(length),
        _ => index(part, places),
    };
    let place = place.ok_or_else(|| PatchFault::NoIndex { part: part.to_owned(), length })?;
    match operation {
        OverrideOperation::Add => elements.insert(place, value()),
        OverrideOperation::Replace => elements[place] = value(),
        OverrideOperation::Remove => drop(elements.remove(place)),
    }
    Ok(())
}

/// An index below `places`; a negative one counts from the end.
pub(super) fn index(part: &str, places: usize) -> Option<usize> {
    let number: i64 = part.parse().ok()?;
    let places = i64::try_from(places).ok()?;
    let index = if number < 0 { places + number } else { number };
    usize::try_from(index).ok().filter(|_| (0..places).contains(&index))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn overrides_are_applied_as_kubefed_does() {
        use OverrideOperation::{Add, Remove, Replace};
        let args = || json!({ "args": ["x", "y"] });
        let no_index = |part: &str| Err(PatchFault::NoIndex { part: part.to_owned(), length: 2 });
        let no_parent = |path: &str| Err(PatchFault::NoParent(path.to_owned()));
        let cases = [
            (
                json!({"spec": {"replicas": 3}}),
                Replace,
                "/spec/replicas",
                json!(5),
                Ok(json!({"spec": {"replicas": 5}})),
            ),
            (json!({"spec": {}}), Replace, "/spec/replicas", json!(5), Ok(json!({"spec": {"replicas": 5}}))),
            (json!({}), Replace, "/spec/replicas", json!(5), no_parent("/spec")),
            (json!({}), Add, "/spec/replicas", json!(5), no_parent("/spec")),
            (json!({}), Remove, "/spec/replicas", json!(null), no_parent("/spec")),
            (
                json!({"metadata": {"labels": {"a": "1"}}}),
                Add,
                "/metadata/annotations",
                json!({"foo": "bar"}),
                Ok(json!({"metadata": {"labels": {"a": "1"}, "annotations": {"foo": "bar"}}})),
            ),
            (
                json!({"metadata": {}}),
                Add,
                "/metadata/annotations/foo",
                json!("bar"),
                no_parent("/metadata/annotations"),
            ),
            (
                json!({"metadata": {"annotations": {}}}),
                Add,
                "/metadata/annotations/foo.io~1bar~0x",
                json!("1"),
                Ok(json!({"metadata": {"annotations": {"foo.io/bar~x": "1"}}})),
            ),
            (args(), Add, "/args/0", json!("-q"), Ok(json!({"args": ["-q", "x", "y"]}))),
            (args(), Add, "/args/-", json!("z"), Ok(json!({"args": ["x", "y", "z"]}))),
            (args(), Add, "/args/2", json!("z"), Ok(json!({"args": ["x", "y", "z"]}))),
            (args(), Add, "/args/-1", json!("z"), Ok(json!({"args": ["x", "y", "z"]}))),
            (args(), Add, "/args/3", json!("z"), no_index("3")),
            (args(), Replace, "/args/2", json!("z"), no_index("2")),
            (args(), Replace, "/args/-1", json!("z"), Ok(json!({"args": ["x", "z"]}))),
            (args(), Replace, "/args/-", json!("z"), no_index("-")),
            (args(), Remove, "/args/-2", json!(null), Ok(json!({"args": ["y"]}))),
            (args(), Remove, "/args/2", json!(null), no_index("2")),
            (args(), Remove, "/args/-3", json!(null), no_index("-3")),
            (args(), Remove, "/other", json!(null), Err(PatchFault::NoField)),
            (args(), Replace, "spec/replicas", json!(1), Err(PatchFault::NoSlash)),
            (args(), Add, "", json!({}), Err(PatchFault::NoSlash)),
            (args(), Add, "/args/0/deep", json!(1), no_parent("/args/0")),
            (args(), Add, "/nothing", json!(null), Ok(json!({"args": ["x", "y"], "nothing": null}))),
        ];
        for (before, operation, path, value, want) in cases {
            let mut object = before.clone();
            let result = apply(&mut object, operation, path, Some(&value)).map(|()| object.clone());
            assert_eq!(result, want, "{before} {operation:?} {path}");
            if want.is_err() {
                assert_eq!(object, before, "nothing is changed by halves: {path}");
            }
        }
    }
}
