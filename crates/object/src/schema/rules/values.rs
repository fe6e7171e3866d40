//! Converts JSON to the values that CEL sees, by the schema.
//!
//! Property names are escaped as Kubernetes escapes them, entries of maps are not. Texts with a format of time are
//! times; numbers of type `number` are doubles even when whole. What the schema does not declare is not visible.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::cel::{Key, Map, Value as CelValue, call_library};
use crate::schema::{ListKind, Schema, Shape};

/// Words that CEL keeps for itself.
const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// The value of a node.
pub(super) fn convert(value: &Value, schema: Schema<'_>) -> CelValue {
    let node = schema.node();
    let format = node.checks.as_ref().and_then(|checks| checks.format.as_deref());
    match (value, &node.shape) {
        (Value::Null, _) => CelValue::Null,
        (Value::Bool(flag), _) => CelValue::Bool(*flag),
        (Value::Number(number), Shape::Number) => CelValue::Float(number.as_f64().unwrap_or_default()),
        (Value::Number(_), _) => plain(value),
        (Value::String(text), _) => formatted(text, format),
        (Value::Array(list), _) => {
            let mut list: Vec<&Value> = list.iter().collect();
            if node.list == ListKind::Set {
                // Sets are equal whatever their order; in one order they are equal to the library, too.
                list.sort_by_cached_key(ToString::to_string);
            }
            let elements = list.into_iter().map(|element| match schema.items() {
                Some(items) => convert(element, items),
                None => plain(element),
            });
            CelValue::List(Arc::new(elements.collect()))
        }
        (Value::Object(map), Shape::Any) => {
            object(map.iter().map(|(name, value)| (escape(name), plain(value))))
        }
        (Value::Object(map), _) => object(map.iter().filter_map(|(name, value)| {
            Some((visible_name(name, schema), convert(value, schema.property(name)?)))
        })),
    }
}

/// A property or entry as rules name it.
pub(super) fn visible_name(name: &str, schema: Schema<'_>) -> String {
    if schema.is_map() { name.to_owned() } else { escape(name) }
}

/// A value without a schema.
pub(crate) fn plain(value: &Value) -> CelValue {
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(flag) => CelValue::Bool(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => CelValue::Int(whole),
            None => whole_or_float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => CelValue::String(Arc::new(text.clone())),
        Value::Array(list) => CelValue::List(Arc::new(list.iter().map(plain).collect())),
        Value::Object(map) => object(map.iter().map(|(name, value)| (name.clone(), plain(value)))),
    }
}

/// `1.0` in an integer field is 1.
fn whole_or_float(number: f64) -> CelValue {
    const MAX_EXACT: f64 = 9_007_199_254_740_991.0;
    if number.fract() == 0.0 && number.abs() <= MAX_EXACT {
        #[allow(clippy::cast_possible_truncation)]
        return CelValue::Int(number as i64);
    }
    CelValue::Float(number)
}

fn object(entries: impl Iterator<Item = (String, CelValue)>) -> CelValue {
    let map: HashMap<Key, CelValue> =
        entries.map(|(name, value)| (Key::String(Arc::new(name)), value)).collect();
    CelValue::Map(Map { map: Arc::new(map) })
}

fn formatted(text: &str, format: Option<&str>) -> CelValue {
    /// No time is written longer than this; the library's parsers take any length.
    const MAX_TIME_BYTES: usize = 256;
    let through = |function: &str, text: String| {
        if text.len() > MAX_TIME_BYTES {
            return None;
        }
        call_library(function, None, &[CelValue::String(Arc::new(text))]).ok()
    };
    let converted = match format {
        Some("date-time" | "datetime") => through("timestamp", text.to_owned()),
        Some("date") => through("timestamp", format!("{text}T00:00:00Z")),
        Some("duration") => through("duration", text.to_owned()),
        Some("byte") => STANDARD.decode(text).ok().map(|bytes| CelValue::Bytes(Arc::new(bytes))),
        _ => None,
    };
    converted.unwrap_or_else(|| CelValue::String(Arc::new(text.to_owned())))
}

/// A property name as an identifier of CEL.
pub(super) fn escape(name: &str) -> String {
    if RESERVED.contains(&name) {
        return format!("__{name}__");
    }
    let escape = |character: char| match character {
        '.' => "__dot__".to_owned(),
        '-' => "__dash__".to_owned(),
        '/' => "__slash__".to_owned(),
        other => other.to_string(),
    };
    name.replace("__", "__underscores__").chars().map(escape).collect()
}
