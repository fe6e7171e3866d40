//! Parses request bodies, noting what strict field validation wants to know.
//!
//! `serde_json` alone silently keeps the last of duplicate fields, and once a body is a tree the order of fields is
//! gone; findings are therefore made while parsing. Types are not checked here, that is `decode`.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::path::Path;
use super::{Schema, Shape};

#[cfg(test)]
mod tests;

/// More findings than this are not kept, as upstream.
const MAX_FINDINGS: usize = 100;

/// A parsed body and what is remarkable about it.
#[derive(Debug)]
pub struct Parsed {
    /// The value; of duplicate fields, the last.
    pub value: Value,
    /// Unknown and duplicate fields in the order of the text, each once, at most 100.
    pub findings: Vec<Finding>,
}

/// A field that strict validation refuses and ordinary validation warns about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Finding {
    /// The schema has no such field.
    Unknown(String),
    /// The field stands there twice.
    Duplicate(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(path) => write!(f, "unknown field {path:?}"),
            Self::Duplicate(path) => write!(f, "duplicate field {path:?}"),
        }
    }
}

/// The text is not JSON; the message is worded as Go words it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SyntaxError(pub String);

/// Parses JSON and notes duplicate fields.
///
/// Whole numbers within 64 bits stay exact; larger ones become floating point, as in Kubernetes.
///
/// # Errors
/// When the text is not exactly one JSON value, or is nested more than 127 deep.
pub fn parse(bytes: &[u8]) -> Result<Parsed, SyntaxError> {
    parse_value(bytes, Expected::Anything)
}

/// Parses JSON and notes duplicate and unknown fields.
///
/// Unknown fields stay in the value; `decode` drops them. Below a field without schema nothing is noted.
///
/// # Errors
/// As [`parse`].
pub fn parse_as(bytes: &[u8], schema: Schema<'_>) -> Result<Parsed, SyntaxError> {
    parse_value(bytes, Expected::Value(schema))
}

fn parse_value(bytes: &[u8], expected: Expected<'_>) -> Result<Parsed, SyntaxError> {
    let mut notes = Notes::default();
    let mut source = serde_json::Deserializer::from_slice(bytes);
    let value = Seed { notes: &mut notes, expected }.deserialize(&mut source);
    let value = value.and_then(|value| source.end().map(|()| value));
    match value {
        Ok(value) => Ok(Parsed { value, findings: notes.findings }),
        Err(error) => Err(go_syntax_error(bytes, &error)),
    }
}

/// Writes whole floating-point numbers as integers: `1.0` and `1e2` of a custom resource are stored as `1` and `100`.
///
/// Runs after validation, which words errors about the two differently. Built-in kinds refuse such numbers in `decode`.
pub fn whole_numbers(value: &mut Value) {
    /// Beyond, floating point skips integers, and Go prints an exponent or digits that were never given.
    const MAX_EXACT: f64 = 9_007_199_254_740_991.0;
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap_or_default();
            if float.fract() == 0.0 && float.abs() <= MAX_EXACT {
                #[allow(clippy::cast_possible_truncation)]
                let whole = float as i64;
                *value = whole.into();
            }
        }
        Value::Array(list) => list.iter_mut().for_each(whole_numbers),
        Value::Object(map) => map.values_mut().for_each(whole_numbers),
        _ => {}
    }
}

/// The schema of a value that is being parsed.
#[derive(Clone, Copy)]
enum Expected<'a> {
    /// There is no schema: only duplicates are noted.
    Anything,
    Value(Schema<'a>),
    /// The value is dropped or kept unread: nothing is noted.
    Ignored,
}

impl<'a> Expected<'a> {
    /// The schema of a field; `None` when the field is unknown.
    fn field(self, name: &str) -> Option<Self> {
        let Self::Value(schema) = self else { return Some(self) };
        match &schema.node().shape {
            Shape::Object(_) | Shape::Map(_) => schema.property(name).map(Self::Value),
            _ => Some(Self::Ignored),
        }
    }

