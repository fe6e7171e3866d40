//! Untyped Kubernetes objects and everything that can be decided about them without I/O.
//!
//! The API server, the controllers and the command line share these pieces, so that one object means the same
//! thing in all three. Nothing here reads a clock, draws a random number, or knows what a federation is.

pub mod age;
pub mod apply;
pub mod budget;
pub mod builtin;
#[cfg(feature = "cel")]
mod cel;
pub mod dns_label;
pub mod envelope;
#[cfg(feature = "cel")]
pub mod expression;
pub mod jsonpath;
pub mod key;
pub mod object;
pub mod openapi_v2;
pub mod patch;
pub mod proto;
pub mod quantity;
pub mod schema;
pub mod selector;
pub mod status;
pub mod time;
pub mod yaml;

#[cfg(test)]
mod test_schemas;

pub use budget::{Budget, Exhausted, Interrupt};
pub use key::{GroupKind, GroupVersion, GroupVersionKind, ObjectKey};
pub use object::Object;
pub use status::{FieldError, FieldErrorKind, Status};
