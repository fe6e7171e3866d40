//! Reads an element of a list or an entry of a map.

use std::sync::Arc;

use kube_cel::cel::objects::KeyRef;

use super::{ExecutionError, Key, Map, Value};

/// `operand[index]`
pub(super) fn index(operand: &Value, index: &Value) -> Result<Value, ExecutionError> {
    match operand {
        Value::List(list) => {
            let place = whole(index).ok_or_else(|| ExecutionError::UnsupportedListIndex(index.clone()))?;
            let element = usize::try_from(place).ok().and_then(|place| list.get(place));
            element.cloned().ok_or(ExecutionError::IndexOutOfBounds(Value::Int(place)))
        }
        Value::Map(map) => {
            lookup(map, index)?.cloned().ok_or_else(|| ExecutionError::NoSuchKey(Arc::new(shown_key(index))))
        }
        _ => Err(ExecutionError::NoSuchOverload),
    }
}

/// The value of a key.
pub(super) fn lookup<'m>(map: &'m Map, key: &Value) -> Result<Option<&'m Value>, ExecutionError> {
    if let Value::Float(_) = key {
        return Ok(whole(key).and_then(|key| map.get(&KeyRef::Int(key))));
    }
    let key = KeyRef::try_from(key).map_err(ExecutionError::UnsupportedMapIndex)?;
    Ok(map.get(&key))
}

/// The integer that a number equals.
fn whole(number: &Value) -> Option<i64> {
    /// 2^53: up to here a floating-point number is exact.
    const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
    match number {
        Value::Int(number) => Some(*number),
        Value::UInt(number) => i64::try_from(*number).ok(),
        #[expect(clippy::cast_possible_truncation, reason = "whole and within the exact range")]
        Value::Float(number) if number.fract() == 0.0 && number.abs() <= MAX_EXACT => Some(*number as i64),
        _ => None,
    }
}

fn shown_key(key: &Value) -> String {
    self::key(key.clone()).map_or_else(|_| format!("{key:?}"), |key| key.to_string())
}

/// A value as the key of a map. A number counts as the integer that it equals.
pub(super) fn key(value: Value) -> Result<Key, ExecutionError> {
    value.try_into().map_err(ExecutionError::UnsupportedKeyType)
}
