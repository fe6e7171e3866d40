//! Cluster sets: who is a member, what members are told of it, and what their sets say of them.
//!
//! Whoever needs to know where a cluster stands asks [`ClusterSets::standing`]; discovery does for every service. A
//! cluster counts as a member only once it has been told so itself. Decisions are in `portolan_plan::cluster_sets`.

mod keeper;
mod protection;
mod report;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use portolan_api::cluster::Cluster;
use portolan_api::clusterset::ClusterSet;
use portolan_net::Shutdown;
use portolan_plan::cluster_sets::membership::{Membership, Memberships, memberships};
use portolan_runtime::members::MembershipChange;
use portolan_runtime::{Cache, Client, ClusterName, Queue};
use tokio::sync::watch;

use crate::hub::Hub;

/// Where a cluster stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Not known yet: sets or clusters have not been read.
    Unknown,
    /// In no set.
    Alone,
    /// A set has it; the cluster has not been told yet, or cannot be reached.
    Pending(Membership),
    /// A member of a set.
    Member(Membership),
}

/// How far the keeper of a cluster is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Progress {
    /// Waiting, for this reason.
    Pending(String),
    /// The cluster's own properties say that it is a member.
    Joined(Membership),
    /// A property of somebody else says otherwise.
    Contradicted(String),
    /// What a set had put there is being removed.
    Leaving,
    /// Nothing of a set is there.
    Alone,
}

struct Inner {
    sets: Cache<ClusterSet>,
    clusters: Cache<Cluster>,
    decided: RwLock<Arc<Memberships>>,
    progress: Mutex<BTreeMap<ClusterName, Progress>>,
    /// Counts changes of what [`ClusterSets::standing`] says of anybody.
    changes: watch::Sender<u64>,
    /// Sets whose status may have to be written.
    reports: Queue<String>,
}

/// All sets; a clone is the same ones.
#[derive(Clone)]
pub(crate) struct ClusterSets {
    inner: Arc<Inner>,
}

impl ClusterSets {
    /// Starts to read the sets of the hub.
    pub(crate) fn new(client: &Client, clusters: &Cache<Cluster>, scope: &Shutdown) -> Self {
        let sets = Cache::<ClusterSet>::of_kind(client).trim(|set| set.metadata.managed_fields.clear());
        let inner = Inner {
            sets: sets.start(scope),
            clusters: clusters.clone(),
            decided: RwLock::default(),
            progress: Mutex::default(),
            changes: watch::Sender::new(0),
            reports: Queue::new("cluster-sets"),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Where a cluster stands.
    pub(crate) fn standing(&self, cluster: &ClusterName) -> Standing {
        if !self.is_known() {
            return Standing::Unknown;
        }
        let Some(membership) = self.inner.decided.read().of(cluster.as_str()).cloned() else {
            return Standing::Alone;
        };
        match self.inner.progress.lock().get(cluster) {
            Some(Progress::Joined(told)) if *told == membership => Standing::Member(membership),
            Some(Progress::Contradicted(_)) => Standing::Alone,
            _ => Standing::Pending(membership),
        }
    }

    /// The clusters that a set has, whether they have been told or not.
    pub(crate) fn of_set(&self, set: &str) -> Vec<(ClusterName, Membership)> {
        let decided = self.inner.decided.read().clone();
        let members = decided.of_set(set);
        members.map(|(cluster, membership)| (ClusterName::new(cluster), membership.clone())).collect()
    }

    /// Follows changes of any cluster's standing.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    /// Whether nothing of a set is left in a cluster that answers.
    pub(crate) fn has_left(&self, cluster: &ClusterName) -> bool {
        matches!(self.inner.progress.lock().get(cluster), Some(Progress::Alone))
    }

    /// Whether sets and clusters have been read; never on a hub that does not serve the kind.
    pub(crate) fn is_known(&self) -> bool {
        self.inner.sets.is_synced() && self.inner.clusters.is_synced()
    }

    /// Decides anew who is in which set.
    fn decide(&self) {
        let (sets, clusters) = (self.inner.sets.list(), self.inner.clusters.list());
        let decided = memberships(sets.iter().map(AsRef::as_ref), clusters.iter().map(AsRef::as_ref));
        let is_news = {
            let mut known = self.inner.decided.write();
            let is_news = **known != decided;
            *known = Arc::new(decided);
            is_news
        };
        if is_news {
            self.changed();
        }
    }

    /// Notes how far a cluster is.
    fn proceed(&self, cluster: &ClusterName, progress: Progress) {
        let old = self.inner.progress.lock().insert(cluster.clone(), progress.clone());
        if old != Some(progress) {
            self.changed();
        }
    }

    fn changed(&self) {
        self.inner.changes.send_modify(|count| *count += 1);
        self.report_all();
    }

    fn report_all(&self) {
        for key in self.inner.sets.keys() {
            self.inner.reports.add(key.name);
        }
    }
}

/// Starts to keep members in step with their sets.
pub(crate) fn start(hub: &Hub) {
    let sets = hub.cluster_sets.clone();
    let deciding = sets.clone();
    sets.inner.sets.observe(move |change| {
        let same_spec = matches!((&change.old, &change.new), (Some(old), Some(new))
            if old.spec == new.spec && old.metadata.is_deleting() == new.metadata.is_deleting());
        if !same_spec {
            deciding.decide();
        }
        deciding.inner.reports.add(change.key.name.clone());
    });
    let deciding = sets.clone();
    sets.inner.clusters.observe(move |change| {
        // Heartbeats change nothing here.
        let same_cluster = matches!((&change.old, &change.new), (Some(old), Some(new))
            if old.spec.id == new.spec.id && old.metadata.is_deleting() == new.metadata.is_deleting());
        if !same_cluster {
            deciding.decide();
        }
        if change.new.is_none() {
            deciding.inner.progress.lock().remove(&ClusterName::new(change.key.name.as_str()));
            deciding.report_all();
        }
    });
    report::start(hub, &sets.inner.reports);
    let (sets, shared) = (sets.clone(), hub.clone());
    hub.members.observe(move |change| {
        if let MembershipChange::Joined(member) = change {
            keeper::start(&shared, &sets, member);
        }
    });
}
