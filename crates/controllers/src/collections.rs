//! A live copy of every resource that an API server has, as its kinds come and go.
//!
//! The garbage collector and the propagation of templates watch everything; they share one copy. A new
//! CustomResourceDefinition is looked at as soon as it is established, not at the next tick of a clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_net::Shutdown;
use portolan_object::{GroupKind, Object};
use portolan_runtime::cache::{Change, drop_managed_fields};
use portolan_runtime::client::Discovered;
use portolan_runtime::{Cache, Client, ClientError, Resource};
use tokio::sync::{Notify, watch};

/// Kinds that appear without a CustomResourceDefinition (aggregated ones) are found by looking again.
const REDISCOVERY: Duration = Duration::from_secs(30);
/// A CustomResourceDefinition is established before it is served: the pause between two looks meanwhile.
const SETTLING: Duration = Duration::from_millis(20);
/// Looks at one change until its kinds must be served.
const SETTLING_LOOKS: u32 = 50;

type Filter = dyn Fn(&Discovered) -> bool + Send + Sync;

/// How much of the objects is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Everything but `managedFields`.
    Whole,
    /// What tells which objects there are, who owns them and whether they are being deleted; of Namespaces also spec
    /// and status.
    Identity,
}

type Observer = dyn Fn(&Resource, &Change<Object>) + Send + Sync;

/// The copies; a clone is the same ones.
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
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    caches: BTreeMap<Resource, (Cache<Object>, Shutdown)>,
    observers: Vec<Arc<Observer>>,
}

impl Collections {
    /// Starts to copy every preferred resource that can be listed and watched and that `filter` takes.
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
            state: Mutex::new(State::default()),
        });
        let waker = Arc::downgrade(&inner);
        definitions.observe(move |_| {
            if let Some(inner) = waker.upgrade() {
                inner.changed.notify_one();
            }
        });
        let (follower, stop, definitions) = (inner.clone(), scope.clone(), definitions.clone());
        // The scope waits for it; nobody needs the handle.
        let _handle = scope.spawn(async move {
            tokio::select! {
                () = follower.follow(definitions, ready_sender) => {}
                () = stop.requested() => {}
            }
        });
        Self { inner, ready }
    }

    /// Calls `observer` for every object that is there, and for every change from then on; see [`Cache::observe`].
    pub fn observe(&self, observer: impl Fn(&Resource, &Change<Object>) + Send + Sync + 'static) {
        let observer: Arc<Observer> = Arc::new(observer);
        let mut state = self.inner.state.lock();
        for (cache, _) in state.caches.values() {
            attach(cache, &observer);
        }
        state.observers.push(observer);
    }

    /// The copy of a resource.
    pub fn get(&self, resource: &Resource) -> Option<Cache<Object>> {
        self.inner.state.lock().caches.get(resource).map(|(cache, _)| cache.clone())
    }

    /// The copy of a kind, in whichever version it is held.
    pub fn of_kind(&self, kind: &GroupKind) -> Option<Cache<Object>> {
        let state = self.inner.state.lock();
        let found = state.caches.iter().find(|(resource, _)| resource.gvk.group_kind() == *kind);
        found.map(|(_, (cache, _))| cache.clone())
    }

    /// All copies.
    pub fn all(&self) -> Vec<Cache<Object>> {
        self.inner.state.lock().caches.values().map(|(cache, _)| cache.clone()).collect()
    }

    fn is_synced(&self) -> bool {
        *self.ready.borrow() && self.inner.state.lock().caches.values().all(|(cache, _)| cache.is_synced())
    }

    /// Waits until everything that the server had at the start has been read. False when stopped before.
    pub async fn synced(&self) -> bool {
        // Asked in every pass of some controllers, and nearly always true.
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
        loop {
            let wanted = established(&definitions);
            for look in 0.. {
                match self.refresh().await {
                    Ok(served)
                        if look >= SETTLING_LOOKS || wanted.iter().all(|kind| served.contains(kind)) =>
                    {
                        ready.send_replace(true);
                        break;
                    }
                    Ok(_) => {}
                    Err(error) => tracing::debug!(%error, "cannot discover resources, trying again"),
                }
                tokio::time::sleep(SETTLING).await;
            }
            tokio::select! {
                () = self.changed.notified() => {}
                () = tokio::time::sleep(REDISCOVERY) => {}
            }
        }
    }

    /// Starts copies of what is new, ends those of what is gone, and returns the kinds that are served.
    async fn refresh(&self) -> Result<Vec<GroupKind>, ClientError> {
        let discovery = self.client.discover().await?;
        let served = discovery.resources.iter().map(|found| found.resource.gvk.group_kind()).collect();
        let wanted: Vec<&Resource> = discovery
            .resources
            .iter()
            .filter(|found| found.preferred && found.allows(&["list", "watch"]) && (self.filter)(found))
            .map(|found| &found.resource)
            .collect();
        let mut state = self.state.lock();
        // A group that could not be listed may still be there: only a complete answer removes anything.
        if discovery.failed.is_empty() {
            state.caches.retain(|resource, (_, scope)| {
                let stays = wanted.contains(&resource);
                if !stays {
                    scope.request();
                }
                stays
            });
        }
        for resource in wanted {
            if !state.caches.contains_key(resource) {
                let (cache, scope) = self.copy(resource);
                for observer in &state.observers {
                    attach(&cache, observer);
                }
                state.caches.insert(resource.clone(), (cache, scope));
            }
        }
        Ok(served)
    }

    fn copy(&self, resource: &Resource) -> (Cache<Object>, Shutdown) {
        let scope = self.scope.child();
        let cache = Cache::of(&self.client, resource.clone());
        let cache = match self.extent {
            Extent::Whole => cache.trim(drop_managed_fields),
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

/// Kinds that a CustomResourceDefinition has established.
fn established(definitions: &Cache<Object>) -> Vec<GroupKind> {
    let is_established = |definition: &Object| {
        let conditions = definition.at(&["status", "conditions"]).and_then(serde_json::Value::as_array);
        conditions
            .into_iter()
            .flatten()
            .any(|condition| condition["type"] == "Established" && condition["status"] == "True")
            && !definition.is_deleting()
    };
    let kinds =
        definitions.list().into_iter().filter(|definition| is_established(definition)).map(|definition| {
            GroupKind {
                group: definition.str_at(&["spec", "group"]).to_owned(),
                kind: definition.str_at(&["spec", "names", "kind"]).to_owned(),
            }
        });
    kinds.collect()
}
