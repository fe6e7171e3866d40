//! The questions that reads and writes ask about the objects of a resource, whether it is built in or custom.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use portolan_object::{FieldError, Interrupt};
use portolan_store::Revision;
use serde_json::Value;

/// Errors and warnings about an object.
#[derive(Debug, Default)]
pub struct Validation {
    /// Reasons why the object cannot be stored.
    pub errors: Vec<FieldError>,
    /// Warnings for the client; the object is stored all the same.
    pub warnings: Vec<String>,
}

impl Validation {
    /// Puts errors before those that are there.
    #[must_use]
    pub fn after(mut self, mut errors: Vec<FieldError>) -> Self {
        errors.append(&mut self.errors);
        self.errors = errors;
        self
    }
}

/// Rules for the objects of one resource in one version.
///
/// Built-in kinds implement it by [`super::BuiltinKind`], custom resources by [`crate::crd::CustomVersion`].
///
/// ```text
/// body ─► apply_defaults ─► prepare_for_… ─► validate_… ─► convert_to_stored ─► store ─► convert_from_stored ─► reply
/// ```
pub trait Strategy: fmt::Debug + Send + Sync {
    /// Fills in defaults. Changes nothing on an object that has been through it.
    fn apply_defaults(&self, object: &mut Value);

    /// Sets the state that the server owns on a new object, after its name and identity are set and its status is
    /// dropped.
    fn prepare_for_create(&self, object: &mut Value);

    /// Restores the state that the server owns on a changed object.
    fn prepare_for_update(&self, object: &mut Value);

    /// Sets the state that the server owns on an object before it is deleted at `now`, in `metav1.Time` format.
    fn prepare_for_delete(&self, object: &mut Value, now: &str);

    /// Validates a new object. An interrupt ends long work with an error.
    fn validate_create(&self, object: &Value, interrupt: &Interrupt) -> Validation;

    /// Validates a changed object; `old` is the stored one, and `new` already has the metadata that the server
    /// restores.
    fn validate_update(&self, new: &Value, old: &Value, interrupt: &Interrupt) -> Validation;

    /// The `columnDefinitions` of a table.
    fn columns(&self) -> Vec<Value>;

    /// The cells of an object, one for each column.
    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value>;

    /// Whether records written at `modified` hold the fields of an object as this version shows them.
    fn shows_stored_fields(&self, modified: Revision) -> bool;

    /// Whether such records hold `apiVersion` and `kind` as this version shows them, too.
    fn shows_stored_object(&self, modified: Revision) -> bool;

    /// Turns a stored object into one of this version.
    fn convert_from_stored(&self, object: &mut Value, modified: Revision);

    /// Turns an object of this version into the stored one.
    fn convert_to_stored<'v>(&self, object: &'v Value) -> Cow<'v, Value>;
}
