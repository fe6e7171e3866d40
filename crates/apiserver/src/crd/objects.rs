//! What a version of a custom resource makes of its objects: what it drops, fills in, refuses and shows.
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
use portolan_object::{FieldError, Status, builtin};
use portolan_store::Revision;
use serde_json::Value;

use super::definition::CustomVersion;
use super::{columns, embedded};
use crate::resources::Resource;
use crate::tree;

#[cfg(test)]
mod tests;

/// Finalizers without a domain that mean something.
const STANDARD_FINALIZERS: [&str; 3] = ["foregroundDeletion", "kubernetes", "orphan"];

/// What is to be said about an object.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    /// What keeps it from being stored.
    pub(crate) faults: Vec<FieldError>,
    /// What its writer should know although it is stored.
    pub(crate) warnings: Vec<String>,
}

impl Judgement {
    /// The same with faults that come first.
    pub(crate) fn after(mut self, mut faults: Vec<FieldError>) -> Self {
        faults.append(&mut self.faults);
        self.faults = faults;
        self
    }
}

impl CustomVersion {
    /// Checks that objects may be created.
    ///
    /// # Errors
    /// 403 while the definition is being deleted.
    pub(crate) fn admit_creation(&self, resource: &Resource, name: &str) -> Result<(), Status> {
        match self.definition.is_terminating {
            true => {
                let cause = "create not allowed while custom resource definition is terminating";
                Err(resource.forbidden(name, cause))
            }
            false => Ok(()),
        }
    }

    /// Brings what a client sent into the form of the schema, and answers the paths of what is unknown and dropped.
    ///
    /// # Errors
    /// The text that says which metadata is none.
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

    /// Fills in the defaults of the schema.
    pub(crate) fn default(&self, object: &mut Value) {
        schema::default(object, self.schema());
    }

    /// Says what is wrong with an object, and what its writer should know. `old` is what an update replaces.
    pub(crate) fn judge(&self, object: &Value, old: Option<&Value>) -> Judgement {
        let mut faults = match old.filter(|old| self.has_status && old["status"] != object["status"]) {
            Some(old) => self.faults_of_status(object, old),
            None => self.faults(object, old),
        };
        let mut warnings = remarks(object, old);
        if !blocks_rules(&faults) {
            let evaluation = self.schema.evaluate(object, old);
            faults.extend(evaluation.errors);
            warnings.extend(evaluation.warnings);
        }
        Judgement { faults, warnings }
    }

    fn faults(&self, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut faults = match old {
            Some(old) => schema::validate_update(object, old, self.schema()),
            None => schema::validate(object, self.schema()),
        };
        if let Some(scale) = &self.scale {
            faults.extend(scale.faults_of_spec(object));
            faults.extend(scale.faults_of_status(object));
        }
        faults
    }

    /// Where status is a part of its own, it only ever changes alone: what else is wrong stays out of its way.
    fn faults_of_status(&self, object: &Value, old: &Value) -> Vec<FieldError> {
        let mut faults = Vec::new();
        if let (Some(status), Some(part)) = (object.get("status"), self.schema().property("status")) {
            let found = schema::validate_update(status, &old["status"], part);
            faults.extend(found.into_iter().map(|mut fault| {
                fault.field = below_status(&fault.field);
                fault
            }));
        }
        faults.extend(self.scale.iter().flat_map(|scale| scale.faults_of_status(object)));
        faults
    }

    /// Whether an object was written under an older definition.
    pub(crate) fn is_outdated(&self, modified: Revision) -> bool {
        modified < self.definition.since
    }

    /// Whether the stored members of an object are those that this version shows.
    pub(crate) fn shows_stored_members(&self, modified: Revision) -> bool {
        let stored = self.definition.schema_of(&self.definition.storage_version);
        !self.is_outdated(modified) && stored.is_some_and(|stored| Arc::ptr_eq(stored, &self.schema))
    }

    /// Turns a stored object into one of this version.
    ///
    /// What was written under an older definition loses what is unknown today, and gets the defaults of the version in
    /// which it was written.
    pub(crate) fn show(&self, object: &mut Value, modified: Revision) {
        let definition = &self.definition;
        if !self.shows_stored_members(modified) {
            let written = tree::text(object, "/apiVersion").rsplit('/').next().unwrap_or_default();
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

    /// Turns an object of this version into the stored one; the record provides the `apiVersion`.
    pub(crate) fn to_stored<'v>(&self, object: &'v Value) -> Cow<'v, Value> {
        match self.definition.schema_of(&self.definition.storage_version) {
            Some(stored) if !Arc::ptr_eq(stored, &self.schema) => {
                let mut object = object.clone();
                schema::prune(&mut object, stored.schema());
                Cow::Owned(object)
            }
            _ => Cow::Borrowed(object),
        }
    }

    /// The compiled schema.
    pub fn schema(&self) -> Schema<'_> {
        self.schema.schema()
    }

    /// The `columnDefinitions` of a table.
    pub(crate) fn columns(&self) -> Vec<Value> {
        columns::definitions(&self.columns)
    }

    /// The cells of an object.
    pub(crate) fn row(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        columns::row(&self.columns, object, now)
    }
}

/// The field of the whole object; `<nil>` is no field.
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
        old.map(|old| tree::texts(old, "/metadata/finalizers").collect()).unwrap_or_default();
    let added = tree::texts(object, "/metadata/finalizers").filter(|name| !known.contains(name));
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
