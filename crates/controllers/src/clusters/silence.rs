//! Notices when the agent of a cluster is silent, and says so on the Cluster; the taint `unreachable` follows.
//!
//! `portolan_plan::clusters::silence` decides. The agent itself reports that the cluster is ready again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::cluster::{Cluster, SyncMode};
use portolan_api::conditions::cluster::CLOCK_DIFFERS;
use portolan_api::{names, resources};
use portolan_object::{Object, ObjectKey};
use portolan_plan::clusters::clock;
use portolan_plan::clusters::silence::{Sighting, Silence as Heard, silence, skew, unknown};
use portolan_runtime::cache::drop_managed_fields;
use portolan_runtime::client::{Patch, Selection};
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{Cache, ClientError, ClusterName, Outcome, Queue, Reconciler, driver};
use serde_json::json;

use crate::hub::Hub;
use crate::missing::ignore_missing;

/// Shortest time between two looks at one cluster.
const MIN_PAUSE: Duration = Duration::from_millis(100);

struct Silence {
    hub: Hub,
    leases: Cache<Object>,
    sightings: Mutex<HashMap<ClusterName, Sighting>>,
    grace: Duration,
}

/// Starts the controller.
pub(super) fn start(hub: &Hub, grace: Duration) {
    let leases = Cache::of_objects(&hub.client, resources::LEASE.into())
        .select(Selection::namespace(names::CLUSTER_NAMESPACE))
        .trim(drop_managed_fields)
        .start(&hub.scope);
    let queue: Queue<ClusterName> = hub.client.metrics().queue("silent-agents", None);
    let renewed = queue.clone();
    leases.observe(move |change| renewed.add(ClusterName::new(change.key.name.as_str())));
    let (changed, known) = (queue.clone(), leases.clone());
    hub.clusters.observe(move |change| {
        // Its status changes often; a Lease that is there queues the cluster itself.
        if change.old.is_none() || change.new.is_none() || !known.contains(&lease_key(&change.key.name)) {
            changed.add(ClusterName::new(change.key.name.as_str()));
        }
    });
    let silence = Silence { hub: hub.clone(), leases, sightings: Mutex::default(), grace };
    driver::run(Arc::new(silence), &queue, 1, &hub.scope);
}

fn lease_key(cluster: &str) -> ObjectKey {
    ObjectKey::namespaced(names::CLUSTER_NAMESPACE, cluster)
}

impl Reconciler for Silence {
    type Key = ClusterName;

    async fn reconcile(&self, name: &ClusterName) -> Outcome {
        if !self.leases.synced().await || !self.hub.clusters.synced().await {
            return Outcome::Done;
        }
        let Some(cluster) = self.hub.cluster(name).filter(|cluster| cluster.spec.sync_mode == SyncMode::Pull)
        else {
            self.sightings.lock().remove(name);
            return Outcome::Done;
        };
        let sighting = self.sighting(name);
        let now = self.hub.clock.now();
        let heard = silence(sighting, self.grace, now);
        if let Err(error) = self.tell(&cluster, sighting, heard).await {
            return Err::<(), _>(error).into();
        }
        match heard {
            Heard::Silent(_) => Outcome::Done,
            Heard::Heard | Heard::NotHeardYet(_) => {
                let left = self.grace.saturating_sub(now.duration_until(sighting.seen).unsigned_abs());
                Outcome::RequeueAfter(left.max(MIN_PAUSE))
            }
        }
    }
}

impl Silence {
    /// Notes the Lease of a cluster as it is now.
    fn sighting(&self, name: &ClusterName) -> Sighting {
        let lease = self.leases.get(&lease_key(name.as_str()));
        let renewed = lease.and_then(|lease| lease.str_at(&["spec", "renewTime"]).parse().ok());
        let mut sightings = self.sightings.lock();
        match sightings.get_mut(name) {
            Some(known) if known.renewed == renewed => *known,
            Some(known) => {
                let was_skewed = skew(*known).is_some();
                *known = Sighting { renewed, seen: self.hub.clock.now(), is_live: true };
                if !was_skewed {
                    self.tell_skew(name, *known);
                }
                *known
            }
            None => {
                let first = Sighting { renewed, seen: self.hub.clock.now(), is_live: false };
                sightings.insert(name.clone(), first);
                first
            }
        }
    }

    /// Tells that the clock of a cluster is wrong, or that of the control plane.
    fn tell_skew(&self, name: &ClusterName, sighting: Sighting) {
        let (Some(skew), Some(cluster)) = (skew(sighting), self.hub.cluster(name)) else { return };
        let message = clock::message(name.as_str(), skew);
        tracing::warn!(cluster = %name, message);
        self.hub.events.record(Regarding::kind(&*cluster), Severity::Warning, CLOCK_DIFFERS, message);
    }

    async fn tell(&self, cluster: &Cluster, sighting: Sighting, heard: Heard) -> Result<(), ClientError> {
        let name = &cluster.metadata.name;
        let conditions = &cluster.status.conditions;
        let Some(ready) = unknown(name, conditions, sighting, heard, &self.hub.now()) else { return Ok(()) };
        let mut conditions = conditions.clone();
        let (reason, message) = (ready.reason.clone(), ready.message.clone());
        portolan_api::meta::set_condition(&mut conditions, ready);
        let patch = json!({ "metadata": { "resourceVersion": cluster.metadata.resource_version },
            "status": { "conditions": conditions } });
        let key = ObjectKey::cluster(name.as_str());
        let api = self.hub.client.kind::<Cluster>();
        if ignore_missing(api.patch_status(&key, &Patch::Merge(patch)).await)?.is_some() {
            tracing::warn!(cluster = name, message);
            self.hub.events.record(Regarding::kind(cluster), Severity::Warning, &reason, message);
        }
        Ok(())
    }
}
