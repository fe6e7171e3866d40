//! The capacity of one member, and the registry of all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use portolan_api::resources;
use portolan_plan::capacity::{MemberNode, MemberPod, MemberQuota, Snapshot};
use portolan_runtime::cache::Content;
use portolan_runtime::members::MembershipChange;
use portolan_runtime::{Cache, ClusterName, Member, Members};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Shortest time between two snapshots of a member.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
/// The time between two snapshots is at least this many times what one takes.
const INTERVAL_PER_COST: u32 = 20;
/// Index of pods by their workload.
const BY_WORKLOAD: &str = "workload";

/// The capacities of all members; clones share state.
#[derive(Clone, Default)]
pub(crate) struct Capacities {
    members: Arc<RwLock<BTreeMap<ClusterName, Arc<MemberCapacity>>>>,
}

impl Capacities {
    /// Starts the caches of each member that joins, and forgets those that leave.
    pub(crate) fn follow(&self, members: &Members) {
        let known = self.members.clone();
        members.observe(move |change| match change {
            MembershipChange::Joined(member) => {
                known.write().insert(member.name().clone(), Arc::new(MemberCapacity::start(member)));
            }
            MembershipChange::Left(name) => {
                known.write().remove(name);
            }
        });
    }

    /// The capacity of a member.
    pub(crate) fn of(&self, name: &str) -> Option<Arc<MemberCapacity>> {
        self.members.read().get(&ClusterName::new(name)).cloned()
    }
}

/// The capacity of one member.
pub(crate) struct MemberCapacity {
    nodes: Cache<MemberNode>,
    pods: Cache<MemberPod>,
    quotas: Cache<MemberQuota>,
    changes: Arc<Changes>,
    latest: Mutex<Option<Latest>>,
}

/// Changes of nodes and pods.
#[derive(Default)]
struct Changes {
    count: AtomicU64,
    notify: Notify,
}

/// The last snapshot.
struct Latest {
    snapshot: Arc<Snapshot>,
    revision: u64,
    due: Instant,
}

impl MemberCapacity {
    fn start(member: &Member) -> Self {
        let pods: Cache<MemberPod> = member.typed_cache(&resources::POD.into(), |builder| {
            builder.index(BY_WORKLOAD, |key, pod: &MemberPod| {
                let workload = pod.workload.iter();
                workload.map(|made_by| workload_key(&made_by.kind, &key.namespace, &made_by.name)).collect()
            })
        });
        let nodes = member.typed_cache(&resources::NODE.into(), |builder| builder);
        let quotas = member.typed_cache(&resources::RESOURCE_QUOTA.into(), |builder| builder);
        let changes = Arc::<Changes>::default();
        observe(&nodes, &changes);
        observe(&pods, &changes);
        Self { nodes, pods, quotas, changes, latest: Mutex::new(None) }
    }

    /// Waits for a change of nodes or pods after the last call.
    pub(crate) async fn changed(&self) {
        self.changes.notify.notified().await;
    }

    /// The capacity now, or a moment ago in a member that changes all the time. `None` until nodes and pods have been
    /// read.
    pub(crate) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        if !self.nodes.is_synced() || !self.pods.is_synced() {
            return None;
        }
        let mut latest = self.latest.lock();
        let revision = self.changes.count.load(Ordering::Acquire);
        let started = Instant::now();
        if let Some(latest) = &*latest
            && (latest.revision == revision || started < latest.due)
        {
            return Some(latest.snapshot.clone());
        }
        let pods = self.pods.list();
        let snapshot = Arc::new(Snapshot::new(self.nodes.list(), pods.iter().map(AsRef::as_ref)));
        let due = Instant::now() + (started.elapsed() * INTERVAL_PER_COST).max(SHORTEST_INTERVAL);
        *latest = Some(Latest { snapshot: snapshot.clone(), revision, due });
        Some(snapshot)
    }

    /// The nodes; `None` until they have been read.
    pub(crate) fn nodes(&self) -> Option<Vec<Arc<MemberNode>>> {
        self.nodes.is_synced().then(|| self.nodes.list())
    }

    /// The quotas of a namespace.
    pub(crate) fn quotas(&self, namespace: &str) -> Vec<Arc<MemberQuota>> {
        self.quotas.list_namespace(namespace)
    }

    /// The pods of a workload; `None` until pods have been read.
    pub(crate) fn pods_of(&self, kind: &str, namespace: &str, name: &str) -> Option<Vec<Arc<MemberPod>>> {
        self.pods.is_synced().then(|| self.pods.by_index(BY_WORKLOAD, &workload_key(kind, namespace, name)))
    }
}

fn workload_key(kind: &str, namespace: &str, name: &str) -> String {
    format!("{kind}/{namespace}/{name}")
}

fn observe<T: Content + PartialEq>(cache: &Cache<T>, changes: &Arc<Changes>) {
    let changes = changes.clone();
    cache.observe(move |change| {
        if change.old != change.new {
            changes.count.fetch_add(1, Ordering::Release);
            changes.notify.notify_one();
        }
    });
}
