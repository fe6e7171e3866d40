//! State of a cache: objects, indexes, observers, and contact with the server.
//!
//! The reflector writes it, and [`Cache::written`](super::Cache::written). Changes are applied first and announced second, so
//! an observer that reads the cache sees the change or a later one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use portolan_object::ObjectKey;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::cache::{Change, IndexBy, Trim, Trouble};
use crate::limits::{Excess, Ledger};
use crate::metrics::{CacheReader, CacheStatus};

/// Called for each change. Returns false to be removed.
pub(super) type Observer<T> = Box<dyn Fn(&Change<T>) -> bool + Send + Sync>;

/// Why a server does not serve a collection to this client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It does not have the resource.
    NotServed,
    /// The account may not read it.
    Forbidden,
}

/// State shared by readers, observers and the reflector.
pub(super) struct SharedCache<T> {
    state: RwLock<CacheState<T>>,
    /// Held while a change is applied and announced, so that a new observer sees each change exactly once.
    announcing: Mutex<Announcing<T>>,
    contact: Mutex<Contact>,
    /// Cuts the reflector's back-off short.
    retry: Notify,
    trim: Option<Trim<T>>,
    weigh: Option<Weigh<T>>,
}

/// Counts the memory of the objects in a budget.
pub(super) struct Weigh<T> {
    pub(super) ledger: Ledger,
    pub(super) memory_of: fn(&T) -> u64,
}

/// An object as it is stored, and its estimated memory in bytes; 0 if it is not counted.
pub(super) struct Stored<T> {
    pub(super) object: Arc<T>,
    pub(super) bytes: u64,
}

/// When the server was last heard, and what went wrong since.
struct Contact {
    last: Instant,
    lists: u64,
    failures: u64,
    failed_since: Option<Instant>,
    trouble: Option<Trouble>,
}

struct Announcing<T> {
    observers: Vec<Observer<T>>,
    /// The watch has delivered all changes up to this version; 0 before the first list.
    newest: u64,
    /// Versions of objects from [`SharedCache::put_own`] that the watch has not delivered yet.
    ahead: HashMap<ObjectKey, u64>,
}

impl<T> Announcing<T> {
    fn announce(&mut self, change: &Change<T>) {
        self.observers.retain(|observer| observer(change));
    }

    /// Notes that the watch has reached `version`. False if the state of `key` at this version is already in the cache,
    /// from our own write.
    fn is_new(&mut self, key: &ObjectKey, version: &str) -> bool {
        let Some(version) = number(version) else { return true };
        self.newest = self.newest.max(version);
        match self.ahead.get(key) {
            Some(&own) if own > version => false,
            Some(&own) => {
                self.ahead.remove(key);
                own != version
            }
            None => true,
        }
    }
}

/// The version as a number. Versions of one resource are numbers that grow (KEP-5504). If a server's are not, results of
/// own writes are not inserted.
fn number(version: &str) -> Option<u64> {
    version.parse().ok()
}

pub(super) struct CacheState<T> {
    pub(super) objects: BTreeMap<ObjectKey, Arc<T>>,
    indexes: Vec<Index<T>>,
}

struct Index<T> {
    name: &'static str,
    values: IndexBy<T>,
    keys: HashMap<String, BTreeSet<ObjectKey>>,
}

impl<T> CacheState<T> {
    /// The keys with the index key `value`.
    pub(super) fn indexed(&self, index: &str, value: &str) -> impl Iterator<Item = &ObjectKey> {
        let found = self.indexes.iter().find(|candidate| candidate.name == index);
        found.and_then(|index| index.keys.get(value)).into_iter().flatten()
    }

    /// Adds an index, unless one of this name exists.
    fn add_index(&mut self, name: &'static str, values: IndexBy<T>) {
        if self.indexes.iter().any(|index| index.name == name) {
            return;
        }
        let mut index = Index { name, values, keys: HashMap::new() };
        for (key, object) in &self.objects {
            let found = (index.values)(key, object);
            index.replace(key, Vec::new(), found);
        }
        self.indexes.push(index);
    }

    fn put(&mut self, key: &ObjectKey, object: Arc<T>) -> Option<Arc<T>> {
        let old = self.objects.insert(key.clone(), object.clone());
        for index in &mut self.indexes {
            let before = old.as_ref().map(|old| (index.values)(key, old)).unwrap_or_default();
            index.replace(key, before, (index.values)(key, &object));
        }
        old
    }

