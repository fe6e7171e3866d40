//! Decodes a tree as a built-in kind, the way Go decodes it into a struct.
//!
//! What Go refuses is refused with Go's text (`encoding/json` and apimachinery's `runtime/converter.go`); what Go
//! normalises is normalised: `null` is absent, zeros of `omitempty` fields are left out, times are UTC, quantities
//! canonical, unknown fields gone. Whether a value makes sense is validation, not decoding.

mod time;

use std::mem;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value};

use super::{Codec, Native, Schema, Shape};
use crate::quantity::Quantity;

#[cfg(test)]
mod tests;

/// The value cannot be decoded as its kind; the text is Go's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(pub String);

/// The upstream decoder that words the errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The value was JSON: a body, or the result of a JSON or merge patch.
    Json,
    /// The value is the result of a strategic merge patch, which upstream converts without JSON.
    Tree,
}

/// Checks that `value` decodes as the built-in kind of `schema`, and normalises it.
///
/// # Errors
/// The first mismatch. The order of the text is lost in a tree, so fields are visited alphabetically.
pub fn decode(value: &mut Value, schema: Schema<'_>, source: Source) -> Result<(), DecodeError> {
    let mut decoder = Decoder { source, owner: "", fields: Vec::new(), first: None };
    decoder.value(value, schema)?;
    decoder.first.map_or(Ok(()), Err)
}

/// Rewrites RFC 3339 in UTC; the error is Go's text.
pub(super) fn normalise_time(text: &mut String) -> Result<(), String> {
    time::normalise(text, false)
}

/// Go reports a value of the wrong type at the end, but a type that decodes itself stops everything.
struct Decoder<'a> {
    source: Source,
    /// The struct that has the present field; empty at the root.
    owner: &'a str,
    /// Names of the fields down to the present one; Go keeps no indexes here.
    fields: Vec<&'a str>,
    first: Option<DecodeError>,
}

type Step = Result<(), DecodeError>;

impl<'a> Decoder<'a> {
    fn value(&mut self, value: &mut Value, schema: Schema<'a>) -> Step {
        let Some(native) = schema.node().native.as_deref() else { return Ok(()) };
        if value.is_null() {
            return Ok(());
        }
        match (native.codec, &mut *value) {
            (Codec::Raw, _)
            | (Codec::String, Value::String(_))
            | (Codec::Bool, Value::Bool(_))
            | (Codec::Double, Value::Number(_))
            | (Codec::IntOrString, Value::String(_)) => Ok(()),
            (Codec::Struct, Value::Object(map)) => self.object(map, schema, native),
            (Codec::Map, Value::Object(map)) => self.entries(map.values_mut(), schema.property("")),
            (Codec::List, Value::Array(list)) => self.entries(list.iter_mut(), schema.items()),
            (Codec::Int32, Value::Number(number)) if fits::<i32>(number) => Ok(()),
            (Codec::Int64, Value::Number(number)) if fits::<i64>(number) => Ok(()),
            (Codec::IntOrString, Value::Number(number)) if fits::<i32>(number) => Ok(()),
            (Codec::Bytes, Value::String(text)) => {
                self.save(base64_error(text));
                Ok(())
            }
            (Codec::Time | Codec::MicroTime, Value::String(text)) => {
                time::normalise(text, native.codec == Codec::MicroTime).map_err(DecodeError)
            }
            (Codec::Time | Codec::MicroTime, other) => Err(self.mismatch(other, "string", native)),
            (Codec::Quantity, other) => {
                *value = Value::String(canonical_quantity(other)?);
                Ok(())
            }
            (Codec::IntOrString, other) => Err(self.mismatch(other, "int32", native)),
            (_, other) => self.wrong_type(other, native),
        }
    }

    fn object(&mut self, map: &mut Map<String, Value>, schema: Schema<'a>, native: &'a Native) -> Step {
        let Shape::Object(properties) = &schema.node().shape else { return Ok(()) };
        let outer = mem::replace(&mut self.owner, local_name(&native.go_type));
        let depth = self.fields.len();
        map.retain(|name, value| properties.contains_key(name.as_str()) && !value.is_null());
        for (name, value) in map.iter_mut() {
            let (Some((name, _)), Some(property)) =
                (properties.get_key_value(name.as_str()), schema.property(name))
            else {
                continue;
            };
            // Go mentions the structs that hold inlined fields, though JSON does not show them.
            self.fields.extend(native.embedded.get(name).into_iter().flat_map(|path| path.split('.')));
            self.fields.push(name);
            self.value(value, property)?;
            self.fields.truncate(depth);
        }
        if !native.omitted_zeros.is_empty() {
            map.retain(|name, value| !is_zero(value) || !native.omitted_zeros.contains(name.as_str()));
        }
        self.owner = outer;
        Ok(())
    }

