//! Whether a patch can be applied at all: fields that the schema declares, values of its types, list elements
//! that can be told apart.
//!
//! This is stricter than other writes are, because ownership of an unknown field means nothing. The texts are
//! upstream's.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::element;
use super::root;
use super::shape::{Place, property};
use crate::patch::{go_text, go_type};
use crate::schema::{ListKind, Schema, Shape};

/// What is wrong with the patch, as one text; `None` when nothing is.
pub(super) fn faults(patch: &Map<String, Value>, schema: Schema<'_>) -> Option<String> {
    let mut check = Check { path: String::new(), faults: Vec::new() };
    for (name, value) in patch {
        let place = match name.as_str() {
            "apiVersion" | "kind" => continue,
            "metadata" => root::metadata(schema),
            _ => match check.declared(name, schema) {
                Ok(place) => place,
                Err(()) => break,
            },
        };
        check.under(&element::text(&element::field(name)), |check| check.value(value, place));
    }
    match check.faults.as_slice() {
        [] => None,
        [fault] => Some(fault.clone()),
        many => Some(format!("errors:\n  {}", many.join("\n  "))),
    }
}

struct Check {
    path: String,
    faults: Vec<String>,
}

impl Check {
    fn fault(&mut self, text: &str) {
        let separator = if self.path.is_empty() { "" } else { ": " };
        self.faults.push(format!("{}{separator}{text}", self.path));
    }

    fn under(&mut self, step: &str, check: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push_str(step);
        check(self);
        self.path.truncate(length);
    }

    /// The place of a member, or a fault when the schema does not have it.
    fn declared<'s>(&mut self, name: &str, schema: Schema<'s>) -> Result<Place<'s>, ()> {
        let node = schema.node();
        let place = property(Some(schema), name);
        if place.is_none() && matches!(node.shape, Shape::Object(_)) && !node.preserve_unknown {
            self.under(&element::text(&element::field(name)), |check| {
                check.fault("field not declared in schema")
            });
            return Err(());
        }
        Ok(place)
    }

    fn value(&mut self, value: &Value, place: Place<'_>) {
        let (Some(schema), false) = (place, value.is_null()) else { return };
        match (&schema.node().shape, value) {
            (Shape::Any, _)
            | (Shape::String, Value::String(_))
            | (Shape::Integer | Shape::Number, Value::Number(_))
            | (Shape::Boolean, Value::Bool(_))
            | (Shape::IntOrString, Value::String(_) | Value::Number(_) | Value::Bool(_)) => {}
            (Shape::Object(_) | Shape::Map(_), Value::Object(members)) => self.members(members, schema),
            (Shape::Array(_), Value::Array(list)) => self.list(list, schema),
            (Shape::Object(_) | Shape::Map(_), _) => {
                self.fault(&format!("expected map, got &{{{}}}", go_text(value)))
            }
            (Shape::Array(_), _) => self.fault(&format!("expected list, got &{{{}}}", go_text(value))),
            (Shape::String, _) => {
                let found = go_syntax(value);
                self.fault(&format!("expected string, got &value.valueUnstructured{{Value:{found}}}"));
            }
            (Shape::Integer | Shape::Number, _) => {
                self.fault(&format!("expected numeric (int or float), got {}", go_type(value)));
            }
            (Shape::Boolean, _) => self.fault(&format!("expected boolean, got &{{{}}}", go_text(value))),
            (Shape::IntOrString, _) => {
                self.fault(&format!("expected any scalar, got &{{{}}}", go_text(value)))
            }
        }
    }

    fn members(&mut self, members: &Map<String, Value>, schema: Schema<'_>) {
        for (name, value) in members {
            // Upstream stops at the first unknown member of a map, too.
            let Ok(place) = self.declared(name, schema) else { return };
            self.under(&element::text(&element::field(name)), |check| check.value(value, place));
        }
    }

    fn list(&mut self, list: &[Value], schema: Schema<'_>) {
        let kind = &schema.node().list;
        let items = schema.items();
        let mut seen = HashSet::new();
        for (index, item) in list.iter().enumerate() {
            let identity = match kind {
                ListKind::Atomic => format!("i:{index}"),
                _ => match element::of_item(item, kind, items) {
                    Ok(identity) => identity,
                    Err(anonymous) => return self.fault(&format!("element {index}: {}", anonymous.text())),
                },
            };
            let text = element::text(&identity);
            if !seen.insert(identity) {
                self.fault(&format!("duplicate entries for key {text}"));
            }
            self.under(&text, |check| check.value(item, items));
        }
    }
}

/// Go's `%#v`.
fn go_syntax(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text:?}"),
        Value::Array(list) => {
            let elements: Vec<String> = list.iter().map(go_syntax).collect();
            format!("{}{{{}}}", go_type(value), elements.join(", "))
        }
        Value::Object(members) => {
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{name:?}:{}", go_syntax(value))).collect();
            format!("{}{{{}}}", go_type(value), members.join(", "))
        }
        Value::Null => "interface {}(nil)".to_owned(),
        scalar => go_text(scalar),
    }
}
