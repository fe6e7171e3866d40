//! Match conditions of webhooks and policies, and the evaluation of their expressions.

use portolan_object::budget::Budget;
use portolan_object::expression::{Evaluated, Expression, Variables};

/// An expression, or why it cannot be evaluated.
pub(super) type Compiled = Result<Expression, String>;

/// The value of an expression.
///
/// # Errors
/// Why it has none.
pub(super) fn evaluate(
    expression: &Compiled,
    variables: &Variables,
    budget: &Budget,
) -> Result<Evaluated, String> {
    match expression {
        Ok(expression) => expression.evaluate(variables, budget).map_err(|error| error.to_string()),
        Err(error) => Err(error.clone()),
    }
}

/// Whether all match conditions hold. One that is false decides, even if others cannot be evaluated.
///
/// # Errors
/// Those that cannot be evaluated, if none is false.
pub(super) fn meet(
    conditions: &[(String, Compiled)],
    variables: &Variables,
    budget: &Budget,
) -> Result<bool, String> {
    let mut errors = Vec::new();
    for (name, condition) in conditions {
        match evaluate(condition, variables, budget).map(|value| value.as_bool()) {
            Ok(Some(true)) => {}
            Ok(Some(false)) => return Ok(false),
            Ok(None) => errors.push(format!("match condition '{name}' is not a truth value")),
            Err(error) => errors.push(format!("match condition '{name}' resulted in error: {error}")),
        }
    }
    if errors.is_empty() { Ok(true) } else { Err(errors.join(", ")) }
}
