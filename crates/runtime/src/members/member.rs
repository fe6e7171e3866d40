//! One member cluster, as the controllers see it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use portolan_api::labels;
use portolan_net::Shutdown;
use portolan_object::{GroupVersionKind, Object};
use tokio::sync::watch;

use crate::cache::{Cache, CacheBuilder, CacheFigures, Trouble};
use crate::client::{Client, Discovery, Selection};
use crate::members::ClusterName;
use crate::resource::Resource;

/// What is known of a member's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Health {
    /// Not probed yet.
    #[default]
    Unknown,
    /// Answers and says that it is ready.
    Ready,
    /// Does not answer, or says that it is not ready.
    NotReady,
}

/// One member cluster.
pub struct Member {
    name: ClusterName,
    client: Client,
    scope: Shutdown,
    health: watch::Sender<Health>,
    discovery: ArcSwap<Discovery>,
    discovered: watch::Sender<u64>,
    caches: Mutex<BTreeMap<(Resource, Selection), Cache<Object>>>,
}

impl Member {
    pub(super) fn new(name: ClusterName, client: Client, scope: Shutdown) -> Self {
        Self {
            name,
            client,
            scope,
            health: watch::Sender::new(Health::Unknown),
            discovery: ArcSwap::default(),
            discovered: watch::Sender::new(0),
            caches: Mutex::new(BTreeMap::new()),
        }
    }

    /// Its name in the federation.
    pub fn name(&self) -> &ClusterName {
        &self.name
    }

    /// The client for it alone.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What runs for this member; asked to stop when the member leaves or gets a new client.
    pub fn scope(&self) -> &Shutdown {
        &self.scope
    }

    /// The state of health, now.
    pub fn health(&self) -> Health {
        *self.health.borrow()
    }

    /// Follows the state of health.
    pub fn watch_health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// Sets the state of health. True when it changed.
    pub fn set_health(&self, health: Health) -> bool {
        let has_changed = self.health.send_if_modified(|known| std::mem::replace(known, health) != health);
        // A member that was removed is not reported any more.
        if has_changed && !self.scope.is_requested() {
            self.client.metrics().set_health(&self.name, health);
        }
        has_changed
    }

    /// What the member's API server has, as of the last discovery; empty before the first.
    pub fn discovery(&self) -> Arc<Discovery> {
        self.discovery.load_full()
    }

    /// Tells what a discovery found. True when something changed.
    pub fn set_discovery(&self, discovery: Discovery) -> bool {
        let changed = **self.discovery.load() != discovery;
        if changed {
            self.discovery.store(Arc::new(discovery));
            self.discovered.send_modify(|count| *count += 1);
        }
        changed
    }

    /// Follows discoveries; the number counts changes.
    pub fn watch_discovery(&self) -> watch::Receiver<u64> {
        self.discovered.subscribe()
    }

    /// Where the member serves a kind; `None` before the first discovery, and when it does not.
    pub fn resource(&self, kind: &GroupVersionKind) -> Option<Resource> {
        let discovery = self.discovery.load();
        let found = discovery.resources.iter().find(|found| found.resource.gvk == *kind);
        found.map(|found| found.resource.clone())
    }

    /// The member's objects of `resource` that carry Portolan's mark, kept up to date from the first call on.
    pub fn managed(&self, resource: &Resource) -> Cache<Object> {
        self.managed_with(resource, |_| {})
    }

    /// [`Member::managed`]; `started` is called with the cache when this call is the first for it.
    pub fn managed_with(&self, resource: &Resource, started: impl FnOnce(&Cache<Object>)) -> Cache<Object> {
        let mark = format!("{}={}", labels::MANAGED, labels::TRUE);
        self.cache(resource, Selection::labels(mark), |builder| builder, started)
    }

    /// The member's objects of `resource` that match `selection`, kept up to date from the first call on, which
    /// alone decides by `describe` what of them is kept, and has `started` called.
    pub fn cache(
        &self,
        resource: &Resource,
        selection: Selection,
        describe: impl FnOnce(CacheBuilder<Object>) -> CacheBuilder<Object>,
        started: impl FnOnce(&Cache<Object>),
    ) -> Cache<Object> {
        let key = (resource.clone(), selection.clone());
        let cache = {
            let mut caches = self.caches.lock();
            if let Some(cache) = caches.get(&key) {
                return cache.clone();
            }
            let builder = Cache::of_objects(&self.client, resource.clone()).select(selection);
            let cache = describe(builder).start(&self.scope);
            caches.insert(key, cache.clone());
            cache
        };
        started(&cache);
        cache
    }

    /// Figures of the caches, for metrics. A resource is there more than once if caches select different objects of it.
    pub fn cache_figures(&self) -> Vec<(Resource, CacheFigures)> {
        let caches = self.caches.lock();
        caches.iter().map(|((resource, _), cache)| (resource.clone(), cache.figures())).collect()
    }

    /// The cache that has been without contact for the longest time, and why. Resources that the member does not serve
    /// do not count: their CustomResourceDefinitions come and go.
    pub fn trouble(&self) -> Option<(Resource, Trouble)> {
        let caches = self.caches.lock();
        let troubles = caches.iter().filter_map(|((resource, _), cache)| Some((resource, cache.trouble()?)));
        let served = troubles.filter(|(_, trouble)| !trouble.is_not_served);
        served.min_by_key(|(_, trouble)| trouble.since).map(|(resource, trouble)| (resource.clone(), trouble))
    }

    /// Ends the back-off of caches without contact: a probe has reached the member.
    pub fn retry_caches(&self) {
        self.caches.lock().values().for_each(Cache::retry);
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("name", &self.name)
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}
