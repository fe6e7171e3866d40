//! A local copy of a collection, kept up to date by a watch.
//!
//! Controllers read caches instead of the server. Observers, which usually add keys to a work queue, are called as soon as a
//! change has been decoded.
//!
//! ```text
//! server ─► reflector ─► state ─► readers: get, list, by_index
//!              ▲           └────► observers: called in place, or a bounded subscription
//! Cache::written: results of writes
//! ```
//!
//! Guarantees:
//! - Each observer sees the changes of an object in order. It may miss intermediate states, never the last one.
//! - A cache without contact keeps its objects and recovers by itself. Lost contact never looks like deletion; see
//!   [`Cache::trouble`].
//! - After [`Cache::written`], readers see the result of a write although the watch has not delivered it yet. This removes
//!   the race between a controller's write and its next pass; the stores of client-go and kube-runtime have no such call,
//!   which is why this crate has its own cache and reflector (docs/decisions/0002-own-client-and-reflector.md).
//! - Reading never waits for the network.
//! - What a cache of a member holds counts in the member's [`Budget`](crate::limits::Budget). A cache that would exceed it
//!   keeps what it has and stops.
//!
//! The reflector handles failures as client-go's does; `reflector/progress.rs` has the rules.
//!
//! ```no_run
//! # use portolan_net::Shutdown;
//! # use portolan_object::ObjectKey;
//! # use portolan_runtime::client::Selection;
//! # use portolan_runtime::{Cache, Client, Resource};
//! # async fn example(client: Client, pods: Resource, scope: Shutdown) {
//! let pods = Cache::of_objects(&client, pods)
//!     .select(Selection::labels("app=web"))
//!     .index("node", |_, pod| vec![pod.str_at(&["spec", "nodeName"]).to_owned()])
//!     .start(&scope);
//! pods.synced().await;
//! println!("{} pods on node a", pods.by_index("node", "a").len());
//! let found = pods.get(&ObjectKey::namespaced("shop", "web-0"));
//! # let _ = found;
//! # }
//! ```

mod announcing;
mod caches;
mod compact;
mod contact;
mod entries;
mod key_set;
mod reflector;
mod size;
mod state;
mod subscription;

use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use portolan_net::Shutdown;
use portolan_object::{Object, ObjectKey};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::Instant;

pub use caches::Caches;
pub use subscription::{Notice, Subscription};

use crate::client::{Client, ManagedFields, Selection};
use crate::limits::Ledger;
use crate::resource::Resource;
use crate::scope::spawn_until_stop;
use compact::Codec;
use entries::{CacheState, Entry};
use reflector::Reflector;
use state::{SharedCache, Weigh};

/// Content of a cache: a serde type such as [`Object`] or a typed kind.
pub trait Content: Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Content for T {}

/// A change of one object in a cache.
#[derive(Debug)]
pub struct Change<T> {
    /// Namespace and name.
    pub key: ObjectKey,
    /// State before the change; `None` if the object was added.
    pub old: Option<Arc<T>>,
    /// State after the change; `None` if the object was removed.
    pub new: Option<Arc<T>>,
    /// Whether the change comes from [`Cache::written`], not from the watch.
    pub is_own: bool,
}

impl<T> Clone for Change<T> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), old: self.old.clone(), new: self.new.clone(), is_own: self.is_own }
    }
}

impl<T> Change<T> {
    /// The state after the change, or the last state of a removed object.
    pub fn latest(&self) -> Option<&Arc<T>> {
        self.new.as_ref().or(self.old.as_ref())
    }
}

/// Why a cache has no contact with its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The last error.
    pub reason: String,
    /// Time of the first failure in a row.
    pub since: Instant,
    /// Whether the server does not serve the resource (404), for example because its CustomResourceDefinition is gone.
    pub is_not_served: bool,
    /// Whether the account may not read the resource (403).
    pub is_forbidden: bool,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

type Trim<T> = Box<dyn Fn(&mut T) + Send + Sync>;

/// Computes the index keys of an object.
pub type IndexBy<T> = Box<dyn Fn(&ObjectKey, &T) -> Vec<String> + Send + Sync>;

/// A local copy of a collection; clones share state.
pub struct Cache<T> {
    shared: Arc<SharedCache<T>>,
    synced: watch::Receiver<bool>,
    resource: Arc<Resource>,
}

impl<T> Clone for Cache<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), synced: self.synced.clone(), resource: self.resource.clone() }
    }
}

