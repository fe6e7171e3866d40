//! Strategic merge patch: merge patch that knows from the schema which lists merge, and by which key.
//!
//! The API server uses it for built-in kinds, and kubectl's client-side apply sends nothing else. A patch steers
//! the merge with directives: `$patch` replaces or deletes, `$retainKeys` clears what it does not list,
//! `$deleteFromPrimitiveList/x` and `$setElementOrder/x` act on the list `x`.
//!
//! ```text
//! merge ─► fields ─► retain ─► ordered lists ─► the rest
//!             ▲                      │              │
//!             └────── element ◄── list::merge ◄─────┘
//! ```

mod list;

use std::collections::HashSet;

use serde_json::{Map, Value};

use self::list::{ListRule, identity_of};
use super::{PatchError, default_budget, go_text, json_type};
use crate::budget::Budget;
use crate::schema::{Schema, Shape};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList";
const SET_ELEMENT_ORDER: &str = "$setElementOrder";

/// Merges `patch` into `original` and returns the result.
///
/// `schema` describes the whole object; below fields that it does not know, maps merge and lists are replaced.
///
/// # Errors
/// [`PatchError::Malformed`] for a patch that is not a map or has ill-formed directives,
/// [`PatchError::Inapplicable`] for lists of lists, [`PatchError::Inconsistent`] for missing merge keys, unknown
/// directives and orders that the patch contradicts.
///
/// # Source
/// `strategicpatch` of apimachinery. Clients can see its order of list elements.
pub fn merge(original: &Value, patch: &Value, schema: Schema<'_>) -> Result<Value, PatchError> {
    merge_within(original, patch, schema, &default_budget())
}

/// The same, counting its work: a list of the original is read again for each element of the patch that merges into it.
///
/// # Errors
/// As [`merge`], and [`PatchError::TooMuchWork`] and [`PatchError::Interrupted`].
pub fn merge_within(
    original: &Value,
    patch: &Value,
    schema: Schema<'_>,
    work: &Budget,
) -> Result<Value, PatchError> {
    let Value::Object(patch) = patch else {
        let found = json_type(patch);
        let text = format!("json: cannot unmarshal {found} into Go value of type map[string]interface {{}}");
        return Err(PatchError::Malformed(text));
    };
    let original = original.as_object().cloned().unwrap_or_default();
    merge_members(original, patch.clone(), Some(schema), work).map(Value::Object)
}

type Members = Map<String, Value>;

fn merge_members(
    mut original: Members,
    mut patch: Members,
    schema: Option<Schema<'_>>,
    work: &Budget,
) -> Result<Members, PatchError> {
    work.spend(1 + patch.len() as u64)?;
    if let Some(directive) = patch.get(DIRECTIVE) {
        return match directive.as_str() {
            Some("replace") => {
                patch.remove(DIRECTIVE);
                Ok(patch)
            }
            Some("delete") => Ok(Members::new()),
            _ => Err(unknown_directive(directive, &patch)),
        };
    }
    if let Some(keys) = patch.remove(RETAIN_KEYS) {
        retain(&mut original, &patch, &keys, work)?;
    }
    merge_ordered_lists(&mut original, &mut patch, schema, work)?;
    for (key, change) in patch {
        match parallel_field(&key, DELETE_FROM_LIST, "primitive list")? {
            Some(field) => delete_from_list(&mut original, field, change, work)?,
            None => merge_member(&mut original, key, change, schema, work)?,
        }
    }
    Ok(original)
}

fn merge_member(
    original: &mut Members,
    key: String,
    change: Value,
    schema: Option<Schema<'_>>,
    work: &Budget,
) -> Result<(), PatchError> {
    let field = schema.and_then(|schema| schema.property(&key));
    match (original.get_mut(&key), change) {
        (_, Value::Null) => {
            original.remove(&key);
        }
        (Some(Value::Object(_)), Value::Object(change)) if deletes_plain_map(&change, field) => {
            original.remove(&key);
        }
        (Some(Value::Object(current)), Value::Object(change)) => {
            *current = merge_members(std::mem::take(current), change, field, work)?;
        }
        (Some(Value::Array(current)), Value::Array(change)) => {
            *current = list::merge(std::mem::take(current), change, &ListRule::new(&key, field, work))?;
        }
        (Some(current), change) => match without_directives(change) {
            Some(value) => *current = value,
            None => {
                original.remove(&key);
            }
        },
        (None, change) => {
            if let Some(value) = without_directives(change) {
                original.insert(key, value);
            }
        }
    }
    Ok(())
}

/// An emptied map of strings is not printed by an API server, while an emptied struct is.
fn deletes_plain_map(change: &Members, field: Option<Schema<'_>>) -> bool {
    change.get(DIRECTIVE).is_some_and(|directive| directive == "delete")
        && field.is_some_and(|field| matches!(field.node().shape, Shape::Map(_)))
}

