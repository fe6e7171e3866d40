//! Merging an applied patch into the live object.
//!
//! Leaves of the patch replace, containers merge, and nothing is taken away: that is for [`super::prune`].

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::element;
use super::root;
use super::shape::{Place, View, items, property, view};
use crate::schema::{ListKind, Schema};

/// Merges a whole patch into a whole object.
pub(super) fn merge_object(live: &mut Value, patch: &Value, schema: Schema<'_>) {
    let (Value::Object(live), Value::Object(patch)) = (live, patch) else { return };
    for (name, change) in patch {
        let place = if name == "metadata" { root::metadata(schema) } else { property(Some(schema), name) };
        merge_member(live, name, change, place);
    }
}

fn merge_member(live: &mut Map<String, Value>, name: &str, change: &Value, place: Place<'_>) {
    match live.get_mut(name) {
        Some(current) => merge(current, change, place),
        None => {
            live.insert(name.to_owned(), change.clone());
        }
    }
}

fn merge(live: &mut Value, patch: &Value, place: Place<'_>) {
    match (view(live, place), view(patch, place)) {
        (View::Fields(fields), View::Fields(changes)) if !fields.is_empty() => {
            if let Value::Object(live) = live {
                for (name, change) in changes {
                    merge_member(live, name, change, property(place, name));
                }
            }
        }
        (View::Items(current, _), View::Items(changes, kind))
            if !current.is_empty() && !changes.is_empty() =>
        {
            if let Value::Array(live) = live {
                merge_items(live, changes, kind, items(place));
            }
        }
        // An empty or null container in a patch takes nothing away.
        (View::Fields(fields), View::Null) if !fields.is_empty() => {}
        (View::Items(current, _), View::Null | View::Items(..)) if !current.is_empty() => {}
        _ if live == patch => {}
        _ => *live = patch.clone(),
    }
}

/// Merges lists of elements with identities.
///
/// Elements of the patch end in the order of the patch, those that only the live list has keep their place
/// relative to what stood around them.
fn merge_items(live: &mut Vec<Value>, patch: &[Value], kind: &ListKind, place: Place<'_>) {
    let identities = |list: &[Value]| -> Option<Vec<String>> {
        list.iter().map(|item| element::of_item(item, kind, place).ok()).collect()
    };
    let (Some(left), Some(right)) = (identities(live), identities(patch)) else {
        *live = patch.to_vec();
        return;
    };
    let in_patch: HashSet<&str> = right.iter().map(String::as_str).collect();
    let mut in_live: HashMap<&str, Option<usize>> = HashMap::with_capacity(left.len());
    for (index, identity) in left.iter().enumerate() {
        // What stands there twice is not merged but replaced.
        in_live.entry(identity).and_modify(|place| *place = None).or_insert(Some(index));
    }
    let mut shared = right.iter().filter(|identity| in_live.contains_key(identity.as_str())).peekable();
    let mut elements: Vec<Option<Value>> = live.drain(..).map(Some).collect();
    let mut merged = HashSet::new();
    let (mut l, mut r) = (0, 0);
    while l < left.len() || r < right.len() {
        if let Some(identity) = left.get(l).map(String::as_str) {
            if !in_patch.contains(identity) {
                live.extend(elements[l].take());
                l += 1;
                continue;
            }
            let is_next = right.get(r).is_some_and(|next| next == identity);
            let is_awaited = shared.peek().is_none_or(|next| *next == identity);
            if r < right.len() && !is_next && !is_awaited {
                l += 1;
                continue;
            }
            l += usize::from(is_next || merged.contains(identity));
        }
        let Some(identity) = right.get(r) else { continue };
        let current =
            in_live.get(identity.as_str()).copied().flatten().and_then(|index| elements[index].take());
        live.push(match current {
            Some(mut element) => {
                merge(&mut element, &patch[r], place);
                element
            }
            None => patch[r].clone(),
        });
        merged.insert(identity.as_str());
        shared.next_if_eq(&identity);
        r += 1;
    }
}
