//! Calls of functions: which are ours, and what the library's cost.
//!
//! Costs follow k8s.io/apiserver/pkg/cel/library/cost.go. They are charged before the work is done, from the sizes of
//! the arguments and, where a result may be larger than its arguments, from the size that it will have.

use super::evaluate::{Evaluation, type_named};
use super::failure::{Failure, Outcome};
use super::tree::Node;
use super::{ExecutionError, Value, library, quantities};

/// Longest text that is read as a time, a duration or a quantity. The library's parsers take any length.
const MAX_SCALAR_TEXT: usize = 256;
/// Most digits after the point that `format` may ask for.
const MAX_PRECISION_DIGITS: usize = 2;

impl<'a> Evaluation<'a> {
    pub(super) fn call(
        &mut self,
        function: &'a str,
        target: Option<&'a Node>,
        arguments: &'a [Node],
    ) -> Outcome {
        let target = target.map(|target| self.node(target)).transpose()?;
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(self.node(argument)?);
        }
        if let Some(outcome) = self.optional_call(function, target.as_ref(), &values) {
            return outcome;
        }
        if let Some(outcome) = self.own_call(function, target.as_ref(), &values) {
            return outcome;
        }
        if let Some(outcome) = quantities::call(function, target.as_ref(), &values) {
            self.meter.spend(1)?;
            return Ok(outcome?);
        }
        self.spend_for_library(function, target.as_ref(), &values)?;
        Ok(library::call(function, target.as_ref(), &values)?)
    }

    /// Functions that are evaluated here, because the library's would be slower than their cost or could panic.
    fn own_call(&mut self, function: &str, target: Option<&Value>, arguments: &[Value]) -> Option<Outcome> {
        // A function of one value may be called as `f(x)` or as `x.f()`.
        let all: Vec<&Value> = target.into_iter().chain(arguments).collect();
        Some(match (function, all.as_slice()) {
            ("size", [value]) => self.size(value),
            ("type", [value]) => self.meter.spend(1).map(|()| type_of(value)),
            ("dyn", [value]) => self.meter.spend(1).map(|()| (*value).clone()),
            ("jsonpatch.escapeKey", [Value::String(text)]) => {
                let escaped = text.replace('~', "~0").replace('/', "~1");
                self.meter.spend_new_text(escaped.len()).map(|()| Value::String(escaped.into()))
            }
            ("bool", [value]) => self.meter.spend(1).and_then(|()| Ok(to_bool(value)?)),
            ("sum" | "first" | "last" | "slice" | "distinct" | "lists.range", _) => {
                return self.list_call(function, &all);
            }
            ("indexOf" | "lastIndexOf", [Value::List(_), _]) => return self.list_call(function, &all),
            (
                "contains" | "startsWith" | "endsWith" | "matches" | "find" | "findAll" | "indexOf"
                | "lastIndexOf",
                [Value::String(text), Value::String(argument), rest @ ..],
            ) => return self.text_call(function, text, argument, rest),
            ("timestamp" | "duration", [Value::String(text)]) if text.len() > MAX_SCALAR_TEXT => {
                let detail = format!("the text is longer than {MAX_SCALAR_TEXT} bytes");
                Err(ExecutionError::function_error(function, detail).into())
            }
            ("timestamp", [time @ Value::Timestamp(_)]) => self.meter.spend(1).map(|()| (*time).clone()),
            ("duration", [time @ Value::Duration(_)]) => self.meter.spend(1).map(|()| (*time).clone()),
            _ => return None,
        })
    }

    fn size(&mut self, value: &Value) -> Outcome {
        self.meter.spend(1)?;
        let size = match value {
            Value::List(list) => list.len(),
            Value::Map(map) => map.map.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::String(text) => {
                // Upstream calls this one unit; it reads the whole text all the same.
                self.meter.spend(text.len() as u64 / 1_000)?;
                text.chars().count()
            }
            _ => return Err(ExecutionError::unsupported_target_type(value.clone()).into()),
        };
        Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
    }

    /// Arguments are copied for the library, and what it makes of them is at most as large, with the exceptions below.
    fn spend_for_library(
        &mut self,
        function: &str,
        target: Option<&Value>,
        arguments: &[Value],
    ) -> Result<(), Failure> {
        self.meter.spend(1)?;
        for value in target.into_iter().chain(arguments) {
            self.meter.spend_traversal(value)?;
        }
        match (function, target, arguments) {
            ("replace", Some(Value::String(text)), [Value::String(from), Value::String(to), ..]) => {
                let count =
                    if from.is_empty() { text.len() + 1 } else { text.matches(from.as_str()).count() };
                let length = text.len().saturating_add(count.saturating_mul(to.len()));
                self.meter.spend_new_text(length)
            }
            ("join", Some(Value::List(list)), separator) => {
                let separator = match separator {
                    [Value::String(separator), ..] => separator.len(),
                    _ => 0,
                };
                self.meter.spend_new_text(separator.saturating_mul(list.len()))
            }
            ("split", Some(Value::String(text)), [Value::String(separator), ..]) => {
                let parts =
                    if separator.is_empty() { text.len() } else { text.matches(separator.as_str()).count() };
                self.meter.spend_elements(parts + 1)
            }
            ("sort", Some(Value::List(list)), []) => {
                for _ in 0..list.len().max(1).ilog2() {
                    self.meter.spend_traversal(target.unwrap_or(&Value::Null))?;
                }
                Ok(())
            }
            ("sets.contains" | "sets.intersects" | "sets.equivalent", None, [left, right]) => {
                self.spend_product(left, right)
            }
            ("format", Some(Value::String(text)), _) => {
                refuse_precision(text)?;
                self.meter.spend_new_text(text.len())
            }
            ("validate", _, [Value::String(text), ..]) => self.meter.spend_text(text.len() * 32),
            _ => Ok(()),
        }
    }

    /// Every element of one list is compared with every element of the other.
    fn spend_product(&mut self, left: &Value, right: &Value) -> Result<(), Failure> {
        if let (Value::List(left), Value::List(_)) = (left, right) {
            for _ in 0..left.len() {
                self.meter.spend_traversal(right)?;
            }
        }
        Ok(())
    }
}

/// `%.99f` is fine; more digits than that are not worth their memory.
fn refuse_precision(text: &str) -> Result<(), ExecutionError> {
    let is_long = |verb: &str| {
        let Some(precision) = verb.strip_prefix('.') else { return false };
        precision.bytes().take_while(u8::is_ascii_digit).count() > MAX_PRECISION_DIGITS
    };
    match text.split('%').skip(1).any(is_long) {
        true => Err(ExecutionError::function_error("format", "the precision has more than two digits")),
        false => Ok(()),
    }
}

fn type_of(value: &Value) -> Value {
    match value {
        Value::Float(_) => type_named("double"),
        Value::Null => type_named("null_type"),
        other => type_named(&other.type_of().to_string()),
    }
}

fn to_bool(value: &Value) -> Result<Value, ExecutionError> {
    match value {
        Value::Bool(_) => Ok(value.clone()),
        Value::String(text) if ["1", "t", "true", "TRUE", "True"].contains(&text.as_str()) => {
            Ok(Value::Bool(true))
        }
        Value::String(text) if ["0", "f", "false", "FALSE", "False"].contains(&text.as_str()) => {
            Ok(Value::Bool(false))
        }
        _ => Err(ExecutionError::unsupported_target_type(value.clone())),
    }
}
