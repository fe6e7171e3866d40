//! Status of TrafficPolicies: whether everything that they say is done.

use std::sync::Arc;

use portolan_api::cluster::Cluster;
use portolan_api::inventory::ClusterProfile;
use portolan_api::meta::set_condition;
use portolan_api::traffic::TrafficPolicy;
use portolan_object::ObjectKey;
use portolan_plan::discovery::policy_status::in_effect;
use portolan_plan::discovery::properties::Properties;
use portolan_runtime::client::Patch;
use portolan_runtime::{Cache, ClientError, Outcome, Queue, Reconciler, driver};
use serde_json::json;

use super::traffic::{place, properties_changed, said};
use crate::hub::Hub;
use crate::missing::ignore_missing;

struct PolicyStatus {
    hub: Hub,
    policies: Cache<TrafficPolicy>,
    profiles: Cache<ClusterProfile>,
}

/// Keeps the status of all policies.
pub(super) fn start(hub: &Hub, policies: &Cache<TrafficPolicy>, profiles: &Cache<ClusterProfile>) {
    let queue: Queue<ObjectKey> = hub.client.metrics().queue("traffic-policies", None);
    let (changed, all) = (queue.clone(), policies.clone());
    policies.observe(move |change| {
        changed.add(change.key.clone());
        // Some fields of a policy have no effect beside an older one of its namespace.
        if change.old.as_deref().map(said) != change.new.as_deref().map(said) {
            let siblings = all.keys_of_namespace(&change.key.namespace);
            siblings.into_iter().for_each(|key| changed.add(key));
        }
    });
    let (changed, all) = (queue.clone(), policies.clone());
    hub.clusters.observe(move |change| {
        if change.old.as_deref().map(place) != change.new.as_deref().map(place) {
            all.keys().into_iter().for_each(|key| changed.add(key));
        }
    });
    let (changed, all) = (queue.clone(), policies.clone());
    profiles.observe(move |change| {
        if properties_changed(change) {
            all.keys().into_iter().for_each(|key| changed.add(key));
        }
    });
    let (policies, profiles) = (policies.clone(), profiles.clone());
    let reconciler = Arc::new(PolicyStatus { hub: hub.clone(), policies, profiles });
    driver::run(reconciler, &queue, 1, &hub.scope);
}

impl Reconciler for PolicyStatus {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        // Missing looks like deleted until the caches are synced.
        if !(self.hub.clusters.synced().await && self.policies.synced().await && self.profiles.synced().await)
        {
            return Outcome::Done;
        }
        match self.policies.get(key).filter(|policy| !policy.metadata.is_deleting()) {
            Some(policy) => self.report(key, &policy).await.into(),
            None => Outcome::Done,
        }
    }
}

impl PolicyStatus {
    /// Writes the condition of a policy if it differs.
    async fn report(&self, key: &ObjectKey, policy: &TrafficPolicy) -> Result<(), ClientError> {
        let (clusters, siblings) = (self.hub.clusters.list(), self.policies.list_namespace(&key.namespace));
        let clusters: Vec<&Cluster> = clusters.iter().map(AsRef::as_ref).collect();
        let siblings: Vec<&TrafficPolicy> = siblings.iter().map(AsRef::as_ref).collect();
        let profiles = self.profiles.list();
        let properties = Properties::of_profiles(profiles.iter().map(AsRef::as_ref));
        let wanted = in_effect(policy, &siblings, (&clusters, &properties), &self.hub.now());
        let mut conditions = policy.status.conditions.clone();
        if !set_condition(&mut conditions, wanted) {
            return Ok(());
        }
        let patch =
            Patch::Merge(json!({ "metadata": { "resourceVersion": policy.metadata.resource_version },
            "status": { "conditions": conditions } }));
        ignore_missing(self.hub.client.kind::<TrafficPolicy>().patch_status(key, &patch).await)?;
        Ok(())
    }
}
