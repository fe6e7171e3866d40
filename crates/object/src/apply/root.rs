//! Root of ownership and the fields it leaves out: identity, bookkeeping, and the half of an object that the
//! written resource does not reach.

use serde_json::{Map, Value};

use super::Scope;
use super::compare::Changes;
use super::extract::{Containers, extract_field};
use super::set::{Branch, FieldSet};
use super::shape::{Place, property};
use crate::builtin;
use crate::schema::{Schema, Shape};

/// Fields of `metadata` without ownership.
const BOOKKEEPING: [&str; 9] = [
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
];

impl Scope {
    /// Whether a member of the object, other than `metadata`, can be owned through this resource.
    pub(super) fn covers(self, name: &str) -> bool {
        match self {
            _ if matches!(name, "apiVersion" | "kind" | "metadata") => false,
            Self::Whole => true,
            Self::ExceptStatus => name != "status",
            Self::Status | Self::StatusAndMetadata => name == "status",
        }
    }

    fn covers_metadata(self) -> bool {
        self != Self::Status
    }
}

/// The changes from `old` to `new` in fields that can be owned.
pub(super) fn compare_objects(old: &Value, new: &Value, schema: Schema<'_>, scope: Scope) -> Changes {
    let nothing = Map::new();
    let (old, new) = (old.as_object().unwrap_or(&nothing), new.as_object().unwrap_or(&nothing));
    let mut changes = Changes::default();
    for (name, before) in old.iter().filter(|(name, _)| scope.covers(name)) {
        changes.compare_field(name, Some(before), new.get(name), Some(schema));
    }
    for (name, after) in new.iter().filter(|(name, _)| scope.covers(name) && !old.contains_key(*name)) {
        changes.compare_field(name, None, Some(after), Some(schema));
    }
    if scope.covers_metadata() {
        let place = metadata(schema);
        let [old, new] = [old, new].map(|object| object.get("metadata").and_then(Value::as_object));
        let (old, new) = (old.unwrap_or(&nothing), new.unwrap_or(&nothing));
        let mut inner = Changes::default();
        for (name, before) in old.iter().filter(|(name, _)| is_ownable(name)) {
            inner.compare_field(name, Some(before), new.get(name), place);
        }
        for (name, after) in new.iter().filter(|(name, _)| is_ownable(name) && !old.contains_key(*name)) {
            inner.compare_field(name, None, Some(after), place);
        }
        changes.attach_metadata(inner);
    }
    changes
}

/// The paths that a patch owns when it is applied.
pub(super) fn extract_object(object: &Value, schema: Schema<'_>, scope: Scope) -> FieldSet {
    let nothing = Map::new();
    let object = object.as_object().unwrap_or(&nothing);
    let mut set = FieldSet::default();
    let insert = |set: &mut FieldSet, name: &str, value: &Value, place: Place<'_>| {
        let branch = extract_field(name, value, place, Containers::Elements);
        set.attach(|| super::element::field(name), branch);
    };
    for (name, value) in object.iter().filter(|(name, _)| scope.covers(name)) {
        insert(&mut set, name, value, Some(schema));
    }
    if scope.covers_metadata() {
        let place = metadata(schema);
        let fields = object.get("metadata").and_then(Value::as_object).unwrap_or(&nothing);
        let mut below = FieldSet::default();
        for (name, value) in fields.iter().filter(|(name, _)| is_ownable(name)) {
            insert(&mut below, name, value, place);
        }
        set.attach(|| "f:metadata".to_owned(), Branch { member: false, below });
    }
    set
}

/// The part of a patch that can be applied through this resource, together with the identity.
pub(super) fn restrict(patch: &Value, scope: Scope) -> Value {
    let mut fields = patch.as_object().cloned().unwrap_or_default();
    fields
        .retain(|name, _| matches!(name.as_str(), "apiVersion" | "kind" | "metadata") || scope.covers(name));
    if !scope.covers_metadata()
        && let Some(Value::Object(metadata)) = fields.get_mut("metadata")
    {
        metadata.retain(|name, _| !is_ownable(name));
    }
    Value::Object(fields)
}

fn is_ownable(name: &str) -> bool {
    !BOOKKEEPING.contains(&name)
}

/// The schema of `metadata`, which is the same for all kinds; schemas of custom resources may say nothing about it.
pub(super) fn metadata(schema: Schema<'_>) -> Place<'_> {
    let is_complete = |schema: &Schema<'_>| match &schema.node().shape {
        Shape::Object(properties) => properties.contains_key("labels"),
        _ => false,
    };
    property(Some(schema), "metadata").filter(is_complete).or_else(|| Some(builtin::object_meta()))
}
