//! Values as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json};

use super::{Key, Value};

/// Bytes of the texts and elements of one value. The same value may stand in many places of another, so a short expression
/// can stand for an endless text.
const MAX_SIZE: usize = 3 * 1024 * 1024;
/// What an element counts besides its text, in bytes.
const ELEMENT_SIZE: usize = 8;

/// A value as JSON.
///
/// # Errors
/// What has no form in JSON, and a value that is too large.
pub(crate) fn to_json(value: &Value) -> Result<Json, String> {
    let mut room = MAX_SIZE;
    convert(value, &mut room)
}

fn convert(value: &Value, room: &mut usize) -> Result<Json, String> {
    let size = ELEMENT_SIZE
        + match value {
            Value::String(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Map(map) => map.map.keys().map(key_size).sum(),
            _ => 0,
        };
    *room = room.checked_sub(size).ok_or_else(|| format!("the value is larger than {MAX_SIZE} bytes"))?;
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(number) => Json::from(*number),
        Value::UInt(number) => Json::from(*number),
        Value::Float(number) => Json::from(*number),
        Value::String(text) => Json::from(text.as_str()),
        Value::Bytes(bytes) => Json::from(STANDARD.encode(bytes.as_slice())),
        Value::Timestamp(time) => Json::from(time.to_rfc3339().replace("+00:00", "Z")),
        Value::Duration(_) => return Err("a duration has no form in JSON".to_owned()),
        Value::List(list) => {
            let elements: Result<Vec<Json>, String> =
                list.iter().map(|element| convert(element, room)).collect();
            Json::from(elements?)
        }
        Value::Map(map) => {
            let mut fields = Map::new();
            for (key, value) in map.map.iter() {
                let Key::String(key) = key else { return Err("a key of a map is not a text".to_owned()) };
                fields.insert(key.as_str().to_owned(), convert(value, room)?);
            }
            Json::Object(fields)
        }
        Value::Opaque(_) | Value::Function(..) => return Err("a value has no form in JSON".to_owned()),
    })
}

fn key_size(key: &Key) -> usize {
    match key {
        Key::String(text) => text.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_value_that_repeats_itself_is_bounded() {
        let mut value = Value::String(Arc::new("x".to_owned()));
        for _ in 0..60 {
            value = Value::List(Arc::new(vec![value.clone(), value]));
        }
        assert_eq!(to_json(&value), Err("the value is larger than 3145728 bytes".to_owned()));
    }
}
