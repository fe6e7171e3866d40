//! Reads `JSONSchemaProps` as JSON. What is absent, or of a type that decoding refuses elsewhere, reads as empty.

use serde_json::{Map, Value};

/// One schema as written in a CustomResourceDefinition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Props<'a>(pub(super) &'a Value);

impl<'a> Props<'a> {
    pub(super) fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// Whether a member says anything at all.
    pub(super) fn has(self, name: &str) -> bool {
        match self.get(name) {
            None | Some(Value::Bool(false)) => false,
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Array(list)) => !list.is_empty(),
            Some(Value::Object(map)) => !map.is_empty(),
            Some(_) => true,
        }
    }

    pub(super) fn str_field(self, name: &str) -> &'a str {
        self.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn flag(self, name: &str) -> bool {
        self.get(name) == Some(&Value::Bool(true))
    }

    pub(super) fn count(self, name: &str) -> Option<u64> {
        self.get(name).and_then(Value::as_u64)
    }

    pub(super) fn number(self, name: &str) -> Option<f64> {
        self.get(name).and_then(Value::as_f64)
    }

    pub(super) fn kind(self) -> &'a str {
        self.str_field("type")
    }

    pub(super) fn list(self, name: &str) -> &'a [Value] {
        self.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(super) fn texts(self, name: &str) -> impl Iterator<Item = &'a str> {
        self.list(name).iter().filter_map(Value::as_str)
    }

    /// Schemas in a list, such as `allOf`.
    pub(super) fn schemas(self, name: &str) -> impl Iterator<Item = Props<'a>> {
        self.list(name).iter().map(Props)
    }

    /// Schemas by name, such as `properties`.
    pub(super) fn named(self, name: &str) -> impl Iterator<Item = (&'a String, Props<'a>)> {
        let map: Option<&Map<String, Value>> = self.get(name).and_then(Value::as_object);
        map.into_iter().flatten().map(|(name, schema)| (name, Props(schema)))
    }

    pub(super) fn property(self, name: &str) -> Option<Props<'a>> {
        self.get("properties")?.get(name).map(Props)
    }

    /// A single schema, such as `not`, or `items` when it is not a list.
    pub(super) fn schema(self, name: &str) -> Option<Props<'a>> {
        self.get(name).filter(|value| value.is_object()).map(Props)
    }

    pub(super) fn preserves_unknown(self) -> bool {
        self.flag("x-kubernetes-preserve-unknown-fields")
    }

    pub(super) fn is_int_or_string(self) -> bool {
        self.flag("x-kubernetes-int-or-string")
    }

    pub(super) fn is_embedded(self) -> bool {
        self.flag("x-kubernetes-embedded-resource")
    }
}
