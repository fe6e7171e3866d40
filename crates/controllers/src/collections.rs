//! Caches of all resources that an API server serves, added and removed with their kinds.
//!
//! The garbage collector and the propagation of templates watch everything; they share these caches. Discovery runs when
//! a CustomResourceDefinition changes, and periodically for kinds of aggregated API servers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::resources;
use portolan_net::Shutdown;
use portolan_object::{GroupKind, Object, ObjectKey};
use portolan_plan::propagation::node_ports::note_allocated;
use portolan_runtime::cache::{Change, drop_managed_fields};
use portolan_runtime::client::Discovered;
use portolan_runtime::{Api, Backoff, Cache, Client, ClientError, Resource};
use tokio::sync::{Notify, watch};

use crate::definitions::established_kind;

/// Interval of discovery without a changed CustomResourceDefinition.
const REDISCOVERY_INTERVAL: Duration = Duration::from_secs(30);
/// Interval of discovery while an established CustomResourceDefinition is not served yet.
const SERVED_POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Maximum polls for the kinds of established CustomResourceDefinitions to appear in discovery.
const MAX_SERVED_POLLS: u32 = 50;
/// Delays after failed discovery requests.
const FAILURE_BACKOFF: Backoff = Backoff::new(SERVED_POLL_INTERVAL, Duration::from_secs(5));

type Filter = dyn Fn(&Discovered) -> bool + Send + Sync;

/// Fields of the objects that the caches keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All fields except `managedFields`, which [`trim_template`] reads before they are dropped.
    Whole,
    /// Name, uid, owners and deletion timestamp; of Namespaces also spec and status.
    Identity,
}

type Observer = dyn Fn(&Resource, &Change<Object>) + Send + Sync;
type IndexValues = fn(&Object) -> Vec<String>;

/// Handle to the caches; clones share state.
#[derive(Clone)]
pub struct Collections {
    inner: Arc<Inner>,
    ready: watch::Receiver<bool>,
}

struct Inner {
    client: Client,
    filter: Box<Filter>,
    extent: Extent,
    scope: Shutdown,
    changed: Notify,
    followed: Mutex<Followed>,
}

/// Caches that run, and observers to attach to new ones.
#[derive(Default)]
struct Followed {
    caches: BTreeMap<Resource, (Cache<Object>, Shutdown)>,
    observers: Vec<Arc<Observer>>,
    indices: Vec<(&'static str, IndexValues)>,
}

/// Why discovery is incomplete.
#[derive(Debug, thiserror::Error)]
enum DiscoveryError {
    #[error("cannot discover the resources of the API server: {0}")]
    Request(#[from] ClientError),
    #[error(
        "{} established by CustomResourceDefinitions but not served after {polls} polls: look at the log of the API \
         server; discovery is repeated every {} seconds",
        kinds.join(", "),
        REDISCOVERY_INTERVAL.as_secs()
    )]
    NotServed { kinds: Vec<String>, polls: u32 },
}

impl Collections {
    /// Starts a cache of every preferred resource that `filter` accepts and that supports list and watch.
    ///
    /// `definitions` are the CustomResourceDefinitions of the same server.
    pub fn start(
        client: &Client,
        definitions: &Cache<Object>,
        filter: impl Fn(&Discovered) -> bool + Send + Sync + 'static,
        extent: Extent,
        scope: &Shutdown,
    ) -> Self {
        let (ready_sender, ready) = watch::channel(false);
        let inner = Arc::new(Inner {
            client: client.clone(),
            filter: Box::new(filter),
            extent,
            scope: scope.child(),
            changed: Notify::new(),
            followed: Mutex::new(Followed::default()),
        });
        let waker = Arc::downgrade(&inner);
        definitions.observe(move |_| {
            if let Some(inner) = waker.upgrade() {
                inner.changed.notify_one();
            }
        });
        let (follower, stop, definitions) = (inner.clone(), scope.clone(), definitions.clone());
        // The scope waits for the task, so the handle is not needed.
        let _handle = scope.spawn(async move {
            tokio::select! {
                () = follower.follow(definitions, ready_sender) => {}
                () = stop.requested() => {}
            }
        });
        Self { inner, ready }
    }

