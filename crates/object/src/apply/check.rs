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

/// Errors that are reported; each repeats the path, which the client chose, so all of them could be a million times the
/// patch.
const MAX_ERRORS: usize = 100;

/// Errors of the patch, as one text; `None` for a valid patch.
pub(super) fn errors(patch: &Map<String, Value>, schema: Schema<'_>) -> Option<String> {
    let mut check = Check { path: Vec::new(), errors: Vec::new() };
    for (name, value) in patch {
        let place = match name.as_str() {
            "apiVersion" | "kind" => continue,
            "metadata" => root::metadata(schema),
            _ => match check.declared(name, schema) {
                Ok(place) => place,
                Err(()) => break,
            },
        };
        check.under(Step::Field(name), |check| check.value(value, place));
    }
    match check.errors.as_slice() {
        [] => None,
        [error] => Some(error.clone()),
        many => Some(format!("errors:\n  {}", many.join("\n  "))),
    }
}

/// One step of a path. Paths are only put into words when there is an error to report.
enum Step<'a> {
    Field(&'a str),
    Item(String),
}

struct Check<'a> {
    path: Vec<Step<'a>>,
    errors: Vec<String>,
}

impl<'a> Check<'a> {
    fn error(&mut self, text: &str) {
        if self.errors.len() >= MAX_ERRORS {
            return;
        }
        let steps = self.path.iter().map(|step| match step {
            Step::Field(name) => format!(".{name}"),
            Step::Item(identity) => element::to_display(identity),
        });
        let path: String = steps.collect();
        let separator = if path.is_empty() { "" } else { ": " };
        self.errors.push(format!("{path}{separator}{text}"));
    }

    fn under(&mut self, step: Step<'a>, check: impl FnOnce(&mut Self)) {
        self.path.push(step);
        check(self);
        self.path.pop();
    }

    /// The place of a member, or an error when the schema does not have it.
    fn declared<'s>(&mut self, name: &'a str, schema: Schema<'s>) -> Result<Place<'s>, ()> {
        let node = schema.node();
        let place = property(Some(schema), name);
        if place.is_none() && matches!(node.shape, Shape::Object(_)) && !node.preserve_unknown {
            self.under(Step::Field(name), |check| check.error("field not declared in schema"));
            return Err(());
        }
        Ok(place)
    }

    fn value(&mut self, value: &'a Value, place: Place<'_>) {
        let (Some(schema), false) = (place, value.is_null()) else { return };
        match (&schema.node().shape, value) {
            (Shape::Any, _)
            | (Shape::String, Value::String(_))
            | (Shape::Integer | Shape::Number, Value::Number(_))
            | (Shape::Boolean, Value::Bool(_))
            | (Shape::IntOrString, Value::String(_) | Value::Number(_) | Value::Bool(_)) => {}
            (Shape::Object(_) | Shape::Map(_), Value::Object(fields)) => self.fields(fields, schema),
            (Shape::Array(_), Value::Array(list)) => self.list(list, schema),
            (Shape::Object(_) | Shape::Map(_), _) => {
                self.error(&format!("expected map, got &{{{}}}", go_text(value)))
            }
            (Shape::Array(_), _) => self.error(&format!("expected list, got &{{{}}}", go_text(value))),
            (Shape::String, _) => {
                let found = go_syntax(value);
                self.error(&format!("expected string, got &value.valueUnstructured{{Value:{found}}}"));
            }
            (Shape::Integer | Shape::Number, _) => {
                self.error(&format!("expected numeric (int or float), got {}", go_type(value)));
            }
            (Shape::Boolean, _) => self.error(&format!("expected boolean, got &{{{}}}", go_text(value))),
            (Shape::IntOrString, _) => {
                self.error(&format!("expected any scalar, got &{{{}}}", go_text(value)))
            }
        }
    }

    fn fields(&mut self, fields: &'a Map<String, Value>, schema: Schema<'_>) {
        for (name, value) in fields {
            // Upstream stops at the first unknown member of a map, too.
            let Ok(place) = self.declared(name, schema) else { return };
            self.under(Step::Field(name), |check| check.value(value, place));
        }
    }

    fn list(&mut self, list: &'a [Value], schema: Schema<'_>) {
        let kind = &schema.node().list;
        let items = schema.items();
        let mut seen = HashSet::new();
        for (index, item) in list.iter().enumerate() {
            let identity = match kind {
                ListKind::Atomic => format!("i:{index}"),
                _ => match element::of_item(item, kind, items) {
                    Ok(identity) => identity,
                    Err(anonymous) => {
                        return self.error(&format!("element {index}: {}", anonymous.into_message()));
                    }
                },
            };
            if seen.contains(&identity) {
                self.error(&format!("duplicate entries for key {}", element::to_display(&identity)));
            } else {
                seen.insert(identity.clone());
            }
            self.under(Step::Item(identity), |check| check.value(item, items));
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
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name:?}:{}", go_syntax(value))).collect();
            format!("{}{{{}}}", go_type(value), fields.join(", "))
        }
        Value::Null => "interface {}(nil)".to_owned(),
        scalar => go_text(scalar),
    }
}