    fn element(self) -> Self {
        let Self::Value(schema) = self else { return self };
        schema.items().map_or(Self::Ignored, Self::Value)
    }

    fn notes_duplicates(self) -> bool {
        match self {
            Self::Anything => true,
            Self::Value(schema) => matches!(schema.node().shape, Shape::Object(_) | Shape::Map(_)),
            Self::Ignored => false,
        }
    }
}

#[derive(Default)]
struct Notes {
    path: Path,
    findings: Vec<Finding>,
    seen: HashSet<Finding>,
}

impl Notes {
    fn add(&mut self, finding: Finding) {
        if self.findings.len() < MAX_FINDINGS && self.seen.insert(finding.clone()) {
            self.findings.push(finding);
        }
    }
}

struct Seed<'n, 'a> {
    notes: &'n mut Notes,
    expected: Expected<'a>,
}

impl<'de> DeserializeSeed<'de> for Seed<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        // Beyond int64 Kubernetes keeps floating point.
        #[allow(clippy::cast_precision_loss)]
        Ok(i64::try_from(value).map_or_else(|_| (value as f64).into(), Value::from))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut source: A) -> Result<Value, A::Error> {
        let Self { notes, expected } = self;
        let expected = expected.element();
        let mut elements = Vec::new();
        loop {
            let mark = notes.path.enter_index(elements.len());
            let element = source.next_element_seed(Seed { notes, expected })?;
            notes.path.leave(mark);
            match element {
                Some(element) => elements.push(element),
                None => return Ok(Value::Array(elements)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut source: A) -> Result<Value, A::Error> {
        let Self { notes, expected } = self;
        let mut map = Map::new();
        while let Some(name) = source.next_key::<String>()? {
            let field = expected.field(&name);
            if field.is_none() {
                notes.add(Finding::Unknown(notes.path.child(&name)));
            } else if expected.notes_duplicates() && map.contains_key(&name) {
                notes.add(Finding::Duplicate(notes.path.child(&name)));
            }
            let mark = notes.path.enter(&name);
            let expected = field.unwrap_or(Expected::Ignored);
            let value = source.next_value_seed(Seed { notes, expected })?;
            notes.path.leave(mark);
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

/// Words a syntax error as Go's `encoding/json` does; clients show these texts.
fn go_syntax_error(bytes: &[u8], error: &serde_json::Error) -> SyntaxError {
    if error.is_eof() {
        return SyntaxError("unexpected end of JSON input".to_owned());
    }
    let text = error.to_string();
    let situations = [
        ("expected value", "looking for beginning of value"),
        ("key must be a string", "looking for beginning of object key string"),
        ("trailing comma", "looking for beginning of object key string"),
        ("expected `:`", "after object key"),
        ("expected `,` or `}`", "after object key:value pair"),
        ("expected `,` or `]`", "after array element"),
        ("trailing characters", "after top-level value"),
        ("control character", "in string literal"),
    ];
    let situation = situations.iter().find(|(prefix, _)| text.starts_with(prefix));
    match (situation, character_at(bytes, error.line(), error.column())) {
        (Some((_, situation)), Some(character)) => {
            SyntaxError(format!("invalid character {} {situation}", go_quote(character)))
        }
        _ => SyntaxError(text),
    }
}

fn go_quote(character: char) -> String {
    match character {
        '\'' => r"'\''".to_owned(),
        '"' => "'\"'".to_owned(),
        '\t' | '\n' | '\r' => format!("{character:?}"),
        _ if character.is_ascii_control() => format!("'\\x{:02x}'", u32::from(character)),
        _ => format!("{character:?}"),
    }
}

/// The character at a line and byte column, both counted from 1; column 0 is the end of the line before.
fn character_at(bytes: &[u8], line: usize, column: usize) -> Option<char> {
    let Some(column) = column.checked_sub(1) else { return Some('\n') };
    let line = bytes.split(|byte| *byte == b'\n').nth(line.checked_sub(1)?)?;
    let rest = line.get(column..)?;
    String::from_utf8_lossy(rest.get(..rest.len().min(4))?).chars().next()
}
