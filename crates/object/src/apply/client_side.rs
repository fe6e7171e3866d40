//! Migration from client-side to server-side apply.
//!
//! Client-side `kubectl apply` keeps the applied configuration in an annotation. At the first server-side apply of such
//! an object by kubectl, the fields of the annotation belong to it, whatever manager the entries name. The annotation
//! is updated, so that client-side apply still works afterwards.

use serde_json::Value;

use super::Scope;
use super::check;
use super::root::{compare_objects, extract_object};
use super::set::FieldSet;
use crate::schema::Schema;

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Bytes of all annotations of an object, names included.
const ANNOTATIONS_LIMIT: usize = 256 << 10;

/// The paths that kubectl may take over: those of the last applied configuration that still have its values.
/// `None` if the annotation is missing or of another version.
pub(super) fn taken_over(live: &Value, schema: Schema<'_>, api_version: &str) -> Option<FieldSet> {
    let last = live.get("metadata")?.get("annotations")?.get(LAST_APPLIED)?.as_str()?;
    let last: Value = serde_json::from_str(last).ok()?;
    let is_readable =
        last.get("apiVersion")? == api_version && check::errors(last.as_object()?, schema).is_none();
    if !is_readable {
        return None;
    }
    let mut paths = extract_object(&last, schema, Scope::Whole);
    paths.subtract(&compare_objects(&last, live, schema, Scope::Whole).all());
    Some(paths)
}

/// Writes the patch into the annotation of an object that has one.
pub(super) fn refresh(object: &mut Value, patch: &Value) {
    let annotations = object.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations"));
    let Some(Value::Object(annotations)) = annotations else { return };
    let is_used = annotations.get(LAST_APPLIED).and_then(Value::as_str).is_some_and(|last| !last.is_empty());
    if !is_used {
        return;
    }
    let mut patch = patch.clone();
    if let Some(Value::Object(own)) =
        patch.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations"))
    {
        own.remove(LAST_APPLIED);
    }
    annotations.insert(LAST_APPLIED.to_owned(), format!("{patch}\n").into());
    let length = |(name, value): (&String, &Value)| name.len() + value.as_str().map_or(0, str::len);
    if annotations.iter().map(length).sum::<usize>() > ANNOTATIONS_LIMIT {
        annotations.remove(LAST_APPLIED);
    }
}