    fn remove(&mut self, key: &ObjectKey) -> Option<Arc<T>> {
        let old = self.objects.remove(key)?;
        for index in &mut self.indexes {
            let before = (index.values)(key, &old);
            index.replace(key, before, Vec::new());
        }
        Some(old)
    }
}

impl<T> Index<T> {
    fn replace(&mut self, key: &ObjectKey, before: Vec<String>, after: Vec<String>) {
        if before == after {
            return;
        }
        for value in before {
            if let Some(keys) = self.keys.get_mut(&value) {
                keys.remove(key);
                if keys.is_empty() {
                    self.keys.remove(&value);
                }
            }
        }
        for value in after {
            self.keys.entry(value).or_default().insert(key.clone());
        }
    }
}

impl<T> SharedCache<T> {
    pub(super) fn new(
        indexes: Vec<(&'static str, IndexBy<T>)>,
        trim: Option<Trim<T>>,
        weigh: Option<Weigh<T>>,
    ) -> Self {
        let indexes = indexes.into_iter().map(|(name, values)| Index { name, values, keys: HashMap::new() });
        let state = CacheState { objects: BTreeMap::new(), indexes: indexes.collect() };
        let announcing = Announcing { observers: Vec::new(), newest: 0, ahead: HashMap::new() };
        Self {
            state: RwLock::new(state),
            announcing: Mutex::new(announcing),
            contact: Mutex::new(Contact {
                last: Instant::now(),
                lists: 0,
                failures: 0,
                failed_since: None,
                trouble: None,
            }),
            retry: Notify::new(),
            trim,
            weigh,
        }
    }

    pub(super) fn read<R>(&self, read: impl FnOnce(&CacheState<T>) -> R) -> R {
        read(&self.state.read())
    }

    pub(super) fn add_index(&self, name: &'static str, values: IndexBy<T>) {
        self.state.write().add_index(name, values);
    }

    /// The version up to which the watch has delivered all changes.
    pub(super) fn version(&self) -> Option<u64> {
        Some(self.announcing.lock().newest).filter(|&version| version > 0)
    }

    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.contact.lock().trouble.clone()
    }

    /// Notes that the watch works. True when readers saw trouble before.
    pub(super) fn contact(&self) -> bool {
        let mut contact = self.contact.lock();
        contact.last = Instant::now();
        contact.failed_since = None;
        contact.trouble.take().is_some()
    }

    /// Notes that the whole collection was read.
    pub(super) fn listed(&self) {
        let mut contact = self.contact.lock();
        contact.last = Instant::now();
        contact.lists += 1;
    }

    /// Notes that a request failed. Readers see the trouble if `is_visible`.
    pub(super) fn failed(&self, reason: String, refusal: Option<Refusal>, is_visible: bool) {
        let mut contact = self.contact.lock();
        contact.failures += 1;
        let since = *contact.failed_since.get_or_insert_with(Instant::now);
        let (is_not_served, is_forbidden) =
            (refusal == Some(Refusal::NotServed), refusal == Some(Refusal::Forbidden));
        contact.trouble = is_visible.then_some(Trouble { reason, since, is_not_served, is_forbidden });
    }

    /// Wakes [`SharedCache::retried`], if the reflector waits there.
    pub(super) fn retry(&self) {
        self.retry.notify_waiters();
    }

    /// Waits for [`SharedCache::retry`].
    pub(super) async fn retried(&self) {
        self.retry.notified().await;
    }

    /// Drops the fields that are not stored, and weighs the rest.
    pub(super) fn prepare(&self, mut object: T) -> Stored<T> {
        if let Some(trim) = &self.trim {
            trim(&mut object);
        }
        let bytes = self.weigh.as_ref().map_or(0, |weigh| (weigh.memory_of)(&object));
        Stored { object: Arc::new(object), bytes }
    }

    /// Counts an object in the budget whether it fits or not.
    fn count(&self, key: &ObjectKey, bytes: u64) {
        if let Some(weigh) = &self.weigh {
            weigh.ledger.force(key, bytes);
        }
    }

    fn forget(&self, key: &ObjectKey) {
        if let Some(weigh) = &self.weigh {
            weigh.ledger.remove(key);
        }
    }

