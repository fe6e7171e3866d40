//! Fills in what a schema gives by default.
//!
//! `null` counts as absent where a value is not nullable: it is replaced by the default, or dropped without a default
//! (apiextensions-apiserver pkg/apiserver/schema/defaulting/algorithm.go). Runs after pruning and before validation,
//! and when old objects are read.

use serde_json::Value;

use super::{Schema, Shape};

#[cfg(test)]
mod tests;

/// Fills in defaults, and drops `null` where it means nothing.
pub fn default(value: &mut Value, schema: Schema<'_>) {
    match value {
        Value::Object(map) => {
            map.retain(|name, value| {
                let property = schema.property(name);
                !(value.is_null()
                    && property.is_some_and(|p| is_not_nullable(p) && p.node().default.is_none()))
            });
            if let Shape::Object(properties) = &schema.node().shape {
                for name in properties.keys() {
                    let Some(property) = schema.property(name) else { continue };
                    let Some(default) = &property.node().default else { continue };
                    let is_absent =
                        map.get(&**name).is_none_or(|value| value.is_null() && is_not_nullable(property));
                    if is_absent {
                        map.insert(name.to_string(), default.clone());
                    }
                }
            }
            for (name, value) in map.iter_mut() {
                if let Some(property) = schema.property(name) {
                    default_present(value, property);
                }
            }
        }
        Value::Array(list) => {
            let Some(items) = schema.items() else { return };
            for value in list {
                default_present(value, items);
            }
        }
        _ => {}
    }
}

/// Defaults a value that stands in a map or list: a `null` there has a place, so it cannot be dropped.
fn default_present(value: &mut Value, schema: Schema<'_>) {
    if value.is_null()
        && is_not_nullable(schema)
        && let Some(default) = &schema.node().default
    {
        *value = default.clone();
    }
    default(value, schema);
}

/// `null` is a value like others where the schema is unknown or allows anything.
fn is_not_nullable(schema: Schema<'_>) -> bool {
    let node = schema.node();
    !node.nullable && !matches!(node.shape, Shape::Any)
}
