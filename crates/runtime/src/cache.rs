//! A live copy of a collection: listed once, then kept up to date by a watch.
//!
//! Controllers read caches instead of asking the server, and are called the moment a change has been parsed. A cache
//! that loses its server keeps what it has and comes back by itself; losing contact never looks like deletion.
//!
//! ```text
//! server ─► reflector ─► state ─► readers: get, list, by_index
//!                          └────► observers: called in place, or a bounded subscription
//! ```

mod caches;
mod reflector;
mod state;
mod subscription;

use std::fmt;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use portolan_net::Shutdown;
use portolan_object::{Object, ObjectKey};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::Instant;

pub use caches::Caches;
pub use subscription::{Notice, Subscription};

use crate::client::{Client, Selection};
use crate::resource::Resource;
use crate::scope::spawn_until_stop;
use reflector::Reflector;
use state::Shared;

/// What a cache can hold: any serde type, such as [`Object`] or a typed kind.
pub trait Content: Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Content for T {}

/// One difference between two states of a cache.
#[derive(Debug)]
pub struct Change<T> {
    /// Whose.
    pub key: ObjectKey,
    /// Before; absent when it was added.
    pub old: Option<Arc<T>>,
    /// After; absent when it was removed.
    pub new: Option<Arc<T>>,
    /// Whether [`Cache::written`] put it in: whoever wrote it knows of it.
    pub is_own: bool,
}

impl<T> Clone for Change<T> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), old: self.old.clone(), new: self.new.clone(), is_own: self.is_own }
    }
}

impl<T> Change<T> {
    /// The newest state that is known: after, or the last before removal.
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
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// Figures of a cache, for metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheFigures {
    /// Objects held.
    pub objects: usize,
    /// Whether the first list has been read.
    pub is_synced: bool,
    /// Time since the server was last heard; servers send a bookmark each minute.
    pub age: Duration,
    /// Complete reads of the collection; more than one means that history was lost.
    pub lists: u64,
    /// Why there is no contact at the moment.
    pub trouble: Option<Trouble>,
}

type Trim<T> = Box<dyn Fn(&mut T) + Send + Sync>;

/// Names the values under which an object is found again.
pub type IndexBy<T> = Box<dyn Fn(&ObjectKey, &T) -> Vec<String> + Send + Sync>;

/// A live copy of a collection; a clone is the same copy.
pub struct Cache<T> {
    shared: Arc<Shared<T>>,
    synced: watch::Receiver<bool>,
    resource: Arc<Resource>,
}

impl<T> Clone for Cache<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), synced: self.synced.clone(), resource: self.resource.clone() }
    }
}

/// What a cache shall hold.
pub struct CacheBuilder<T> {
    client: Client,
    resource: Resource,
    selection: Selection,
    trim: Option<Trim<T>>,
    indexes: Vec<(&'static str, IndexBy<T>)>,
    is_metadata: bool,
}

impl<T: Content> CacheBuilder<T> {
    /// Only these objects.
    #[must_use]
    pub fn select(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }

    /// Changes every object before it is kept, to drop what nobody reads.
    #[must_use]
    pub fn trim(mut self, trim: impl Fn(&mut T) + Send + Sync + 'static) -> Self {
        self.trim = Some(Box::new(trim));
        self
    }