    /// Adds or replaces an object from the watch.
    ///
    /// # Errors
    /// If the budget does not allow it; the cache then stays as it is.
    pub(super) fn put(&self, key: ObjectKey, version: &str, object: T) -> Result<(), Excess> {
        let Stored { object, bytes } = self.prepare(object);
        let mut announcing = self.announcing.lock();
        if announcing.is_new(&key, version) {
            if let Some(weigh) = &self.weigh {
                weigh.ledger.put(&key, bytes)?;
            }
            let old = self.state.write().put(&key, object.clone());
            announcing.announce(&Change { key, old, new: Some(object), is_own: false });
        }
        Ok(())
    }

    /// Removes an object that the watch reports as deleted; `last` is its last state.
    pub(super) fn remove(&self, key: ObjectKey, version: &str, last: T) {
        let last = self.prepare(last).object;
        let mut announcing = self.announcing.lock();
        if announcing.is_new(&key, version) && self.state.write().remove(&key).is_some() {
            self.forget(&key);
            announcing.announce(&Change { key, old: Some(last), new: None, is_own: false });
        }
    }

    /// Adds or replaces an object from the answer to our own write. Ignored if the watch has reached its version: the object
    /// is then in the cache, or has been deleted since.
    pub(super) fn put_own(&self, key: ObjectKey, version: &str, object: T) {
        let Some(version) = number(version) else { return };
        let Stored { object, bytes } = self.prepare(object);
        let mut announcing = self.announcing.lock();
        let known = announcing.ahead.get(&key).copied().unwrap_or_default().max(announcing.newest);
        if announcing.newest == 0 || version <= known {
            return;
        }
        announcing.ahead.insert(key.clone(), version);
        self.count(&key, bytes);
        let old = self.state.write().put(&key, object.clone());
        announcing.announce(&Change { key, old, new: Some(object), is_own: true });
    }

    /// Whether the cache has this version or a later one from our own write, ahead of the watch.
    pub(super) fn is_known(&self, key: &ObjectKey, version: &str) -> bool {
        let own = self.announcing.lock().ahead.get(key).copied();
        own.is_some_and(|own| number(version).is_some_and(|version| version <= own))
    }

    /// Notes that the watch delivered a version for which [`SharedCache::is_known`] holds.
    pub(super) fn confirm(&self, key: &ObjectKey, version: &str) {
        self.announcing.lock().is_new(key, version);
    }

    /// Replaces all objects and announces the differences. `None` stands for an object that has the same version as
    /// before; `applied` is called between the change and its announcement.
    pub(super) fn replace(
        &self,
        objects: impl IntoIterator<Item = (ObjectKey, Option<Stored<T>>)>,
        version: &str,
        applied: impl FnOnce(),
    ) {
        let mut announcing = self.announcing.lock();
        // The watch after the list delivers own writes that the list does not contain.
        announcing.ahead.clear();
        announcing.newest = number(version).unwrap_or_default();
        let mut changes = Vec::new();
        {
            let mut state = self.state.write();
            let mut gone: BTreeSet<ObjectKey> = state.objects.keys().cloned().collect();
            for (key, stored) in objects {
                gone.remove(&key);
                let Some(Stored { object, bytes }) = stored else { continue };
                self.count(&key, bytes);
                let old = state.put(&key, object.clone());
                changes.push(Change { key, old, new: Some(object), is_own: false });
            }
            for key in gone {
                self.forget(&key);
                let old = state.remove(&key);
                changes.push(Change { key, old, new: None, is_own: false });
            }
        }
        applied();
        for change in &changes {
            announcing.announce(change);
        }
    }

    /// Calls `observer` for each present object, and then for each change.
    pub(super) fn observe(&self, observer: Observer<T>) {
        let mut announcing = self.announcing.lock();
        let present: Vec<_> = self.read(|state| {
            let entries = state.objects.iter();
            entries.map(|(key, object)| (key.clone(), object.clone())).collect()
        });
        for (key, object) in present {
            observer(&Change { key, old: None, new: Some(object), is_own: false });
        }
        announcing.observers.push(observer);
    }

    /// Calls `observer` for each later change.
    pub(super) fn observe_changes(&self, observer: Observer<T>) {
        self.announcing.lock().observers.push(observer);
    }
}

