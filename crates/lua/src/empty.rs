//! Empty tables: array or object? (karmada luavm/lua_convert.go `convertEmptySliceToEmptyStructPartly`)
//!
//! Lua cannot tell them apart. An empty table becomes what the objects that the script was given have at its path;
//! a path that none of them has is left out.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The paths at which objects have something empty. Positions in arrays are not part of a path.
#[derive(Debug, Default)]
pub(crate) struct Empties {
    arrays: BTreeSet<Vec<String>>,
    objects: BTreeSet<Vec<String>>,
}

impl Empties {
    /// The empty values in some objects.
    pub(crate) fn of(references: &[&Value]) -> Self {
        let mut found = Self::default();
        for reference in references {
            found.collect(reference, &mut Vec::new());
        }
        found
    }

    fn collect(&mut self, value: &Value, path: &mut Vec<String>) {
        let visit = |found: &mut Self, child: &Value, path: &mut Vec<String>| match child {
            Value::Array(items) if items.is_empty() => drop(found.arrays.insert(path.clone())),
            Value::Object(fields) if fields.is_empty() => drop(found.objects.insert(path.clone())),
            Value::Array(_) | Value::Object(_) => found.collect(child, path),
            _ => {}
        };
        match value {
            Value::Array(items) => items.iter().for_each(|item| visit(self, item, path)),
            Value::Object(fields) => {
                for (name, child) in fields {
                    path.push(name.clone());
                    visit(self, child, path);
                    path.pop();
                }
            }
            _ => {}
        }
    }

    /// Restores the empty values below the root.
    pub(crate) fn restore(&self, value: &mut Value) {
        self.restore_below(value, &mut Vec::new());
    }

    fn restore_below(&self, value: &mut Value, path: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.retain_mut(|item| self.keep(item, path)),
            Value::Object(fields) => fields.retain(|name, child| {
                path.push(name.clone());
                let keep = self.keep(child, path);
                path.pop();
                keep
            }),
            _ => {}
        }
    }

    /// Restores one value; false if it is to be left out.
    fn keep(&self, value: &mut Value, path: &mut Vec<String>) -> bool {
        match value {
            Value::Array(items) if items.is_empty() => {
                if self.objects.contains(path) {
                    *value = Value::Object(Map::new());
                    return true;
                }
                self.arrays.contains(path)
            }
            Value::Array(_) | Value::Object(_) => {
                self.restore_below(value, path);
                true
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_empty_table_becomes_what_the_object_had() {
        let reference = json!({"spec": {"aa": {}, "bb": [], "cc": ["x"], "dd": {"ee": {}},
                               "rules": [{"paths": {}, "hosts": []}]}});
        let mut value = json!({"spec": {"aa": [], "bb": [], "cc": ["x"], "dd": {"ee": [], "ff": []},
                               "rules": [{"paths": [], "hosts": [], "new": []}, {"paths": []}]}});
        Empties::of(&[&reference]).restore(&mut value);
        assert_eq!(
            value,
            json!({"spec": {"aa": {}, "bb": [], "cc": ["x"], "dd": {"ee": {}},
                   "rules": [{"paths": {}, "hosts": []}, {"paths": {}}]}})
        );
    }

    #[test]
    fn without_objects_to_compare_empty_tables_are_left_out() {
        let mut value = json!({"a": [], "b": {"c": []}, "d": [1]});
        Empties::default().restore(&mut value);
        assert_eq!(value, json!({"b": {}, "d": [1]}));
    }
}
