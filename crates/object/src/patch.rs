//! The three patch formats that carry changes: JSON patch, merge patch, strategic merge patch.
//!
//! The API server applies them to the stored object in the version of the request. Nothing is checked here but the
//! patch itself: defaulting, validation and conflicts follow afterwards. Server-side apply is in [`crate::apply`].

mod json;
mod merge;
mod print;
pub mod strategic;

pub use json::{json_patch, json_patch_within, strict_json_patch};
pub use merge::{difference, merge_patch};
pub use print::go_text;
pub(crate) use print::go_type;

use crate::budget::{Budget, Exhausted, Interrupt};
use crate::status::{Details, Status};

/// Units of work of one patch. A patch of 3 MiB onto an object of 1.5 MiB takes less than a tenth, unless it visits a part
/// of the object again and again: each element of a patch may merge into the same long list.
const WORK_LIMIT: u64 = 10_000_000;

/// The work that one patch may cause.
pub fn budget(interrupt: &Interrupt) -> Budget {
    Budget::new(WORK_LIMIT, interrupt)
}

/// For patches that are known to be short.
fn default_budget() -> Budget {
    budget(&Interrupt::never())
}

/// Why a patch was not applied; the texts are those that an API server answers with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatchError {
    /// Not a patch of this format.
    #[error("{0}")]
    Malformed(String),
    /// More operations than allowed.
    #[error(
        "Request entity is too large: The allowed maximum operations in a JSON patch is {limit}, got {found}"
    )]
    TooManyOperations {
        /// Operations in the patch.
        found: usize,
        /// Allowed operations.
        limit: usize,
    },
    /// More steps than one patch may take.
    #[error(
        "Request entity is too large: the patch takes more than {limit} steps; split it, or send the whole object"
    )]
    TooMuchWork {
        /// Allowed steps.
        limit: u64,
    },
    /// Given up because the result is not needed any more.
    #[error("Timeout: request did not complete within the allotted timeout")]
    Interrupted,
    /// A patch of the format that does not fit the object. Servers answer with a text that is the same for all
    /// such errors; the one here is for logs.
    #[error("{0}")]
    Inapplicable(String),
    /// The operation `test` of a JSON patch found another value.
    #[error("{0}")]
    TestFailed(String),
    /// A strategic patch that contradicts itself or the schema; upstream has no status code for it.
    #[error("{0}")]
    Inconsistent(String),
}

impl PatchError {
    /// The `Status` that a server answers with.
    pub fn to_status(&self) -> Status {
        match self {
            Self::Malformed(text) => Status::bad_request(text),
            Self::TooManyOperations { .. } | Self::TooMuchWork { .. } => {
                Status::new(413, "RequestEntityTooLarge", self.to_string())
            }
            Self::Interrupted => Status::new(504, "Timeout", self.to_string()),
            Self::Inapplicable(_) | Self::TestFailed(_) => {
                let text = "the server rejected our request due to an error in our request";
                let mut status = Status::new(422, "Invalid", text);
                status.details = Some(Box::new(Details::default()));
                status
            }
            Self::Inconsistent(text) => Status::new(500, "", text),
        }
    }
}

impl From<Exhausted> for PatchError {
    fn from(cause: Exhausted) -> Self {
        match cause {
            Exhausted::Limit { limit } => Self::TooMuchWork { limit },
            Exhausted::Interrupted => Self::Interrupted,
        }
    }
}

/// The name of a JSON type in errors of Go's decoder.
fn json_type(value: &serde_json::Value) -> &'static str {
    use serde_json::Value;
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests;
