//! Removing what a manager applied before and no longer does.
//!
//! A path is removed when the manager's last set has it, the merged object has it, and no manager owns it any more. A
//! list element, or a map that the schema declares as a field, is removed with everything below it: a manager that
//! changed only a part of an element does not own the element.

use serde_json::{Map, Value};

use super::element;
use super::extract::{Containers, extract_field, extract_fields};
use super::root;
use super::set::{Branch, FieldSet, below};
use super::shape::{Place, View, declares, items, property, view};
use crate::schema::Schema;

/// Removes from `merged` what is in `last` but not in `owned`, and returns it.
///
/// A container that loses its last content becomes null, so that later comparisons can tell "emptied" from
/// "removed"; [`sweep`] then removes it.
pub(super) fn prune(merged: &mut Value, last: &FieldSet, owned: &FieldSet, schema: Schema<'_>) -> FieldSet {
    let mut dropped = last.clone();
    dropped.subtract(owned);
    let Value::Object(object) = merged else { return dropped };
    if dropped.is_empty() {
        return dropped;
    }
    let root = Root(schema);
    let last = root.with_named_fields(last);
    let all = root.with_named_fields(&root.extract(object));
    let remaining_after = |removed: &FieldSet| {
        let mut remaining = object.clone();
        root.remove(&mut remaining, removed, Emptied::Null);
        root.with_named_fields(&root.extract(&remaining))
    };
    // Paths of the last set that have no other owner.
    let mut unowned = all.clone();
    unowned.subtract(&remaining_after(&last));
    unowned.subtract(&root.with_named_fields(owned));
    // Of that, what was never in the last set stays.
    let mut gone = all;
    gone.subtract(&remaining_after(&unowned));
    let gone = gone.intersection(&last);
    root.remove(object, &gone, Emptied::Null);
    gone
}

/// Takes away the containers that [`prune`] has emptied.
pub(super) fn sweep(pruned: &mut Value, gone: &FieldSet, schema: Schema<'_>) {
    if let Value::Object(object) = pruned {
        Root(schema).remove(object, gone, Emptied::Gone);
    }
}

/// The state of a container that has lost its last content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Emptied {
    Null,
    Gone,
}

/// An object's root: like any map with fields, but `metadata` has its schema even if the object's has none for it.
#[derive(Clone, Copy)]
struct Root<'s>(Schema<'s>);

impl<'s> Root<'s> {
    fn place(self, name: &str) -> Place<'s> {
        if name == "metadata" { root::metadata(self.0) } else { property(Some(self.0), name) }
    }

    fn extract(self, object: &Map<String, Value>) -> FieldSet {
        let mut set = FieldSet::default();
        for (name, value) in object {
            let branch = match value {
                Value::Object(fields) if name == "metadata" => {
                    let below = extract_fields(fields, root::metadata(self.0), Containers::Elements);
                    Branch { member: false, below }
                }
                _ => extract_field(name, value, Some(self.0), Containers::Elements),
            };
            set.attach(|| element::field(name), branch);
        }
        set
    }

    fn remove(self, object: &mut Map<String, Value>, set: &FieldSet, emptied: Emptied) {
        object.retain(|name, value| retain_field(value, &set.0, name, self.place(name), emptied));
    }

    fn with_named_fields(self, set: &FieldSet) -> FieldSet {
        let mut named = FieldSet::default();
        for (name, below) in &set.0 {
            let place = name.strip_prefix("f:").and_then(|name| self.place(name));
            named.0.insert(name.clone(), with_named_fields(below, place));
            // An object never loses its `metadata`.
            if name != "f:metadata" {
                named.mark(name);
            }
        }
        named
    }
}

/// The set with the fields on the way to its paths, as far as the schema names them.
fn with_named_fields(set: &Value, place: Place<'_>) -> Value {
    let mut named = FieldSet::default();
    for (name, below) in set.as_object().into_iter().flatten() {
        let field = name.strip_prefix("f:");
        let inner = match field {
            Some(field) => property(place, field),
            None => items(place),
        };
        named.0.insert(name.clone(), with_named_fields(below, inner));
        if field.is_some_and(|field| declares(place, field)) {
            named.mark(name);
        }
    }
    named.into_value()
}

/// Removes the paths of `set` below a value; `false` when nothing of it is left.
fn remove(value: &mut Value, set: &Map<String, Value>, place: Place<'_>, emptied: Emptied) -> bool {
    let kind = match view(value, place) {
        View::Fields(_) => None,
        View::Items(_, kind) => Some(kind),
        View::Leaf => return true,
        View::Null => return false,
    };
    match (value, kind) {
        (Value::Object(fields), _) => {
            fields.retain(|name, value| retain_field(value, set, name, property(place, name), emptied));
            !fields.is_empty() || emptied == Emptied::Gone
        }
        (Value::Array(list), Some(kind)) => {
            let items = items(place);
            list.retain_mut(|item| match element::of_item(item, kind, items) {
                Ok(identity) => retain(item, set, &identity, items, emptied),
                Err(_) => !item.is_null() || emptied == Emptied::Null,
            });
            !list.is_empty() || emptied == Emptied::Gone
        }
        _ => true,
    }
}

fn retain_field(
    value: &mut Value,
    set: &Map<String, Value>,
    name: &str,
    place: Place<'_>,
    emptied: Emptied,
) -> bool {
    retain(value, set, &element::field(name), place, emptied)
}

fn retain(
    value: &mut Value,
    set: &Map<String, Value>,
    name: &str,
    place: Place<'_>,
    emptied: Emptied,
) -> bool {
    match below(set, name) {
        None => true,
        Some((true, _)) => false,
        Some((false, below)) => {
            let is_left = remove(value, below, place, emptied);
            if !is_left && emptied == Emptied::Null {
                *value = Value::Null;
            }
            is_left || emptied == Emptied::Null
        }
    }
}
