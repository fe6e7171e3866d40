//! A collection that is being read, before it replaces the content of the cache.

use std::collections::BTreeMap;
use std::sync::Arc;

use portolan_object::ObjectKey;

use crate::cache::announcing::number;
use crate::cache::state::{self, SharedCache, Stored};
use crate::client::Seen;
use crate::limits::{Budget, Excess, Reservation};

/// What was read so far. Objects are trimmed and counted as they arrive.
pub(super) struct Listing<T> {
    objects: BTreeMap<ObjectKey, Listed<T>>,
    reserved: Reservation,
}

struct Listed<T> {
    /// 0 if it is no number.
    version: u64,
    /// `None` if the cache has this version.
    object: Option<Stored<T>>,
}

impl<T> Listing<T> {
    pub(super) fn new(budget: Option<&Arc<Budget>>) -> Self {
        Self { objects: BTreeMap::new(), reserved: Reservation::new(budget.cloned()) }
    }

    /// Adds or replaces an object. The content of one that the cache has at this version is not kept.
    pub(super) fn put(&mut self, seen: Seen<T>, shared: &SharedCache<T>) -> Result<(), Excess> {
        let Seen { key, resource_version: version, object, .. } = seen;
        let is_known = shared.has_version(&key, &version);
        let version = number(&version).unwrap_or_default();
        let object = (!is_known).then(|| shared.prepare(&key, version, object));
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
    pub(super) fn complete(self) -> state::Listed<T> {
        let objects = self.objects.into_iter();
        objects.map(|(key, Listed { version, object })| (key, version, object)).collect()
    }
}
