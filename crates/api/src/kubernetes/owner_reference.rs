//! `metadata.ownerReferences` of objects of any kind.

use portolan_object::Object;
use serde::Deserialize;
use serde_json::Value;

use super::read_value;

/// One owner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnerReference<'a> {
    /// `apiVersion` of the owner.
    pub api_version: &'a str,
    /// Kind of the owner.
    pub kind: &'a str,
    /// Name of the owner.
    pub name: &'a str,
    /// Identity of the owner.
    pub uid: &'a str,
    /// Whether the owner is the one controller of the object.
    pub controller: bool,
    /// Whether foreground deletion of the owner waits for the object.
    pub block_owner_deletion: bool,
}

/// The owners of an object; unreadable entries are left out. Allocates nothing.
pub fn owners(object: &Object) -> impl Iterator<Item = OwnerReference<'_>> {
    let listed = object.at(&["metadata", "ownerReferences"]).and_then(Value::as_array);
    listed.into_iter().flatten().filter_map(|owner| read_value(owner).ok())
}

/// The controller of an object.
pub fn controller(object: &Object) -> Option<OwnerReference<'_>> {
    owners(object).find(|owner| owner.controller)
}
