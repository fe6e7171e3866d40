//! Turns one message into the JSON object that Go prints for it, by the table of built-in kinds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::wire::{self, Field, Reader};
use super::{MAX_DEPTH, ProtoError, decode_within, is_protobuf, json};
use crate::builtin::table::{self, Kind, ModelId, Scalar, Table, Typed};
use crate::time::{format_micro_time, format_time};

/// The model inside the unions that JSON schemas are made of.
const JSON_SCHEMA: &str = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";

/// Decodes messages by a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decoder<'t> {
    table: &'t Table,
}

type Object = Map<String, Value>;

impl<'t> Decoder<'t> {
    pub(super) fn new(table: &'t Table) -> Self {
        Self { table }
    }

    /// The object of one message. No bytes are the message with nothing set, which JSON may still show.
    pub(super) fn message(self, model: ModelId, bytes: &[u8], depth: usize) -> Result<Object, ProtoError> {
        let mut object = Object::new();
        self.message_into(&mut object, model, bytes, depth)?;
        Ok(object)
    }

    fn message_into(
        self,
        object: &mut Object,
        model: ModelId,
        bytes: &[u8],
        depth: usize,
    ) -> Result<(), ProtoError> {
        if depth >= MAX_DEPTH {
            return Err(ProtoError::TooDeep);
        }
        let fields = &self.table.model(model).fields;
        let mut inlined: Vec<(ModelId, &[u8])> = Vec::new();
        let mut found: Vec<Option<Value>> = fields.iter().map(|_| None).collect();
        let mut reader = Reader::new(bytes);
        while let Some((number, content)) = reader.next()? {
            let Some(at) = fields.iter().position(|field| field.number == number) else { continue };
            match (&fields[at].kind.kind, content) {
                (Kind::Model(inner), Field::Bytes(bytes)) if fields[at].is_inline => {
                    inlined.push((*inner, bytes))
                }
                _ => self.add(&mut found[at], &fields[at].kind, content, depth)?,
            }
        }
        for (field, value) in fields.iter().zip(found) {
            if let (true, Kind::Model(inner)) = (field.is_inline, &field.kind.kind) {
                let bytes =
                    inlined.iter().find(|(model, _)| model == inner).map_or(&[][..], |(_, bytes)| bytes);
                if field.number != 0 {
                    self.message_into(object, *inner, bytes, depth + 1)?;
                }
                continue;
            }
            if let Some(value) = self.shown(field, value, depth)? {
                object.insert(field.name.to_owned(), value);
            }
        }
        Ok(())
    }

    /// The JSON of a field; `None` when Go leaves the field out.
    fn shown(
        self,
        field: &table::Field,
        value: Option<Value>,
        depth: usize,
    ) -> Result<Option<Value>, ProtoError> {
        let value = match value {
            Some(value) => value,
            None if field.is_pointer || field.number == 0 => return Ok(None),
            None => self.zero(&field.kind, depth)?,
        };
        let is_left_out = match &value {
            Value::Null => true,
            _ if field.is_pointer => false,
            Value::Object(map) if matches!(field.kind.kind, Kind::Model(_)) => {
                field.omits_zero && map.is_empty()
            }
            value => field.omits_empty && is_zero(value),
        };
        Ok((!is_left_out).then_some(value))
    }

    /// The value of a field that is not on the wire; `Null` for what JSON would print as `null`.
    fn zero(self, typed: &Typed, depth: usize) -> Result<Value, ProtoError> {
        Ok(match &typed.kind {
            Kind::Model(model) => Value::Object(self.message(*model, &[], depth + 1)?),
            Kind::List(_) | Kind::Map(_) | Kind::Items(_) => Value::Null,
            Kind::Scalar(scalar) => scalar.zero(),
        })
    }

    /// Adds one occurrence of a field to what was found of it before.
    fn add(
        self,
        found: &mut Option<Value>,
        typed: &Typed,
        content: Field<'_>,
        depth: usize,
    ) -> Result<(), ProtoError> {
        match &typed.kind {
            Kind::List(element) => {
                let Value::Array(list) = found.get_or_insert_with(|| Value::Array(Vec::new())) else {
                    return Ok(());
                };
                self.add_elements(list, element, content, depth)
            }
            Kind::Map(value) => {
                let Value::Object(map) = found.get_or_insert_with(|| Value::Object(Map::new())) else {
                    return Ok(());
                };
                self.add_entry(map, value, content, depth)
            }
            _ => {
                *found = Some(self.value(typed, content, depth)?);
                Ok(())
            }
        }
    }

