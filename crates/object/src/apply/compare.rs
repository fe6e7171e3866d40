//! The changes of a write, as sets of field paths.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::element;
use super::extract::{Containers, extract};
use super::set::{Branch, FieldSet};
use super::shape::{Group, Place, View, groups, items, property, view};

/// The difference between two values.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Paths that were added or have another value.
    pub(super) touched: FieldSet,
    /// Paths that are gone.
    pub(super) removed: FieldSet,
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.touched.is_empty() && self.removed.is_empty()
    }

    /// All changed paths.
    pub(super) fn all(&self) -> FieldSet {
        let mut all = self.touched.clone();
        all.union(&self.removed);
        all
    }

    /// Compares one member of two maps and takes its changes in.
    pub(super) fn compare_field(
        &mut self,
        name: &str,
        old: Option<&Value>,
        new: Option<&Value>,
        place: Place<'_>,
    ) {
        if old != new {
            let difference = compare(old, new, property(place, name));
            self.attach(|| element::field(name), difference);
        }
    }

    /// Adds the changes of `metadata`; `metadata` itself has no owner.
    pub(super) fn attach_metadata(&mut self, metadata: Self) {
        self.attach(|| "f:metadata".to_owned(), within(metadata));
    }

    fn attach(&mut self, name: impl Fn() -> String, difference: Difference) {
        self.touched.attach(&name, difference.touched);
        self.removed.attach(&name, difference.removed);
    }
}

/// The changes at one place.
#[derive(Default)]
struct Difference {
    touched: Branch,
    removed: Branch,
}

/// Equal parts are skipped before their schema is looked up; so the cost is that of the parts that differ.
fn compare(old: Option<&Value>, new: Option<&Value>, place: Place<'_>) -> Difference {
    let (old, new) = match (old, new) {
        (None, None) => return Difference::default(),
        (None, Some(new)) => {
            return Difference { touched: extract(new, place, Containers::All), ..Difference::default() };
        }
        (Some(old), None) => {
            return Difference { removed: extract(old, place, Containers::All), ..Difference::default() };
        }
        (Some(old), Some(new)) => (old, new),
    };
    let nothing = Map::new();
    match (view(old, place), view(new, place)) {
        (View::Fields(old), View::Fields(new)) => within(compare_fields(old, new, place)),
        (View::Items(before, kind), View::Items(after, _)) => {
            let items = items(place);
            match (groups(before, kind, items), groups(after, kind, items)) {
                (Some(before), Some(after)) => within(compare_items(before, after, items)),
                _ => leaf(old, new, place),
            }
        }
        (View::Fields(fields), View::Null) if !fields.is_empty() => {
            within(compare_fields(fields, &nothing, place))
        }
        (View::Null, View::Fields(fields)) if !fields.is_empty() => {
            within(compare_fields(&nothing, fields, place))
        }
        (View::Items(list, _), View::Null) if !list.is_empty() => {
            Difference { removed: inside(old, place), ..Difference::default() }
        }
        (View::Null, View::Items(list, _)) if !list.is_empty() => {
            Difference { touched: inside(new, place), ..Difference::default() }
        }
        _ => leaf(old, new, place),
    }
}

/// Two values of which at least one is a leaf: the place is touched, and what a container had below it comes or
/// goes.
fn leaf(old: &Value, new: &Value, place: Place<'_>) -> Difference {
    if old == new {
        return Difference::default();
    }
    Difference { touched: Branch { member: true, ..inside(new, place) }, removed: inside(old, place) }
}

/// The paths below a place, without the place itself.
fn inside(value: &Value, place: Place<'_>) -> Branch {
    Branch { member: false, ..extract(value, place, Containers::All) }
}

fn within(changes: Changes) -> Difference {
    Difference {
        touched: Branch { member: false, below: changes.touched },
        removed: Branch { member: false, below: changes.removed },
    }
}

fn compare_fields(old: &Map<String, Value>, new: &Map<String, Value>, place: Place<'_>) -> Changes {
    let mut changes = Changes::default();
    for (name, before) in old {
        changes.compare_field(name, Some(before), new.get(name), place);
    }
    for (name, after) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
        changes.compare_field(name, None, Some(after), place);
    }
    changes
}

type Groups<'a> = BTreeMap<String, Group<'a>>;

fn compare_items(old: Groups<'_>, mut new: Groups<'_>, items: Place<'_>) -> Changes {
    let mut changes = Changes::default();
    for (identity, before) in old {
        let after = new.remove(&identity);
        changes.attach(|| identity.clone(), compare_groups(Some(&before), after.as_ref(), items));
    }
    for (identity, after) in new {
        changes.attach(|| identity.clone(), compare_groups(None, Some(&after), items));
    }
    changes
}

/// One element before and after; elements that cannot be told apart count as one leaf.
fn compare_groups(old: Option<&Group<'_>>, new: Option<&Group<'_>>, items: Place<'_>) -> Difference {
    let single = |group: Option<&Group<'_>>| group.is_none_or(|group| group.others.is_empty());
    match (single(old), single(new)) {
        (true, true) => {
            let (old, new) = (old.map(|group| group.first), new.map(|group| group.first));
            if old == new { Difference::default() } else { compare(old, new, items) }
        }
        (false, false) => {
            let all = |group: &Group<'_>| -> Vec<Value> {
                std::iter::once(group.first).chain(group.others.iter().copied()).cloned().collect()
            };
            let member = old.map(all) != new.map(all);
            Difference { touched: Branch { member, ..Branch::default() }, ..Difference::default() }
        }
        (false, true) => {
            let touched = new.map(|group| extract(group.first, items, Containers::All)).unwrap_or_default();
            let removed = Branch { member: new.is_none(), ..Branch::default() };
            Difference { touched, removed }
        }
        (true, false) => {
            let removed = old.map(|group| inside(group.first, items)).unwrap_or_default();
            Difference { touched: Branch::leaf(), removed }
        }
    }
}