/// Settings of a cache.
pub struct CacheBuilder<T> {
    client: Client,
    resource: Resource,
    selection: Selection,
    trim: Option<Trim<T>>,
    indexes: Vec<(&'static str, IndexBy<T>)>,
    is_metadata: bool,
    is_compact: bool,
    managed_fields: ManagedFields,
}

impl<T: Content> CacheBuilder<T> {
    /// Selects the objects of the cache.
    #[must_use]
    pub fn select(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }

    /// Modifies each object before it is stored, to drop fields that are never read.
    #[must_use]
    pub fn trim(mut self, trim: impl Fn(&mut T) + Send + Sync + 'static) -> Self {
        self.trim = Some(Box::new(trim));
        self
    }

    /// Reads only the metadata of objects, as the kind `PartialObjectMetadata`. Saves most of the cost of decoding.
    #[must_use]
    pub fn metadata_only(mut self) -> Self {
        self.is_metadata = true;
        self
    }

    /// Reads the `managedFields` of objects, for a [`CacheBuilder::trim`] that uses them.
    #[must_use]
    pub fn with_managed_fields(mut self) -> Self {
        self.managed_fields = ManagedFields::Kept;
        self
    }

    /// Keeps objects as JSON and decodes them when they are read, except the few that changed last. For large collections
    /// of which a reader needs one object at a time: a fifth of the memory or less, and some microseconds for each object
    /// read.
    #[must_use]
    pub fn compact(mut self) -> Self {
        self.is_compact = true;
        self
    }

    /// Adds an index for [`Cache::by_index`].
    #[must_use]
    pub fn index(
        mut self,
        name: &'static str,
        values: impl Fn(&ObjectKey, &T) -> Vec<String> + Send + Sync + 'static,
    ) -> Self {
        self.indexes.push((name, Box::new(values)));
        self
    }

    /// Starts the cache. It stops with `scope`.
    pub fn start(self, scope: &Shutdown) -> Cache<T> {
        let ledger = self.client.budget().map(|budget| Ledger::new(budget.clone()));
        let weigh = ledger.map(|ledger| Weigh { ledger, memory_of: size::memory_of::<T> });
        let stored = self.client.stored().cloned();
        let codec = self.is_compact.then(|| Codec::new(self.resource.clone(), stored, self.managed_fields));
        let shared = Arc::new(SharedCache::new(self.indexes, self.trim, weigh, codec));
        let (synced_sender, synced) = watch::channel(false);
        let resource = Arc::new(self.resource.clone());
        self.client.report_cache(&self.resource, &shared);
        let api = self.client.resource(&self.resource);
        let api = match self.managed_fields {
            ManagedFields::Kept => api.with_managed_fields(),
            ManagedFields::Dropped => api,
        };
        let reflector = Reflector::new(
            if self.is_metadata { api.metadata_only() } else { api },
            self.selection,
            shared.clone(),
            synced_sender,
        );
        spawn_until_stop(scope, reflector.run());
        Cache { shared, synced, resource }
    }
}

impl<T: Content> Cache<T> {
    /// A builder for a cache of `resource`.
    pub fn of(client: &Client, resource: Resource) -> CacheBuilder<T> {
        let selection = Selection::all();
        let client = client.clone();
        let (indexes, is_metadata, is_compact) = (Vec::new(), false, false);
        let managed_fields = ManagedFields::Dropped;
        CacheBuilder {
            client,
            resource,
            selection,
            trim: None,
            indexes,
            is_metadata,
            is_compact,
            managed_fields,
        }
    }
}

impl<T: portolan_api::Kind> Cache<T> {
    /// A builder for a cache of a typed kind.
    pub fn of_kind(client: &Client) -> CacheBuilder<T> {
        Self::of(client, Resource::of::<T>())
    }
}

impl Cache<Object> {
    /// A builder for a cache of untyped objects without their `managedFields`.
    pub fn of_objects(client: &Client, resource: Resource) -> CacheBuilder<Object> {
        Self::of(client, resource).trim(drop_managed_fields)
    }
}

/// Drops `metadata.managedFields`, which are often half of an object and not used by controllers.
pub fn drop_managed_fields(object: &mut Object) {
    object.metadata_mut().remove("managedFields");
}

impl<T> Cache<T> {
    /// The resource of the cache.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// Adds an index for [`Cache::by_index`]. The first caller to register an index name defines it.
    pub fn add_index(
        &self,
        name: &'static str,
        values: impl Fn(&ObjectKey, &T) -> Vec<String> + Send + Sync + 'static,
    ) {
        self.shared.add_index(name, Box::new(values));
    }

    /// Gets one object.
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<T>> {
        self.shared.get(key)
    }

