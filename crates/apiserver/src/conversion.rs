//! Built-in kinds with more than one version, and the one version of each that is stored.
//!
//! Events exist in two groups with other field names, autoscalers in two versions with other metrics. All other
//! built-in kinds are stored as they are. Versions of custom resources differ in nothing but the name.

pub(crate) mod autoscaler;
pub(crate) mod event;

use serde_json::Value;

/// Gives a member another name.
fn rename(object: &mut Value, from: &str, to: &str) {
    if let Some(map) = object.as_object_mut()
        && let Some(value) = map.remove(from)
    {
        map.insert(to.to_owned(), value);
    }
}
