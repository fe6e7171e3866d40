//! How a member uses the exporters of a service: by the facts, by TrafficPolicies, and by drained clusters.

use std::collections::BTreeSet;
use std::sync::Arc;

use portolan_api::annotations::cluster::DRAINED;
use portolan_api::cluster::Cluster;
use portolan_api::inventory::ClusterProfile;
use portolan_api::traffic::TrafficPolicy;
use portolan_object::ObjectKey;
use portolan_plan::discovery::properties::{Properties, required};
use portolan_plan::discovery::routing::{Exporting, Routing, routing};
use portolan_plan::discovery::traffic_policy::{ExporterState, policies_of};
use portolan_runtime::ClusterName;
use portolan_runtime::cache::Change;

use super::Discovery;
use super::exporters_read::not_ready_since;
use super::site::Site;

/// What imported EndpointSlices call their exporters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Labels {
    /// The ids of the members of the importing cluster's set.
    Ids,
    /// The names of the clusters.
    Names,
}

impl Discovery {
    /// How `site` uses the endpoints of a service.
    pub(super) fn routing(&self, site: &Site, service: &ObjectKey, labels: Labels) -> Routing {
        let importer = site.member().name();
        let of_namespace = self.policies.list_namespace(&service.namespace);
        let policies = policies_of(service, of_namespace.iter().map(AsRef::as_ref));
        let policy = policies.first().copied();
        let mut withdrawn = self.withdrawn(site);
        let failing = match policy.is_some_and(|policy| policy.spec.http_probe.is_some()) {
            true => self.withdrawals.failing(importer, service),
            false => BTreeSet::new(),
        };
        // The usual case, for every changed endpoint in every importing member: it does not go through the clusters.
        if policies.is_empty() && withdrawn.is_empty() && self.drained.read().is_empty() {
            return Routing::default();
        }
        let acts_on_silence = policy.is_some_and(|policy| policy.spec.withdrawal.unseen.is_some());
        let since_policy = policy.and_then(|policy| policy.metadata.creation_timestamp.clone());
        let own_set = self.sets.membership(importer).map(|membership| membership.set);
        let clusters = self.clusters.list();
        let mut exporters = Vec::new();
        for cluster in &clusters {
            let name = ClusterName::new(cluster.metadata.name.as_str());
            let Some(label) = self.label(own_set.as_deref(), &name, labels) else { continue };
            let mut exporting = Exporting {
                label,
                cluster: Some(&**cluster),
                state: ExporterState::default(),
                since: String::new(),
            };
            let failed = withdrawn.remove(&exporting.label);
            // A cluster uses its own endpoints whatever happens to its links.
            if name != *importer {
                let drained = cluster.metadata.annotation(DRAINED).map(str::to_owned);
                let lost = not_ready_since(cluster).filter(|_| acts_on_silence && self.is_unseen(&name));
                exporting.state = ExporterState {
                    withdrawn: failed.as_ref().map(|(cause, _)| *cause),
                    is_failing: failing.contains(&exporting.label),
                    is_unseen: lost.is_some(),
                    is_drained: drained.is_some(),
                };
                let since = failed.map(|(_, since)| since);
                exporting.since =
                    since.or(drained).or(lost).or_else(|| since_policy.clone()).unwrap_or_default();
            }
            exporters.push(exporting);
        }
        // Endpoints of clusters that the control plane does not have any more, or not yet.
        for (label, (cause, since)) in withdrawn {
            let state = ExporterState { withdrawn: Some(cause), ..ExporterState::default() };
            exporters.push(Exporting { label, cluster: None, state, since });
        }
        let own = self.clusters.get(&ObjectKey::cluster(importer.as_str()));
        // Read for policies that select by properties only: there may be many clusters.
        let has_property = policies.iter().any(|policy| required(&policy.spec).next().is_some());
        let profiles = if has_property { self.profiles.list() } else { Vec::new() };
        let properties = Properties::of_profiles(profiles.iter().map(AsRef::as_ref));
        routing(&policies, own.as_deref(), &exporters, &properties)
    }

    /// Queues every service that a TrafficPolicy governs, after a cluster moved or changed its labels.
    pub(super) fn queue_governed(&self) {
        let namespaces: BTreeSet<String> =
            self.policies.keys().into_iter().map(|policy| policy.namespace).collect();
        namespaces.iter().for_each(|namespace| self.queue_in_namespace(namespace));
    }

    /// Keeps which clusters are drained, so that a pass need not look through all of them.
    pub(super) fn note_drained(&self, name: &ClusterName, cluster: Option<&Cluster>) {
        let is_drained = cluster.is_some_and(|cluster| cluster.metadata.annotation(DRAINED).is_some());
        let mut drained = self.drained.write();
        if is_drained {
            drained.insert(name.clone());
        } else {
            drained.remove(name);
        }
    }

    /// What an importing member of `own_set` calls a cluster; `None` if it cannot have endpoints of it.
    fn label(&self, own_set: Option<&str>, cluster: &ClusterName, labels: Labels) -> Option<String> {
        match labels {
            Labels::Names => Some(cluster.to_string()),
            Labels::Ids => {
                let theirs = self.sets.membership(cluster)?;
                (Some(theirs.set.as_str()) == own_set).then_some(theirs.id)
            }
        }
    }
}

/// What TrafficPolicies select a cluster by.
pub(super) fn place(cluster: &Cluster) -> impl PartialEq {
    let spec = &cluster.spec;
    (&spec.provider, &spec.region, &spec.zone, &spec.zones, &cluster.metadata.labels)
}

/// Whether the properties of a cluster changed, by which TrafficPolicies select it.
pub(super) fn properties_changed(change: &Change<ClusterProfile>) -> bool {
    let properties = |profile: &Arc<ClusterProfile>| profile.status.properties.clone();
    change.old.as_ref().map(properties) != change.new.as_ref().map(properties)
}

/// What a TrafficPolicy says: a change of its status alone changes no traffic.
pub(super) fn said(policy: &TrafficPolicy) -> impl PartialEq {
    (&policy.spec, &policy.metadata.uid)
}
