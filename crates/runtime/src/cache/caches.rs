//! Caches of one server that several controllers share: one watch and one copy of each resource.
//!
//! For controllers of one process that look at the same objects; each says which indexes it needs. Who needs only some
//! of the objects, or only parts of them, starts a cache of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use portolan_net::Shutdown;
use portolan_object::Object;

use crate::cache::{Cache, CacheFigures, drop_managed_fields};
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
    trim: fn(&mut Object),
    caches: Mutex<BTreeMap<Resource, Cache<Object>>>,
}

impl Caches {
    /// Caches of the server behind `client`; they are started when they are asked for, and end with `scope`.
    pub fn new(client: &Client, scope: &Shutdown) -> Self {
        Self::trimmed(client, scope, drop_managed_fields)
    }

    /// The same for a program that needs only parts of the objects: `trim` drops the others before anything is kept.
    pub fn trimmed(client: &Client, scope: &Shutdown, trim: fn(&mut Object)) -> Self {
        let inner =
            Inner { client: client.clone(), scope: scope.clone(), trim, caches: Mutex::new(BTreeMap::new()) };
        Self { inner: Arc::new(inner) }
    }

    /// The client of the server.
    pub fn client(&self) -> &Client {
        &self.inner.client
    }

    /// The cache of all objects of a resource; without `managedFields` where nothing else was asked for.
    pub fn of(&self, resource: &Resource) -> Cache<Object> {
        let mut caches = self.inner.caches.lock();
        let start =
            || Cache::of(&self.inner.client, resource.clone()).trim(self.inner.trim).start(&self.inner.scope);
        caches.entry(resource.clone()).or_insert_with(start).clone()
    }

    /// Figures of the caches, for metrics.
    pub fn figures(&self) -> Vec<(Resource, CacheFigures)> {
        let caches = self.inner.caches.lock();
        caches.iter().map(|(resource, cache)| (resource.clone(), cache.figures())).collect()
    }
}
