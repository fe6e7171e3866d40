//! Reading a view from a JSON tree, without copies, with the path of a field that does not fit.

use std::fmt;

use portolan_object::Object;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

use crate::resources::StaticResource;

/// A typed view of a built-in kind.
pub trait View<'a>: Deserialize<'a> {
    /// The resource that the view shows.
    const RESOURCE: StaticResource;

    /// Reads the view. The object's `apiVersion` and `kind` are not checked.
    ///
    /// # Errors
    /// When a field has a type that the kind does not allow.
    fn read(object: &'a Object) -> Result<Self, ViewError> {
        read_value(&object.0).map_err(|source| ViewError {
            kind: Self::RESOURCE.kind,
            object: object.key().to_string(),
            source,
        })
    }
}

/// An object does not have the fields of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {object} cannot be read: {source}")]
pub struct ViewError {
    /// Kind of the view.
    pub kind: &'static str,
    /// Namespace and name of the object.
    pub object: String,
    /// The field and its problem.
    #[source]
    pub source: FieldError,
}

/// A field has a value of a wrong type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Segments of the path, innermost first: an error travels outwards.
    path: Vec<String>,
    problem: String,
}

impl FieldError {
    /// The path, such as `spec.ports[0].port`.
    pub fn path(&self) -> String {
        let path: String = self.path.iter().rev().map(String::as_str).collect();
        path.trim_start_matches('.').to_owned()
    }

    fn within(mut self, segment: String) -> Self {
        self.path.push(segment);
        self
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "field {:?}: {}", self.path(), self.problem)
    }
}

impl std::error::Error for FieldError {}

impl de::Error for FieldError {
    fn custom<T: fmt::Display>(problem: T) -> Self {
        Self { path: Vec::new(), problem: problem.to_string() }
    }
}

/// Reads a part of an object, such as one list element or a status.
///
/// # Errors
/// When a field has a type that `T` does not allow.
pub fn read_value<'a, T: Deserialize<'a>>(value: &'a Value) -> Result<T, FieldError> {
    T::deserialize(Tree(value))
}

/// A JSON tree in which `null` fields count as absent.
struct Tree<'a>(&'a Value);

impl<'de> Deserializer<'de> for Tree<'de> {
    type Error = FieldError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), _, _) => visitor.visit_u64(number),
                (_, Some(number), _) => visitor.visit_i64(number),
                (_, _, Some(number)) => visitor.visit_f64(number),
                (None, None, None) => Err(de::Error::custom("number out of range")),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => visitor.visit_seq(Items { items: items.iter(), index: 0 }),
            Value::Object(fields) => visitor.visit_map(Fields { fields: fields.iter(), current: None }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier
    }
}

struct Items<'a> {
    items: std::slice::Iter<'a, Value>,
    index: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = FieldError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, FieldError> {
        let Some(item) = self.items.next() else { return Ok(None) };
        let index = self.index;
        self.index += 1;
        seed.deserialize(Tree(item)).map(Some).map_err(|error| error.within(format!("[{index}]")))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Fields<'a> {
    fields: <&'a Map<String, Value> as IntoIterator>::IntoIter,
    current: Option<(&'a str, &'a Value)>,
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = FieldError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, FieldError> {
        self.current = self
            .fields
            .by_ref()
            .find(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.as_str(), value));
        let Some((name, _)) = self.current else { return Ok(None) };
        seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, FieldError> {
        let Some((name, value)) = self.current else {
            return Err(de::Error::custom("value requested before its key"));
        };
        seed.deserialize(Tree(value)).map_err(|error| error.within(format!(".{name}")))
    }
}
