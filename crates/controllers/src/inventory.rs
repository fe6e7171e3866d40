//! ClusterProfiles: the members as other programs of the inventory see them (KEP-4322).
//!
//! `portolan_plan::clusters::profile` decides. Profiles of other cluster managers are left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::about::ClusterProperty;
use portolan_api::cluster::Cluster;
use portolan_api::inventory::{ClusterProfile, SET_LABELS};
use portolan_api::{Kind, labels, resources};
use portolan_object::{Object, ObjectKey};
use portolan_plan::clusters::profile::{is_ours, namespace, profile, status};
use portolan_runtime::client::{Delete, Patch, Selection};
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::members::MembershipChange;
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{Cache, ClientError, ClusterName, Member, Outcome, Queue, Reconciler, driver};
use serde_json::json;

use crate::hub::Hub;
use crate::missing::ignore_missing;

const WORKERS: usize = 2;
/// Index of the profiles by their names, which are those of the clusters, in all namespaces.
const BY_NAME: &str = "name";
/// Requeue delay while the ClusterSets are read.
const RECHECK: Duration = Duration::from_millis(100);

struct Profiles {
    hub: Hub,
    profiles: Cache<ClusterProfile>,
    /// ClusterProperties of each member that serves them.
    properties: Mutex<BTreeMap<ClusterName, Cache<Object>>>,
    queue: Queue<ObjectKey>,
    /// Profiles of other cluster managers that an Event has told of. Limited by the number of clusters.
    told: Mutex<BTreeSet<ObjectKey>>,
}

/// Starts the controller. Its keys are clusters. Returns the profiles.
pub(crate) fn start(hub: &Hub) -> Cache<ClusterProfile> {
    let profiles = Cache::<ClusterProfile>::of_kind(&hub.client)
        .trim(|profile| profile.metadata.managed_fields.clear())
        .index(BY_NAME, |key, _| vec![key.name.clone()])
        .start(&hub.scope);
    let queue: Queue<ObjectKey> = hub.client.metrics().queue("cluster-profiles", None);
    let changed = queue.clone();
    hub.clusters.observe(move |change| changed.add(change.key.clone()));
    let changed = queue.clone();
    profiles.observe(move |change| changed.add(ObjectKey::cluster(change.key.name.as_str())));
    let kept = profiles.clone();
    let controller = Arc::new(Profiles {
        hub: hub.clone(),
        profiles,
        properties: Mutex::default(),
        queue: queue.clone(),
        told: Mutex::default(),
    });
    let joining = controller.clone();
    hub.members.observe(move |change| match change {
        MembershipChange::Joined(member) => joining.follow_properties(member),
        MembershipChange::Left(name) => drop(joining.properties.lock().remove(name)),
    });
    let (mut memberships, clusters, changed) =
        (hub.cluster_sets.watch(), hub.clusters.clone(), queue.clone());
    spawn_until_stop(&hub.scope, async move {
        while memberships.changed().await.is_ok() {
            clusters.keys().into_iter().for_each(|key| changed.add(key));
        }
    });
    driver::run(controller, &queue, WORKERS, &hub.scope);
    kept
}

impl Reconciler for Profiles {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        // Missing looks like deleted until the caches are synced.
        if !(self.hub.clusters.synced().await
            && self.profiles.synced().await
            && self.hub.namespaces.synced().await)
        {
            return Outcome::Done;
        }
        if !self.hub.cluster_sets.is_known() {
            return Outcome::RequeueAfter(RECHECK);
        }
        self.keep(key).await.into()
    }
}

impl Profiles {
    /// Follows the ClusterProperties of a member, once it is in a set and serves them. Other members need not let the control
    /// plane read them.
    fn follow_properties(self: &Arc<Self>, member: &Arc<Member>) {
        let (controller, member) = (self.clone(), member.clone());
        let sets = self.hub.cluster_sets.clone();
        let (mut discovered, mut memberships) = (member.watch_discovery(), sets.watch());
        let scope = member.scope().clone();
        spawn_until_stop(&scope, async move {
            let resource = loop {
                let served = member.discovery();
                let found = served.find(ClusterProperty::GROUP, ClusterProperty::KIND);
                if let Some(found) = found.filter(|_| sets.membership(member.name()).is_some()) {
                    break found.resource.clone();
                }
                let is_over = tokio::select! {
                    changed = discovered.changed() => changed.is_err(),
                    changed = memberships.changed() => changed.is_err(),
                };
                if is_over {
                    return;
                }
            };
            let properties = member.cache(&resource, Selection::all(), |builder| builder, |_| {});
            let key = ObjectKey::cluster(member.name().as_str());
            let (changed, concerned) = (controller.queue.clone(), key.clone());
            properties.observe(move |_| changed.add(concerned.clone()));
            controller.properties.lock().insert(member.name().clone(), properties.clone());
            // Properties that are gone since the profile was written cause no change in the cache.
            if properties.synced().await {
                controller.queue.add(key);
            }
        });
    }

