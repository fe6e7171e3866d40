//! Rules of a custom resource version for its objects: pruning, defaults, validation, conversion, tables.
//!
//! Pure. Reads and writes call this where a built-in kind has its table, defaults and validation. Objects are kept in
//! the storage version, so whatever goes through another version loses what only one of the two knows.
//!
//! ```text
//! body ─► conform ─► default ─► judge ─► to_stored ─► record ─► show ─► reply
//! ```

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use portolan_object::schema::decode::{self, Source};
use portolan_object::schema::validate::blocks_rules;
use portolan_object::schema::{self, Schema, json};
use portolan_object::{FieldError, Interrupt, builtin};
use portolan_store::Revision;
use serde_json::Value;

use super::definition::CustomVersion;
use super::{columns, embedded};
use crate::kinds::{NameRule, Strategy, Validation};
use crate::tree;
use crate::validation::metadata;

#[cfg(test)]
mod tests;

/// Finalizers without a domain that mean something.
const STANDARD_FINALIZERS: [&str; 3] = ["foregroundDeletion", "kubernetes", "orphan"];

impl CustomVersion {
    /// Prunes and normalises an object that a client sent; returns the paths of the unknown fields that were dropped.
    ///
    /// # Errors
    /// The text that names the malformed metadata.
    pub(crate) fn conform(&self, object: &mut Value) -> Result<Vec<String>, String> {
        json::whole_numbers(object);
        let dropped = schema::prune(object, self.schema());
        if let Some(metadata) = object.get_mut("metadata") {
            decode::decode(metadata, builtin::object_meta(), Source::Json)
                .map_err(|error| error.to_string())?;
        }
        embedded::decode_metadata(object, self.schema())?;
        Ok(dropped)
    }

    /// Validates an object against schema and rules; `old` is what an update replaces.
    fn validate(&self, object: &Value, old: Option<&Value>, interrupt: &Interrupt) -> Validation {
        let mut errors = match old.filter(|old| self.has_status && old["status"] != object["status"]) {
            Some(old) => self.status_errors(object, old, interrupt),
            None => self.schema_errors(object, old, interrupt),
        };
        let mut warnings = remarks(object, old);
        if schema::defaults::is_cut_short(object, self.schema()) {
            let detail = format!(
                "the defaults of the schema make the object more than {} bytes larger",
                schema::defaults::MAX_INSERTED
            );
            errors.push(FieldError::forbidden("<nil>", detail));
        } else if !blocks_rules(&errors) {
            let evaluation = self.schema.evaluate(object, old, interrupt);
            errors.extend(evaluation.errors);
            warnings.extend(evaluation.warnings);
        }
        Validation { errors, warnings }
    }

    fn schema_errors(&self, object: &Value, old: Option<&Value>, interrupt: &Interrupt) -> Vec<FieldError> {
        let mut errors = schema::validate(object, old, self.schema(), interrupt);
        if let Some(scale) = &self.scale {
            errors.extend(scale.spec_errors(object));
            errors.extend(scale.status_errors(object));
        }
        errors
    }