    /// Calls `observer` for every present object and for every later change; see [`Cache::observe`].
    pub fn observe(&self, observer: impl Fn(&Resource, &Change<Object>) + Send + Sync + 'static) {
        let observer: Arc<Observer> = Arc::new(observer);
        let mut followed = self.inner.followed.lock();
        for (cache, _) in followed.caches.values() {
            attach(cache, &observer);
        }
        followed.observers.push(observer);
    }

    /// Adds an index to all caches, for [`Collections::keys_by_index`].
    pub fn index(&self, name: &'static str, values: IndexValues) {
        let mut followed = self.inner.followed.lock();
        for (cache, _) in followed.caches.values() {
            cache.add_index(name, move |_, object| values(object));
        }
        followed.indices.push((name, values));
    }

    /// The keys of the objects with the index key `value`, each with the cache that has the object.
    pub fn keys_by_index(&self, name: &str, value: &str) -> Vec<(Cache<Object>, ObjectKey)> {
        let found = |cache: &Cache<Object>| {
            let keys = cache.keys_by_index(name, value).into_iter();
            keys.map(|key| (cache.clone(), key)).collect::<Vec<_>>()
        };
        self.all().iter().flat_map(found).collect()
    }

    /// The cache of a resource.
    pub fn get(&self, resource: &Resource) -> Option<Cache<Object>> {
        self.inner.followed.lock().caches.get(resource).map(|(cache, _)| cache.clone())
    }

    /// The cache of a kind, in its preferred version.
    pub fn of_kind(&self, kind: &GroupKind) -> Option<Cache<Object>> {
        let followed = self.inner.followed.lock();
        let found = followed.caches.iter().find(|(resource, _)| resource.gvk.group_kind() == *kind);
        found.map(|(_, (cache, _))| cache.clone())
    }

    /// All caches.
    pub fn all(&self) -> Vec<Cache<Object>> {
        self.inner.followed.lock().caches.values().map(|(cache, _)| cache.clone()).collect()
    }

    fn is_synced(&self) -> bool {
        *self.ready.borrow() && self.inner.followed.lock().caches.values().all(|(cache, _)| cache.is_synced())
    }

    /// Waits until discovery has succeeded and all caches are synced. False if the scope ended before.
    pub async fn synced(&self) -> bool {
        // Fast path: some controllers call this in every pass, and it is nearly always true.
        if self.is_synced() {
            return true;
        }
        let mut ready = self.ready.clone();
        if ready.wait_for(|&ready| ready).await.is_err() {
            return false;
        }
        for cache in self.all() {
            if !cache.synced().await {
                return false;
            }
        }
        true
    }
}

fn attach(cache: &Cache<Object>, observer: &Arc<Observer>) {
    let (observer, resource) = (observer.clone(), cache.resource().clone());
    cache.observe(move |change| observer(&resource, change));
}

impl Inner {
    async fn follow(&self, definitions: Cache<Object>, ready: watch::Sender<bool>) {
        let mut failures = 0;
        loop {
            let next = match self.refresh_until_served(&definitions).await {
                Err(error @ DiscoveryError::Request(_)) => {
                    failures += 1;
                    tracing::debug!(%error, failures, "discovery failed, trying again");
                    FAILURE_BACKOFF.delay(failures, 0.0)
                }
                result => {
                    if let Err(error) = result {
                        tracing::warn!(%error, "discovery is incomplete");
                    }
                    failures = 0;
                    ready.send_replace(true);
                    REDISCOVERY_INTERVAL
                }
            };
            tokio::select! {
                () = self.changed.notified() => {}
                () = tokio::time::sleep(next) => {}
            }
        }
    }

