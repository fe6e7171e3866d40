//! The types that patches of admission policies make: parts of an object, named by their path, and operations of a JSON
//! patch (k8s.io/apiserver/pkg/cel/mutation).

use kube_cel::cel::common::ast::{EntryExpr, Expr, IdedExpr, StructExpr};

use super::Messages;

/// The type of an object. Its parts have the path of their field after it.
const OBJECT: &str = "Object";
/// An operation of a JSON patch, and its fields.
const OPERATION: &str = "JSONPatch";
const OPERATION_FIELDS: [&str; 4] = ["op", "path", "from", "value"];

/// Checks that a message is of a known type, and that its parts have the types of their fields.
///
/// # Errors
/// What is unknown, as upstream says it.
pub(super) fn check(message: &StructExpr, allowed: Messages) -> Result<(), String> {
    let name = message.type_name.trim_start_matches('.');
    let is_object = name == OBJECT || name.strip_prefix(OBJECT).is_some_and(|rest| rest.starts_with('.'));
    if allowed == Messages::None || !(is_object || name == OPERATION) {
        return Err(format!("unknown type {:?}", message.type_name));
    }
    for entry in &message.entries {
        let EntryExpr::StructField(field) = &entry.expr else { continue };
        if is_object {
            check_part(&field.value, &format!("{name}.{}", field.field))?;
        } else if !OPERATION_FIELDS.contains(&field.field.as_str()) {
            return Err(format!("undefined field '{}'", field.field));
        }
    }
    Ok(())
}

/// Checks the messages that are written in a field, also as elements of a list or values of a map.
fn check_part(value: &IdedExpr, expected: &str) -> Result<(), String> {
    match &value.expr {
        Expr::Struct(part) if part.type_name.trim_start_matches('.') != expected => Err(format!(
            "type mismatch: unexpected type name {:?}, expected {expected:?}, which matches field name path from root \
             Object type",
            part.type_name
        )),
        Expr::List(list) => list.elements.iter().try_for_each(|element| check_part(element, expected)),
        Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => check_part(&entry.value, expected),
            EntryExpr::StructField(_) => Ok(()),
        }),
        _ => Ok(()),
    }
}
