//! The objects of a server in this process, as the server keeps them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use portolan_object::ObjectKey;

use crate::client::Client;
use crate::resource::Resource;

/// Reads what a server in this process keeps. Caches share it instead of keeping a copy.
pub trait StoredObjects: Send + Sync {
    /// An object if it is at this version now, with the kind and apiVersion of `resource`.
    fn find(&self, resource: &Resource, key: &ObjectKey, version: u64) -> Option<Arc<dyn StoredObject>>;
}

/// One version of an object that a server in this process keeps. The server may keep it compressed.
pub trait StoredObject: Send + Sync {
    /// The JSON of the object, the same at each call.
    fn text(&self) -> Bytes;
}

impl Client {
    /// The same client of a server in this process; caches that are made with it share the objects of the server.
    #[must_use]
    pub fn with_stored(mut self, stored: Arc<dyn StoredObjects>) -> Self {
        self.stored = Some(stored);
        self
    }
}

impl fmt::Debug for dyn StoredObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredObjects")
    }
}
