//! Replicas that were assigned to clusters and are not seen there yet.
//!
//! The bindings are the source: an entry follows from the spec and status of its binding alone, so that nothing is lost
//! with the process. An assignment is entered when it is decided, before it is written, so that passes at the same time
//! do not give away the same room.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use portolan_api::work::{ResourceBindingSpec, ResourceBindingStatus};
use portolan_object::ObjectKey;
use portolan_plan::propagation::estimate::{Assumed, PodSet, in_flight};
use tokio::time::Instant;

/// Time after which an assignment that is never seen does not count any more.
const LIFETIME: Duration = Duration::from_secs(300);

/// The assignments in flight.
#[derive(Default)]
pub(super) struct InFlight {
    clusters: HashMap<String, ClusterAssignments>,
    /// The clusters with an entry for a binding.
    bindings: HashMap<ObjectKey, Vec<String>>,
}

#[derive(Default)]
struct ClusterAssignments {
    by_binding: HashMap<ObjectKey, Entry>,
    revision: u64,
}

struct Entry {
    pods: Arc<PodSet>,
    sets: i64,
    until: Instant,
}

impl InFlight {
    /// Enters what a binding has in flight, and removes what it had before. An entry that does not grow keeps its end.
    pub(super) fn update(
        &mut self,
        key: &ObjectKey,
        spec: &ResourceBindingSpec,
        status: &ResourceBindingStatus,
        now: Instant,
    ) {
        let is_workload = spec.replicas > 0 || !spec.components.is_empty();
        let targets = if is_workload { spec.clusters.as_slice() } else { &[] };
        let missing = targets.iter().map(|target| (target.name.as_str(), in_flight(spec, status, target)));
        let missing: Vec<(&str, i64)> = missing.filter(|(_, sets)| *sets > 0).collect();
        if missing.is_empty() {
            self.remove(key);
            return;
        }
        let known = self.bindings.remove(key).unwrap_or_default();
        for gone in known.iter().filter(|name| !missing.iter().any(|(target, _)| target == name)) {
            self.remove_from(gone, key);
        }
        let pods = Arc::new(PodSet::of_binding(spec));
        for (name, sets) in &missing {
            let cluster = self.clusters.entry((*name).to_owned()).or_default();
            let old = cluster.by_binding.get(key);
            if old.is_some_and(|old| old.sets == *sets && old.pods == pods) {
                continue;
            }
            let until = old.filter(|old| old.sets > *sets).map_or(now + LIFETIME, |old| old.until);
            let entry = Entry { pods: pods.clone(), sets: *sets, until };
            cluster.by_binding.insert(key.clone(), entry);
            cluster.revision += 1;
        }
        let names = missing.into_iter().map(|(name, _)| name.to_owned()).collect();
        self.bindings.insert(key.clone(), names);
    }

    /// Removes all entries of a binding.
    pub(super) fn remove(&mut self, key: &ObjectKey) {
        for cluster in self.bindings.remove(key).unwrap_or_default() {
            self.remove_from(&cluster, key);
        }
    }

    fn remove_from(&mut self, name: &str, key: &ObjectKey) {
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        if cluster.by_binding.remove(key).is_some() {
            cluster.revision += 1;
        }
    }

    /// Number of changes of the assignments to a cluster. Drops those that have reached their end.
    pub(super) fn revision(&mut self, name: &str, now: Instant) -> u64 {
        let Some(cluster) = self.clusters.get_mut(name) else { return 0 };
        let before = cluster.by_binding.len();
        cluster.by_binding.retain(|_, entry| entry.until > now);
        if cluster.by_binding.len() < before {
            cluster.revision += 1;
        }
        cluster.revision
    }

    /// What is in flight to a cluster, equal pods together, without the pods of the binding `except`.
    pub(super) fn assumed(&self, name: &str, except: Option<&ObjectKey>) -> Vec<Assumed> {
        let Some(cluster) = self.clusters.get(name) else { return Vec::new() };
        let mut sums: HashMap<&PodSet, i64> = HashMap::new();
        for (_, entry) in cluster.by_binding.iter().filter(|(key, _)| Some(*key) != except) {
            let sum = sums.entry(&*entry.pods).or_default();
            *sum = sum.saturating_add(entry.sets);
        }
        let mut assumed: Vec<Assumed> =
            sums.into_iter().map(|(pods, sets)| Assumed { pods: pods.clone(), sets }).collect();
        // The same order whatever the order in the map, so that the estimate is the same.
        assumed.sort_by_cached_key(|one| format!("{one:?}"));
        assumed
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn binding(clusters: Value) -> ResourceBindingSpec {
        serde_json::from_value(json!({ "replicas": 3, "clusters": clusters })).expect("a spec")
    }

    fn sets(ledger: &InFlight, cluster: &str) -> i64 {
        ledger.assumed(cluster, None).iter().map(|one| one.sets).sum()
    }

    #[test]
    fn assignments_count_until_they_are_seen_withdrawn_or_old() {
        let (mut ledger, now) = (InFlight::default(), Instant::now());
        let [a, b] = ["a", "b"].map(|name| ObjectKey::namespaced("shop", name));
        let unseen = ResourceBindingStatus::default();
        let two = binding(json!([{ "name": "m1", "replicas": 2 }, { "name": "m2", "replicas": 1 }]));
        ledger.update(&a, &two, &unseen, now);
        ledger.update(&b, &two, &unseen, now);
        assert_eq!((sets(&ledger, "m1"), sets(&ledger, "m2")), (4, 2));
        assert_eq!(ledger.assumed("m1", None).len(), 1, "equal pods are one entry");
        assert_eq!(ledger.assumed("m1", Some(&b))[0].sets, 2);

        let seen: ResourceBindingStatus = serde_json::from_value(json!({ "aggregatedStatus": [
            { "clusterName": "m1", "status": { "replicas": 1 } }] }))
        .expect("a status");
        ledger.update(&a, &two, &seen, now);
        assert_eq!((sets(&ledger, "m1"), sets(&ledger, "m2")), (3, 2));

        ledger.update(&a, &binding(json!([{ "name": "m2", "replicas": 1 }])), &unseen, now);
        assert_eq!((sets(&ledger, "m1"), sets(&ledger, "m2")), (2, 2));

        ledger.remove(&a);
        assert_eq!((sets(&ledger, "m1"), sets(&ledger, "m2")), (2, 1));
        let before = ledger.revision("m1", now);
        assert!(ledger.revision("m1", now + LIFETIME) > before);
        assert_eq!(sets(&ledger, "m1"), 0);
    }
}
