//! Strategic merge of two lists, and the order of the result.
//!
//! Elements of a merging list are told apart by the merge key, or by themselves when they are scalars. Look-ups go
//! through maps, so that a long list in a hostile patch costs no more than its length.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{
    DIRECTIVE, Members, PatchError, SET_ELEMENT_ORDER, go_text, merge_members, unknown_directive,
    without_directives,
};
use crate::budget::Budget;
use crate::schema::Schema;

/// Merge rules of one list.
pub(super) struct ListRule<'a> {
    field: &'a str,
    merges: bool,
    key: Option<&'a str>,
    items: Option<Schema<'a>>,
    work: &'a Budget,
}

/// An element as its own identity: equal elements have equal texts.
pub(super) fn identity_of(element: &Value, work: &Budget) -> Result<String, PatchError> {
    let identity = element.to_string();
    work.spend_bytes(identity.len())?;
    Ok(identity)
}

impl<'a> ListRule<'a> {
    pub(super) fn new(field: &'a str, schema: Option<Schema<'a>>, work: &'a Budget) -> Self {
        let node = schema.map(Schema::node);
        Self {
            field,
            merges: node.is_some_and(|node| node.patch_merge),
            key: node.and_then(|node| node.patch_merge_key.as_deref()),
            items: schema.and_then(Schema::items),
            work,
        }
    }

    /// Key that identifies an element.
    fn identity(&self, element: &Value) -> Result<String, PatchError> {
        match (element, self.key) {
            (Value::Object(fields), Some(key)) => match fields.get(key) {
                Some(value) => identity_of(value, self.work),
                None => {
                    let fields = go_text(element);
                    let text = format!("map: {fields} does not contain declared merge key: {key}");
                    Err(PatchError::Inconsistent(text))
                }
            },
            _ => identity_of(element, self.work),
        }
    }

    fn identities(&self, elements: &[Value]) -> Result<Vec<String>, PatchError> {
        elements.iter().map(|element| self.identity(element)).collect()
    }
}

/// Merges `patch` into `original`, or replaces it where the schema does not say that the list merges.
pub(super) fn merge(
    original: Vec<Value>,
    patch: Vec<Value>,
    rule: &ListRule<'_>,
) -> Result<Vec<Value>, PatchError> {
    if !rule.merges {
        return Ok(patch);
    }
    rule.work.spend((original.len() + patch.len()) as u64)?;
    match Elements::new(&original, &patch)? {
        Elements::None => Ok(original),
        Elements::Scalars => {
            let order = positions(rule.identities(&patch)?);
            let before = positions(rule.identities(&original)?);
            let mut seen = HashSet::new();
            let mut merged = Vec::with_capacity(original.len());
            for element in original.into_iter().chain(patch) {
                if seen.insert(identity_of(&element, rule.work)?) {
                    merged.push(element);
                }
            }
            arrange(merged, &order, &before, rule)
        }
        Elements::Maps if rule.key.is_none() => {
            let text = format!("cannot merge lists without merge key for {}", rule.field);
            Err(PatchError::Inconsistent(text))
        }
        Elements::Maps => merge_maps(original, patch, rule),
    }
}

/// Merges a list with an order set by the patch; `None` when neither side has the list.
pub(super) fn merge_in_order(
    original: Option<Vec<Value>>,
    patch: Option<Vec<Value>>,
    order: &[Value],
    rule: &ListRule<'_>,
) -> Result<Option<Vec<Value>>, PatchError> {
    let ordered = rule.identities(order)?;
    check_order(patch.as_deref().unwrap_or_default(), order, &ordered, rule)?;
    let mut before = rule.identities(original.as_deref().unwrap_or_default())?;
    let merged = match (original, patch) {
        (None, None) => return Ok(None),
        (Some(original), None) => original,
        (None, Some(patch)) => patch.into_iter().filter_map(without_directives).collect(),
        (Some(original), Some(patch)) => {
            let is_replaced =
                patch.iter().any(|element| element.get(DIRECTIVE).is_some_and(|it| it == "replace"));
            let merged = merge(original, patch, rule)?;
            if !is_replaced {
                refill(&mut before, rule.identities(&merged)?);
            }
            merged
        }
    };
    arrange(merged, &positions(ordered), &positions(before), rule).map(Some)
}

/// Lets new elements take the places of deleted ones among those that were there before.
///
/// Upstream merges into the very list that it later asks for the old order, so that this is the order that clients
/// see when a patch exchanges one element for another.
fn refill(before: &mut Vec<String>, merged: Vec<String>) {
    let places = before.len();
    let remaining: HashSet<String> = merged.iter().cloned().collect();
    let old: HashSet<String> = before.iter().cloned().collect();
    before.retain(|identity| remaining.contains(identity));
    before.extend(merged.into_iter().filter(|identity| !old.contains(identity)));
    before.truncate(places);
}

enum Elements {
    None,
    Scalars,
    Maps,
}

