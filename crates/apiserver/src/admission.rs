//! Admission: the step of a write where the embedding program may change an object or refuse the write.
//!
//! Implement [`Admission`] and pass it in [`Config::admission`](crate::Config). A plugin may await, for example the
//! reply of a webhook: no lock of the store is held meanwhile, and other writes go on. If the object has changed in
//! the store when the write is committed, the write is prepared again from the newer object and the plugin is called
//! again with it. A plugin therefore must not have side effects that depend on the write being stored.
//!
//! Rules that need the store, such as the life cycle of namespaces, are built in (`write/namespaces.rs`).

use std::pin::Pin;

use portolan_object::Status;
use serde_json::Value;

use crate::auth::User;
use crate::resources::Resource;

/// A built-in admission plugin that can be turned off, with the name that kube-apiserver gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BuiltinPlugin {
    /// Gives new pods their service account, its token and its pull secrets.
    ServiceAccount,
}

/// The operation of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// The object is new.
    Create,
    /// The object changes.
    Update,
    /// The object is deleted.
    Delete,
}

/// The request behind a write.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    /// The user of the request.
    pub user: &'a User,
    /// What the write does.
    pub operation: Operation,
    /// The resource of the object.
    pub resource: &'a Resource,
    /// Empty for the object itself.
    pub subresource: &'a str,
    /// Empty for cluster-scoped objects.
    pub namespace: &'a str,
    /// Name of the object.
    pub name: &'a str,
    /// The write is not stored.
    pub is_dry_run: bool,
}

/// The reply of a plugin: warnings for the client, or the status that refuses the write.
pub type AdmissionFuture<'a> = Pin<Box<dyn Future<Output = Result<Vec<String>, Status>> + Send + 'a>>;

/// An admission plugin.
pub trait Admission: Send + Sync {
    /// Changes `object`, or refuses the write.
    ///
    /// `object` has its defaults and is validated afterwards. For a deletion it is the object to be deleted, and
    /// changes to it are discarded. `old` is the stored object, `None` on create.
    ///
    /// The future resolves to texts for `Warning` headers, or to the status that the client gets. A request is
    /// cancelled after its timeout (at most 60 seconds), and the future is dropped with it.
    fn admit<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: &'a mut Value,
        old: Option<&'a Value>,
    ) -> AdmissionFuture<'a>;
}
