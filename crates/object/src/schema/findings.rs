//! Errors about one object, with a bound on their number and size.

use crate::budget::{Budget, Exhausted};
use crate::status::FieldError;

/// Errors that are reported; a client that has these knows what to mend.
const MAX_ERRORS: usize = 1_000;
/// Bytes of their texts. A single one may be longer.
const MAX_BYTES: usize = 1 << 20;

/// Errors in the order in which they were found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    errors: Vec<FieldError>,
    bytes: usize,
    is_complete: bool,
}

impl Findings {
    pub(super) fn push(&mut self, error: FieldError) {
        if self.is_complete {
            return;
        }
        self.bytes += error.to_string().len();
        self.errors.push(error);
        if self.errors.len() >= MAX_ERRORS || self.bytes > MAX_BYTES {
            self.end("there are more errors; correct these to see the others");
        }
    }

    /// Ends with one last error about the whole object.
    pub(super) fn end(&mut self, detail: &str) {
        if !std::mem::replace(&mut self.is_complete, true) {
            self.errors.push(FieldError::invalid("<nil>", &serde_json::Value::Null, detail));
        }
    }

    /// Ends after an error that says so.
    #[cfg(feature = "cel")]
    pub(super) fn stop(&mut self) {
        self.is_complete = true;
    }

    /// Ends because the budget is used up.
    pub(super) fn end_by(&mut self, exhausted: Exhausted) {
        self.end(&format!("the object was not validated to its end: {exhausted}"));
    }

    /// Ends when the budget is used up.
    pub(super) fn check(&mut self, budget: &Budget) {
        if let Some(exhausted) = budget.exhausted() {
            self.end_by(exhausted);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// Whether nothing more is reported.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    pub(super) fn into_errors(self) -> Vec<FieldError> {
        self.errors
    }
}
