//! Membership state of every cluster: which set it belongs to, and how far it has joined.
//!
//! The controllers in `crate::cluster_sets` fill it; discovery reads [`ClusterSets::state`] for every service. A cluster
//! counts as a member once its own ClusterProperties say so. `portolan_plan::cluster_sets` makes the decisions.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use portolan_api::cluster::Cluster;
use portolan_api::clusterset::ClusterSet;
use portolan_net::Shutdown;
use portolan_plan::cluster_sets::membership::{Membership, Memberships, memberships};
use portolan_runtime::{Cache, Client, ClusterName, Queue};
use tokio::sync::watch;

/// Membership state of one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MembershipState {
    /// ClusterSets or Clusters have not been listed yet.
    Unknown,
    /// The cluster is in no set.
    NoSet,
    /// A set lists the cluster; its ClusterProperties are not written yet.
    Pending(Membership),
    /// The cluster is a member of a set.
    Member(Membership),
}

/// Progress of a cluster in joining or leaving a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JoinProgress {
    /// Waiting; the text is the reason.
    Pending(String),
    /// The ClusterProperties of the cluster name this membership.
    Joined(Membership),
    /// A ClusterProperty that Portolan does not manage contradicts the membership; the text says how.
    Contradicted(String),
    /// Objects that a set created in the cluster are being deleted.
    Leaving,
    /// The cluster has no object of a set.
    Left,
}

struct Inner {
    sets: Cache<ClusterSet>,
    clusters: Cache<Cluster>,
    memberships: RwLock<Arc<Memberships>>,
    progress: Mutex<BTreeMap<ClusterName, JoinProgress>>,
    /// Incremented whenever [`ClusterSets::state`] of any cluster may have changed.
    changes: watch::Sender<u64>,
    /// Names of ClusterSets with a status to check.
    status_queue: Queue<String>,
}

/// Handle to the membership state of all clusters; clones share state.
#[derive(Clone)]
pub(crate) struct ClusterSets {
    inner: Arc<Inner>,
}

impl ClusterSets {
    /// Starts to watch the ClusterSets of the hub.
    pub(crate) fn new(client: &Client, clusters: &Cache<Cluster>, scope: &Shutdown) -> Self {
        let sets = Cache::<ClusterSet>::of_kind(client).trim(|set| set.metadata.managed_fields.clear());
        let inner = Inner {
            sets: sets.start(scope),
            clusters: clusters.clone(),
            memberships: RwLock::default(),
            progress: Mutex::default(),
            changes: watch::Sender::new(0),
            status_queue: client.metrics().queue("cluster-sets", None),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The ClusterSets of the hub.
    pub(crate) fn sets(&self) -> &Cache<ClusterSet> {
        &self.inner.sets
    }

    /// The Clusters of the hub.
    pub(crate) fn clusters(&self) -> &Cache<Cluster> {
        &self.inner.clusters
    }

    /// Names of ClusterSets with a status to check.
    pub(crate) fn status_queue(&self) -> &Queue<String> {
        &self.inner.status_queue
    }

    /// Membership state of a cluster.
    pub(crate) fn state(&self, cluster: &ClusterName) -> MembershipState {
        if !self.is_known() {
            return MembershipState::Unknown;
        }
        let Some(membership) = self.membership(cluster) else { return MembershipState::NoSet };
        match self.inner.progress.lock().get(cluster) {
            Some(JoinProgress::Joined(joined)) if *joined == membership => {
                MembershipState::Member(membership)
            }
            Some(JoinProgress::Contradicted(_)) => MembershipState::NoSet,
            _ => MembershipState::Pending(membership),
        }
    }

    /// Membership of a cluster according to the ClusterSets, whether it has joined or not.
    pub(crate) fn membership(&self, cluster: &ClusterName) -> Option<Membership> {
        self.inner.memberships.read().of(cluster.as_str()).cloned()
    }

    /// All memberships according to the ClusterSets.
    pub(crate) fn memberships(&self) -> Arc<Memberships> {
        self.inner.memberships.read().clone()
    }

    /// Clusters that a set lists, whether they have joined or not.
    pub(crate) fn members_of(&self, set: &str) -> Vec<(ClusterName, Membership)> {
        let memberships = self.memberships();
        let members = memberships.of_set(set);
        members.map(|(cluster, membership)| (ClusterName::new(cluster), membership.clone())).collect()
    }

    /// Notifies about changes of [`ClusterSets::state`] of any cluster.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    /// Progress of a cluster; `None` before its first reconciliation.
    pub(crate) fn progress(&self, cluster: &ClusterName) -> Option<JoinProgress> {
        self.inner.progress.lock().get(cluster).cloned()
    }

    /// Whether the cluster has joined the set that its ClusterProperties name.
    pub(crate) fn has_joined(&self, cluster: &ClusterName) -> bool {
        matches!(self.inner.progress.lock().get(cluster), Some(JoinProgress::Joined(_)))
    }

    /// Whether a reachable cluster has no object of a set any more.
    pub(crate) fn has_left(&self, cluster: &ClusterName) -> bool {
        matches!(self.inner.progress.lock().get(cluster), Some(JoinProgress::Left))
    }

    /// Whether ClusterSets and Clusters have been listed; never true on a hub that does not serve ClusterSets.
    pub(crate) fn is_known(&self) -> bool {
        self.inner.sets.is_synced() && self.inner.clusters.is_synced()
    }

    /// Computes the memberships from the current ClusterSets and Clusters.
    pub(crate) fn update_memberships(&self) {
        let (sets, clusters) = (self.inner.sets.list(), self.inner.clusters.list());
        let new = memberships(sets.iter().map(AsRef::as_ref), clusters.iter().map(AsRef::as_ref));
        let has_changed = {
            let mut current = self.inner.memberships.write();
            let has_changed = **current != new;
            *current = Arc::new(new);
            has_changed
        };
        if has_changed {
            self.notify_changed();
        }
    }

    /// Records the progress of a cluster.
    pub(crate) fn set_progress(&self, cluster: &ClusterName, progress: JoinProgress) {
        let old = self.inner.progress.lock().insert(cluster.clone(), progress.clone());
        if old != Some(progress) {
            self.notify_changed();
        }
    }

    /// Drops the progress of a deleted cluster.
    pub(crate) fn remove_progress(&self, cluster: &ClusterName) {
        self.inner.progress.lock().remove(cluster);
        self.queue_status_updates();
    }

    fn notify_changed(&self) {
        self.inner.changes.send_modify(|count| *count += 1);
        self.queue_status_updates();
    }

    fn queue_status_updates(&self) {
        for key in self.inner.sets.keys() {
            self.inner.status_queue.add(key.name);
        }
    }
}