    /// Refreshes the caches until the kind of every established CustomResourceDefinition is served. An API server serves
    /// it a moment after it sets the condition `Established`.
    async fn refresh_until_served(&self, definitions: &Cache<Object>) -> Result<(), DiscoveryError> {
        let established: Vec<GroupKind> =
            definitions.list().iter().filter_map(|definition| established_kind(definition)).collect();
        let mut polls = 0;
        loop {
            let served = self.refresh().await?;
            polls += 1;
            let missing: Vec<&GroupKind> = established.iter().filter(|kind| !served.contains(kind)).collect();
            if missing.is_empty() {
                return Ok(());
            }
            if polls > MAX_SERVED_POLLS {
                let kinds = missing.into_iter().map(ToString::to_string).collect();
                return Err(DiscoveryError::NotServed { kinds, polls });
            }
            tokio::time::sleep(SERVED_POLL_INTERVAL).await;
        }
    }

    /// Starts caches of new resources, stops those of removed resources, and returns the served kinds.
    async fn refresh(&self) -> Result<Vec<GroupKind>, ClientError> {
        let discovery = self.client.discover().await?;
        let served = discovery.resources.iter().map(|found| found.resource.gvk.group_kind()).collect();
        let wanted: Vec<&Resource> = discovery
            .resources
            .iter()
            .filter(|found| found.preferred && found.allows(&["list", "watch"]) && (self.filter)(found))
            .map(|found| &found.resource)
            .collect();
        let mut followed = self.followed.lock();
        // A group with a failed request may still be served, so caches are only removed after complete discovery.
        if discovery.failed.is_empty() {
            followed.caches.retain(|resource, (_, scope)| {
                let stays = wanted.contains(&resource);
                if !stays {
                    scope.request();
                }
                stays
            });
        }
        for resource in wanted {
            if !followed.caches.contains_key(resource) {
                let (cache, scope) = self.start_cache(resource);
                for &(name, values) in &followed.indices {
                    cache.add_index(name, move |_, object| values(object));
                }
                for observer in &followed.observers {
                    attach(&cache, observer);
                }
                followed.caches.insert(resource.clone(), (cache, scope));
            }
        }
        Ok(served)
    }

    fn start_cache(&self, resource: &Resource) -> (Cache<Object>, Shutdown) {
        let scope = self.scope.child();
        let cache = Cache::of(&self.client, resource.clone()).compact();
        let cache = match self.extent {
            Extent::Whole if resources::SERVICE.is_kind(&resource.gvk) => {
                cache.with_managed_fields().trim(trim_template)
            }
            Extent::Whole => cache.trim(trim_template),
            Extent::Identity if resource.gvk.kind == "Namespace" => cache.trim(keep_identity),
            Extent::Identity => {
                let kind = resource.gvk.clone();
                cache.metadata_only().trim(move |object: &mut Object| {
                    object.0["apiVersion"] = kind.api_version().into();
                    object.0["kind"] = kind.kind.as_str().into();
                    keep_identity(object);
                })
            }
        };
        (cache.start(&scope), scope)
    }
}

/// The client of templates. Answers to writes of Services have `managedFields`, for [`trim_template`].
pub(crate) fn template_api(client: &Client, resource: &Resource) -> Api<Object> {
    let api = client.resource(resource);
    if resources::SERVICE.is_kind(&resource.gvk) { api.with_managed_fields() } else { api }
}

/// Drops `managedFields` of a template, and notes what propagation needs of them.
pub(crate) fn trim_template(template: &mut Object) {
    note_allocated(template);
    drop_managed_fields(template);
}

fn keep_identity(object: &mut Object) {
    drop_managed_fields(object);
    let keeps_status = object.kind() == "Namespace";
    if let Some(root) = object.0.as_object_mut() {
        root.retain(|field, _| {
            matches!(field.as_str(), "apiVersion" | "kind" | "metadata")
                || (keeps_status && matches!(field.as_str(), "spec" | "status"))
        });
    }
    let metadata = object.metadata_mut();
    metadata.remove("annotations");
    metadata.remove("labels");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incomplete_discovery_names_the_kinds_and_the_next_attempt() {
        let kinds = vec!["Widget.example.com".to_owned(), "Gadget.example.com".to_owned()];
        let message = DiscoveryError::NotServed { kinds, polls: 51 }.to_string();
        assert!(message.starts_with("Widget.example.com, Gadget.example.com established"), "{message}");
        assert!(message.contains("after 51 polls") && message.contains("every 30 seconds"), "{message}");
    }
}
