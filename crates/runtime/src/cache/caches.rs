//! Caches of one server that several controllers share: one watch and one copy of each resource.
//!
//! For controllers of one process that look at the same objects; each says which indexes it needs. Who needs only some
//! of the objects, or only parts of them, starts a cache of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use portolan_net::Shutdown;
use portolan_object::Object;

use crate::cache::Cache;
use crate::client::Client;
use crate::resource::Resource;

/// Shared caches; a clone is the same ones.
#[derive(Clone)]
pub struct Caches {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    scope: Shutdown,
    caches: Mutex<BTreeMap<Resource, Cache<Object>>>,
}

impl Caches {
    /// Caches of the server behind `client`; they are started when they are asked for, and end with `scope`.
    pub fn new(client: &Client, scope: &Shutdown) -> Self {
        let inner =
            Inner { client: client.clone(), scope: scope.clone(), caches: Mutex::new(BTreeMap::new()) };
        Self { inner: Arc::new(inner) }
    }

    /// The client of the server.
    pub fn client(&self) -> &Client {
        &self.inner.client
    }

    /// The cache of all objects of a resource, without their `managedFields`.
    pub fn of(&self, resource: &Resource) -> Cache<Object> {
        let mut caches = self.inner.caches.lock();
        let start = || Cache::of_objects(&self.inner.client, resource.clone()).start(&self.inner.scope);
        caches.entry(resource.clone()).or_insert_with(start).clone()
    }
}
