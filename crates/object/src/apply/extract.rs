//! The field paths that a value contains.
//!
//! Apply owns what its patch says: leaves and list elements. Other writes own what they add: the containers too.

use serde_json::{Map, Value};

use super::element;
use super::set::{Branch, FieldSet};
use super::shape::{Place, View, declares, groups, items, property, view};

/// Which containers count as paths of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Containers {
    /// Only list elements, keys of maps that the schema does not name, and empty maps.
    Elements,
    /// All.
    All,
}

/// The paths of a value that the schema declares at its place; `Elements` does not count the value itself unless
/// it is a leaf.
pub(super) fn extract(value: &Value, place: Place<'_>, containers: Containers) -> Branch {
    let all = containers == Containers::All;
    match view(value, place) {
        View::Leaf | View::Null => Branch::leaf(),
        View::Fields(fields) => {
            Branch { member: all || fields.is_empty(), below: extract_fields(fields, place, containers) }
        }
        View::Items(list, kind) => {
            let items = items(place);
            let Some(groups) = groups(list, kind, items) else { return Branch::leaf() };
            let mut below = FieldSet::default();
            for (identity, group) in groups {
                let mut branch = match group.others.as_slice() {
                    [] => extract(group.first, items, containers),
                    // Elements that cannot be told apart are owned as one.
                    _ => Branch::leaf(),
                };
                branch.member = true;
                below.attach(|| identity, branch);
            }
            Branch { member: all, below }
        }
    }
}

/// The paths of a map's fields.
pub(super) fn extract_fields(
    fields: &Map<String, Value>,
    place: Place<'_>,
    containers: Containers,
) -> FieldSet {
    let mut set = FieldSet::default();
    for (name, value) in fields {
        set.attach(|| element::field(name), extract_field(name, value, place, containers));
    }
    set
}

/// The paths of one member of a map.
pub(super) fn extract_field(name: &str, value: &Value, place: Place<'_>, containers: Containers) -> Branch {
    let mut branch = extract(value, property(place, name), containers);
    branch.member |= !declares(place, name);
    branch
}
