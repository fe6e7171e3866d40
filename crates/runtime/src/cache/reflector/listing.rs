//! A collection that is being read, before it replaces the content of the cache.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use portolan_object::ObjectKey;

use crate::cache::state::{SharedCache, Stored};
use crate::client::Seen;
use crate::limits::{Budget, Excess, Reservation};

/// What was read so far. Objects are trimmed and counted as they arrive.
pub(super) struct Listing<T> {
    objects: BTreeMap<ObjectKey, Listed<T>>,
    reserved: Reservation,
}

struct Listed<T> {
    version: String,
    /// `None` if the cache has this version.
    object: Option<Stored<T>>,
}

/// A collection that was read: the version of each object, and those that the cache does not have.
pub(super) struct Collection<T> {
    pub(super) versions: HashMap<ObjectKey, String>,
    pub(super) objects: Vec<(ObjectKey, Option<Stored<T>>)>,
}

impl<T> Listing<T> {
    pub(super) fn new(budget: Option<&Arc<Budget>>) -> Self {
        Self { objects: BTreeMap::new(), reserved: Reservation::new(budget.cloned()) }
    }

    /// Adds or replaces an object. `known` are the versions that the cache has.
    pub(super) fn put(
        &mut self,
        seen: Seen<T>,
        known: &HashMap<ObjectKey, String>,
        shared: &SharedCache<T>,
    ) -> Result<(), Excess> {
        let Seen { key, resource_version: version, object, .. } = seen;
        let is_known = !version.is_empty() && known.get(&key) == Some(&version);
        let object = (!is_known).then(|| shared.prepare(object));
        self.remove(&key);
        // An object that the cache has is counted there.
        if let Some(object) = &object {
            self.reserved.add_object(&key, object.bytes)?;
        }
        self.objects.insert(key, Listed { version, object });
        Ok(())
    }

    /// Removes an object that was deleted meanwhile.
    pub(super) fn remove(&mut self, key: &ObjectKey) {
        if let Some(Listed { object: Some(object), .. }) = self.objects.remove(key) {
            self.reserved.remove_object(key, object.bytes);
        }
    }

    /// The whole collection. Its memory is no longer reserved; the cache counts it.
    pub(super) fn complete(self) -> Collection<T> {
        let mut versions = HashMap::with_capacity(self.objects.len());
        let mut objects = Vec::with_capacity(self.objects.len());
        for (key, Listed { version, object }) in self.objects {
            versions.insert(key.clone(), version);
            objects.push((key, object));
        }
        Collection { versions, objects }
    }
}
