//! The object after a patch of a webhook or a policy: converted to the types of its schema, and still the same object.

use portolan_object::schema::decode::{self, Source};
use serde_json::Value;

use crate::resources::{Resource, Source as Origin};

/// Fields that no patch may change.
const KEPT: [&str; 5] = ["/apiVersion", "/kind", "/metadata/name", "/metadata/namespace", "/metadata/uid"];

/// Checks a patched object and completes it with the defaults of its kind.
///
/// # Errors
/// Why it cannot take the place of the object.
pub(super) fn accept(resource: &Resource, object: &Value, mut patched: Value) -> Result<Value, String> {
    conform(resource, &mut patched)?;
    if let Some(field) = KEPT.iter().find(|field| patched.pointer(field) != object.pointer(field)) {
        return Err(format!("the patch changes {field}"));
    }
    resource.strategy().apply_defaults(&mut patched);
    Ok(patched)
}

/// Converts a patched object to the types of its schema.
fn conform(resource: &Resource, object: &mut Value) -> Result<(), String> {
    match (&resource.source, resource.schema()) {
        (Origin::Custom(version), _) => version.conform(object).map(|_| ()),
        (Origin::Builtin(_), Some(schema)) => {
            decode::decode(object, schema, Source::Json).map_err(|error| error.to_string())
        }
        (Origin::Builtin(_), None) => Ok(()),
    }
}
