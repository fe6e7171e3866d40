//! Fields that clients may select by, besides name and namespace.

use portolan_object::{FieldError, FieldErrorKind};
use serde_json::{Value, json};

use crate::tree;

/// Upper bound: each field is read for every object of a selection.
const LIMIT: usize = 8;

/// Checks that the fields exist in a schema and have values that can be compared. `is_old` says that the same fields
/// were accepted before, however many.
pub(super) fn check(
    fields: &[Value],
    schema: &Value,
    place: &str,
    is_old: bool,
    errors: &mut Vec<FieldError>,
) {
    let mut known: Vec<&str> = Vec::new();
    for (index, selectable) in fields.iter().enumerate() {
        let field = format!("{place}[{index}].jsonPath");
        let path = tree::str_at(selectable, "/jsonPath");
        if path.is_empty() {
            errors.push(FieldError::required(field, ""));
            continue;
        }
        let mut refuse = |detail: &str| errors.push(FieldError::invalid(field.clone(), &json!(path), detail));
        let found = match resolve(path, schema) {
            Ok(found) => found,
            Err(detail) => {
                refuse(&format!("is an invalid path: {detail}"));
                continue;
            }
        };
        if path == ".metadata" || path.starts_with(".metadata.") {
            refuse("must not point to fields in metadata");
        }
        if !matches!(tree::str_at(found, "/type"), "string" | "boolean" | "integer") {
            refuse(
                "must point to a field of type string, boolean or integer. Enum string fields and strings with \
                 formats are allowed.",
            );
        }
        if known.contains(&path) {
            errors.push(FieldError::new(field, FieldErrorKind::Duplicate(json!(path).to_string())));
        } else {
            known.push(path);
        }
    }
    if known.len() > LIMIT && !is_old {
        let [found, limit] = [known.len(), LIMIT].map(|count| u64::try_from(count).unwrap_or(u64::MAX));
        errors.push(FieldError::new(place, FieldErrorKind::TooMany(found, limit)));
    }
}

/// The schema at a path such as `.spec.color`.
fn resolve<'s>(path: &str, schema: &'s Value) -> Result<&'s Value, String> {
    let (mut rest, mut found) = (path, schema);
    while !rest.is_empty() {
        let (token, after) = next_token(rest);
        match token {
            "[" => return Err("array notation is not allowed".to_owned()),
            "." if after.is_empty() => return Err("unexpected end of JSON path".to_owned()),
            "." => {
                let (name, after) = next_token(after);
                found = child(found, name).ok_or("does not refer to a valid field")?;
                rest = after;
            }
            other => return Err(format!("expected [ or . but got: {other}")),
        }
    }
    Ok(found)
}

/// A delimiter, or everything up to the next one.
fn next_token(path: &str) -> (&str, &str) {
    let end = path.find(['.', '[', ']']).unwrap_or(path.len());
    path.split_at(end.max(1))
}

fn child<'s>(schema: &'s Value, name: &str) -> Option<&'s Value> {
    match tree::map(schema, "/properties") {
        Some(properties) => properties.get(name),
        None => tree::present(schema, "/additionalProperties").filter(|values| values.is_object()),
    }
}
