//! Exports of each service in each set, cached until one of them changes.
//!
//! Every importing member needs them in every pass, and endpoints change far more often than exports. Observers of
//! ServiceExports, Services, ServiceImports and memberships invalidate the entry before they queue a service.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use portolan_object::ObjectKey;

use super::set_exports::SetExports;

/// Exports of one service by set; a Vec, because there is nearly always one set.
type BySet = Vec<(String, Arc<SetExports>)>;

/// The cache. Holds only exported services, so its size is limited by their number.
#[derive(Default)]
pub(super) struct ExportCache {
    by_service: RwLock<HashMap<ObjectKey, BySet>>,
    /// Number of invalidations. A value computed across an invalidation is not stored.
    invalidations: AtomicU64,
}

impl ExportCache {
    /// The exports of a service in a set; computed by `collect` if they are not cached.
    pub(super) fn get_or_collect(
        &self,
        set: &str,
        service: &ObjectKey,
        collect: impl FnOnce() -> SetExports,
    ) -> Arc<SetExports> {
        let known = self.by_service.read().get(service).and_then(|sets| of_set(sets, set));
        if let Some(exports) = known {
            return exports;
        }
        let before = self.invalidations.load(Ordering::SeqCst);
        let exports = Arc::new(collect());
        let mut by_service = self.by_service.write();
        if !exports.valid.is_empty() && self.invalidations.load(Ordering::SeqCst) == before {
            let sets = by_service.entry(service.clone()).or_default();
            if of_set(sets, set).is_none() {
                sets.push((set.to_owned(), exports.clone()));
            }
        }
        exports
    }

    /// Removes the entry of one service.
    pub(super) fn invalidate(&self, service: &ObjectKey) {
        let mut by_service = self.by_service.write();
        self.invalidations.fetch_add(1, Ordering::SeqCst);
        by_service.remove(service);
    }

    /// Removes all entries.
    pub(super) fn invalidate_all(&self) {
        let mut by_service = self.by_service.write();
        self.invalidations.fetch_add(1, Ordering::SeqCst);
        by_service.clear();
    }
}

fn of_set(sets: &[(String, Arc<SetExports>)], set: &str) -> Option<Arc<SetExports>> {
    sets.iter().find(|(name, _)| name == set).map(|(_, exports)| exports.clone())
}

#[cfg(test)]
mod tests {
    use portolan_object::{GroupVersionKind, Object};
    use portolan_plan::discovery::export::validate_export;
    use serde_json::json;

    use super::*;

    fn exporting() -> SetExports {
        let object = |group: &str, version: &str, kind: &str| {
            let kind = GroupVersionKind { group: group.into(), version: version.into(), kind: kind.into() };
            Object::new(&kind, &key("a"))
        };
        let export = object("multicluster.x-k8s.io", "v1beta1", "ServiceExport");
        let mut service = object("", "v1", "Service");
        service.0["spec"] = json!({ "clusterIP": "10.0.0.1", "ports": [{ "port": 80 }] });
        let valid = validate_export("member1", &export, Some(&service)).expect("valid");
        SetExports { valid: vec![valid], ..SetExports::default() }
    }

    fn key(name: &str) -> ObjectKey {
        ObjectKey::namespaced("default", name)
    }

    /// How often the exports are computed in two calls with `between` in the middle.
    fn computations(between: impl Fn(&ExportCache), exports: fn() -> SetExports) -> u32 {
        let (cache, mut count) = (ExportCache::default(), 0);
        for round in 0..2 {
            if round == 1 {
                between(&cache);
            }
            cache.get_or_collect("set", &key("a"), || {
                count += 1;
                exports()
            });
        }
        count
    }

    #[test]
    fn entries_are_kept_until_they_are_invalidated() {
        assert_eq!(computations(|_| {}, exporting), 1, "no change");
        assert_eq!(computations(|cache| cache.invalidate(&key("b")), exporting), 1, "another service");
        assert_eq!(computations(|cache| cache.invalidate(&key("a")), exporting), 2, "the same service");
        assert_eq!(computations(ExportCache::invalidate_all, exporting), 2, "a membership changed");
        assert_eq!(computations(|_| {}, SetExports::default), 2, "the service has no export");
    }

    #[test]
    fn each_set_has_its_entry() {
        let cache = ExportCache::default();
        cache.get_or_collect("one", &key("a"), exporting);
        let mut is_computed = false;
        cache.get_or_collect("two", &key("a"), || {
            is_computed = true;
            exporting()
        });
        assert!(is_computed);
    }

    #[test]
    fn a_value_computed_across_an_invalidation_is_not_stored() {
        let cache = ExportCache::default();
        cache.get_or_collect("set", &key("a"), || {
            cache.invalidate(&key("a"));
            exporting()
        });
        let mut is_computed = false;
        cache.get_or_collect("set", &key("a"), || {
            is_computed = true;
            exporting()
        });
        assert!(is_computed);
    }
}
