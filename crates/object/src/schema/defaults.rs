//! Fills in what a schema gives by default.
//!
//! `null` counts as absent where a value is not nullable: it is replaced by the default, or dropped without a default
//! (apiextensions-apiserver pkg/apiserver/schema/defaulting/algorithm.go). Runs after pruning and before validation,
//! and when old objects are read.

use serde_json::{Map, Value};

use super::{Schema, Shape};

#[cfg(test)]
mod tests;

/// Bytes of JSON that defaults may add to an object: as much as the largest request. Defaults multiply, because a
/// default may hold lists with elements that have defaults.
pub const MAX_INSERTED: usize = 3 << 20;

/// Fills in defaults, and drops `null` where it means nothing. Ends when [`MAX_INSERTED`] bytes were added; then
/// [`is_cut_short`] is true, and the object must not be stored.
pub fn default(value: &mut Value, schema: Schema<'_>) {
    default_within(value, schema, &mut Allowance::default());
}

/// [`default`] with an allowance that several values share.
pub(super) fn default_within(value: &mut Value, schema: Schema<'_>, allowance: &mut Allowance) {
    match value {
        Value::Object(map) => {
            map.retain(|name, value| {
                let property = schema.property(name);
                !(value.is_null()
                    && property.is_some_and(|p| is_not_nullable(p) && p.node().default.is_none()))
            });
            for (name, default) in absent(map, schema) {
                if allowance.takes(default) {
                    map.insert(name.to_owned(), default.clone());
                }
            }
            for (name, value) in map.iter_mut() {
                if let Some(property) = schema.property(name) {
                    default_present(value, property, allowance);
                }
            }
        }
        Value::Array(list) => {
            let Some(items) = schema.items() else { return };
            for value in list {
                default_present(value, items, allowance);
            }
        }
        _ => {}
    }
}

/// Defaults a value that stands in a map or list: a `null` there has a place, so it cannot be dropped.
fn default_present(value: &mut Value, schema: Schema<'_>, allowance: &mut Allowance) {
    if let Some(default) = stands_for_null(value, schema)
        && allowance.takes(default)
    {
        *value = default.clone();
    }
    default_within(value, schema, allowance);
}

/// Whether defaulting ended early: the object is as large as that, and has not all its defaults.
pub fn is_cut_short(value: &Value, schema: Schema<'_>) -> bool {
    size(value) >= MAX_INSERTED && !is_complete(value, schema)
}

/// Whether an object has all its defaults.
fn is_complete(value: &Value, schema: Schema<'_>) -> bool {
    match value {
        Value::Object(map) => {
            absent(map, schema).is_empty()
                && map.iter().all(|(name, value)| {
                    schema.property(name).is_none_or(|property| is_complete_part(value, property))
                })
        }
        Value::Array(list) => {
            schema.items().is_none_or(|items| list.iter().all(|value| is_complete_part(value, items)))
        }
        _ => true,
    }
}

fn is_complete_part(value: &Value, schema: Schema<'_>) -> bool {
    stands_for_null(value, schema).is_none() && is_complete(value, schema)
}

/// The defaults of properties that a map lacks.
fn absent<'a>(map: &Map<String, Value>, schema: Schema<'a>) -> Vec<(&'a str, &'a Value)> {
    let Shape::Object(properties) = &schema.node().shape else { return Vec::new() };
    let default = |name: &'a str| {
        let property = schema.property(name)?;
        let default = property.node().default.as_ref()?;
        let is_absent = map.get(name).is_none_or(|value| value.is_null() && is_not_nullable(property));
        is_absent.then_some((name, default))
    };
    properties.keys().filter_map(|name| default(name)).collect()
}

/// The default that takes the place of a `null`.
fn stands_for_null<'a>(value: &Value, schema: Schema<'a>) -> Option<&'a Value> {
    schema.node().default.as_ref().filter(|_| value.is_null() && is_not_nullable(schema))
}

/// Bytes that may still be added.
#[derive(Debug)]
pub(super) struct Allowance {
    left: usize,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { left: MAX_INSERTED }
    }
}

impl Allowance {
    /// Takes the size of a default; answers false when nothing is left.
    fn takes(&mut self, default: &Value) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left = self.left.saturating_sub(size(default));
        true
    }

    /// Whether everything had room.
    pub(super) fn is_sufficient(&self) -> bool {
        self.left > 0
    }
}

/// Bytes of the JSON of a value, without escapes.
fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 5,
        Value::String(text) => text.len() + 3,
        Value::Array(list) => 2 + list.iter().map(size).sum::<usize>(),
        Value::Object(map) => 2 + map.iter().map(|(name, value)| name.len() + 4 + size(value)).sum::<usize>(),
    }
}

/// `null` is a value like others where the schema is unknown or allows anything.
fn is_not_nullable(schema: Schema<'_>) -> bool {
    let node = schema.node();
    !node.nullable && !matches!(node.shape, Shape::Any)
}
