//! What became of the EndpointSlices of MultiClusterServices in each cluster with clients. Kept in memory: every pass finds it
//! again, also after a restart.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use portolan_object::ObjectKey;
use portolan_runtime::{ClusterName, Queue};

/// Why each cluster refuses an EndpointSlice; `None` for a cluster that has them.
type Results = BTreeMap<ClusterName, Option<String>>;

/// The results of the last passes, by service and cluster. Clones share state.
#[derive(Clone)]
pub(crate) struct Dispatches {
    results: Arc<Mutex<BTreeMap<ObjectKey, Results>>>,
    /// Services with a changed result.
    changed: Queue<ObjectKey>,
}

impl Dispatches {
    pub(crate) fn new(changed: Queue<ObjectKey>) -> Self {
        Self { results: Arc::default(), changed }
    }

    /// Notes the result of a pass.
    pub(crate) fn set(&self, service: &ObjectKey, cluster: &ClusterName, problem: Option<String>) {
        let mut results = self.results.lock();
        let of_service = results.entry(service.clone()).or_default();
        if of_service.insert(cluster.clone(), problem.clone()) != Some(problem) {
            self.changed.add(service.clone());
        }
    }

    /// The result of the last pass in a cluster: `None` before the first one, else why it failed.
    pub(crate) fn of(&self, service: &ObjectKey, cluster: &str) -> Option<Option<String>> {
        self.results.lock().get(service)?.get(&ClusterName::new(cluster)).cloned()
    }

    /// Forgets a service that is gone.
    pub(crate) fn forget_service(&self, service: &ObjectKey) {
        self.results.lock().remove(service);
    }

    /// Forgets a member that left.
    pub(crate) fn forget_member(&self, cluster: &ClusterName) {
        self.results.lock().values_mut().for_each(|clusters| drop(clusters.remove(cluster)));
    }
}
