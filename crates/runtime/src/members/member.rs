//! One member cluster: client, health, discovery and caches.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use portolan_api::labels;
use portolan_net::Shutdown;
use portolan_object::{GroupVersionKind, Object};
use tokio::sync::watch;

use crate::cache::{Cache, CacheBuilder, Content, Trouble};
use crate::client::{Client, Discovery, Selection};
use crate::cluster_name::ClusterName;
use crate::hold::Hold;
use crate::members::over_budget::OverBudget;
use crate::resource::Resource;

/// Health of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Health {
    /// Not probed yet.
    #[default]
    Unknown,
    /// `/readyz` answers ok.
    Ready,
    /// No answer, or `/readyz` reports a failure.
    NotReady,
}

/// The contact of a cache with its server, whatever the cache holds.
trait Contact: Send + Sync {
    fn trouble(&self) -> Option<(Resource, Trouble)>;
    fn retry(&self);
}

impl<T: Content> Contact for Cache<T> {
    fn trouble(&self) -> Option<(Resource, Trouble)> {
        Some((self.resource().clone(), Cache::trouble(self)?))
    }

    fn retry(&self) {
        Cache::retry(self);
    }
}

/// One member cluster.
pub struct Member {
    name: ClusterName,
    client: Client,
    lease_client: Client,
    hold: Arc<Hold>,
    suspension: Option<String>,
    scope: Shutdown,
    health: watch::Sender<Health>,
    discovery: ArcSwap<Discovery>,
    discovered: watch::Sender<u64>,
    caches: Mutex<BTreeMap<(Resource, Selection), Cache<Object>>>,
    typed_caches: Mutex<Vec<Arc<dyn Contact>>>,
    over_budget: Option<OverBudget>,
    has_agent: bool,
}

impl Member {
    pub(super) fn new(name: ClusterName, client: Client, scope: Shutdown) -> Self {
        let hold = Arc::new(Hold::default());
        Self {
            name,
            client: client.clone().with_hold(&hold),
            lease_client: client,
            hold,
            suspension: None,
            scope,
            health: watch::Sender::new(Health::Unknown),
            discovery: ArcSwap::default(),
            discovered: watch::Sender::new(0),
            caches: Mutex::new(BTreeMap::new()),
            typed_caches: Mutex::new(Vec::new()),
            over_budget: None,
            has_agent: false,
        }
    }

    /// The same member, with or without an agent.
    pub(super) fn with_agent(mut self, has_agent: bool) -> Self {
        self.has_agent = has_agent;
        self
    }

    /// Whether an agent in the cluster applies the Works, holds the cluster and reports on it, so that this process does not.
    pub fn has_agent(&self) -> bool {
        self.has_agent
    }

    /// The same member, which is not read for a while.
    pub(super) fn with_over_budget(mut self, over_budget: OverBudget) -> Self {
        self.over_budget = Some(over_budget);
        self.set_health(Health::NotReady);
        self
    }

    /// Ends the tasks of the member and drops its caches.
    pub(super) fn end(&self) {
        self.scope.request();
        self.caches.lock().clear();
        self.typed_caches.lock().clear();
    }

    /// Why the member is not read at present. Its client sends nothing then.
    pub fn over_budget(&self) -> Option<&OverBudget> {
        self.over_budget.as_ref()
    }

    /// The same member, to which nothing may be sent for this reason. It is not ready.
    pub(super) fn with_suspension(mut self, reason: String) -> Self {
        self.suspension = Some(reason);
        self.set_health(Health::NotReady);
        self
    }

    /// Why nothing may be sent to the member; `None` for an ordinary member.
    pub fn suspension(&self) -> Option<&str> {
        self.suspension.as_deref()
    }

    /// Name in the federation.
    pub fn name(&self) -> &ClusterName {
        &self.name
    }

    /// Client of the member's API server. It writes only while this control plane holds the member.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Client without that limit, for the Lease itself.
    pub fn lease_client(&self) -> &Client {
        &self.lease_client
    }

    /// Whether this control plane holds the member.
    pub fn hold(&self) -> &Arc<Hold> {
        &self.hold
    }

    /// Scope of the member's tasks. Stops when the member leaves or gets a new client.
    pub fn scope(&self) -> &Shutdown {
        &self.scope
    }

    /// Present health.
    pub fn health(&self) -> Health {
        *self.health.borrow()
    }

