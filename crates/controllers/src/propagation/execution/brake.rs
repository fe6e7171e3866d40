//! The brake of every cluster: counts deletions, holds them, and says so on the Cluster.
//!
//! The decisions are in `portolan_plan::propagation::brake`. What waits is read from the Works, so a restart changes
//! nothing; only the deletions of the last minute are counted in memory.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::cluster::Cluster;
use portolan_api::conditions::cluster::DELETIONS_HELD;
use portolan_api::meta::{condition, set_condition};
use portolan_api::names;
use portolan_api::work::Work;
use portolan_object::ObjectKey;
use portolan_object::time::age;
use portolan_plan::propagation::brake::{
    Brake as Decision, Budget, Deletion, Distrust, Load, QUIET_TIME, SETTLING_TIME, Verdict,
};
use portolan_runtime::client::Patch;
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{ClientError, ClusterName, Outcome, Queue, Reconciler, driver};
use serde_json::json;
use tokio::time::Instant;

use super::deletions::{Deletions, Entry};
use crate::hub::{DELETED_WORKS, Hub, WORKS_OF_CLUSTER};
use crate::missing::ignore_missing;

/// Interval at which a held deletion is looked at without a change of the Cluster.
const HELD_RECHECK: Duration = Duration::from_secs(30);
/// Time in which changes of the number of held deletions are written once.
const CONDITION_BATCH: Duration = Duration::from_secs(1);

/// When a mass deletion is held.
#[derive(Debug, Clone, Default)]
pub struct BrakeOptions {
    /// The allowed withdrawals.
    pub budget: Budget,
    /// Why the state of the control plane is not trusted.
    pub distrust: Option<Distrust>,
}

/// The brakes of all clusters; clones share state.
#[derive(Clone)]
pub(in crate::propagation) struct Brake {
    options: Arc<BrakeOptions>,
    /// Uids of the Works with a deletion that was let through and counted, per cluster, with the time of that.
    recent: Arc<Mutex<HashMap<ClusterName, HashMap<String, Instant>>>>,
    /// When the last withdrawal from a cluster was asked for.
    asked: Arc<Mutex<HashMap<ClusterName, Instant>>>,
    deletions: Deletions,
    queue: Queue<ClusterName>,
}

impl Brake {
    /// Starts the controller of the condition.
    pub(super) fn start(hub: &Hub, options: BrakeOptions) -> Self {
        let queue: Queue<ClusterName> = hub.client.metrics().queue("held-deletions", None);
        let brake = Self {
            options: Arc::new(options),
            recent: Arc::default(),
            asked: Arc::default(),
            deletions: Deletions::default(),
            queue: queue.clone(),
        };
        let (asked, deletions) = (brake.asked.clone(), brake.deletions.clone());
        hub.works.observe(move |change| {
            let is_new_withdrawal = deletions.note_change(change);
            if let Some(cluster) = names::cluster_of_execution_namespace(&change.key.namespace)
                && is_new_withdrawal
            {
                asked.lock().insert(ClusterName::new(cluster), Instant::now());
            }
        });
        let (changed, known) = (queue.clone(), hub.clone());
        hub.works.observe(move |change| {
            let is_deletion = change.latest().is_some_and(|work| work.metadata.is_deleting());
            let Some(cluster) = names::cluster_of_execution_namespace(&change.key.namespace) else { return };
            let name = ClusterName::new(cluster);
            // Without a held deletion the executors report the first one.
            if is_deletion && known.cluster(&name).is_some_and(|cluster| is_held(&cluster)) {
                changed.add_after(name, CONDITION_BATCH);
            }
        });
        let clusters = queue.clone();
        hub.clusters.observe(move |change| {
            if change.new.as_ref().is_some_and(|cluster| is_held(cluster)) {
                clusters.add(ClusterName::new(change.key.name.as_str()));
            }
        });
        driver::run(
            Arc::new(HeldDeletions { hub: hub.clone(), brake: brake.clone() }),
            &queue,
            1,
            &hub.scope,
        );
        brake
    }

    /// The outcome of a pass that must not delete the object of `work` now; `None` if it may. The deletion is then counted.
    pub(super) fn delay(&self, hub: &Hub, name: &ClusterName, work: &Work) -> Option<Outcome> {
        let cluster = hub.cluster(name)?;
        let told = Distrust::told_to_agent(&cluster, &hub.now());
        let decision = self.decision(&cluster, told.as_ref());
        let deletion = Deletion::of(work).filter(|deletion| decision.counts(deletion))?;
        let uid = &work.metadata.uid;
        if self.recent.lock().get(name).is_some_and(|recent| recent.contains_key(uid)) {
            return None;
        }
        let verdict = match decision.hold() {
            Some(hold) => hold,
            None if !self.is_complete(hub, name) => return Some(Outcome::RequeueAfter(QUIET_TIME)),
            None => decision.decide(self.load(hub, name, &decision)),
        };
        match verdict {
            Verdict::HoldMany | Verdict::HoldDistrusted => {
                self.queue.add(name.clone());
                return Some(Outcome::RequeueAfter(HELD_RECHECK));
            }
            Verdict::Gather => return Some(Outcome::RequeueAfter(QUIET_TIME)),
            Verdict::Settle
                if age(deletion.requested(), hub.clock.now()).unwrap_or_default() < SETTLING_TIME =>
            {
                return Some(Outcome::RequeueAfter(SETTLING_TIME));
            }
            Verdict::Settle | Verdict::Go => {}
        }
        self.recent.lock().entry(name.clone()).or_default().insert(uid.clone(), Instant::now());
        None
    }

