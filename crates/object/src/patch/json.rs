//! JSON patch (RFC 6902) as `gopkg.in/evanphx/json-patch.v4`, the library of Kubernetes, applies it.
//!
//! Clients rely on its differences from the RFC: `replace` of a field that is not there adds it, an index may count
//! from the end, and `copy` of a missing field writes null. The patch works on a copy, so one that fails changes
//! nothing.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{PatchError, default_budget, json_type};
use crate::budget::Budget;

/// Operations in one patch.
const OPERATION_LIMIT: usize = 10_000;
/// Bytes that all `copy` operations of a patch may write together; without it, a short patch doubles a document
/// again and again.
const COPY_LIMIT: usize = 3 << 20;
/// Elements of a list that move by one place in about the time of a step.
const ELEMENTS_PER_STEP: usize = 8;
/// Bytes of a path that are read in about the time of a step.
const BYTES_PER_STEP: usize = 64;

/// Applies the operations in order and returns the changed document.
///
/// # Errors
/// [`PatchError::Malformed`] when `operations` is not a list of operations, [`PatchError::TooManyOperations`] above
/// 10,000, [`PatchError::TestFailed`] for the first `test` that finds another value, and [`PatchError::Inapplicable`] for
/// the first operation that cannot be carried out.
pub fn json_patch(document: &Value, operations: &Value) -> Result<Value, PatchError> {
    json_patch_within(document, operations, &default_budget())
}

/// The same, counting its work; insertions at the front of a long list take as many steps as elements move.
///
/// # Errors
/// As [`json_patch`], and [`PatchError::TooMuchWork`] and [`PatchError::Interrupted`].
pub fn json_patch_within(document: &Value, operations: &Value, work: &Budget) -> Result<Value, PatchError> {
    apply(document, operations, MissingField::Added, work)
}

/// The same, except that `replace` of a field that is not there is refused, as RFC 6902 says.
///
/// Karmada's overrides follow this: Karmada has version 5 of the library, the API server version 4.
///
/// # Errors
/// As [`json_patch`].
pub fn strict_json_patch(document: &Value, operations: &Value) -> Result<Value, PatchError> {
    apply(document, operations, MissingField::Refused, &default_budget())
}

/// The effect of `replace` on a field that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MissingField {
    Added,
    Refused,
}

fn apply(
    document: &Value,
    operations: &Value,
    missing: MissingField,
    work: &Budget,
) -> Result<Value, PatchError> {
    let operations = match operations {
        Value::Array(operations) => operations.as_slice(),
        Value::Null => &[],
        other => return Err(undecodable(other, "Go value of type []handlers.jsonPatchOp")),
    };
    let operations: Vec<Operation<'_>> = operations.iter().map(Operation::read).collect::<Result<_, _>>()?;
    if operations.len() > OPERATION_LIMIT {
        return Err(PatchError::TooManyOperations { found: operations.len(), limit: OPERATION_LIMIT });
    }
    let mut document = document.clone();
    let mut copied = 0;
    for operation in &operations {
        work.spend(operation.steps(&mut document))?;
        let before = copied;
        operation.apply(&mut document, &mut copied, missing)?;
        work.spend_bytes(copied - before)?;
    }
    Ok(document)
}

struct Operation<'a> {
    op: Option<&'a str>,
    path: Option<&'a str>,
    from: Option<&'a str>,
    value: &'a Value,
}

impl<'a> Operation<'a> {
    fn read(operation: &'a Value) -> Result<Self, PatchError> {
        let Value::Object(fields) = operation else {
            return Err(undecodable(operation, "Go value of type handlers.jsonPatchOp"));
        };
        let text = |name: &str| match fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(other) => {
                Err(undecodable(other, &format!("Go struct field jsonPatchOp.{name} of type string")))
            }
        };
        let value = fields.get("value").unwrap_or(&Value::Null);
        Ok(Self { op: text("op")?, path: text("path")?, from: text("from")?, value })
    }

    /// About the steps that the operation takes: one for each part of its paths, and those of the elements that move.
    fn steps(&self, document: &mut Value) -> u64 {
        let mut steps = 1;
        for (pointer, moves) in [(self.path, self.op != Some("test")), (self.from, self.op == Some("move"))] {
            let Some(pointer) = pointer else { continue };
            steps += 1 + pointer.len() / BYTES_PER_STEP;
            if moves && let Ok(Target::Element(elements, key)) = parent(document, pointer) {
                let at = index(&key, elements.len() + 1).unwrap_or(elements.len());
                steps += (elements.len() - at) / ELEMENTS_PER_STEP;
            }
        }
        steps as u64
    }

    fn apply(
        &self,
        document: &mut Value,
        copied: &mut usize,
        missing: MissingField,
    ) -> Result<(), PatchError> {
        if self.op != Some("test") {
            return self.change(document, copied, missing).map_err(PatchError::Inapplicable);
        }
        let path = self.path().map_err(PatchError::Inapplicable)?;
        if self.holds(document, path).map_err(PatchError::Inapplicable)? {
            Ok(())
        } else {
            Err(PatchError::TestFailed(format!("testing value {path} failed")))
        }
    }

    fn path(&self) -> Result<&'a str, String> {
        self.path.ok_or_else(|| "operation missing path field".to_owned())
    }

    /// Whether the value at a path is that of the operation.
    fn holds(&self, document: &mut Value, path: &str) -> Result<bool, String> {
        let found = if path.is_empty() { Some(&*document) } else { parent(document, path)?.get()? };
        Ok(found.unwrap_or(&Value::Null) == self.value)
    }

    fn change(&self, document: &mut Value, copied: &mut usize, missing: MissingField) -> Result<(), String> {
        let path = || self.path();
        let from = || self.from.ok_or("operation missing from field");
        match self.op.unwrap_or("unknown") {
            "add" => parent(document, path()?)?.add(self.value.clone()),
            "remove" => parent(document, path()?)?.remove().map(drop),
            "replace" if path()?.is_empty() => {
                *document = self.value.clone();
                Ok(())
            }
            "replace" => parent(document, path()?)?.replace(self.value.clone(), missing),
            "move" => {
                let value = parent(document, from()?)?.remove()?;
                parent(document, path()?)?.add(value)
            }
            "copy" => {
                let value = parent(document, from()?)?.get()?.cloned().unwrap_or_default();
                *copied += value.to_string().len();
                if *copied > COPY_LIMIT {
                    return Err(format!("copies write {copied} bytes, more than {COPY_LIMIT}"));
                }
                parent(document, path()?)?.add(value)
            }
            other => Err(format!("Unexpected kind: {other}")),
        }
    }
}

