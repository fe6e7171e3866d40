//! The objects that tokens are bound to.

use portolan_object::Object;

/// Looks up the objects that tokens are bound to. Resources are of the core group.
pub trait Directory {
    /// The uid of an object; `None` when it does not exist.
    fn uid(&self, resource: &str, namespace: &str, name: &str) -> Option<String> {
        self.find(resource, namespace, name).map(|object| object.uid().to_owned())
    }

    /// The object; `None` when it does not exist.
    fn find(&self, resource: &str, namespace: &str, name: &str) -> Option<Object>;
}