    /// Whether the cache has the object.
    pub fn contains(&self, key: &ObjectKey) -> bool {
        self.shared.read(|state| state.objects.contains_key(key))
    }

    /// All objects, ordered by namespace and name.
    pub fn list(&self) -> Vec<Arc<T>> {
        self.shared.get_all(|state| state.objects.values().map(|entry| entry.object.clone()).collect())
    }

    /// The objects of one namespace, ordered by name.
    pub fn list_namespace(&self, namespace: &str) -> Vec<Arc<T>> {
        self.shared
            .get_all(|state| in_namespace(state, namespace).map(|(_, entry)| entry.object.clone()).collect())
    }

    /// The keys of one namespace, in order.
    pub fn keys_of_namespace(&self, namespace: &str) -> Vec<ObjectKey> {
        self.shared.read(|state| in_namespace(state, namespace).map(|(key, _)| key.clone()).collect())
    }

    /// All keys, in order.
    pub fn keys(&self) -> Vec<ObjectKey> {
        self.shared.read(|state| state.objects.keys().map(|key| ObjectKey::clone(key)).collect())
    }

    /// The objects with the index key `value`, ordered by key. Empty if the index does not exist.
    pub fn by_index(&self, index: &str, value: &str) -> Vec<Arc<T>> {
        self.shared.get_all(|state| {
            let keys = state.indexed(index, value);
            keys.filter_map(|key| state.objects.get(key).map(|entry| entry.object.clone())).collect()
        })
    }

    /// The keys of the objects with the index key `value`, in order.
    pub fn keys_by_index(&self, index: &str, value: &str) -> Vec<ObjectKey> {
        self.shared.read(|state| state.indexed(index, value).cloned().collect())
    }

    /// Number of objects with the index key `value`.
    pub fn count_by_index(&self, index: &str, value: &str) -> usize {
        self.shared.read(|state| state.count(index, value))
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.shared.read(|state| state.objects.len())
    }

    /// Whether the cache has no objects.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the first list has been read.
    pub fn is_synced(&self) -> bool {
        *self.synced.borrow()
    }

    /// Waits until the first list has been read. False if the cache was stopped before.
    pub async fn synced(&self) -> bool {
        let mut synced = self.synced.clone();
        synced.wait_for(|&synced| synced).await.is_ok()
    }

    /// The version up to which the watch has delivered all changes, as the server's `resourceVersion`. `None` before the
    /// first list, and for a server with versions that are no numbers.
    pub fn version(&self) -> Option<u64> {
        self.shared.version()
    }

    /// Why the cache has no contact with its server at the moment. `None` until the second failure in a row.
    pub fn trouble(&self) -> Option<Trouble> {
        self.shared.trouble()
    }

    /// Ends the back-off after a failure, for example because a probe reached the server. No effect otherwise, and
    /// none on a delay that the server itself asked for.
    pub fn retry(&self) {
        self.shared.retry();
    }

    /// Inserts the result of our own write before the watch delivers it, so that the next pass does not decide on the
    /// state before the write. Ignored if the cache already has this version or a later one.
    ///
    /// `key` and `version` are the object's. The cache must select the object.
    pub fn written(&self, key: ObjectKey, version: &str, object: T) {
        self.shared.put_own(key, version, object);
    }

    /// Calls `observer` for each object in the cache, and then for each change, in order. It runs in the task that reads
    /// the watch, so it must be quick and must not block; typically it adds a key to a work queue.
    pub fn observe(&self, observer: impl Fn(&Change<T>) + Send + Sync + 'static) {
        self.shared.observe(Box::new(move |change| {
            observer(change);
            true
        }));
    }
}

impl<T: Send + Sync + 'static> Cache<T> {
    /// Subscribes to later changes, through a buffer of `capacity`. A subscriber that falls behind gets
    /// [`Notice::Relist`] instead of the changes that it missed.
    pub fn subscribe(&self, capacity: usize) -> Subscription<T> {
        let (sender, subscription) = subscription::channel(capacity);
        self.shared.observe_changes(Box::new(move |change| sender.send(change)));
        subscription
    }
}

/// The entries of one namespace, in order.
fn in_namespace<'a, T>(
    state: &'a CacheState<T>,
    namespace: &'a str,
) -> impl Iterator<Item = (&'a ObjectKey, &'a Entry<T>)> {
    let first = ObjectKey::namespaced(namespace, "");
    let from = state.objects.range::<ObjectKey, _>((Bound::Included(first), Bound::Unbounded));
    let entries = from.map(|(key, entry)| (&**key, entry));
    entries.take_while(move |(key, _)| key.namespace == namespace)
}

#[cfg(test)]
mod tests;