    fn add_elements(
        self,
        list: &mut Vec<Value>,
        element: &Typed,
        content: Field<'_>,
        depth: usize,
    ) -> Result<(), ProtoError> {
        let is_number = matches!(element.kind, Kind::Scalar(Scalar::Int32 | Scalar::Int64 | Scalar::Bool));
        if let (true, Field::Bytes(packed)) = (is_number, content) {
            let mut reader = Reader::new(packed);
            while !reader.is_empty() {
                list.push(self.value(element, Field::Varint(reader.varint()?), depth)?);
            }
            return Ok(());
        }
        list.push(self.value(element, content, depth)?);
        Ok(())
    }

    fn add_entry(
        self,
        map: &mut Object,
        typed: &Typed,
        content: Field<'_>,
        depth: usize,
    ) -> Result<(), ProtoError> {
        let (mut key, mut value) = (String::new(), None);
        let mut reader = Reader::new(bytes_of(content)?);
        while let Some((number, content)) = reader.next()? {
            match (number, content) {
                (1, Field::Bytes(text)) => key = wire::lossy_string(text),
                (2, content) => value = Some(self.value(typed, content, depth)?),
                _ => {}
            }
        }
        let value = match value {
            Some(value) => value,
            None => self.zero(typed, depth)?,
        };
        map.insert(key, value);
        Ok(())
    }

    fn value(self, typed: &Typed, content: Field<'_>, depth: usize) -> Result<Value, ProtoError> {
        match &typed.kind {
            Kind::Model(model) => Ok(Value::Object(self.message(*model, bytes_of(content)?, depth + 1)?)),
            Kind::Items(element) => {
                let mut list = Vec::new();
                let mut reader = Reader::new(bytes_of(content)?);
                while let Some((number, content)) = reader.next()? {
                    if number == 1 {
                        self.add_elements(&mut list, element, content, depth)?;
                    }
                }
                Ok(Value::Array(list))
            }
            Kind::Scalar(scalar) => self.scalar(*scalar, content, depth),
            Kind::List(_) | Kind::Map(_) => Err(ProtoError::Malformed("a list inside a list")),
        }
    }

    fn scalar(self, scalar: Scalar, content: Field<'_>, depth: usize) -> Result<Value, ProtoError> {
        Ok(match scalar {
            Scalar::String => wire::lossy_string(bytes_of(content)?).into(),
            Scalar::Bytes => STANDARD.encode(bytes_of(content)?).into(),
            Scalar::Bool => (varint_of(content)? != 0).into(),
            Scalar::Int32 => int32(varint_of(content)?).into(),
            Scalar::Int64 => varint_of(content)?.cast_signed().into(),
            Scalar::Double => double(content)?,
            Scalar::Quantity => quantity(bytes_of(content)?)?,
            Scalar::Time => time(bytes_of(content)?, format_time)?,
            Scalar::MicroTime => time(bytes_of(content)?, format_micro_time)?,
            Scalar::IntOrString => int_or_string(bytes_of(content)?)?,
            Scalar::Raw => raw(bytes_of(content)?, depth)?,
            Scalar::SchemaOrArray | Scalar::SchemaOrBool | Scalar::SchemaOrStrings => {
                self.schema_union(scalar, bytes_of(content)?, depth)?
            }
        })
    }