    async fn keep(&self, key: &ObjectKey) -> Result<(), ClientError> {
        let name = ClusterName::new(key.name.as_str());
        let cluster = self.hub.clusters.get(key).filter(|cluster| !cluster.metadata.is_deleting());
        let set = self.hub.cluster_sets.membership(&name).map(|membership| membership.set);
        let wanted = cluster.as_deref().map(|cluster| profile(cluster, set.as_deref()));
        let wanted_in = wanted.as_ref().map(|wanted| wanted.metadata.namespace.clone());
        for present in self.profiles.by_index(BY_NAME, &key.name) {
            if is_ours(&present) && Some(&present.metadata.namespace) != wanted_in.as_ref() {
                let api = self.hub.client.kind::<ClusterProfile>();
                ignore_missing(api.delete(&present.metadata.key(), &Delete::default()).await)?;
            }
        }
        match (cluster, wanted) {
            (Some(cluster), Some(wanted)) => self.write(&cluster, wanted, set.as_deref()).await,
            _ => Ok(()),
        }
    }

    async fn write(
        &self,
        cluster: &Cluster,
        wanted: ClusterProfile,
        set: Option<&str>,
    ) -> Result<(), ClientError> {
        let api = self.hub.client.kind::<ClusterProfile>();
        let key = wanted.metadata.key();
        let mut present = match self.profiles.get(&key) {
            Some(present) if !is_ours(&present) => {
                // Told once: a pass runs at every change of the cluster.
                if !self.told.lock().insert(key.clone()) {
                    return Ok(());
                }
                let message = format!(
                    "ClusterProfile {key} is kept by cluster manager {}: Portolan publishes none of this cluster",
                    present.spec.cluster_manager.name
                );
                let regarding = Regarding::kind(cluster);
                self.hub.events.record(regarding, Severity::Warning, "ClusterProfileNotOurs", message);
                return Ok(());
            }
            Some(present) => {
                self.told.lock().remove(&key);
                self.keep_namespace(set).await?;
                present
            }
            None => {
                self.told.lock().remove(&key);
                self.keep_namespace(set).await?;
                let created = Arc::new(api.create(&wanted).await?);
                let version = created.metadata.resource_version.clone();
                self.profiles.written(key.clone(), &version, ClusterProfile::clone(&created));
                created
            }
        };
        let has_labels =
            wanted.metadata.labels.iter().all(|(name, value)| present.metadata.label(name) == Some(value));
        if !has_labels || present.spec != wanted.spec {
            let patch = json!({ "metadata": { "labels": wanted.metadata.labels }, "spec": wanted.spec });
            match ignore_missing(api.patch(&key, &Patch::Merge(patch)).await)? {
                // The status is replaced at the version that the patch has made.
                Some(patched) => present = Arc::new(patched),
                // The key is queued again when the cache knows that the profile was deleted.
                None => return Ok(()),
            }
        }
        let status = status(cluster, self.properties_of(cluster).as_ref(), &present.status, &self.hub.now());
        if status != present.status {
            // The whole status: a merge would leave fields that are gone.
            let mut replaced = ClusterProfile::clone(&present);
            replaced.status = status;
            ignore_missing(api.replace_status(&replaced).await)?;
        }
        Ok(())
    }

    /// The ClusterProperties of a member; `None` while they were not read.
    fn properties_of(&self, cluster: &Cluster) -> Option<BTreeMap<String, String>> {
        let name = ClusterName::new(cluster.metadata.name.as_str());
        let properties = self.properties.lock().get(&name).cloned().filter(Cache::is_synced)?;
        let value = |property: &Arc<Object>| property.str_at(&["spec", "value"]).to_owned();
        let listed = properties.list();
        Some(listed.iter().map(|property| (property.name().to_owned(), value(property))).collect())
    }

    /// Creates the namespace of the profiles of a set, or gives the labels of the set to one that a user made.
    async fn keep_namespace(&self, set: Option<&str>) -> Result<(), ClientError> {
        let key = ObjectKey::cluster(namespace(set));
        let mut wanted = BTreeMap::new();
        for label in SET_LABELS {
            wanted.extend(set.map(|set| (label.to_owned(), set.to_owned())));
        }
        let api = self.hub.client.resource::<Object>(&resources::NAMESPACE.into());
        if let Some(present) = self.hub.namespaces.get(&key) {
            let has_labels = wanted.iter().all(|(name, value)| present.label(name) == Some(value));
            if !has_labels {
                let patch = json!({ "metadata": { "labels": wanted } });
                ignore_missing(api.patch(&key, &Patch::Merge(patch)).await)?;
            }
            return Ok(());
        }
        let mut object = Object::new(&resources::NAMESPACE.gvk(), &key);
        object.set_label(labels::SYSTEM, labels::TRUE);
        // Profiles are in the control plane only.
        object.set_label(labels::namespace::SKIP_AUTO_PROPAGATION, labels::TRUE);
        wanted.iter().for_each(|(name, value)| object.set_label(name, value.as_str()));
        match api.create(&object).await {
            Ok(_) | Err(ClientError::AlreadyExists(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
