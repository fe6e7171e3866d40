//! Caches of one server, shared by controllers: one watch and one copy of each resource.
//!
//! Each controller adds the indexes that it needs. A controller that needs a selection of objects, or other fields, starts a
//! separate cache.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use portolan_net::Shutdown;
use portolan_object::Object;

use crate::cache::{Cache, drop_managed_fields};
use crate::client::Client;
use crate::resource::Resource;

/// Shared caches; clones share state.
#[derive(Clone)]
pub struct Caches {
    shared: Arc<SharedCaches>,
}

struct SharedCaches {
    client: Client,
    scope: Shutdown,
    trim: fn(&mut Object),
    caches: Mutex<BTreeMap<Resource, Cache<Object>>>,
}

impl Caches {
    /// Caches of the server of `client`. A cache starts at its first use and stops with `scope`.
    pub fn new(client: &Client, scope: &Shutdown) -> Self {
        Self::trimmed(client, scope, drop_managed_fields)
    }

    /// The same with a function that drops unused fields of objects before they are stored.
    pub fn trimmed(client: &Client, scope: &Shutdown, trim: fn(&mut Object)) -> Self {
        let shared = SharedCaches {
            client: client.clone(),
            scope: scope.clone(),
            trim,
            caches: Mutex::new(BTreeMap::new()),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The client of the server.
    pub fn client(&self) -> &Client {
        &self.shared.client
    }

    /// The cache of all objects of a resource. Objects have no `managedFields` unless the caches were made with another
    /// `trim`.
    pub fn of(&self, resource: &Resource) -> Cache<Object> {
        let mut caches = self.shared.caches.lock();
        let start = || {
            Cache::of(&self.shared.client, resource.clone()).trim(self.shared.trim).start(&self.shared.scope)
        };
        caches.entry(resource.clone()).or_insert_with(start).clone()
    }
}
