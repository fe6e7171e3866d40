//! The Federations of the hub, and which objects belong to them.

use std::sync::Arc;

use portolan_api::federation::Federation;
use portolan_net::Shutdown;
use portolan_object::{Object, ObjectKey};
use portolan_plan::federation::selection::federation_of;
use portolan_runtime::cache::Change;
use portolan_runtime::{Cache, Client};

/// All Federations; clones share state.
#[derive(Clone)]
pub(crate) struct Federations {
    cache: Cache<Federation>,
    namespaces: Cache<Object>,
}

impl Federations {
    pub(crate) fn new(client: &Client, namespaces: &Cache<Object>, scope: &Shutdown) -> Self {
        let cache = Cache::<Federation>::of_kind(client)
            .trim(|federation| federation.metadata.managed_fields.clear())
            .start(scope);
        Self { cache, namespaces: namespaces.clone() }
    }

    pub(crate) async fn synced(&self) -> bool {
        self.cache.synced().await
    }

    pub(crate) fn observe(&self, observer: impl Fn(&Change<Federation>) + Send + Sync + 'static) {
        self.cache.observe(observer);
    }

    pub(crate) fn list(&self) -> Vec<Arc<Federation>> {
        self.cache.list()
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Federation>> {
        self.cache.get(&ObjectKey::cluster(name))
    }

    /// Inserts the result of our own write before the watch delivers it.
    pub(crate) fn written(&self, federation: Federation) {
        let version = federation.metadata.resource_version.clone();
        self.cache.written(federation.metadata.key(), &version, federation);
    }

    /// The Federation of a template. A template without a namespace, or with one that is not in the cache yet, has none;
    /// the arrival of the namespace queues it.
    pub(crate) fn of(&self, template: &Object) -> Option<Arc<Federation>> {
        if template.namespace().is_empty() || self.cache.is_empty() {
            return None;
        }
        let namespace = self.namespaces.get(&ObjectKey::cluster(template.namespace()))?;
        federation_of(template, &namespace, &self.cache.list()).cloned()
    }
}
