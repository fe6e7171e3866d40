//! The Works that are being deleted, per cluster, as far as the brake looks at them. Kept beside the cache of Works, which
//! would decode each of them for each decision.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use portolan_api::names;
use portolan_api::work::Work;
use portolan_object::ObjectKey;
use portolan_plan::propagation::brake::Deletion;
use portolan_runtime::ClusterName;
use portolan_runtime::cache::Change;

use super::manifest;

/// A Work that is being deleted.
pub(super) struct Entry {
    /// The uid of the Work.
    pub(super) uid: String,
    /// Kind, namespace and name of its object.
    pub(super) object: String,
    /// When and why.
    pub(super) deletion: Deletion,
}

/// The Works that are being deleted; clones share state.
#[derive(Clone, Default)]
pub(super) struct Deletions(Arc<Mutex<HashMap<ClusterName, BTreeMap<ObjectKey, Entry>>>>);

impl Deletions {
    /// Notes a change of a Work. True if it is a withdrawal and was none before.
    pub(super) fn note_change(&self, change: &Change<Work>) -> bool {
        let is_withdrawal = |work: &Option<Arc<Work>>| {
            work.as_deref().and_then(Deletion::of).is_some_and(|deletion| deletion.is_withdrawal())
        };
        match &change.new {
            Some(work) => self.note(&change.key, work),
            None => self.forget(&change.key),
        }
        is_withdrawal(&change.new) && !is_withdrawal(&change.old)
    }

    /// Notes a Work as it is now.
    fn note(&self, key: &ObjectKey, work: &Work) {
        let Some(deletion) = Deletion::of(work) else { return self.forget(key) };
        let Some(cluster) = cluster(key) else { return };
        let object =
            manifest(work).map(|object| format!("{} {}", object.kind(), object.key())).unwrap_or_default();
        let entry = Entry { uid: work.metadata.uid.clone(), object, deletion };
        self.0.lock().entry(cluster).or_default().insert(key.clone(), entry);
    }

    /// Forgets a Work that is not being deleted, or gone.
    fn forget(&self, key: &ObjectKey) {
        let Some(cluster) = cluster(key) else { return };
        let mut clusters = self.0.lock();
        if let Some(works) = clusters.get_mut(&cluster) {
            works.remove(key);
            if works.is_empty() {
                clusters.remove(&cluster);
            }
        }
    }

    /// The number of Works of a cluster that `counts` accepts.
    pub(super) fn count(&self, cluster: &ClusterName, counts: impl Fn(&Entry) -> bool) -> usize {
        self.0.lock().get(cluster).map_or(0, |works| works.values().filter(|work| counts(work)).count())
    }

    /// The objects of the Works of a cluster that `counts` accepts, sorted.
    pub(super) fn objects(&self, cluster: &ClusterName, counts: impl Fn(&Entry) -> bool) -> Vec<String> {
        let clusters = self.0.lock();
        let works = clusters.get(cluster).into_iter().flat_map(BTreeMap::values);
        let named = works.filter(|work| counts(work) && !work.object.is_empty());
        let mut objects: Vec<String> = named.map(|work| work.object.clone()).collect();
        objects.sort();
        objects
    }
}

fn cluster(key: &ObjectKey) -> Option<ClusterName> {
    names::cluster_of_execution_namespace(&key.namespace).map(ClusterName::new)
}

#[cfg(test)]
mod tests {
    use portolan_api::annotations::work::REMOVAL_CAUSE;
    use portolan_api::meta::ObjectMeta;
    use portolan_plan::propagation::removal::Cause;
    use serde_json::json;

    use super::*;

    fn work(name: &str, cause: Option<Cause>) -> Arc<Work> {
        let mut work = Work { metadata: ObjectMeta::namespaced("karmada-es-eu", name), ..Work::default() };
        work.metadata.uid = format!("uid-{name}");
        work.spec.workload.manifests =
            vec![json!({ "kind": "ConfigMap", "metadata": { "namespace": "shop", "name": name } })];
        if let Some(cause) = cause {
            work.metadata.deletion_timestamp = Some("2026-05-01T10:00:00Z".to_owned());
            work.metadata.annotations.insert(REMOVAL_CAUSE.to_owned(), cause.to_string());
        }
        Arc::new(work)
    }

    fn change(old: Option<Arc<Work>>, new: Option<Arc<Work>>) -> Change<Work> {
        let key = old.as_ref().or(new.as_ref()).expect("a state").metadata.key();
        Change { key, old, new, is_own: false }
    }

    #[test]
    fn works_are_counted_while_they_are_being_deleted() {
        let deletions = Deletions::default();
        let eu = ClusterName::new("eu");
        let kept = || work("a", None);
        assert!(!deletions.note_change(&change(None, Some(kept()))));
        assert_eq!(deletions.count(&eu, |_| true), 0);
        let withdrawn = || work("a", Some(Cause::Withdrawn));
        assert!(deletions.note_change(&change(Some(kept()), Some(withdrawn()))), "it is new");
        assert!(!deletions.note_change(&change(Some(withdrawn()), Some(withdrawn()))), "it is known");
        assert!(!deletions.note_change(&change(None, Some(work("b", Some(Cause::TemplateDeleted))))));
        assert_eq!(deletions.count(&eu, |one| one.deletion.is_withdrawal()), 1);
        assert_eq!(deletions.objects(&eu, |_| true), ["ConfigMap shop/a", "ConfigMap shop/b"]);
        assert_eq!(deletions.count(&ClusterName::new("us"), |_| true), 0);
        deletions.note_change(&change(Some(withdrawn()), None));
        deletions.note_change(&change(Some(work("b", Some(Cause::TemplateDeleted))), Some(work("b", None))));
        assert_eq!(deletions.count(&eu, |_| true), 0, "gone, and made again");
    }
}