    /// The unions of a JSON schema with a list, a truth value, or a list of names.
    fn schema_union(self, scalar: Scalar, bytes: &[u8], depth: usize) -> Result<Value, ProtoError> {
        let model = self.table.model_named(JSON_SCHEMA).ok_or(ProtoError::Malformed("no JSON schema"))?;
        let (mut schema, mut list, mut allows) = (None, Vec::new(), false);
        let mut reader = Reader::new(bytes);
        while let Some((number, content)) = reader.next()? {
            match (scalar, number, content) {
                (Scalar::SchemaOrBool, 1, Field::Varint(flag)) => allows = flag != 0,
                (Scalar::SchemaOrStrings, 2, Field::Bytes(text)) => {
                    list.push(wire::lossy_string(text).into())
                }
                (Scalar::SchemaOrArray, 2, Field::Bytes(bytes)) => {
                    list.push(Value::Object(self.message(model, bytes, depth + 1)?));
                }
                (_, 1 | 2, Field::Bytes(bytes)) => {
                    schema = Some(Value::Object(self.message(model, bytes, depth + 1)?));
                }
                _ => {}
            }
        }
        Ok(match (scalar, schema) {
            (Scalar::SchemaOrBool, Some(schema)) => schema,
            (Scalar::SchemaOrBool, None) => Value::Bool(allows),
            _ if !list.is_empty() => Value::Array(list),
            (_, schema) => schema.unwrap_or_default(),
        })
    }
}

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

fn bytes_of(content: Field<'_>) -> Result<&[u8], ProtoError> {
    match content {
        Field::Bytes(bytes) => Ok(bytes),
        _ => Err(ProtoError::Malformed("wrong wire type")),
    }
}

fn varint_of(content: Field<'_>) -> Result<u64, ProtoError> {
    match content {
        Field::Varint(number) => Ok(number),
        _ => Err(ProtoError::Malformed("wrong wire type")),
    }
}

/// Negative numbers travel as 64 bits; the upper half is dropped, as every protobuf library does.
#[allow(clippy::cast_possible_truncation)]
fn int32(number: u64) -> i32 {
    number as i32
}

/// Go prints whole numbers without a fraction.
fn double(content: Field<'_>) -> Result<Value, ProtoError> {
    let Field::Fixed64(bytes) = content else { return Err(ProtoError::Malformed("wrong wire type")) };
    let number = f64::from_le_bytes(bytes);
    #[allow(clippy::cast_possible_truncation)]
    let whole = number as i64;
    #[allow(clippy::cast_precision_loss)]
    Ok(if whole as f64 == number { whole.into() } else { number.into() })
}

fn quantity(bytes: &[u8]) -> Result<Value, ProtoError> {
    let mut text = "0".to_owned();
    let mut reader = Reader::new(bytes);
    while let Some((number, content)) = reader.next()? {
        if let (1, Field::Bytes(bytes)) = (number, content) {
            text = wire::lossy_string(bytes);
        }
    }
    Ok(text.into())
}

/// `Null` for the zero time, which is written without or with zero fields.
fn time(bytes: &[u8], format: fn(Timestamp) -> String) -> Result<Value, ProtoError> {
    let (mut seconds, mut nanos) = (0, 0);
    let mut reader = Reader::new(bytes);
    while let Some((number, content)) = reader.next()? {
        match (number, content) {
            (1, Field::Varint(number)) => seconds = number.cast_signed(),
            (2, Field::Varint(number)) => nanos = int32(number),
            _ => {}
        }
    }
    if (seconds, nanos) == (0, 0) {
        return Ok(Value::Null);
    }
    let time = Timestamp::new(seconds, nanos).map_err(|_| ProtoError::Malformed("time out of range"))?;
    Ok(format(time).into())
}

fn int_or_string(bytes: &[u8]) -> Result<Value, ProtoError> {
    let (mut is_text, mut number, mut text) = (false, 0, String::new());
    let mut reader = Reader::new(bytes);
    while let Some((field, content)) = reader.next()? {
        match (field, content) {
            (1, Field::Varint(kind)) => is_text = kind == 1,
            (2, Field::Varint(value)) => number = int32(value),
            (3, Field::Bytes(value)) => text = wire::lossy_string(value),
            _ => {}
        }
    }
    Ok(if is_text { text.into() } else { number.into() })
}

/// JSON in field 1, or an object in a nested envelope.
fn raw(bytes: &[u8], depth: usize) -> Result<Value, ProtoError> {
    let mut reader = Reader::new(bytes);
    let mut value = Value::Null;
    while let Some((number, content)) = reader.next()? {
        if let (1, Field::Bytes(content)) = (number, content) {
            value = if is_protobuf(content) { decode_within(content, depth + 1)? } else { json(content)? };
        }
    }
    Ok(value)
}
