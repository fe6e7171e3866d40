//! Values that may be absent (`optional_type` of cel-go).

use std::sync::Arc;

use kube_cel::cel::objects::OptionalValue;

use super::access::{index as read_index, lookup};
use super::{ExecutionError, Value};

/// No value.
pub(crate) fn absent() -> Value {
    Value::Opaque(Arc::new(OptionalValue::none()))
}

/// A value that is there.
pub(crate) fn present(value: Value) -> Value {
    Value::Opaque(Arc::new(OptionalValue::of(value)))
}

pub(super) fn from_option(value: Option<Value>) -> Value {
    value.map_or_else(absent, present)
}

/// What an optional holds; anything else is an error.
pub(super) fn content(value: &Value) -> Result<Option<&Value>, ExecutionError> {
    <&OptionalValue>::try_from(value).map(OptionalValue::value)
}

fn is_optional(value: &Value) -> bool {
    <&OptionalValue>::try_from(value).is_ok()
}

/// `a.b` and `a[b]`: on an optional, the result is optional.
pub(super) fn through(
    operand: &Value,
    read: impl Fn(&Value) -> Result<Value, ExecutionError>,
) -> Result<Value, ExecutionError> {
    if !is_optional(operand) {
        return read(operand);
    }
    match content(operand)? {
        None => Ok(absent()),
        Some(operand) => match read(operand) {
            Err(ExecutionError::NoSuchKey(_) | ExecutionError::IndexOutOfBounds(_)) => Ok(absent()),
            outcome => outcome.map(present),
        },
    }
}

/// `has(a.b)`
pub(super) fn test(
    operand: &Value,
    read: impl Fn(&Value) -> Result<Option<Value>, ExecutionError>,
) -> Result<bool, ExecutionError> {
    let operand = if is_optional(operand) { content(operand)? } else { Some(operand) };
    operand.map_or(Ok(false), |operand| read(operand).map(|value| value.is_some()))
}

/// `a.?b`
pub(super) fn select(
    operand: &Value,
    read: impl Fn(&Value) -> Result<Option<Value>, ExecutionError>,
) -> Result<Value, ExecutionError> {
    let operand = if is_optional(operand) { content(operand)? } else { Some(operand) };
    operand.map_or(Ok(None), read).map(from_option)
}

/// `a[?b]`
pub(super) fn index(operand: &Value, index: &Value) -> Result<Value, ExecutionError> {
    select(operand, |operand| match operand {
        Value::Map(map) => lookup(map, index).map(Option::<&Value>::cloned),
        _ => match read_index(operand, index) {
            Err(ExecutionError::IndexOutOfBounds(_)) => Ok(None),
            outcome => outcome.map(Some),
        },
    })
}
