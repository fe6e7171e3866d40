//! Status of TrafficPolicies: whether everything that they say is done.

use std::collections::BTreeSet;
use std::sync::Arc;

use portolan_api::cluster::Cluster;
use portolan_api::meta::set_condition;
use portolan_api::traffic::TrafficPolicy;
use portolan_object::ObjectKey;
use portolan_plan::discovery::policy_status::{Surroundings, in_effect};
use portolan_plan::discovery::properties::Properties;
use portolan_runtime::client::Patch;
use portolan_runtime::{ClientError, ClusterName, Outcome, Reconciler, driver};
use serde_json::json;

use super::Discovery;
use super::traffic::{place, properties_changed, said};
use crate::hub::Hub;
use crate::missing::ignore_missing;

struct PolicyStatus {
    hub: Hub,
    discovery: Arc<Discovery>,
}

/// Keeps the status of all policies.
pub(super) fn start(hub: &Hub, discovery: &Arc<Discovery>) {
    let deciding = Arc::downgrade(discovery);
    discovery.policies.observe(move |change| {
        let Some(discovery) = deciding.upgrade() else { return };
        discovery.policy_reports.add(change.key.clone());
        // Some fields of a policy have no effect beside an older one of its namespace.
        if change.old.as_deref().map(said) != change.new.as_deref().map(said) {
            discovery.report_policies_of(&change.key.namespace);
        }
    });
    let deciding = Arc::downgrade(discovery);
    hub.clusters.observe(move |change| {
        if change.old.as_deref().map(place) != change.new.as_deref().map(place)
            && let Some(discovery) = deciding.upgrade()
        {
            discovery.report_policies();
        }
    });
    let deciding = Arc::downgrade(discovery);
    discovery.profiles.observe(move |change| {
        if properties_changed(change)
            && let Some(discovery) = deciding.upgrade()
        {
            discovery.report_policies();
        }
    });
    let reconciler = Arc::new(PolicyStatus { hub: hub.clone(), discovery: discovery.clone() });
    driver::run(reconciler, &discovery.policy_reports, 1, &hub.scope);
}

impl Discovery {
    /// Queues the status of all policies.
    pub(super) fn report_policies(&self) {
        self.policies.keys().into_iter().for_each(|key| self.policy_reports.add(key));
    }

    /// Queues the status of the policies of a namespace.
    pub(super) fn report_policies_of(&self, namespace: &str) {
        let policies = self.policies.keys_of_namespace(namespace);
        policies.into_iter().for_each(|key| self.policy_reports.add(key));
    }

    /// Names of the services in a namespace that policies can be about; `None` until all clusters have been read.
    fn governable_in(&self, namespace: &str) -> Option<BTreeSet<String>> {
        let sites = self.sites.read();
        let is_read = |cluster: &Arc<Cluster>| {
            let name = ClusterName::new(cluster.metadata.name.as_str());
            sites.get(&name).is_some_and(|site| site.is_known())
        };
        if !self.services.is_synced() || !self.clusters.list().iter().all(is_read) {
            return None;
        }
        let of_sites = sites
            .values()
            .flat_map(|site| site.exported_in(namespace).into_iter().chain(site.imported_in(namespace)));
        let all = of_sites.chain(self.services.keys_of_namespace(namespace));
        Some(all.map(|key| key.name).collect())
    }
}

impl Reconciler for PolicyStatus {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        // Missing looks like deleted until the caches are synced.
        let Discovery { clusters, policies, profiles, .. } = &*self.discovery;
        if !(clusters.synced().await && policies.synced().await && profiles.synced().await) {
            return Outcome::Done;
        }
        match policies.get(key).filter(|policy| !policy.metadata.is_deleting()) {
            Some(policy) => self.report(key, &policy).await.into(),
            None => Outcome::Done,
        }
    }
}

impl PolicyStatus {
    /// Writes the condition of a policy if it differs.
    async fn report(&self, key: &ObjectKey, policy: &TrafficPolicy) -> Result<(), ClientError> {
        let discovery = &self.discovery;
        let (clusters, siblings) =
            (discovery.clusters.list(), discovery.policies.list_namespace(&key.namespace));
        let clusters: Vec<&Cluster> = clusters.iter().map(AsRef::as_ref).collect();
        let siblings: Vec<&TrafficPolicy> = siblings.iter().map(AsRef::as_ref).collect();
        let profiles = discovery.profiles.list();
        let properties = Properties::of_profiles(profiles.iter().map(AsRef::as_ref));
        let services = discovery.governable_in(&key.namespace);
        let surroundings = Surroundings {
            policies: &siblings,
            clusters: &clusters,
            properties: &properties,
            services: services.as_ref(),
        };
        let wanted = in_effect(policy, surroundings, &self.hub.now());
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
