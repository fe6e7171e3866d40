//! Metadata of resources that stand inside of custom resources.
//!
//! It is held to the types of `ObjectMeta` as strictly as the metadata of the object itself.

use portolan_object::builtin;
use portolan_object::schema::Schema;
use portolan_object::schema::decode::{Source, decode};
use serde_json::Value;

/// Checks and completes the metadata of all embedded resources.
///
/// # Errors
/// The text that names the first malformed metadata.
pub(super) fn decode_metadata(value: &mut Value, schema: Schema<'_>) -> Result<(), String> {
    visit(value, schema, "")
}

fn visit(value: &mut Value, schema: Schema<'_>, path: &str) -> Result<(), String> {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                if schema.node().embedded_resource && name == "metadata" {
                    decode_one(value, &path)?;
                } else if let Some(property) = schema.property(name) {
                    visit(value, property, &path)?;
                }
            }
            Ok(())
        }
        Value::Array(list) => {
            let Some(items) = schema.items() else { return Ok(()) };
            let mut elements = list.iter_mut().enumerate();
            elements.try_for_each(|(index, value)| visit(value, items, &format!("{path}[{index}]")))
        }
        _ => Ok(()),
    }
}

fn decode_one(metadata: &mut Value, path: &str) -> Result<(), String> {
    let sent = metadata.clone();
    decode(metadata, builtin::object_meta(), Source::Json)
        .map_err(|error| format!("{path}: Invalid value: {sent}: {error}"))
}