    /// With a status subresource, `status` changes alone, and errors elsewhere in the object do not count.
    fn status_errors(&self, object: &Value, old: &Value, interrupt: &Interrupt) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let (Some(status), Some(part)) = (object.get("status"), self.schema().property("status")) {
            let found = schema::validate(status, Some(&old["status"]), part, interrupt);
            errors.extend(found.into_iter().map(|mut error| {
                error.field = below_status(&error.field);
                error
            }));
        }
        errors.extend(self.scale.iter().flat_map(|scale| scale.status_errors(object)));
        errors
    }

    /// Whether an object was written under an older definition.
    pub(crate) fn is_outdated(&self, modified: Revision) -> bool {
        modified < self.definition.since
    }

    /// Whether the stored members of an object are those that this version shows.
    fn has_stored_form(&self, modified: Revision) -> bool {
        let stored = self.definition.schema_of(&self.definition.storage_version);
        !self.is_outdated(modified) && stored.is_some_and(|stored| Arc::ptr_eq(stored, &self.schema))
    }

    /// Turns a stored object into one of this version.
    ///
    /// Objects written under an older definition lose fields that are unknown today, and get the defaults of the
    /// version in which it was written.
    fn show(&self, object: &mut Value, modified: Revision) {
        let definition = &self.definition;
        if !self.has_stored_form(modified) {
            let written = tree::str_at(object, "/apiVersion").rsplit('/').next().unwrap_or_default();
            let stored = definition.schema_of(written).unwrap_or(&self.schema);
            if self.is_outdated(modified) {
                schema::prune(object, stored.schema());
                schema::default(object, stored.schema());
            }
            if !Arc::ptr_eq(stored, &self.schema) {
                schema::prune(object, self.schema());
            }
        }
        object["apiVersion"] = Value::from(format!("{}/{}", definition.group, self.name));
    }

    /// The compiled schema.
    pub fn schema(&self) -> Schema<'_> {
        self.schema.schema()
    }
}

impl Strategy for CustomVersion {
    fn apply_defaults(&self, object: &mut Value) {
        schema::default(object, self.schema());
    }

    /// The server owns nothing in custom resources but their metadata.
    fn prepare_for_create(&self, _: &mut Value) {}

    fn prepare_for_update(&self, _: &mut Value) {}

    fn prepare_for_delete(&self, _: &mut Value, _: &str) {}

    fn validate_create(&self, object: &Value, interrupt: &Interrupt) -> Validation {
        let errors = metadata::create(object, NameRule::Subdomain, self.definition.is_namespaced);
        self.validate(object, None, interrupt).after(errors)
    }

    fn validate_update(&self, new: &Value, old: &Value, interrupt: &Interrupt) -> Validation {
        self.validate(new, Some(old), interrupt).after(metadata::update(new, old))
    }

    fn columns(&self) -> Vec<Value> {
        columns::definitions(&self.columns)
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        columns::row(&self.columns, object, now)
    }

    fn shows_stored_fields(&self, modified: Revision) -> bool {
        self.has_stored_form(modified)
    }

    fn shows_stored_object(&self, modified: Revision) -> bool {
        self.is_storage() && self.has_stored_form(modified)
    }

    fn convert_from_stored(&self, object: &mut Value, modified: Revision) {
        self.show(object, modified);
    }

    /// Turns an object of this version into the stored one; the record provides the `apiVersion`.
    fn convert_to_stored<'v>(&self, object: &'v Value) -> Cow<'v, Value> {
        match self.definition.schema_of(&self.definition.storage_version) {
            Some(stored) if !Arc::ptr_eq(stored, &self.schema) => {
                let mut object = object.clone();
                schema::prune(&mut object, stored.schema());
                Cow::Owned(object)
            }
            _ => Cow::Borrowed(object),
        }
    }
}

/// The path in the whole object; `<nil>` means no field.
fn below_status(field: &str) -> String {
    match field {
        "<nil>" => field.to_owned(),
        "" => "status".to_owned(),
        _ if field.starts_with('[') => format!("status{field}"),
        _ => format!("status.{field}"),
    }
}

fn remarks(object: &Value, old: Option<&Value>) -> Vec<String> {
    let known: Vec<&str> =
        old.map(|old| tree::strings_at(old, "/metadata/finalizers").collect()).unwrap_or_default();
    let added = tree::strings_at(object, "/metadata/finalizers").filter(|name| !known.contains(name));
    added.filter_map(remark_on_finalizer).collect()
}

/// Finalizers of different writers should not meet by accident.
fn remark_on_finalizer(name: &str) -> Option<String> {
    if name.contains('/') || STANDARD_FINALIZERS.contains(&name) {
        return None;
    }
    let form = if name.contains('.') { " including a path (/)" } else { "" };
    Some(format!(
        "metadata.finalizers: {name:?}: prefer a domain-qualified finalizer name{form} to avoid accidental conflicts \
         with other finalizer writers"
    ))
}