impl<T: Send + Sync> CacheReader for SharedCache<T> {
    fn status(&self) -> CacheStatus {
        let contact = self.contact.lock();
        CacheStatus {
            objects: self.read(|state| state.objects.len()),
            age: contact.last.elapsed(),
            is_failing: contact.trouble.is_some(),
            failures: contact.failures,
            lists: contact.lists,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn key(name: &str) -> ObjectKey {
        ObjectKey::cluster(name)
    }

    fn shared() -> SharedCache<String> {
        let by_text: IndexBy<String> = Box::new(|_, text| vec![text.clone()]);
        SharedCache::new(vec![("text", by_text)], None, None)
    }

    fn put(shared: &SharedCache<String>, name: &str, version: &str, object: &str) {
        shared.put(key(name), version, object.to_owned()).expect("no budget");
    }

    fn log(shared: &SharedCache<String>) -> Arc<Mutex<Vec<String>>> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = seen.clone();
        shared.observe(Box::new(move |change: &Change<String>| {
            let text =
                |side: &Option<Arc<String>>| side.as_deref().cloned().unwrap_or_else(|| "-".to_owned());
            let own = if change.is_own { " by us" } else { "" };
            sink.lock().push(format!("{} {}>{}{own}", change.key, text(&change.old), text(&change.new)));
            true
        }));
        seen
    }

    #[test]
    fn observers_see_present_state_and_every_difference() {
        let shared = shared();
        put(&shared, "a", "1", "1");
        let seen = log(&shared);
        put(&shared, "a", "2", "2");
        put(&shared, "b", "3", "2");
        shared.remove(key("c"), "4", "9".to_owned());
        let next = [(key("b"), None), (key("d"), Some(shared.prepare("3".to_owned())))];
        shared.replace(next, "9", || {});
        assert_eq!(*seen.lock(), ["a ->1", "a 1>2", "b ->2", "d ->3", "a 2>-"]);
    }

    #[test]
    fn indexes_follow_changes() {
        let shared = shared();
        let found = |value: &str| {
            shared.read(|state| state.indexed("text", value).map(|key| key.name.clone()).collect::<Vec<_>>())
        };
        put(&shared, "b", "1", "x");
        put(&shared, "a", "2", "x");
        assert_eq!(found("x"), ["a", "b"]);
        put(&shared, "a", "3", "y");
        assert_eq!((found("x"), found("y")), (vec!["b".to_owned()], vec!["a".to_owned()]));
        // An index added later, and one with a name that exists.
        shared.add_index("length", Box::new(|_, text| vec![text.len().to_string()]));
        shared.add_index("text", Box::new(|_, _| Vec::new()));
        let count = |index| shared.read(|state| state.indexed(index, "1").count());
        assert_eq!((count("length"), found("x")), (2, vec!["b".to_owned()]));
        shared.remove(key("b"), "4", "x".to_owned());
        assert!(found("x").is_empty());
        assert_eq!(count("length"), 1);
    }

    #[test]
    fn own_writes_are_seen_at_once_and_only_once() {
        let shared = shared();
        shared.put_own(key("a"), "4", "too early".to_owned());
        shared.replace([], "5", || {});
        let seen = log(&shared);
        let text = |value: &str| value.to_owned();
        shared.put_own(key("a"), "7", text("own 7"));
        put(&shared, "a", "6", "older than ours");
        shared.put_own(key("a"), "8", text("own 8"));
        put(&shared, "a", "7", "our first write again");
        assert!(shared.is_known(&key("a"), "7") && shared.is_known(&key("a"), "8"));
        assert!(!shared.is_known(&key("a"), "9") && !shared.is_known(&key("b"), "8"));
        shared.confirm(&key("a"), "8");
        assert!(!shared.is_known(&key("a"), "8"));
        put(&shared, "a", "9", "theirs 9");
        shared.put_own(key("a"), "9", text("known from the watch"));
        shared.remove(key("a"), "10", text("last"));
        shared.put_own(key("a"), "9", text("answered after the removal was seen"));
        let want = ["a ->own 7 by us", "a own 7>own 8 by us", "a own 8>theirs 9", "a last>-"];
        assert_eq!(*seen.lock(), want);
        assert!(shared.read(|state| state.objects.is_empty()));
    }
}
