//! The seam where the embedding program may change or refuse writes.
//!
//! Plugins are pure and synchronous: they see one object and its old state, not the store. What needs the store, such
//! as the life of namespaces, is built in.

use portolan_object::Status;
use serde_json::Value;

use crate::auth::User;
use crate::resources::Resource;

/// What a write does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// The object is new.
    Create,
    /// The object changes.
    Update,
    /// The object goes.
    Delete,
}

/// Who writes what.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    /// Who asks.
    pub user: &'a User,
    /// What happens to the object.
    pub operation: Operation,
    /// What the object is.
    pub resource: &'a Resource,
    /// Empty for the object itself.
    pub subresource: &'a str,
    /// Empty for cluster-scoped objects.
    pub namespace: &'a str,
    /// Name of the object.
    pub name: &'a str,
    /// Nothing will be stored.
    pub is_dry_run: bool,
}

/// A plugin.
pub trait Admission: Send + Sync {
    /// Changes `object`, or refuses the write. `object` is complete with defaults and is validated afterwards; for a
    /// deletion it is what goes, and changes are lost. `old` is the state before an update.
    ///
    /// # Errors
    /// The status that the client gets. The texts returned otherwise become `Warning` headers.
    fn admit(
        &self,
        attributes: &Attributes<'_>,
        object: &mut Value,
        old: Option<&Value>,
    ) -> Result<Vec<String>, Status>;
}
