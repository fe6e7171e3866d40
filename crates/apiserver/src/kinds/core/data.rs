//! Rules that config maps and secrets share: size and immutability.

use serde_json::Value;

use crate::tree;
use crate::validation::FieldErrors;
use crate::validation::path::Path;

/// All entries of a config map or secret together may not be larger.
pub(crate) const LIMIT: usize = 1024 * 1024;
const FROZEN: &str = "field is immutable when `immutable` is set";

pub(crate) fn frozen(new: &Value, old: Option<&Value>, fields: &[&str], errors: &mut FieldErrors) {
    let Some(old) = old.filter(|old| tree::is_true(old, "/immutable")) else { return };
    if !tree::is_true(new, "/immutable") {
        errors.forbidden(&Path::root("immutable"), FROZEN);
    }
    for field in fields {
        let of = |object: &Value| object.get(*field).filter(|value| !value.is_null()).cloned();
        if of(new) != of(old) {
            errors.forbidden(&Path::root(field), FROZEN);
        }
    }
}

/// Decoded size of a base64 entry, in bytes.
pub(crate) fn decoded_length(value: &Value) -> usize {
    let text = value.as_str().unwrap_or_default().trim_end_matches('=');
    text.len() * 3 / 4
}