impl Elements {
    /// All elements of both lists must have one type.
    fn new(original: &[Value], patch: &[Value]) -> Result<Self, PatchError> {
        let mut elements = original.iter().chain(patch);
        let Some(first) = elements.next() else { return Ok(Self::None) };
        if first.is_array() {
            return Err(PatchError::Inapplicable("lists of lists are not supported".to_owned()));
        }
        if elements.any(|element| type_of(element) != type_of(first)) {
            let lists = Value::from(vec![original.to_vec(), patch.to_vec()]);
            let text = format!("list element types are not identical: {}", go_text(&lists));
            return Err(PatchError::Inconsistent(text));
        }
        Ok(if first.is_object() { Self::Maps } else { Self::Scalars })
    }
}

fn type_of(value: &Value) -> (std::mem::Discriminant<Value>, bool) {
    (std::mem::discriminant(value), value.is_f64())
}

fn merge_maps(
    mut original: Vec<Value>,
    patch: Vec<Value>,
    rule: &ListRule<'_>,
) -> Result<Vec<Value>, PatchError> {
    let mut changes = Vec::new();
    let mut deleted = HashSet::new();
    let mut replaces = false;
    for element in patch {
        let Value::Object(fields) = element else { continue };
        match fields.get(DIRECTIVE).map(|directive| (directive, directive.as_str())) {
            None => changes.push(fields),
            Some((_, Some("delete"))) => {
                deleted.insert(rule.identity(&Value::Object(fields))?);
            }
            Some((_, Some("replace"))) => replaces = true,
            Some((_, Some("merge"))) => {
                let text = "merging lists cannot yet be specified in the patch";
                return Err(PatchError::Inconsistent(text.to_owned()));
            }
            Some((directive, _)) => return Err(unknown_directive(directive, &fields)),
        }
    }
    if replaces {
        return Ok(changes.into_iter().map(Value::Object).filter_map(without_directives).collect());
    }
    if !deleted.is_empty() {
        let mut identities = rule.identities(&original)?.into_iter();
        original.retain(|_| identities.next().is_none_or(|identity| !deleted.contains(&identity)));
    }
    let before = positions(rule.identities(&original)?);
    let mut places = before.clone();
    let mut order = Vec::with_capacity(changes.len());
    for change in changes {
        let identity = rule.identity(&Value::Object(change.clone()))?;
        match places.get(&identity) {
            Some(&place) => merge_element(&mut original[place], change, rule)?,
            None => {
                places.insert(identity.clone(), original.len());
                original.extend(without_directives(Value::Object(change)));
            }
        }
        order.push(identity);
    }
    arrange(original, &positions(order), &before, rule)
}

fn merge_element(element: &mut Value, change: Members, rule: &ListRule<'_>) -> Result<(), PatchError> {
    if let Value::Object(fields) = element {
        *fields = merge_members(std::mem::take(fields), change, rule.items, rule.work)?;
    }
    Ok(())
}

/// First index of each identity.
fn positions(identities: Vec<String>) -> HashMap<String, usize> {
    let mut positions = HashMap::with_capacity(identities.len());
    for (position, identity) in identities.into_iter().enumerate() {
        positions.entry(identity).or_insert(position);
    }
    positions
}

/// Puts a merged list in order.
///
/// Elements named by `order` follow it, the rest keeps the order it had `before`. Of the two sequences, an element of
/// the rest goes first only if both were there before and it stood before the other; so new elements come first.
fn arrange(
    merged: Vec<Value>,
    order: &HashMap<String, usize>,
    before: &HashMap<String, usize>,
    rule: &ListRule<'_>,
) -> Result<Vec<Value>, PatchError> {
    let mut named = Vec::new();
    let mut others = Vec::new();
    for element in merged {
        let identity = rule.identity(&element)?;
        let was_at = before.get(&identity).copied();
        match order.get(&identity) {
            Some(&rank) => named.push((rank, was_at, element)),
            None => others.push((was_at, element)),
        }
    }
    named.sort_by_key(|(rank, ..)| *rank);
    others.sort_by_key(|(was_at, _)| *was_at);
    let mut arranged = Vec::with_capacity(named.len() + others.len());
    let mut others = others.into_iter().peekable();
    for (_, named_at, element) in named {
        let stood_before =
            |other_at: Option<usize>| named_at.zip(other_at).is_some_and(|(named, other)| other < named);
        while let Some((_, other)) = others.next_if(|(other_at, _)| stood_before(*other_at)) {
            arranged.push(other);
        }
        arranged.push(element);
    }
    arranged.extend(others.map(|(_, element)| element));
    Ok(arranged)
}

/// Elements of the patch must all stand in the order list, in the same sequence; directives are passed over.
fn check_order(
    patch: &[Value],
    order: &[Value],
    ordered: &[String],
    rule: &ListRule<'_>,
) -> Result<(), PatchError> {
    if patch.is_empty() || order.is_empty() {
        return Ok(());
    }
    let mut remaining = ordered.iter();
    for element in patch.iter().filter(|element| element.get(DIRECTIVE).is_none()) {
        let identity = rule.identity(element)?;
        if !remaining.any(|other| *other == identity) {
            let (patch, order) =
                (go_text(&Value::from(patch.to_vec())), go_text(&Value::from(order.to_vec())));
            return Err(PatchError::Inconsistent(format!(
                "The order in patch list:\n{patch}\n doesn't match {SET_ELEMENT_ORDER} list:\n{order}\n"
            )));
        }
    }
    Ok(())
}
