//! YAML documents in, YAML text out.
//!
//! The command line reads manifests with this, and the API server reads bodies of `apply` and of clients that send
//! YAML. Text is read as kubectl reads it (YAML 1.1 booleans and octals), within budgets for size, depth and
//! aliases, so that hostile input costs little. Repeated keys are never lost in silence: they are an error, or
//! they are reported.

use std::cell::RefCell;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Options, Spanned};

/// Bytes of one document; above what an API server takes as a request.
const DOCUMENT_LIMIT: usize = 4 << 20;
/// Bytes of a text with several documents.
const TEXT_LIMIT: usize = 64 << 20;
/// Maps and lists within each other.
const DEPTH_LIMIT: usize = 64;
/// Above this, every 64-bit float is whole but its decimal form is not what was written.
const WHOLE_LIMIT: f64 = 9_007_199_254_740_992.0;

/// Why a text is not YAML that we take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum YamlError {
    /// The text is longer than the limit.
    #[error("the text has {length} bytes, more than {limit}")]
    TooLong {
        /// Found, in bytes.
        length: usize,
        /// Allowed, in bytes.
        limit: usize,
    },
    /// Not YAML, deeper or larger than the budget, or a value that JSON cannot hold.
    #[error("{0}")]
    Invalid(String),
    /// Keys stand twice in one map.
    #[error("yaml: unmarshal errors:\n  {}", list(.0))]
    Duplicates(Vec<DuplicateKey>),
    /// Not exactly one document.
    #[error("expected one document, found {0}")]
    NotOne(usize),
}

/// A key that stands twice in one map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicateKey {
    /// The line of the repetition, from 1.
    pub line: u64,
    /// The key.
    pub key: String,
}

impl fmt::Display for DuplicateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: key {:?} already set in map", self.line, self.key)
    }
}

/// One document and what was wrong with it without making it unreadable.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The content; of keys that stand twice, the last one.
    pub value: Value,
    /// The repetitions, in the order of the text.
    pub duplicates: Vec<DuplicateKey>,
}

/// All documents of `text` that are not empty.
///
/// # Errors
/// Errors of syntax, breached budgets, and repeated keys.
pub fn parse_documents(text: &str) -> Result<Vec<Value>, YamlError> {
    let documents = read_documents(text)?;
    let duplicates: Vec<_> = documents.iter().flat_map(|document| document.duplicates.clone()).collect();
    if duplicates.is_empty() {
        Ok(documents.into_iter().map(|document| document.value).collect())
    } else {
        Err(YamlError::Duplicates(duplicates))
    }
}

/// All documents of `text` that are not empty, each with its repeated keys.
///
/// # Errors
/// Errors of syntax and breached budgets.
pub fn read_documents(text: &str) -> Result<Vec<Document>, YamlError> {
    check_length(text, TEXT_LIMIT)?;
    let found: Vec<Reader> = serde_saphyr::from_multiple_with_options(text, options()).map_err(invalid)?;
    Ok(found
        .into_iter()
        .map(|Reader(document)| document)
        .filter(|document| !document.value.is_null())
        .collect())
}

/// The only document of `text`, with its repeated keys.
///
/// # Errors
/// Errors of syntax, breached budgets, no document, or several.
pub fn read_document(text: &str) -> Result<Document, YamlError> {
    check_length(text, DOCUMENT_LIMIT)?;
    let mut documents = read_documents(text)?;
    match (documents.pop(), documents.len()) {
        (Some(document), 0) => Ok(document),
        (None, _) => Err(YamlError::NotOne(0)),
        (Some(_), others) => Err(YamlError::NotOne(others + 1)),
    }
}

/// The value as YAML, with keys in order, block style, and quotes where a reader of YAML 1.1 needs them.
pub fn to_string(value: &Value) -> String {
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    serde_saphyr::to_string_with_options(value, options).expect("a JSON value can be written as YAML")
}

fn check_length(text: &str, limit: usize) -> Result<(), YamlError> {
    match text.len() {
        length if length > limit => Err(YamlError::TooLong { length, limit }),
        _ => Ok(()),
    }
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_LIMIT,
            max_documents: 10_000,
            max_nodes: 4_000_000,
            max_events: 10_000_000,
            max_aliases: 10_000,
            max_anchors: 10_000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 200_000,
            max_replay_stack_depth: 32,
        },
        // The reader below sees repetitions and decides.
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        legacy_octal_numbers: true,
    }
}

fn invalid(error: serde_saphyr::Error) -> YamlError {
    YamlError::Invalid(error.without_snippet().to_string())
}

fn list(duplicates: &[DuplicateKey]) -> String {
    duplicates.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  ")
}

/// Reads one document as JSON and keeps account of repeated keys.
struct Reader(Document);

impl<'de> Deserialize<'de> for Reader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let duplicates = RefCell::default();
        let value = Node { duplicates: &duplicates }.deserialize(deserializer)?;
        Ok(Self(Document { value, duplicates: duplicates.into_inner() }))
    }
}

#[derive(Clone, Copy)]
struct Node<'a> {
    duplicates: &'a RefCell<Vec<DuplicateKey>>,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON can hold")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        if value.fract() == 0.0 && value.abs() <= WHOLE_LIMIT {
            // kubectl sends `1.0` and `1e3` as whole numbers. The bound above makes the cast exact.
            #[allow(clippy::cast_possible_truncation)]
            return Ok(Value::from(value as i64));
        }
        let number =
            Number::from_f64(value).ok_or_else(|| E::custom(format!("{value} is not a JSON number")));
        number.map(Value::Number)
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element_seed(self)? {
            list.push(element);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            let line = key.referenced.line();
            let value = entries.next_value_seed(self)?;
            if map.contains_key(&key.value) {
                self.duplicates.borrow_mut().push(DuplicateKey { line, key: key.value.clone() });
            }
            map.insert(key.value, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests;