/// Clears what `keys` does not list; whatever the patch sets must be listed.
fn retain(original: &mut Members, patch: &Members, keys: &Value, work: &Budget) -> Result<(), PatchError> {
    let malformed = || PatchError::Malformed("invalid patch format of retainKeys".to_owned());
    let keys = keys.as_array().ok_or_else(malformed)?;
    work.spend((keys.len() + original.len()) as u64)?;
    let listed: HashSet<&str> = keys.iter().filter_map(Value::as_str).collect();
    let is_listed = |key: &str| listed.contains(key);
    let is_directive = |key: &str| key.starts_with(DELETE_FROM_LIST) || key.starts_with(SET_ELEMENT_ORDER);
    if patch.iter().any(|(key, value)| !value.is_null() && !is_directive(key) && !is_listed(key)) {
        return Err(malformed());
    }
    original.retain(|key, _| is_listed(key));
    Ok(())
}

/// Merges the lists that have a `$setElementOrder`, and takes them out of the patch.
fn merge_ordered_lists(
    original: &mut Members,
    patch: &mut Members,
    schema: Option<Schema<'_>>,
    work: &Budget,
) -> Result<(), PatchError> {
    let directives: Vec<String> =
        patch.keys().filter(|key| key.starts_with(SET_ELEMENT_ORDER)).cloned().collect();
    for directive in directives {
        let Some(field) = parallel_field(&directive, SET_ELEMENT_ORDER, "setElementOrder list")? else {
            continue;
        };
        let order = list_of(patch.remove(&directive).unwrap_or_default())?;
        if patch.get(field).is_some_and(Value::is_null) {
            continue;
        }
        let changes = patch.remove(field).map(list_of).transpose()?;
        let current = original.remove(field).filter(|value| !value.is_null()).map(list_of).transpose()?;
        let known = schema.and_then(|schema| schema.property(field));
        if schema.is_some_and(|schema| matches!(schema.node().shape, Shape::Object(_))) && known.is_none() {
            let text = format!("unable to find api field for the json field {field:?}");
            return Err(PatchError::Inconsistent(text));
        }
        let rule = ListRule::new(field, known, work);
        if let Some(merged) = list::merge_in_order(current, changes, &order, &rule)? {
            original.insert(field.to_owned(), Value::Array(merged));
        }
    }
    Ok(())
}

fn delete_from_list(
    original: &mut Members,
    field: &str,
    unwanted: Value,
    work: &Budget,
) -> Result<(), PatchError> {
    match (original.get_mut(field), unwanted) {
        (_, Value::Null) => {
            original.remove(field);
        }
        (Some(Value::Array(current)), Value::Array(unwanted)) => {
            let unwanted: HashSet<String> =
                unwanted.iter().map(|element| identity_of(element, work)).collect::<Result<_, _>>()?;
            let mut kept = Vec::with_capacity(current.len());
            for element in std::mem::take(current) {
                if !unwanted.contains(&identity_of(&element, work)?) {
                    kept.push(element);
                }
            }
            *current = kept;
        }
        _ => {}
    }
    Ok(())
}

/// The field that a directive such as `$setElementOrder/ports` is about.
fn parallel_field<'a>(key: &'a str, prefix: &str, what: &str) -> Result<Option<&'a str>, PatchError> {
    let Some(rest) = key.strip_prefix(prefix) else { return Ok(None) };
    let field = rest.strip_prefix('/').map(Some);
    field.ok_or_else(|| PatchError::Malformed(format!("invalid patch format of {what}")))
}

fn list_of(value: Value) -> Result<Vec<Value>, PatchError> {
    match value {
        Value::Array(elements) => Ok(elements),
        other => {
            let found = match other {
                Value::Object(_) => "map[string]interface {}",
                Value::Bool(_) => "bool",
                Value::String(_) => "string",
                Value::Number(number) if number.is_f64() => "float64",
                Value::Number(_) => "int64",
                Value::Null | Value::Array(_) => "%!s(<nil>)",
            };
            Err(PatchError::Inconsistent(format!("expected a []interface {{}}, but received a {found}")))
        }
    }
}

/// A value that the original does not have: nulls and directives in it mean nothing, and a map that is itself
/// a directive is dropped.
fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Object(fields) if fields.contains_key(DIRECTIVE) => None,
        Value::Object(fields) => {
            let is_plain = |key: &str| {
                key != RETAIN_KEYS
                    && !key.starts_with(DELETE_FROM_LIST)
                    && !key.starts_with(SET_ELEMENT_ORDER)
            };
            let kept = fields.into_iter().filter(|(key, value)| !value.is_null() && is_plain(key));
            Some(Value::Object(
                kept.filter_map(|(key, value)| Some((key, without_directives(value)?))).collect(),
            ))
        }
        Value::Array(elements) => Some(elements.into_iter().filter_map(without_directives).collect()),
        scalar => Some(scalar),
    }
}

fn unknown_directive(directive: &Value, fields: &Members) -> PatchError {
    let fields = go_text(&Value::Object(fields.clone()));
    PatchError::Inconsistent(format!("unknown patch type: {} in map: {fields}", go_text(directive)))
}

#[cfg(test)]
mod tests;
