//! JSON patch (RFC 6902) with the habits of the library that Kubernetes uses.
//!
//! Clients rely on them: `replace` of a member that is not there adds it, an index may count from the end, and
//! `copy` of a missing member writes null. The document is built anew, so a patch that fails changes nothing.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{PatchError, json_type};

/// Operations in one patch.
const OPERATION_LIMIT: usize = 10_000;
/// Bytes that all `copy` operations of a patch may write together; without it, a short patch doubles a document
/// again and again.
const COPY_LIMIT: usize = 3 << 20;

/// Applies the operations in order and returns the changed document.
///
/// # Errors
/// [`PatchError::Malformed`] when `operations` is not a list of operations, [`PatchError::TooManyOperations`] above
/// 10,000, and [`PatchError::Inapplicable`] for the first one that cannot be carried out.
pub fn json_patch(document: &Value, operations: &Value) -> Result<Value, PatchError> {
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
        operation.apply(&mut document, &mut copied).map_err(PatchError::Inapplicable)?;
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
        let Value::Object(members) = operation else {
            return Err(undecodable(operation, "Go value of type handlers.jsonPatchOp"));
        };
        let text = |name: &str| match members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(other) => {
                Err(undecodable(other, &format!("Go struct field jsonPatchOp.{name} of type string")))
            }
        };
        let value = members.get("value").unwrap_or(&Value::Null);
        Ok(Self { op: text("op")?, path: text("path")?, from: text("from")?, value })
    }

    fn apply(&self, document: &mut Value, copied: &mut usize) -> Result<(), String> {
        let path = || self.path.ok_or("operation missing path field");
        let from = || self.from.ok_or("operation missing from field");
        match self.op.unwrap_or("unknown") {
            "add" => parent(document, path()?)?.add(self.value.clone()),
            "remove" => parent(document, path()?)?.remove().map(drop),
            "replace" if path()?.is_empty() => {
                *document = self.value.clone();
                Ok(())
            }
            "replace" => parent(document, path()?)?.replace(self.value.clone()),
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
            "test" => {
                let path = path()?;
                let found = if path.is_empty() { Some(&*document) } else { parent(document, path)?.get()? };
                if found.unwrap_or(&Value::Null) == self.value {
                    Ok(())
                } else {
                    Err(format!("testing value {path} failed"))
                }
            }
            other => Err(format!("Unexpected kind: {other}")),
        }
    }
}

/// The place that a pointer names: a container and the key or index in it, which need not exist.
enum Place<'a> {
    Member(&'a mut Map<String, Value>, Cow<'a, str>),
    Element(&'a mut Vec<Value>, Cow<'a, str>),
}

impl<'a> Place<'a> {
    fn get(self) -> Result<Option<&'a Value>, String> {
        match self {
            Self::Member(members, key) => Ok(members.get(key.as_ref())),
            Self::Element(elements, key) => {
                let at = index(&key, elements.len())?;
                Ok(elements.get(at))
            }
        }
    }

    fn add(self, value: Value) -> Result<(), String> {
        match self {
            Self::Member(members, key) => {
                members.insert(key.into_owned(), value);
            }
            Self::Element(elements, key) if key == "-" => elements.push(value),
            Self::Element(elements, key) => elements.insert(index(&key, elements.len() + 1)?, value),
        }
        Ok(())
    }

    fn replace(self, value: Value) -> Result<(), String> {
        match self {
            Self::Member(members, key) => {
                members.insert(key.into_owned(), value);
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
            Self::Member(members, key) => {
                members.remove(key.as_ref()).ok_or_else(|| format!("Unable to remove nonexistent key: {key}"))
            }
            Self::Element(elements, key) => {
                let at = index(&key, elements.len())?;
                Ok(elements.remove(at))
            }
        }
    }
}

fn parent<'a>(document: &'a mut Value, pointer: &'a str) -> Result<Place<'a>, String> {
    let missing = || format!("the document has no path {pointer:?}");
    let (parents, key) = pointer.rsplit_once('/').ok_or_else(missing)?;
    let mut container = document;
    if !parents.is_empty() {
        let names = parents.strip_prefix('/').ok_or_else(missing)?;
        for name in names.split('/').map(unescape) {
            container = match container {
                Value::Object(members) => members.get_mut(name.as_ref()).ok_or_else(missing)?,
                Value::Array(elements) => {
                    let at = index(&name, elements.len())?;
                    &mut elements[at]
                }
                _ => return Err(missing()),
            };
        }
    }
    match container {
        Value::Object(members) => Ok(Place::Member(members, unescape(key))),
        Value::Array(elements) => Ok(Place::Element(elements, unescape(key))),
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