    /// Watches the health.
    pub fn watch_health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// Sets the result of a probe. True if the health changed.
    pub fn set_health(&self, health: Health) -> bool {
        let has_changed = self.health.send_if_modified(|known| std::mem::replace(known, health) != health);
        // A member that was removed is not reported any more.
        if has_changed && !self.scope.is_requested() {
            self.client.metrics().set_ready(&self.name, health == Health::Ready);
        }
        has_changed
    }

    /// The resources of the member's API server at the last discovery; empty before the first.
    pub fn discovery(&self) -> Arc<Discovery> {
        self.discovery.load_full()
    }

    /// Sets the result of a discovery. True if it differs from the last one.
    pub fn set_discovery(&self, discovery: Discovery) -> bool {
        let changed = **self.discovery.load() != discovery;
        if changed {
            self.discovery.store(Arc::new(discovery));
            self.discovered.send_modify(|count| *count += 1);
        }
        changed
    }

    /// Watches discoveries. The value counts changes.
    pub fn watch_discovery(&self) -> watch::Receiver<u64> {
        self.discovered.subscribe()
    }

    /// The resource of a kind; `None` before the first discovery, or if the member does not serve the kind.
    pub fn resource(&self, kind: &GroupVersionKind) -> Option<Resource> {
        let discovery = self.discovery.load();
        let found = discovery.resources.iter().find(|found| found.resource.gvk == *kind);
        found.map(|found| found.resource.clone())
    }

    /// The cache of the member's objects of `resource` with the label of Portolan. Starts at the first call.
    pub fn managed(&self, resource: &Resource) -> Cache<Object> {
        self.managed_with(resource, |_| {})
    }

    /// [`Member::managed`]. The first call for a cache calls `started` with it.
    pub fn managed_with(&self, resource: &Resource, started: impl FnOnce(&Cache<Object>)) -> Cache<Object> {
        self.cache(resource, placed(), CacheBuilder::compact, started)
    }

    /// The cache of the member's objects of `resource` that match `selection`. The first call starts it, with the settings
    /// of `describe`, and calls `started`; later calls ignore both.
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

    /// Starts a cache of all objects of `resource` as `T`, which has the fields that its reader needs. Each call starts
    /// another one.
    pub fn typed_cache<T: Content>(
        &self,
        resource: &Resource,
        describe: impl FnOnce(CacheBuilder<T>) -> CacheBuilder<T>,
    ) -> Cache<T> {
        let cache = describe(Cache::of(&self.client, resource.clone())).start(&self.scope);
        self.typed_caches.lock().push(Arc::new(cache.clone()));
        cache
    }

    /// The cache that has been without contact for the longest time, and why. Resources that the member does not serve
    /// do not count: their CustomResourceDefinitions come and go. Nor do those of [`Member::forbidden`].
    pub fn trouble(&self) -> Option<(Resource, Trouble)> {
        let caches = self.caches.lock();
        let placed = placed();
        let counts = |selection: &Selection, trouble: &Trouble| !trouble.is_forbidden || *selection != placed;
        let troubles = caches.iter().filter_map(|((resource, selection), cache)| {
            let trouble = cache.trouble().filter(|trouble| counts(selection, trouble))?;
            Some((resource.clone(), trouble))
        });
        let typed = self.typed_caches.lock();
        let troubles = troubles.chain(typed.iter().filter_map(|cache| cache.trouble()));
        let served = troubles.filter(|(_, trouble)| !trouble.is_not_served);
        served.min_by_key(|(_, trouble)| trouble.since)
    }

    /// The resources of placed objects that the account of this process may not read. Each is a matter of that kind alone: a
    /// user who may write a policy must not make the cluster useless for others.
    pub fn forbidden(&self) -> BTreeSet<Resource> {
        let caches = self.caches.lock();
        let placed = placed();
        let of_placed = caches.iter().filter(|((_, selection), _)| *selection == placed);
        let forbidden =
            of_placed.filter(|(_, cache)| cache.trouble().is_some_and(|trouble| trouble.is_forbidden));
        forbidden.map(|((resource, _), _)| resource.clone()).collect()
    }

    /// Ends the back-off of caches without contact: a probe has reached the member.
    pub fn retry_caches(&self) {
        self.caches.lock().values().for_each(Cache::retry);
        self.typed_caches.lock().iter().for_each(|cache| cache.retry());
    }
}

/// Selects the objects that policies placed in a member.
fn placed() -> Selection {
    Selection::labels(format!("{}={}", labels::MANAGED, labels::TRUE))
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("name", &self.name)
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}
