//! Fields by which objects of a kind can be selected, besides name and namespace.
//!
//! # Source
//! The field label conversions of kube-apiserver, `pkg/apis/*/v1/conversion.go`.

use serde_json::Value;

/// One selectable field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SelectableField {
    /// Name in the selector.
    pub name: &'static str,
    /// Path of its value.
    path: &'static [&'static str],
    /// Its value when nothing is there.
    missing: &'static str,
}

pub(crate) const fn field(name: &'static str, path: &'static [&'static str]) -> SelectableField {
    SelectableField { name, path, missing: "" }
}

impl SelectableField {
    pub(crate) const fn or(mut self, missing: &'static str) -> Self {
        self.missing = missing;
        self
    }

    fn read(&self, object: &Value) -> String {
        let found = self.path.iter().try_fold(object, |value, name| value.get(name));
        match (self.name, found.map(text)) {
            // An event reports its component in either of two places.
            ("source", None) => text(&object["reportingComponent"]),
            ("status.podIPs", _) => text(&object["status"]["podIPs"][0]["ip"]),
            (_, found) => found.filter(|value| !value.is_empty()).unwrap_or_else(|| self.missing.to_owned()),
        }
    }
}

/// The value of a field as selectors see it.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        _ => String::new(),
    }
}

/// The values of a list of fields, in its order.
pub(crate) fn values(fields: &[SelectableField], object: &Value) -> Vec<String> {
    fields.iter().map(|field| field.read(object)).collect()
}
