//! Objects that were created and are not in the cache yet.
//!
//! A controller that counts cached objects would create too many while its creations are not in the cache yet. It waits
//! for them first, as in Kubernetes (kubernetes pkg/controller/controller_utils.go, ControllerExpectations).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_object::{Object, ObjectKey};
use portolan_runtime::{Cache, Queue};

/// Time for a creation to reach the cache; after that the controller runs without it.
pub(super) const CREATION_TIMEOUT: Duration = Duration::from_secs(5);

/// Creations by owner.
#[derive(Debug, Default)]
pub(super) struct Expectations {
    pending: Mutex<BTreeMap<ObjectKey, BTreeSet<ObjectKey>>>,
    /// Owners that have waited once. The second time they run with the cache as it is.
    waited: Mutex<BTreeSet<ObjectKey>>,
}

impl Expectations {
    /// Notes a creation, unless the cache has it already.
    pub(super) fn created(&self, owner: &ObjectKey, object: &Object, cache: &Cache<Object>) {
        let key = object.key();
        let mut pending = self.pending.lock();
        if !cache.contains(&key) {
            pending.entry(owner.clone()).or_default().insert(key);
        }
    }

    /// Notes that the cache has received an object or its deletion.
    fn seen(&self, owner: &ObjectKey, object: &ObjectKey) {
        let mut pending = self.pending.lock();
        if let Some(objects) = pending.get_mut(owner) {
            objects.remove(object);
            if objects.is_empty() {
                pending.remove(owner);
            }
        }
    }

    /// Notes what `cache` receives of the owners that `owner` finds, and queues these.
    pub(super) fn observe(
        self: &Arc<Self>,
        cache: &Cache<Object>,
        queue: &Queue<ObjectKey>,
        owner: impl Fn(&Object) -> Option<ObjectKey> + Send + Sync + 'static,
    ) {
        let (seen, adder) = (self.clone(), queue.clone());
        cache.observe(move |change| {
            for owner in change.old.iter().chain(&change.new).filter_map(|object| owner(object)) {
                seen.seen(&owner, &change.key);
                adder.add(owner);
            }
        });
    }

    /// Whether the owner has to wait for its creations, [`CREATION_TIMEOUT`] at most.
    pub(super) fn must_wait(&self, owner: &ObjectKey, cache: &Cache<Object>) -> bool {
        let must_wait = self.are_pending(owner, cache) && self.waited.lock().insert(owner.clone());
        if !must_wait {
            self.waited.lock().remove(owner);
        }
        must_wait
    }

    /// Whether creations of this owner are not in the cache yet.
    fn are_pending(&self, owner: &ObjectKey, cache: &Cache<Object>) -> bool {
        let mut pending = self.pending.lock();
        let Some(objects) = pending.get_mut(owner) else { return false };
        objects.retain(|key| !cache.contains(key));
        let waits = !objects.is_empty();
        if !waits {
            pending.remove(owner);
        }
        waits
    }

    /// Stops waiting for an owner's creations.
    pub(super) fn forget(&self, owner: &ObjectKey) {
        self.pending.lock().remove(owner);
        self.waited.lock().remove(owner);
    }
}
