//! Why an expression has no value.

use super::{ExecutionError, Value};
use crate::budget::Exhausted;

/// Why an expression has no value.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// An error of the expression, which `||` and `&&` may absorb. In a box, because evaluation recurses with it.
    Error(Box<ExecutionError>),
    /// The expression costs more than one evaluation may.
    CallLimit,
    /// The budget of the request is used up, or the request has ended.
    Exhausted(Exhausted),
}

impl From<ExecutionError> for Failure {
    fn from(error: ExecutionError) -> Self {
        Self::Error(Box::new(error))
    }
}

/// The value of an expression.
pub(super) type Outcome = Result<Value, Failure>;

/// A value or an error that a variable holds.
pub(super) type Kept = Result<Value, Box<ExecutionError>>;
