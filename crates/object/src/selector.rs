//! Label and field selectors: parsing, the texts of their errors, and matching.
//!
//! The API server parses the query parameters with this, controllers and policies turn a `metav1.LabelSelector`
//! into the same form. Which fields a kind offers is not known here: a field selector asks a closure.

mod field;
mod label;
mod parse;
mod syntax;

pub use field::{FieldOperator, FieldSelector, FieldTerm};
pub use label::{LabelSelector, Operator, Requirement};
pub use syntax::{label_key_errors, label_value_errors, subdomain_errors};

/// The text of a selector, or a `metav1.LabelSelector`, cannot be understood.
///
/// The message is what an API server answers with, as 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSelector(pub String);

#[cfg(test)]
mod tests;
