//! Which exporters a member does not use for a service: by the facts, by TrafficPolicies, and by drained clusters.

use std::collections::BTreeMap;

use portolan_api::annotations::cluster::DRAINED;
use portolan_object::ObjectKey;
use portolan_plan::discovery::traffic_policy::{ExporterState, policy_of, usage};
use portolan_plan::discovery::usage::NotUsed;
use portolan_runtime::ClusterName;

use super::Discovery;
use super::exporters_read::not_ready_since;
use super::site::Site;

impl Discovery {
    /// Exporters that `site` does not use for a service, by the label of their EndpointSlices.
    pub(super) fn not_used(&self, site: &Site, service: &ObjectKey) -> BTreeMap<String, NotUsed> {
        let importer = site.member().name();
        let policies = self.policies.list_namespace(&service.namespace);
        let policy = policy_of(service, policies.iter().map(AsRef::as_ref));
        let mut states: BTreeMap<String, (ClusterName, ExporterState, String)> = BTreeMap::new();
        let withdrawn = self.withdrawn(site);
        let names = (!withdrawn.is_empty()).then(|| self.exporter_names());
        for (source, (cause, since)) in withdrawn {
            let cluster = names.as_ref().map(|names| names.cluster(importer, &source));
            let cluster = cluster.unwrap_or_else(|| ClusterName::new(source.as_str()));
            let state = ExporterState { withdrawn: Some(cause), ..ExporterState::default() };
            states.insert(source, (cluster, state, since));
        }
        let acts_on_silence = policy.is_some_and(|policy| policy.spec.withdrawal.unseen.is_some());
        let is_named = |name: &str| {
            policy.is_some_and(|policy| policy.spec.drained_clusters.iter().any(|one| one == name))
        };
        for cluster in
            self.clusters.list().iter().filter(|cluster| cluster.metadata.name != importer.as_str())
        {
            let name = ClusterName::new(cluster.metadata.name.as_str());
            let drained = cluster.metadata.annotation(DRAINED);
            let lost = not_ready_since(cluster).filter(|_| acts_on_silence && self.is_unseen(&name));
            if drained.is_none() && lost.is_none() && !is_named(name.as_str()) {
                continue;
            }
            let of_policy = policy.and_then(|policy| policy.metadata.creation_timestamp.clone());
            let since = drained.map(str::to_owned).or_else(|| lost.clone()).or(of_policy).unwrap_or_default();
            for source in self.names_of(importer, &name) {
                let known = states
                    .entry(source)
                    .or_insert_with(|| (name.clone(), ExporterState::default(), since.clone()));
                known.1.is_drained = drained.is_some();
                known.1.is_unseen = lost.is_some();
            }
        }
        let not_used = states.into_iter().filter_map(|(source, (cluster, state, since))| {
            let (usage, cause) = usage(cluster.as_str(), state, policy)?;
            Some((source, NotUsed { usage, since, cause }))
        });
        not_used.collect()
    }

    /// What an importing member calls a cluster: its name, and its id if both are in one set.
    fn names_of(&self, importer: &ClusterName, cluster: &ClusterName) -> Vec<String> {
        let membership = self.sets.membership(cluster);
        let own = self.sets.membership(importer).map(|membership| membership.set);
        let id = membership
            .filter(|membership| Some(&membership.set) == own.as_ref())
            .map(|membership| membership.id);
        let mut names = vec![cluster.to_string()];
        names.extend(id.filter(|id| id != cluster.as_str()));
        names
    }
}
