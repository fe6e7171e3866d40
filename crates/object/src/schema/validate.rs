//! Validates custom resources against their schema.
//!
//! Texts follow upstream's OpenAPI validator (k8s.io/kube-openapi pkg/validation/validate). Three passes: values,
//! embedded resources, and list types. Validation rules in CEL are `rules`. Nothing is changed here; pruning and
//! defaulting came before.

mod lists;
mod resources;
mod values;

use serde_json::{Value, json};

use super::{Schema, Shape};
use crate::status::{FieldError, FieldErrorKind};
use values::Values;

#[cfg(test)]
mod tests;

/// Validates a new object.
///
/// When an error keeps validation rules from being evaluated and the schema has rules, one more error says so, as
/// upstream; callers evaluate rules only when [`blocks_rules`] is false.
pub fn validate(value: &Value, schema: Schema<'_>) -> Vec<FieldError> {
    validate_with(value, None, schema)
}

/// Validates an object that replaces `old`.
///
/// Values that stay as they were are not blamed for what the schema has come to forbid (ratcheting).
pub fn validate_update(value: &Value, old: &Value, schema: Schema<'_>) -> Vec<FieldError> {
    validate_with(value, Some(old), schema)
}

/// Whether errors keep validation rules from being evaluated: rules may rely on types and required fields.
pub fn blocks_rules(errors: &[FieldError]) -> bool {
    errors.iter().any(|error| match error.kind {
        FieldErrorKind::NotSupported(..)
        | FieldErrorKind::Required(_)
        | FieldErrorKind::TooLong(_)
        | FieldErrorKind::TooMany(..)
        | FieldErrorKind::TypeInvalid(..) => true,
        FieldErrorKind::Invalid(..)
        | FieldErrorKind::Duplicate(_)
        | FieldErrorKind::Forbidden(_)
        | FieldErrorKind::NotFound(_)
        | FieldErrorKind::Internal(_) => false,
    })
}

fn validate_with(value: &Value, old: Option<&Value>, schema: Schema<'_>) -> Vec<FieldError> {
    let mut values = Values::new("");
    values.check(value, old, schema);
    let mut errors = values.into_errors();
    errors.extend(resources::check(value, schema));
    let was_well_formed = old.is_none_or(|old| lists::check(old, schema).is_empty());
    if was_well_formed {
        errors.extend(lists::check(value, schema));
    }
    if blocks_rules(&errors) && schema.set_has_rules() {
        errors.push(FieldError::invalid(
            "<nil>",
            &Value::Null,
            "some validation rules were not checked because the object was invalid; \
             correct the existing errors to complete validation",
        ));
    }
    errors
}

/// Validates a value at `path` of a definition, such as a default.
pub(super) fn validate_at(value: &Value, schema: Schema<'_>, path: &str) -> Vec<FieldError> {
    let mut values = Values::new(path);
    values.check(value, None, schema);
    values.into_errors()
}

/// The JSON type of a value.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The types that a shape allows, as schemas name them; `None` for any.
pub(super) fn expected_type(shape: &Shape) -> Option<&'static str> {
    Some(match shape {
        Shape::Any => return None,
        Shape::Object(_) | Shape::Map(_) => "object",
        Shape::Array(_) => "array",
        Shape::String => "string",
        Shape::Integer => "integer",
        Shape::Number => "number",
        Shape::Boolean => "boolean",
        Shape::IntOrString => "integer,string",
    })
}

/// A wrong type, or a text of a wrong format: upstream treats both alike.
fn wrong_type(field: String, name: &str, expected: &str, found: &str) -> FieldError {
    let detail = format!("{name} in body must be of type {expected}: {found:?}");
    FieldError::new(field, FieldErrorKind::TypeInvalid(json!(found).to_string(), detail))
}
