//! Reads and completes untyped objects by JSON pointer.
//!
//! For objects that were checked against their schema: a value that is missing, null or of another type reads as empty
//! and is not an error.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// The value at `pointer`. Unlike [`Value::pointer`], it allocates nothing for a pointer without escapes.
pub(crate) fn at<'a>(value: &'a Value, pointer: &str) -> Option<&'a Value> {
    if pointer.is_empty() || pointer.contains('~') {
        return value.pointer(pointer);
    }
    pointer.strip_prefix('/')?.split('/').try_fold(value, |value, step| match value {
        Value::Object(fields) => fields.get(step),
        Value::Array(_) => value.pointer(&format!("/{step}")),
        _ => None,
    })
}

/// The value at `pointer`, where null counts as missing.
pub(crate) fn present<'a>(value: &'a Value, pointer: &str) -> Option<&'a Value> {
    at(value, pointer).filter(|found| !found.is_null())
}

/// The string at `pointer`, or an empty one.
pub(crate) fn str_at<'a>(value: &'a Value, pointer: &str) -> &'a str {
    at(value, pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The whole number at `pointer`.
pub(crate) fn integer(value: &Value, pointer: &str) -> Option<i64> {
    at(value, pointer).and_then(Value::as_i64)
}

/// Whether `pointer` holds `true`.
pub(crate) fn is_true(value: &Value, pointer: &str) -> bool {
    at(value, pointer).and_then(Value::as_bool).unwrap_or_default()
}

/// The elements of the list at `pointer`.
pub(crate) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    at(value, pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The strings of the list at `pointer`.
pub(crate) fn strings_at<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    list(value, pointer).iter().filter_map(Value::as_str)
}

/// The entries of the map at `pointer`, sorted by key.
pub(crate) fn entries<'a>(
    value: &'a Value,
    pointer: &str,
) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
    let mut found: Vec<(&str, &Value)> =
        map(value, pointer).into_iter().flatten().map(|(key, value)| (key.as_str(), value)).collect();
    found.sort_unstable_by_key(|(key, _)| *key);
    found.into_iter()
}

/// The map at `pointer`.
pub(crate) fn map<'a>(value: &'a Value, pointer: &str) -> Option<&'a Map<String, Value>> {
    at(value, pointer).and_then(Value::as_object)
}

/// The text of a key of a Secret; `None` when it is missing, or not base64 of UTF-8.
pub(crate) fn secret_text(secret: &Value, key: &str) -> Option<String> {
    let bytes = STANDARD.decode(map(secret, "/data")?.get(key)?.as_str()?).ok()?;
    String::from_utf8(bytes).ok()
}

/// The map in field `name`, added when missing or null; `None` when the field has another type.
pub(crate) fn child<'a>(
    parent: &'a mut Map<String, Value>,
    name: &str,
) -> Option<&'a mut Map<String, Value>> {
    let slot = parent.entry(name).or_insert(Value::Null);
    if slot.is_null() {
        *slot = Value::Object(Map::new());
    }
    slot.as_object_mut()
}

/// The map in field `name`.
pub(crate) fn child_if_present<'a>(
    parent: &'a mut Map<String, Value>,
    name: &str,
) -> Option<&'a mut Map<String, Value>> {
    parent.get_mut(name).and_then(Value::as_object_mut)
}

/// The elements of the list in field `name` that are maps.
pub(crate) fn children<'a>(
    parent: &'a mut Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> + use<'a> {
    let list = parent.get_mut(name).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

/// Sets a field that is missing, null, or an empty string; typed servers treat all three alike.
pub(crate) fn default(parent: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    if is_unset(parent.get(name)) {
        parent.insert(name.to_owned(), value.into());
    }
}

/// Whether a field is missing, null, or an empty string.
pub(crate) fn is_unset(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_what_a_pointer_finds() {
        let value = json!({ "a": { "b": [ { "c": 1 }, 2 ], "x/y": 3, "": 4 }, "n": null });
        let pointers = [
            "", "/", "/a", "/a/b", "/a/b/0/c", "/a/b/1", "/a/b/01", "/a/b/2", "/a/b/-", "/a/x~1y", "/a/x/y",
            "/a/", "/n", "/n/x", "a", "/a/b/1/x", "/missing",
        ];
        for pointer in pointers {
            assert_eq!(at(&value, pointer), value.pointer(pointer), "{pointer:?}");
        }
    }
}
