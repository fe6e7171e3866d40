//! Constants that a function cannot read are errors of the definition (google/cel-go cel/validator.go).

use super::super::tree::Node;
use super::super::{Value, call_library};
use crate::schema::structural::pattern;

/// Checks the constants of a call.
///
/// # Errors
/// The message about a constant.
pub(super) fn check(function: &str, target: Option<&Node>, arguments: &[Node]) -> Result<(), String> {
    let text = match (function, target, arguments) {
        ("timestamp" | "duration", None, [Node::Constant(Value::String(text))])
        | ("matches", Some(_), [Node::Constant(Value::String(text))])
        | ("matches", None, [_, Node::Constant(Value::String(text))]) => text,
        _ => return Ok(()),
    };
    let is_read = match function {
        "matches" => pattern::compile(text).is_ok(),
        _ => call_library(function, None, &[Value::String(text.clone())]).is_ok(),
    };
    if is_read { Ok(()) } else { Err(format!("invalid {function} argument")) }
}
