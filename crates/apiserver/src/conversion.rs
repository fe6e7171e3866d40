//! Built-in kinds with more than one version, and the one version of each that is stored.
//!
//! Events exist in two groups with other field names, autoscalers in two versions with other metrics. All other
//! built-in kinds are stored as they are. Custom resources are not converted here: their versions differ in nothing
//! but the name.

mod autoscaler;
mod event;

use std::borrow::Cow;

use serde_json::Value;

use crate::kinds::{self, BuiltinResource};

/// How a kind is turned into its stored version and back.
#[derive(Debug, Clone, Copy)]
struct Conversion {
    /// Group, version and plural that are stored.
    stored: (&'static str, &'static str, &'static str),
    from_stored: fn(&mut Value),
    to_stored: fn(&mut Value),
}

fn of(entry: &BuiltinResource) -> Option<Conversion> {
    match (entry.group, entry.version, entry.plural) {
        ("events.k8s.io", "v1", "events") => Some(Conversion {
            stored: ("", "v1", "events"),
            from_stored: event::from_core,
            to_stored: event::to_core,
        }),
        ("autoscaling", "v1", "horizontalpodautoscalers") => Some(Conversion {
            stored: ("autoscaling", "v2", "horizontalpodautoscalers"),
            from_stored: autoscaler::from_v2,
            to_stored: autoscaler::to_v2,
        }),
        _ => None,
    }
}

/// The version in which objects of a resource are stored.
pub(crate) fn stored_version(entry: &'static BuiltinResource) -> &'static BuiltinResource {
    let stored = of(entry).and_then(|conversion| {
        let (group, version, plural) = conversion.stored;
        kinds::find(group, version, plural)
    });
    stored.unwrap_or(entry)
}

/// Whether a resource shows its objects as they are stored.
pub(crate) fn is_stored(entry: &BuiltinResource) -> bool {
    of(entry).is_none()
}

/// Turns a stored object into this version.
pub(crate) fn from_stored(entry: &BuiltinResource, object: &mut Value) {
    if let Some(conversion) = of(entry) {
        (conversion.from_stored)(object);
    }
}

/// Turns an object of this version into the stored one.
pub(crate) fn to_stored<'v>(entry: &BuiltinResource, object: &'v Value) -> Cow<'v, Value> {
    match of(entry) {
        None => Cow::Borrowed(object),
        Some(conversion) => {
            let mut stored = object.clone();
            (conversion.to_stored)(&mut stored);
            Cow::Owned(stored)
        }
    }
}

/// Gives a member another name.
fn rename(object: &mut Value, from: &str, to: &str) {
    if let Some(map) = object.as_object_mut()
        && let Some(value) = map.remove(from)
    {
        map.insert(to.to_owned(), value);
    }
}
