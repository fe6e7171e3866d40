//! Checks that elements of sets and keys of list maps are unique.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::schema::findings::Findings;
use crate::schema::path::Path;
use crate::schema::{ListKind, Schema};
use crate::status::{FieldError, FieldErrorKind};

/// Finds every element that stands in its list before.
pub(super) fn check(value: &Value, schema: Schema<'_>, errors: &mut Findings) {
    Lists { path: Path::default(), errors }.check(value, schema);
}

struct Lists<'f> {
    path: Path,
    errors: &'f mut Findings,
}

impl Lists<'_> {
    fn check(&mut self, value: &Value, schema: Schema<'_>) {
        if schema.node().native.is_some() || self.errors.is_complete() {
            return;
        }
        match value {
            Value::Object(map) => {
                let is_map = schema.is_map();
                for (name, value) in map {
                    let Some(property) = schema.property(name) else { continue };
                    let mark = if is_map { self.path.enter_key(name) } else { self.path.enter(name) };
                    self.check(value, property);
                    self.path.leave(mark);
                }
            }
            Value::Array(list) => {
                match &schema.node().list {
                    ListKind::Atomic => {}
                    ListKind::Set => self.check_unique(list.iter().cloned()),
                    ListKind::Map(keys) => self.check_keys(list, keys),
                }
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

    fn check_keys(&mut self, list: &[Value], keys: &[Box<str>]) {
        let odd = list.iter().position(|element| !element.is_object() && !element.is_null());
        if let Some(index) = odd {
            let mark = self.path.enter_index(index);
            let detail = "must be an object for an array of list-type map";
            self.errors.push(FieldError::invalid(self.path.as_str(), &list[index], detail));
            self.path.leave(mark);
            return;
        }
        let key_of = |element: &Value| {
            let present = keys.iter().filter_map(|key| Some((key.to_string(), element.get(&**key)?.clone())));
            Value::Object(present.collect::<Map<_, _>>())
        };
        self.check_unique(list.iter().map(key_of));
    }

    /// Reports a repeated value once, where it stands the second time.
    fn check_unique(&mut self, values: impl Iterator<Item = Value>) {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for (index, value) in values.enumerate() {
            let times = seen.entry(value.to_string()).or_default();
            *times += 1;
            if *times == 2 && !self.errors.is_complete() {
                let mark = self.path.enter_index(index);
                self.errors
                    .push(FieldError::new(self.path.as_str(), FieldErrorKind::Duplicate(value.to_string())));
                self.path.leave(mark);
            }
        }
    }
}