    /// Reads nothing of the objects but their metadata, which is most of what reading them costs; what is trimmed is of
    /// the kind `PartialObjectMetadata` then.
    #[must_use]
    pub fn metadata_only(mut self) -> Self {
        self.is_metadata = true;
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

    /// Starts to fill the cache; it ends with `scope`.
    pub fn start(self, scope: &Shutdown) -> Cache<T> {
        let shared = Arc::new(Shared::new(self.indexes, self.trim));
        let (synced_sender, synced) = watch::channel(false);
        let resource = Arc::new(self.resource.clone());
        self.client.report_cache(&self.resource, &shared);
        let api = self.client.resource(&self.resource);
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
    /// Describes a cache of `resource`.
    pub fn of(client: &Client, resource: Resource) -> CacheBuilder<T> {
        let selection = Selection::all();
        let client = client.clone();
        CacheBuilder { client, resource, selection, trim: None, indexes: Vec::new(), is_metadata: false }
    }
}

impl<T: portolan_api::Kind> Cache<T> {
    /// Describes a cache of a typed kind.
    pub fn of_kind(client: &Client) -> CacheBuilder<T> {
        Self::of(client, Resource::of::<T>())
    }
}

impl Cache<Object> {
    /// Describes a cache of untyped objects without their `managedFields`.
    pub fn of_objects(client: &Client, resource: Resource) -> CacheBuilder<Object> {
        Self::of(client, resource).trim(drop_managed_fields)
    }
}

/// Drops `metadata.managedFields`, often half of an object and of no use to a controller.
pub fn drop_managed_fields(object: &mut Object) {
    object.metadata_mut().remove("managedFields");
}

impl<T> Cache<T> {
    /// The resource of which this is a copy.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// Adds an index for [`Cache::by_index`]. Of those who share a cache, whoever comes first with a name defines it: the
    /// same name must mean the same values.
    pub fn add_index(
        &self,
        name: &'static str,
        values: impl Fn(&ObjectKey, &T) -> Vec<String> + Send + Sync + 'static,
    ) {
        self.shared.add_index(name, Box::new(values));
    }

    /// One object.
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<T>> {
        self.shared.read(|state| state.objects.get(key).cloned())
    }

    /// Whether the object is there.
    pub fn contains(&self, key: &ObjectKey) -> bool {
        self.shared.read(|state| state.objects.contains_key(key))
    }

    /// All objects, ordered by namespace and name.
    pub fn list(&self) -> Vec<Arc<T>> {
        self.shared.read(|state| state.objects.values().cloned().collect())
    }

    /// The objects of one namespace, ordered by name.
    pub fn list_namespace(&self, namespace: &str) -> Vec<Arc<T>> {
        let first = ObjectKey::namespaced(namespace, "");
        self.shared.read(|state| {
            let from = state.objects.range((Bound::Included(first), Bound::Unbounded));
            from.take_while(|(key, _)| key.namespace == namespace).map(|(_, object)| object.clone()).collect()
        })
    }

    /// All keys, in order.
    pub fn keys(&self) -> Vec<ObjectKey> {
        self.shared.read(|state| state.objects.keys().cloned().collect())
    }

    /// The objects that an index finds under `value`, ordered by key; none for an index that was not declared.
    pub fn by_index(&self, index: &str, value: &str) -> Vec<Arc<T>> {
        self.shared.read(|state| {
            let keys = state.indexed(index, value);
            keys.filter_map(|key| state.objects.get(key).cloned()).collect()
        })
    }

    /// The keys that an index finds under `value`, in order.
    pub fn keys_by_index(&self, index: &str, value: &str) -> Vec<ObjectKey> {
        self.shared.read(|state| state.indexed(index, value).cloned().collect())
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.shared.read(|state| state.objects.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the first list has been read.
    pub fn is_synced(&self) -> bool {
        *self.synced.borrow()
    }

    /// Waits until the first list has been read. False when the cache was stopped before.
    pub async fn synced(&self) -> bool {
        let mut synced = self.synced.clone();
        synced.wait_for(|&synced| synced).await.is_ok()
    }

    /// Why the cache has no contact with its server at the moment. `None` until the second failure in a row.
    pub fn trouble(&self) -> Option<Trouble> {
        self.shared.trouble()
    }

    /// Figures for metrics.
    pub fn figures(&self) -> CacheFigures {
        self.shared.figures(self.is_synced())
    }

    /// Ends the back-off after a failure, for example because a probe reached the server. No effect otherwise, and
    /// none on a delay that the server itself asked for.
    pub fn retry(&self) {
        self.shared.retry();
    }

    /// Puts in what an own write has just made of an object, so that nobody decides on the state before it; the watch
    /// brings the same state later. Ignored when the cache is as new already.
    ///
    /// `key` and `version` are the object's; it must be one that this cache selects.
    pub fn written(&self, key: ObjectKey, version: &str, object: T) {
        self.shared.put_own(key, version, object);
    }

    /// Calls `observer` for every object that is there, and from then on for every change, in order, from the task
    /// that reads the watch. It must be quick and must not wait; adding a key to a work queue is what it is for.
    pub fn observe(&self, observer: impl Fn(&Change<T>) + Send + Sync + 'static) {
        self.shared.observe(Box::new(move |change| {
            observer(change);
            true
        }));
    }
}

impl<T: Send + Sync + 'static> Cache<T> {
    /// Changes from now on, through a buffer of `capacity`. A subscriber that falls behind gets
    /// [`Notice::Relist`] instead of what it missed.
    pub fn subscribe(&self, capacity: usize) -> Subscription<T> {
        let (sender, subscription) = subscription::channel(capacity);
        self.shared.observe_changes(Box::new(move |change| sender.send(change)));
        subscription
    }
}

#[cfg(test)]
mod tests;
