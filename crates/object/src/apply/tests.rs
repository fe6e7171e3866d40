//! A little world with one object in it, and the tests that play in it.

mod bounds;
mod properties;
mod sets;
mod updates;
mod vectors;

use serde_json::{Value, json};

use super::*;
use crate::patch::merge_patch;
use crate::schema::Schema;

/// One object, its schema, and a clock that a test moves by hand.
pub(super) struct World {
    pub(super) schema: Schema<'static>,
    pub(super) object: Option<Value>,
    pub(super) minute: u32,
    pub(super) identity: Value,
}

impl World {
    pub(super) fn new(schema: Schema<'static>, api_version: &str, kind: &str, name: &str) -> Self {
        let identity = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
        Self { schema, object: None, minute: 0, identity }
    }

    fn now(&self) -> String {
        format!("2026-01-01T00:{:02}:00Z", self.minute)
    }

    /// A patch with the object's identity filled in.
    pub(super) fn patch(&self, patch: Value) -> Value {
        let mut whole = self.identity.clone();
        merge_patch(&mut whole, &patch).unwrap();
        whole
    }

    pub(super) fn try_apply(
        &mut self,
        manager: &str,
        patch: Value,
        on_conflict: OnConflict,
    ) -> Result<(), ApplyError> {
        let now = self.now();
        let writer = Writer { manager, subresource: "", scope: Scope::ExceptStatus, now: &now };
        let patch = self.patch(patch);
        self.object = Some(apply(self.object.as_ref(), &patch, self.schema, writer, on_conflict)?);
        Ok(())
    }

    pub(super) fn apply(&mut self, manager: &str, patch: Value) {
        self.try_apply(manager, patch, OnConflict::Fail).unwrap();
    }

    pub(super) fn force(&mut self, manager: &str, patch: Value) {
        self.try_apply(manager, patch, OnConflict::Force).unwrap();
    }

    pub(super) fn apply_status(&mut self, manager: &str, patch: Value) -> Result<(), ApplyError> {
        let now = self.now();
        let writer = Writer { manager, subresource: "status", scope: Scope::Status, now: &now };
        let patch = self.patch(patch);
        let live = self.object.as_ref();
        self.object = Some(apply(live, &patch, self.schema, writer, OnConflict::Fail)?);
        Ok(())
    }

    /// An ordinary write of what a merge patch makes of the object, through a subresource.
    pub(super) fn patch_through(&mut self, manager: &str, subresource: &str, scope: Scope, patch: Value) {
        let now = self.now();
        let mut new = self.object.clone().unwrap_or_else(|| self.identity.clone());
        merge_patch(&mut new, &patch).unwrap();
        let writer = Writer { manager, subresource, scope, now: &now };
        update(self.object.as_ref(), &mut new, self.schema, writer);
        self.object = Some(new);
    }

    /// An ordinary write of a whole object.
    pub(super) fn replace(&mut self, manager: &str, mut new: Value) {
        let now = self.now();
        let writer = Writer { manager, subresource: "", scope: Scope::ExceptStatus, now: &now };
        update(self.object.as_ref(), &mut new, self.schema, writer);
        self.object = Some(new);
    }

    pub(super) fn update(&mut self, manager: &str, patch: Value) {
        self.patch_through(manager, "", Scope::ExceptStatus, patch);
    }

    pub(super) fn at(&self, pointer: &str) -> Value {
        self.object.as_ref().and_then(|object| object.pointer(pointer)).cloned().unwrap_or_default()
    }

    /// One line for each entry: `m1: .data.a .data.b`, or `m1/status*: ..` with `*` for ordinary writes.
    pub(super) fn owners(&self) -> Vec<String> {
        let entries = self.at("/metadata/managedFields");
        let line = |entry: &Value| {
            let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            let subresource = match text("subresource") {
                none if none.is_empty() => none,
                some => format!("/{some}"),
            };
            let star = if text("operation") == "Update" { "*" } else { "" };
            let fields = FieldSet::parse(&entry["fieldsV1"]).unwrap().to_string();
            format!("{}{subresource}{star}: {}", text("manager"), fields.trim().replace('\n', " "))
        };
        entries.as_array().into_iter().flatten().map(line).collect()
    }
}