    /// Whether all deletions in a cluster are counted. After a start, a pass can be faster than the observers.
    fn is_complete(&self, hub: &Hub, name: &ClusterName) -> bool {
        let namespace = names::execution_namespace(name.as_str());
        let deleted = hub.works.count_by_index(DELETED_WORKS, &namespace);
        hub.works.is_synced() && self.deletions.count(name, |_| true) >= deleted
    }

    /// `told` is what the control plane has told this agent.
    fn decision<'a>(&'a self, cluster: &'a Cluster, told: Option<&'a Distrust>) -> Decision<'a> {
        let distrust = self.options.distrust.as_ref().or(told);
        Decision { budget: self.options.budget, distrust, cluster }
    }

    /// Reads the Cluster before a deletion by an agent: a control plane that was restored says on it that deletions are held,
    /// and its Works may arrive first.
    pub(super) async fn ask(&self, hub: &Hub, name: &ClusterName) -> Result<(), ClientError> {
        if !hub.is_agent {
            return Ok(());
        }
        let key = ObjectKey::cluster(name.as_str());
        if let Some(cluster) = ignore_missing(hub.client.kind::<Cluster>().get(&key).await)? {
            let version = cluster.metadata.resource_version.clone();
            hub.clusters.written(key, &version, cluster);
        }
        Ok(())
    }

    fn load(&self, hub: &Hub, name: &ClusterName, decision: &Decision<'_>) -> Load {
        let namespace = names::execution_namespace(name.as_str());
        let window = self.options.budget.window;
        let mut recent = self.recent.lock();
        let recent = recent.entry(name.clone()).or_default();
        recent.retain(|_, time| time.elapsed() < window);
        let quiet_for = self.asked.lock().get(name).map_or(Duration::MAX, Instant::elapsed);
        let waits = |work: &Entry| decision.counts(&work.deletion) && !recent.contains_key(&work.uid);
        Load {
            objects: hub.works.count_by_index(WORKS_OF_CLUSTER, &namespace),
            pending: self.deletions.count(name, waits),
            recent: recent.len(),
            quiet_for,
        }
    }
}

/// Whether the Cluster says that deletions are held.
pub(super) fn is_held(cluster: &Cluster) -> bool {
    condition(&cluster.status.conditions, DELETIONS_HELD).is_some_and(|held| held.is_true())
}

/// Writes the condition of Clusters.
struct HeldDeletions {
    hub: Hub,
    brake: Brake,
}

impl Reconciler for HeldDeletions {
    type Key = ClusterName;

    async fn reconcile(&self, name: &ClusterName) -> Outcome {
        let Some(cluster) = self.hub.cluster(name) else { return Outcome::Done };
        if !self.brake.is_complete(&self.hub, name) {
            return Outcome::RequeueAfter(CONDITION_BATCH);
        }
        self.report(name, &cluster).await.into()
    }
}

impl HeldDeletions {
    async fn report(&self, name: &ClusterName, cluster: &Cluster) -> Result<(), ClientError> {
        let told = Distrust::told_to_agent(cluster, &self.hub.now());
        let decision = self.brake.decision(cluster, told.as_ref());
        let load = self.brake.load(&self.hub, name, &decision);
        let objects = self.brake.deletions.objects(name, |work| decision.counts(&work.deletion));
        let Some(new) = decision.condition(load, &objects, &self.hub.now()) else { return Ok(()) };
        let mut conditions = cluster.status.conditions.clone();
        let was_held = is_held(cluster);
        if !set_condition(&mut conditions, new.clone()) {
            return Ok(());
        }
        let patch = json!({
            "metadata": { "resourceVersion": cluster.metadata.resource_version },
            "status": { "conditions": conditions } });
        let key = ObjectKey::cluster(name.as_str());
        let api = self.hub.client.kind::<Cluster>();
        let Some(written) = ignore_missing(api.patch_status(&key, &Patch::Merge(patch)).await)? else {
            return Ok(());
        };
        let version = written.metadata.resource_version.clone();
        self.hub.clusters.written(key, &version, written);
        if new.is_true() && !was_held {
            tracing::warn!(cluster = %name, "{}", new.message);
            self.hub.events.record(Regarding::kind(cluster), Severity::Warning, &new.reason, new.message);
        }
        Ok(())
    }
}
