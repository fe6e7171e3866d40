//! The errors found so far, and the checks that every kind needs.

use portolan_object::{FieldError, FieldErrorKind};
use serde_json::Value;

use super::path::Path;
use crate::tree;

/// Text of a changed field that may not change.
pub(crate) const IMMUTABLE: &str = "field is immutable";

/// An object as an error prints it: with these members, in this order. A member without a value is left out.
pub(crate) fn printed(members: &[(&str, Option<&Value>)]) -> String {
    let members: Vec<String> = members
        .iter()
        .filter_map(|(name, value)| Some(format!("{}:{}", Value::from(*name), (*value)?)))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// Bytes of the errors that are reported. An error of a few bytes of the object can be hundreds of bytes long, and can
/// quote all of the object.
const MAX_BYTES: usize = 256 * 1024;

/// FieldErrors in the order they were found, as many as are useful to a reader.
#[derive(Debug, Default)]
pub struct FieldErrors {
    errors: Vec<FieldError>,
    bytes: usize,
}

impl FieldErrors {
    pub(crate) fn into_errors(self) -> Vec<FieldError> {
        self.errors
    }

    pub(crate) fn extend(&mut self, errors: Vec<FieldError>) {
        errors.into_iter().for_each(|error| self.add(|| error));
    }

    pub(crate) fn len(&self) -> usize {
        self.errors.len()
    }

    /// Whether further errors are dropped, so that they need not be made.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes > MAX_BYTES
    }

    fn add(&mut self, error: impl FnOnce() -> FieldError) {
        if !self.is_full() {
            let error = error();
            self.bytes += error.to_string().len();
            self.errors.push(error);
        }
    }

    pub(crate) fn required(&mut self, path: &Path<'_>, detail: &str) {
        self.add(|| FieldError::required(path.to_string(), detail));
    }

    pub(crate) fn invalid(&mut self, path: &Path<'_>, value: impl Into<Value>, detail: impl Into<String>) {
        self.add(|| FieldError::invalid(path.to_string(), &value.into(), detail));
    }

    /// An invalid value given as printed text, for values with a fixed order of fields.
    pub(crate) fn invalid_text(&mut self, path: &Path<'_>, text: String, detail: impl Into<String>) {
        self.add(|| FieldError::new(path.to_string(), FieldErrorKind::Invalid(text, detail.into())));
    }

    pub(crate) fn forbidden(&mut self, path: &Path<'_>, detail: impl Into<String>) {
        self.add(|| FieldError::forbidden(path.to_string(), detail));
    }

    pub(crate) fn duplicate(&mut self, path: &Path<'_>, value: impl Into<Value>) {
        self.add(|| FieldError::new(path.to_string(), FieldErrorKind::Duplicate(value.into().to_string())));
    }

    /// A value that stands there twice, as the text to print.
    pub(crate) fn duplicate_text(&mut self, path: &Path<'_>, text: String) {
        self.add(|| FieldError::new(path.to_string(), FieldErrorKind::Duplicate(text)));
    }

    pub(crate) fn not_found(&mut self, path: &Path<'_>, value: &str) {
        let value = Value::from(value).to_string();
        self.add(|| FieldError::new(path.to_string(), FieldErrorKind::NotFound(value)));
    }

    pub(crate) fn not_supported(&mut self, path: &Path<'_>, value: impl Into<Value>, allowed: &[&str]) {
        self.add(|| FieldError::not_supported(path.to_string(), &value.into(), allowed));
    }

    pub(crate) fn not_supported_text(&mut self, path: &Path<'_>, text: String, allowed: &[&str]) {
        let allowed = allowed.iter().map(|&word| word.to_owned()).collect();
        self.add(|| FieldError::new(path.to_string(), FieldErrorKind::NotSupported(text, allowed)));
    }

    pub(crate) fn too_many(&mut self, path: &Path<'_>, found: usize, limit: usize) {
        let [found, limit] = [found, limit].map(|count| u64::try_from(count).unwrap_or(u64::MAX));
        self.add(|| FieldError::new(path.to_string(), FieldErrorKind::TooMany(found, limit)));
    }

    pub(crate) fn too_long(&mut self, path: &str, limit: u64) {
        self.add(|| FieldError::new(path, FieldErrorKind::TooLong(limit)));
    }

    /// One error for each text about the same value.
    pub(crate) fn texts(&mut self, path: &Path<'_>, value: &str, details: Vec<String>) {
        for detail in details {
            self.invalid(path, value, detail);
        }
    }

    /// A value that is one of a few words.
    pub(crate) fn one_of(&mut self, path: &Path<'_>, value: &str, allowed: &[&str]) {
        if value.is_empty() {
            self.required(path, "");
        } else if !allowed.contains(&value) {
            self.not_supported(path, value, allowed);
        }
    }

    /// A number that is not below zero, when it is there.
    pub(crate) fn not_negative(&mut self, parent: &Path<'_>, object: &Value, name: &str) {
        if let Some(number) = object.get(name).and_then(Value::as_i64)
            && number < 0
        {
            self.invalid(&parent.child(name), number, "must be greater than or equal to 0");
        }
    }

    /// A port number.
    pub(crate) fn port(&mut self, path: &Path<'_>, number: i64) {
        if !(1..=65535).contains(&number) {
            self.invalid(path, number, "must be between 1 and 65535, inclusive");
        }
    }

    /// A member that is the same in both objects; missing and null are alike.
    pub(crate) fn immutable(&mut self, path: &Path<'_>, new: &Value, old: &Value, pointer: &str) {
        let [new, old] = [new, old].map(|object| tree::present(object, pointer));
        if new != old {
            self.invalid(path, new.cloned().unwrap_or(Value::Null), IMMUTABLE);
        }
    }
}
