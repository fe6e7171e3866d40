//! Why a script gave no answer.

use std::time::Duration;

/// A script gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LuaError {
    /// The script is not Lua.
    #[error("the script does not compile: {0}")]
    Syntax(String),
    /// The script lacks the function of its operation.
    #[error("the script does not define the function {0}")]
    NoFunction(&'static str),
    /// The script raised an error.
    #[error("the script failed: {0}")]
    Failed(String),
    /// The script ran too long.
    #[error("the script did not end within {0:?}; does it loop?")]
    TooLong(Duration),
    /// The script used too much memory.
    #[error("the script needs more than {0} bytes of memory")]
    TooLarge(usize),
    /// The function returned a value of another type.
    #[error("{function} returned {found}, expected {expected}")]
    WrongType {
        /// The function.
        function: &'static str,
        /// The type that it returned.
        found: &'static str,
        /// The type that the operation needs.
        expected: &'static str,
    },
    /// The function returned a table that is no JSON, or not the JSON that the operation needs.
    #[error("the value that {function} returned cannot be used: {reason}")]
    Unusable {
        /// The function.
        function: &'static str,
        /// Cause.
        reason: String,
    },
}
