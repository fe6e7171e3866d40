//! Quantities (k8s.io/apiserver/pkg/cel/library/quantity.go), with our type: the library's overflows on large exponents.

use std::cmp::Ordering;
use std::sync::Arc;

use kube_cel::cel::objects::Opaque;

use super::{ExecutionError, Value};
use crate::quantity::Quantity;

/// Longest text that is read as a quantity.
const MAX_TEXT: usize = 256;

/// A quantity as a value.
#[derive(Debug, PartialEq, Eq)]
struct Amount(Quantity);

impl Opaque for Amount {
    fn runtime_type_name(&self) -> &'static str {
        "kubernetes.Quantity"
    }
}

/// A function of quantities; `None` for others.
pub(super) fn call(
    function: &str,
    target: Option<&Value>,
    arguments: &[Value],
) -> Option<Result<Value, ExecutionError>> {
    if let (None, [argument]) = (target, arguments) {
        return match function {
            "quantity" => Some(read(argument)),
            "isQuantity" => Some(Ok(Value::Bool(read(argument).is_ok()))),
            _ => None,
        };
    }
    let amount = amount(target?)?;
    let value = match (function, arguments) {
        ("isInteger", []) => Value::Bool(amount.as_i64().is_some()),
        ("asInteger", []) => match amount.as_i64() {
            Some(number) => Value::Int(number),
            None => return Some(Err(error(function, "cannot convert value to integer"))),
        },
        ("asApproximateFloat", []) => Value::Float(amount.as_f64()),
        ("sign", []) => Value::Int(match amount.cmp(&Quantity::default()) {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        }),
        ("add" | "sub", [other]) => {
            let other = match (other, self::amount(other)) {
                (_, Some(other)) => other,
                (Value::Int(number), None) => Quantity::from(*number),
                _ => return Some(Err(error(function, "expected a quantity or an integer"))),
            };
            let total = if function == "add" { amount.plus(other) } else { amount.minus(other) };
            Value::Opaque(Arc::new(Amount(total)))
        }
        ("isGreaterThan" | "isLessThan" | "compareTo", [other]) => {
            let Some(other) = self::amount(other) else {
                return Some(Err(error(function, "expected a quantity")));
            };
            let order = amount.cmp(&other);
            match function {
                "isGreaterThan" => Value::Bool(order.is_gt()),
                "isLessThan" => Value::Bool(order.is_lt()),
                _ => Value::Int(order as i64),
            }
        }
        _ => return None,
    };
    Some(Ok(value))
}

fn read(value: &Value) -> Result<Value, ExecutionError> {
    let Value::String(text) = value else {
        return Err(error("quantity", "expected a string"));
    };
    if text.len() > MAX_TEXT {
        return Err(error("quantity", "the text is too long"));
    }
    let amount = Quantity::parse(text).map_err(|cause| error("quantity", &cause.to_string()))?;
    Ok(Value::Opaque(Arc::new(Amount(amount))))
}

fn amount(value: &Value) -> Option<Quantity> {
    match value {
        Value::Opaque(value) => value.downcast_ref::<Amount>().map(|amount| amount.0),
        _ => None,
    }
}

fn error(function: &str, detail: &str) -> ExecutionError {
    ExecutionError::function_error(function, detail)
}
