//! Checks that embedded resources say what they are.

use serde_json::{Map, Value};

use crate::key::GroupVersion;
use crate::schema::Schema;
use crate::schema::findings::Findings;
use crate::schema::path::Path;
use crate::status::FieldError;

/// Validates `apiVersion` and `kind` of embedded resources.
pub(super) fn check(value: &Value, schema: Schema<'_>, errors: &mut Findings) {
    Resources { path: Path::default(), errors }.check(value, schema);
}

struct Resources<'f> {
    path: Path,
    errors: &'f mut Findings,
}

impl Resources<'_> {
    fn check(&mut self, value: &Value, schema: Schema<'_>) {
        if schema.node().native.is_some() || self.errors.is_complete() {
            return;
        }
        match value {
            Value::Object(map) => {
                if schema.node().embedded_resource {
                    self.check_type(map);
                }
                let is_map = schema.is_map();
                for (name, value) in map {
                    let Some(property) = schema.property(name) else { continue };
                    let mark = if is_map { self.path.enter_key(name) } else { self.path.enter(name) };
                    self.check(value, property);
                    self.path.leave(mark);
                }
            }
            Value::Array(list) => {
                let Some(items) = schema.items() else { return };
                for (index, element) in list.iter().enumerate() {
                    let mark = self.path.enter_index(index);
                    self.check(element, items);
                    self.path.leave(mark);
                }
            }
            _ => {}
        }
    }

    fn check_type(&mut self, map: &Map<String, Value>) {
        for name in ["apiVersion", "kind"] {
            let field = self.path.child(name);
            match map.get(name) {
                None => self.errors.push(FieldError::required(field, "")),
                Some(Value::String(text)) if text.is_empty() => {
                    self.errors.push(FieldError::invalid(field, &Value::from(""), "must not be empty"));
                }
                Some(Value::String(text)) => self.check_text(field, name, text),
                Some(other) => self.errors.push(FieldError::invalid(field, other, "must be a string")),
            }
        }
    }

    fn check_text(&mut self, field: String, name: &str, text: &str) {
        if name == "apiVersion" && text.parse::<GroupVersion>().is_err() {
            let detail = format!("unexpected GroupVersion string: {text}");
            self.errors.push(FieldError::invalid(field, &Value::from(text), detail));
        } else if name == "kind" && !is_kind(text) {
            let detail = "may have mixed case, but should otherwise match: a DNS-1035 label must consist of lower \
                case alphanumeric characters or '-', start with an alphabetic character, and end with an \
                alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is \
                '[a-z]([-a-z0-9]*[a-z0-9])?')";
            self.errors.push(FieldError::invalid(field, &Value::from(text), detail));
        }
    }
}

fn is_kind(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic());
    starts_well && text.len() <= 63 && !text.ends_with('-') && text.bytes().all(inner)
}
