//! [`FieldManager`]: records a write in `metadata.managedFields`.

use http::header::USER_AGENT;
use portolan_object::Status;
use portolan_object::apply::{self, Scope};
use serde_json::Value;

use crate::call::Call;
use crate::request::options::{WriteOptions, manager_of};
use crate::resources::Resource;

/// The field manager of a request.
#[derive(Debug, Clone)]
pub(super) struct FieldManager {
    name: String,
    subresource: String,
    /// Whether the write is an apply; the merge has then already updated `managedFields`.
    has_applied: bool,
}

impl FieldManager {
    /// The manager of a create, update or patch.
    pub(super) fn update(call: &Call, options: &WriteOptions) -> Self {
        Self {
            name: manager_of(options, call.header(USER_AGENT)),
            subresource: call.info.subresource.clone(),
            has_applied: false,
        }
    }

    /// The manager of an apply.
    pub(super) fn apply(call: &Call, options: &WriteOptions) -> Self {
        Self { has_applied: true, ..Self::update(call, options) }
    }

    /// The manager as `portolan_object::apply` takes it.
    pub(super) fn at<'a>(&'a self, resource: &Resource, now: &'a str) -> apply::Writer<'a> {
        let scope = match self.subresource.as_str() {
            "status" if resource.as_custom().is_some() => Scope::Status,
            "status" => Scope::StatusAndMetadata,
            _ if resource.has_status() => Scope::ExceptStatus,
            _ => Scope::Whole,
        };
        apply::Writer { manager: &self.name, subresource: &self.subresource, scope, now }
    }

    /// Records the fields of a new object.
    pub(super) fn record_new(&self, resource: &Resource, object: &mut Value, now: &str) {
        if let (false, Some(schema)) = (self.has_applied, resource.schema()) {
            apply::update(None, object, schema, self.at(resource, now));
        }
    }

    /// Records the changed fields.
    pub(super) fn record_change(&self, resource: &Resource, old: &Value, new: &mut Value, now: &str) {
        if let (false, Some(schema)) = (self.has_applied, resource.schema()) {
            apply::update(Some(old), new, schema, self.at(resource, now));
        }
    }

    /// Merges an applied configuration into an object, or into a new one.
    ///
    /// # Errors
    /// 409 when other managers own fields that would change, 500 for fields that the schema does not have, 400 for a
    /// configuration that is malformed.
    pub(super) fn merge(
        &self,
        resource: &Resource,
        live: Option<&Value>,
        patch: &Value,
        is_forced: bool,
        now: &str,
    ) -> Result<Value, Status> {
        let Some(schema) = resource.schema() else {
            return Err(Status::internal(format!("{} has no schema to apply by", resource.kind)));
        };
        let on_conflict = if is_forced { apply::OnConflict::Force } else { apply::OnConflict::Fail };
        let merged = apply::apply(live, patch, schema, self.at(resource, now), on_conflict);
        merged.map_err(|error| error.to_status())
    }
}
