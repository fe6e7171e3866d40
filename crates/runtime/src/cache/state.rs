//! The objects of a cache, their indexes, and who wants to know of changes.
//!
//! Written by the reflector alone. Changes are applied first and announced second, so an observer that reads the
//! cache sees at least the change that it is told of.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use portolan_object::ObjectKey;

use crate::cache::{Change, IndexBy};

/// Called for each change; false when it wants no more.
pub(super) type Observer<T> = Box<dyn Fn(&Change<T>) -> bool + Send + Sync>;

/// Everything that readers, observers and the reflector share.
pub(super) struct Shared<T> {
    state: RwLock<State<T>>,
    /// Held while a change is applied and announced, so that a new observer misses nothing and sees nothing twice.
    observers: Mutex<Vec<Observer<T>>>,
    trouble: Mutex<Option<String>>,
}

pub(super) struct State<T> {
    pub(super) objects: BTreeMap<ObjectKey, Arc<T>>,
    indexes: Vec<Index<T>>,
}

struct Index<T> {
    name: &'static str,
    values: IndexBy<T>,
    keys: HashMap<String, BTreeSet<ObjectKey>>,
}

impl<T> State<T> {
    /// The keys that `index` finds under `value`.
    pub(super) fn indexed(&self, index: &str, value: &str) -> impl Iterator<Item = &ObjectKey> {
        let found = self.indexes.iter().find(|candidate| candidate.name == index);
        found.and_then(|index| index.keys.get(value)).into_iter().flatten()
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

impl<T> Shared<T> {
    pub(super) fn new(indexes: Vec<(&'static str, IndexBy<T>)>) -> Self {
        let indexes = indexes.into_iter().map(|(name, values)| Index { name, values, keys: HashMap::new() });
        let state = State { objects: BTreeMap::new(), indexes: indexes.collect() };
        Self { state: RwLock::new(state), observers: Mutex::new(Vec::new()), trouble: Mutex::new(None) }
    }

    pub(super) fn read<R>(&self, read: impl FnOnce(&State<T>) -> R) -> R {
        read(&self.state.read())
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().clone()
    }

    pub(super) fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock() = trouble;
    }

    /// Adds or replaces one object.
    pub(super) fn put(&self, key: ObjectKey, object: T) {
        let observers = self.observers.lock();
        let object = Arc::new(object);
        let old = self.state.write().put(&key, object.clone());
        announce(observers, &Change { key, old, new: Some(object) });
    }

    /// Removes one object; `last` is its last state, for observers that never saw it.
    pub(super) fn remove(&self, key: ObjectKey, last: T) {
        let observers = self.observers.lock();
        if self.state.write().remove(&key).is_some() {
            announce(observers, &Change { key, old: Some(Arc::new(last)), new: None });
        }
    }

    /// Replaces everything and announces the difference; `unchanged` says that two states are the same, and
    /// `applied` is called between the change and its announcement.
    pub(super) fn replace(
        &self,
        objects: Vec<(ObjectKey, T)>,
        unchanged: impl Fn(&ObjectKey, &T) -> bool,
        applied: impl FnOnce(),
    ) {
        let observers = self.observers.lock();
        let mut changes = Vec::new();
        {
            let mut state = self.state.write();
            let mut gone: BTreeSet<ObjectKey> = state.objects.keys().cloned().collect();
            for (key, object) in objects {
                gone.remove(&key);
                if state.objects.contains_key(&key) && unchanged(&key, &object) {
                    continue;
                }
                let object = Arc::new(object);
                let old = state.put(&key, object.clone());
                changes.push(Change { key, old, new: Some(object) });
            }
            for key in gone {
                let old = state.remove(&key);
                changes.push(Change { key, old, new: None });
            }
        }
        applied();
        let mut observers = observers;
        for change in &changes {
            observers.retain(|observer| observer(change));
        }
    }

    /// Tells `observer` of everything that is there, and of every change from then on.
    pub(super) fn observe(&self, observer: Observer<T>) {
        let mut observers = self.observers.lock();
        let present: Vec<_> = self.read(|state| {
            let entries = state.objects.iter();
            entries.map(|(key, object)| (key.clone(), object.clone())).collect()
        });
        for (key, object) in present {
            observer(&Change { key, old: None, new: Some(object) });
        }
        observers.push(observer);
    }

    /// Tells `observer` of every change from now on.
    pub(super) fn observe_changes(&self, observer: Observer<T>) {
        self.observers.lock().push(observer);
    }
}

fn announce<T>(mut observers: parking_lot::MutexGuard<'_, Vec<Observer<T>>>, change: &Change<T>) {
    observers.retain(|observer| observer(change));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn key(name: &str) -> ObjectKey {
        ObjectKey::cluster(name)
    }

    fn shared() -> Shared<String> {
        let by_text: IndexBy<String> = Box::new(|_, text| vec![text.clone()]);
        Shared::new(vec![("text", by_text)])
    }

    fn log(shared: &Shared<String>) -> Arc<Mutex<Vec<String>>> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = seen.clone();
        shared.observe(Box::new(move |change: &Change<String>| {
            let text =
                |side: &Option<Arc<String>>| side.as_deref().cloned().unwrap_or_else(|| "-".to_owned());
            sink.lock().push(format!("{} {}>{}", change.key, text(&change.old), text(&change.new)));
            true
        }));
        seen
    }

    #[test]
    fn observers_see_present_state_and_every_difference() {
        let shared = shared();
        shared.put(key("a"), "1".to_owned());
        let seen = log(&shared);
        shared.put(key("a"), "2".to_owned());
        shared.put(key("b"), "2".to_owned());
        shared.remove(key("c"), "9".to_owned());
        let next = vec![(key("b"), "2".to_owned()), (key("d"), "3".to_owned())];
        shared.replace(next, |key, text| key.name == "b" && text == "2", || {});
        assert_eq!(*seen.lock(), ["a ->1", "a 1>2", "b ->2", "d ->3", "a 2>-"]);
    }

    #[test]
    fn indexes_follow_changes() {
        let shared = shared();
        let found = |value: &str| {
            shared.read(|state| state.indexed("text", value).map(|key| key.name.clone()).collect::<Vec<_>>())
        };
        shared.put(key("b"), "x".to_owned());
        shared.put(key("a"), "x".to_owned());
        assert_eq!(found("x"), ["a", "b"]);
        shared.put(key("a"), "y".to_owned());
        assert_eq!((found("x"), found("y")), (vec!["b".to_owned()], vec!["a".to_owned()]));
        shared.remove(key("b"), "x".to_owned());
        assert!(found("x").is_empty());
    }
}
