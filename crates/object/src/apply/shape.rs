//! Granularity of ownership: a value is one leaf, or a container with parts that are owned one by one.
//!
//! Everything that walks values beside their schema starts here, so that extraction, comparison, merging and
//! removal divide an object in the same way.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::element;
use crate::schema::{ListKind, Node, Schema, Shape};

/// A value as ownership sees it.
pub(super) enum View<'a, 's> {
    /// Owned as a whole: a scalar, an atomic list or map, or a value that does not have the shape of its schema.
    Leaf,
    /// Absent content: what lies around it decides whether that is an empty container or a leaf.
    Null,
    /// Owned field by field.
    Fields(&'a Map<String, Value>),
    /// Owned element by element.
    Items(&'a [Value], &'s ListKind),
}

/// The schema of one place in an object; `None` where nothing is known.
pub(super) type Place<'s> = Option<Schema<'s>>;

/// Looks at a value; without a schema, maps are granular and lists are leaves.
pub(super) fn view<'a, 's>(value: &'a Value, place: Place<'s>) -> View<'a, 's> {
    let node: Option<&'s Node> = place.map(Schema::node);
    match (value, node) {
        (Value::Null, _) => View::Null,
        (Value::Object(fields), None) => View::Fields(fields),
        (Value::Object(fields), Some(node)) if !node.atomic => match node.shape {
            Shape::Object(_) | Shape::Map(_) | Shape::Any => View::Fields(fields),
            _ => View::Leaf,
        },
        (Value::Array(items), Some(Node { shape: Shape::Array(_), list, .. }))
            if *list != ListKind::Atomic =>
        {
            View::Items(items, list)
        }
        _ => View::Leaf,
    }
}

/// The place of a field.
pub(super) fn property<'s>(place: Place<'s>, name: &str) -> Place<'s> {
    place.and_then(|schema| schema.property(name))
}

/// The place of a list's elements.
pub(super) fn items(place: Place<'_>) -> Place<'_> {
    place.and_then(Schema::items)
}

/// Whether the schema names this field, rather than allowing it as a key of a map.
pub(super) fn declares(place: Place<'_>, name: &str) -> bool {
    place.is_some_and(|schema| match &schema.node().shape {
        Shape::Object(properties) => properties.contains_key(name),
        _ => false,
    })
}

/// Elements of one identity: one, or several that clients should not have written.
pub(super) struct Group<'a> {
    pub(super) first: &'a Value,
    pub(super) others: Vec<&'a Value>,
}

/// A list's elements by identity; `None` when one of them has none, which makes the list a leaf.
pub(super) fn groups<'a>(
    list: &'a [Value],
    kind: &ListKind,
    items: Place<'_>,
) -> Option<BTreeMap<String, Group<'a>>> {
    let mut groups = BTreeMap::new();
    for item in list {
        let identity = element::of_item(item, kind, items).ok()?;
        groups
            .entry(identity)
            .and_modify(|group: &mut Group<'a>| group.others.push(item))
            .or_insert_with(|| Group { first: item, others: Vec::new() });
    }
    Some(groups)
}
