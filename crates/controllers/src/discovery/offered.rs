//! What the members of a set offer of each service, remembered until any of it changes.
//!
//! Every importing member asks for it in every pass, and endpoints change far more often than exports do. Whoever sees a
//! change of an export, of an exported Service, of an import or of a membership says so here, before anybody is queued.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use portolan_object::ObjectKey;

use super::of_set::Exports;

/// What sets offer of one service; nearly always there is one set.
type BySet = Vec<(String, Arc<Exports>)>;

/// What is known; only of services that somebody exports, so it is bounded by their number.
#[derive(Default)]
pub(super) struct Offered {
    by_service: RwLock<HashMap<ObjectKey, BySet>>,
    /// Counts what was forgotten: an answer that was begun before is not kept.
    forgotten: AtomicU64,
}

impl Offered {
    /// What a set offers of a service, put together by `look` when it is not known.
    pub(super) fn get_or_look(
        &self,
        set: &str,
        service: &ObjectKey,
        look: impl FnOnce() -> Exports,
    ) -> Arc<Exports> {
        let known = self.by_service.read().get(service).and_then(|sets| of_set(sets, set));
        if let Some(exports) = known {
            return exports;
        }
        let begun = self.forgotten.load(Ordering::SeqCst);
        let exports = Arc::new(look());
        let mut by_service = self.by_service.write();
        if !exports.offers.is_empty() && self.forgotten.load(Ordering::SeqCst) == begun {
            let sets = by_service.entry(service.clone()).or_default();
            if of_set(sets, set).is_none() {
                sets.push((set.to_owned(), exports.clone()));
            }
        }
        exports
    }

    /// Something that decides about a service has changed.
    pub(super) fn forget(&self, service: &ObjectKey) {
        let mut by_service = self.by_service.write();
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        by_service.remove(service);
    }

    /// Something that decides about every service has changed.
    pub(super) fn forget_all(&self) {
        let mut by_service = self.by_service.write();
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        by_service.clear();
    }
}

fn of_set(sets: &[(String, Arc<Exports>)], set: &str) -> Option<Arc<Exports>> {
    sets.iter().find(|(name, _)| name == set).map(|(_, exports)| exports.clone())
}

#[cfg(test)]
mod tests {
    use portolan_object::{GroupVersionKind, Object};
    use portolan_plan::discovery::export::judge;
    use serde_json::json;

    use super::*;

    fn offering() -> Exports {
        let object = |group: &str, version: &str, kind: &str| {
            let kind = GroupVersionKind { group: group.into(), version: version.into(), kind: kind.into() };
            Object::new(&kind, &key("a"))
        };
        let export = object("multicluster.x-k8s.io", "v1beta1", "ServiceExport");
        let mut service = object("", "v1", "Service");
        service.0["spec"] = json!({ "clusterIP": "10.0.0.1", "ports": [{ "port": 80 }] });
        let offer = judge("member1", &export, Some(&service)).expect("valid");
        Exports { offers: vec![offer], ..Exports::default() }
    }

    fn key(name: &str) -> ObjectKey {
        ObjectKey::namespaced("default", name)
    }

    /// How often it is put together when it is asked for twice, with something between.
    fn looks(between: impl Fn(&Offered), exports: fn() -> Exports) -> u32 {
        let (offered, mut looks) = (Offered::default(), 0);
        for round in 0..2 {
            if round == 1 {
                between(&offered);
            }
            offered.get_or_look("set", &key("a"), || {
                looks += 1;
                exports()
            });
        }
        looks
    }

    #[test]
    fn an_answer_holds_until_something_changes() {
        assert_eq!(looks(|_| {}, offering), 1, "nothing changed");
        assert_eq!(looks(|offered| offered.forget(&key("b")), offering), 1, "another service changed");
        assert_eq!(looks(|offered| offered.forget(&key("a")), offering), 2, "the service changed");
        assert_eq!(looks(Offered::forget_all, offering), 2, "a membership changed");
        assert_eq!(looks(|_| {}, Exports::default), 2, "nobody exports it");
    }

    #[test]
    fn sets_have_answers_of_their_own() {
        let offered = Offered::default();
        offered.get_or_look("one", &key("a"), offering);
        let mut looked = false;
        offered.get_or_look("two", &key("a"), || {
            looked = true;
            offering()
        });
        assert!(looked);
    }

    #[test]
    fn an_answer_that_was_overtaken_is_not_kept() {
        let offered = Offered::default();
        offered.get_or_look("set", &key("a"), || {
            offered.forget(&key("a"));
            offering()
        });
        let mut looked = false;
        offered.get_or_look("set", &key("a"), || {
            looked = true;
            offering()
        });
        assert!(looked);
    }
}