/// The target of a pointer: a container and the key or index in it, which need not exist.
enum Target<'a> {
    Field(&'a mut Map<String, Value>, Cow<'a, str>),
    Element(&'a mut Vec<Value>, Cow<'a, str>),
}

impl<'a> Target<'a> {
    fn get(self) -> Result<Option<&'a Value>, String> {
        match self {
            Self::Field(fields, key) => Ok(fields.get(key.as_ref())),
            Self::Element(elements, key) => {
                let at = index(&key, elements.len())?;
                Ok(elements.get(at))
            }
        }
    }

    fn add(self, value: Value) -> Result<(), String> {
        match self {
            Self::Field(fields, key) => {
                fields.insert(key.into_owned(), value);
            }
            Self::Element(elements, key) if key == "-" => elements.push(value),
            Self::Element(elements, key) => elements.insert(index(&key, elements.len() + 1)?, value),
        }
        Ok(())
    }

    fn replace(self, value: Value, missing: MissingField) -> Result<(), String> {
        match self {
            Self::Field(fields, key) => {
                if missing == MissingField::Refused && !fields.contains_key(key.as_ref()) {
                    return Err(format!("replace operation does not apply: doc is missing key: {key}"));
                }
                fields.insert(key.into_owned(), value);
            }
            Self::Element(elements, key) => {
                let at = index(&key, elements.len())?;
                elements[at] = value;
            }
        }
        Ok(())
    }

    fn remove(self) -> Result<Value, String> {
        match self {
            Self::Field(fields, key) => {
                fields.remove(key.as_ref()).ok_or_else(|| format!("Unable to remove nonexistent key: {key}"))
            }
            Self::Element(elements, key) => {
                let at = index(&key, elements.len())?;
                Ok(elements.remove(at))
            }
        }
    }
}

fn parent<'a>(document: &'a mut Value, pointer: &'a str) -> Result<Target<'a>, String> {
    let missing = || format!("the document has no path {pointer:?}");
    let (parents, key) = pointer.rsplit_once('/').ok_or_else(missing)?;
    let mut container = document;
    if !parents.is_empty() {
        let names = parents.strip_prefix('/').ok_or_else(missing)?;
        for name in names.split('/').map(unescape) {
            container = match container {
                Value::Object(fields) => fields.get_mut(name.as_ref()).ok_or_else(missing)?,
                Value::Array(elements) => {
                    let at = index(&name, elements.len())?;
                    &mut elements[at]
                }
                _ => return Err(missing()),
            };
        }
    }
    match container {
        Value::Object(fields) => Ok(Target::Field(fields, unescape(key))),
        Value::Array(elements) => Ok(Target::Element(elements, unescape(key))),
        _ => Err(missing()),
    }
}

/// The index that `key` names among `length` places; negative ones count from the end.
fn index(key: &str, length: usize) -> Result<usize, String> {
    let outside = || format!("Unable to access invalid index: {key}");
    let index: i64 = key.parse().map_err(|_| outside())?;
    let magnitude = usize::try_from(index.unsigned_abs()).map_err(|_| outside())?;
    let index = if index < 0 { length.checked_sub(magnitude) } else { Some(magnitude) };
    index.filter(|index| *index < length).ok_or_else(outside)
}

/// RFC 6901, section 4: `~1` first, then `~0`.
fn unescape(token: &str) -> Cow<'_, str> {
    if token.contains('~') {
        Cow::Owned(token.replace("~1", "/").replace("~0", "~"))
    } else {
        Cow::Borrowed(token)
    }
}

fn undecodable(found: &Value, target: &str) -> PatchError {
    let found = json_type(found);
    PatchError::Malformed(format!("error decoding patch: json: cannot unmarshal {found} into {target}"))
}

#[cfg(test)]
mod tests;
