//! Validates custom resources against their schema.
//!
//! Texts follow upstream's OpenAPI validator (k8s.io/kube-openapi pkg/validation/validate). Three passes: values,
//! embedded resources, and list types. Validation rules in CEL are `rules`. Nothing is changed here; pruning and
//! defaulting came before.

mod lists;
mod resources;
mod values;

use serde_json::{Value, json};

use super::findings::Findings;
use super::{Schema, Shape};
use crate::budget::{Budget, Interrupt};
use crate::status::{FieldError, FieldErrorKind};
use values::Values;

#[cfg(test)]
mod tests;

/// Steps that the validation of one object may take: a step for each value and schema that meet, for each value of an
/// enumeration that is compared, and for each 16 bytes of text that are read. About a second. An object of 1 MiB against
/// a schema with ten alternatives everywhere takes a tenth.
pub const WORK_LIMIT: u64 = 10_000_000;

/// Validates an object, which replaces `old` if there is one.
///
/// Values that stay as they were are not blamed for what the schema has come to forbid (ratcheting). When an error keeps
/// validation rules from being evaluated and the schema has rules, one more error says so, as upstream; callers evaluate
/// rules only when [`blocks_rules`] is false. Validation ends with an error at [`WORK_LIMIT`] and when the interrupt is
/// set.
pub fn validate(
    value: &Value,
    old: Option<&Value>,
    schema: Schema<'_>,
    interrupt: &Interrupt,
) -> Vec<FieldError> {
    validate_with(value, old, schema, &Budget::new(WORK_LIMIT, interrupt))
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

pub(super) fn validate_with(
    value: &Value,
    old: Option<&Value>,
    schema: Schema<'_>,
    budget: &Budget,
) -> Vec<FieldError> {
    let mut values = Values::new("", budget);
    values.check(value, old, schema);
    let mut findings = values.into_findings();
    resources::check(value, schema, &mut findings);
    let mut old_errors = Findings::default();
    if let Some(old) = old {
        lists::check(old, schema, &mut old_errors);
    }
    if old_errors.is_empty() {
        lists::check(value, schema, &mut findings);
    }
    findings.check(budget);
    let mut errors = findings.into_errors();
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
pub(super) fn validate_at(value: &Value, schema: Schema<'_>, path: &str, budget: &Budget) -> Vec<FieldError> {
    let mut values = Values::new(path, budget);
    values.check(value, None, schema);
    let mut findings = values.into_findings();
    findings.check(budget);
    findings.into_errors()
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