    fn entries<'v>(
        &mut self,
        values: impl Iterator<Item = &'v mut Value>,
        schema: Option<Schema<'a>>,
    ) -> Step {
        let Some(schema) = schema else { return Ok(()) };
        for value in values {
            if value.is_null() {
                *value = zero(schema);
            }
            self.value(value, schema)?;
        }
        Ok(())
    }

    fn wrong_type(&mut self, value: &Value, native: &Native) -> Step {
        let error = self.mismatch(value, &native.go_type, native);
        match self.source {
            Source::Tree => Err(error),
            Source::Json => {
                self.save(Some(error));
                Ok(())
            }
        }
    }

    fn save(&mut self, error: Option<DecodeError>) {
        self.first = self.first.take().or(error);
    }

    fn mismatch(&self, value: &Value, go_type: &str, native: &Native) -> DecodeError {
        DecodeError(match self.source {
            Source::Tree => tree_mismatch(value, native),
            Source::Json => {
                let found = json_name(value, native.codec);
                let place = match self.owner {
                    "" => "Go value".to_owned(),
                    owner => format!("Go struct field {owner}.{}", self.fields.join(".")),
                };
                format!("json: cannot unmarshal {found} into {place} of type {go_type}")
            }
        })
    }
}

/// `v1.PodSpec` without its package.
fn local_name(go_type: &str) -> &str {
    go_type.rsplit('.').next().unwrap_or(go_type)
}

/// The canonical text of a quantity; anything but a string counts by its JSON text.
fn canonical_quantity(value: &Value) -> Result<String, DecodeError> {
    let canonical = match value {
        Value::String(text) => Quantity::canonical(text.trim()),
        other => Quantity::canonical(&other.to_string()),
    };
    canonical.map_err(|error| DecodeError(error.to_string()))
}

/// Whether Go takes a value for the zero of its type.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

/// The value that Go gives to `null` in a list or map.
fn zero(schema: Schema<'_>) -> Value {
    match schema.node().native.as_deref().map(|native| native.codec) {
        Some(Codec::Struct) => Value::Object(Map::new()),
        Some(Codec::String | Codec::Bytes) => Value::String(String::new()),
        Some(Codec::Bool) => Value::Bool(false),
        Some(Codec::Int32 | Codec::Int64 | Codec::Double | Codec::IntOrString) => 0.into(),
        Some(Codec::Quantity) => "0".into(),
        _ => Value::Null,
    }
}

fn fits<T: TryFrom<i64>>(number: &Number) -> bool {
    number.as_i64().is_some_and(|number| T::try_from(number).is_ok())
}

fn base64_error(text: &str) -> Option<DecodeError> {
    let plain: String = text.chars().filter(|c| *c != '\n' && *c != '\r').collect();
    STANDARD.decode(&plain).err().map(|error| {
        let at = match error {
            base64::DecodeError::InvalidByte(at, _)
            | base64::DecodeError::InvalidLastSymbol { offset: at, .. } => at,
            _ => plain.len() / 4 * 4,
        };
        DecodeError(format!("illegal base64 data at input byte {at}"))
    })
}

/// The name of a JSON value in errors of `encoding/json`.
fn json_name(value: &Value, codec: Codec) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Array(_) => "array".to_owned(),
        Value::Object(_) => "object".to_owned(),
        // A number where one belongs is wrong for what it is, so Go shows it.
        Value::Number(number) if matches!(codec, Codec::Int32 | Codec::Int64 | Codec::IntOrString) => {
            format!("number {number}")
        }
        Value::Number(_) => "number".to_owned(),
    }
}

/// The text of apimachinery's converter from unstructured to typed.
fn tree_mismatch(value: &Value, native: &Native) -> String {
    let found = match value {
        Value::Null => "invalid",
        Value::Bool(_) => "bool",
        Value::String(_) => "string",
        Value::Array(_) => "slice",
        Value::Object(_) => "map",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
    };
    match native.codec {
        Codec::Struct => format!("cannot restore struct from: {found}"),
        Codec::Map => format!("cannot restore map from {found}"),
        Codec::List => format!("cannot restore slice from {found}"),
        Codec::Bool => "unrecognized type: bool".to_owned(),
        Codec::Int32 => "unrecognized type: int32".to_owned(),
        Codec::Int64 => "unrecognized type: int64".to_owned(),
        Codec::Double => "unrecognized type: float64".to_owned(),
        _ => "unrecognized type: string".to_owned(),
    }
}
