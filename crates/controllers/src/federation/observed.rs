//! What is known of the clusters and Services of one Federation, gathered from caches.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use portolan_api::federation::{ClusterPlace, Federation};
use portolan_api::resources;
use portolan_api::work::AggregatedStatusItem;
use portolan_object::{Object, ObjectKey};
use portolan_plan::federation::dns::observed::{
    Contact, DEAD_AFTER, contact, has_names, place, shards, tcp_ports,
};
use portolan_plan::federation::dns::record::DomainName;
use portolan_plan::federation::dns::service::{Cluster, Ingress, Reach};
use portolan_plan::federation::dns::zones::{FederatedService, resource_of};

use super::endpoints::Endpoints;
use super::hosts::{self, Hosts};
use super::probe::{SAMPLES, any_answers};
use crate::hub::Hub;
use crate::propagation::Pipeline;

/// Time between two probes of a cluster that cannot be reached.
const PROBE_INTERVAL: Duration = Duration::from_secs(10);

/// Everything from which the records of a federation are planned.
pub(super) struct Observed {
    pub(super) clusters: Vec<Cluster>,
    pub(super) places: Vec<ClusterPlace>,
    pub(super) services: Vec<FederatedService>,
    /// The Services of the hub, by what their records say that they are for.
    pub(super) templates: BTreeMap<String, Arc<Object>>,
    /// Time after which something changes without an event.
    pub(super) again: Option<Duration>,
}

/// Where observations come from; clones share state.
#[derive(Clone)]
pub(super) struct Observer {
    pub(super) hub: Hub,
    pub(super) pipeline: Pipeline,
    pub(super) endpoints: Endpoints,
    pub(super) hosts: Arc<Hosts>,
}

impl Observer {
    pub(super) async fn observe(&self, federation: &Federation) -> Observed {
        let reported = self.reported(&federation.metadata.name);
        let names = host_names(reported.iter().map(|(_, reports)| reports.as_slice()));
        let has_hosts = !names.is_empty();
        self.hosts.refresh(names).await;
        let services: Vec<FederatedService> =
            reported.iter().map(|(template, reports)| self.service(template.key(), reports)).collect();
        let mut observed = Observed {
            clusters: Vec::new(),
            places: Vec::new(),
            templates: BTreeMap::new(),
            again: has_hosts.then_some(hosts::MAX_AGE),
            services,
        };
        for template in self.templates(&federation.metadata.name) {
            // Also of those without names: an event on them says when their names were deleted.
            observed.templates.insert(resource_of(&template.key()), template);
        }
        self.add_clusters(federation, &mut observed).await;
        observed
    }

    /// One Service or Ingress from the reports of its clusters, with every cluster.
    pub(super) async fn observe_one(&self, key: &ObjectKey, reports: &[AggregatedStatusItem]) -> Observed {
        let names = host_names([reports]);
        let has_hosts = !names.is_empty();
        self.hosts.refresh(names).await;
        let mut observed = Observed {
            clusters: Vec::new(),
            places: Vec::new(),
            templates: BTreeMap::new(),
            again: has_hosts.then_some(hosts::MAX_AGE),
            services: vec![self.service(key.clone(), reports)],
        };
        self.add_clusters(&Federation::default(), &mut observed).await;
        observed
    }

    /// The Services with names and the reports of their clusters.
    fn reported(&self, federation: &str) -> Vec<(Arc<Object>, Vec<AggregatedStatusItem>)> {
        let kind = resources::SERVICE.gvk();
        let bindings = self.pipeline.federated(federation);
        let of_services = bindings.into_iter().filter(|binding| binding.template_kind() == kind);
        of_services
            .filter_map(|binding| {
                let template = self.pipeline.template(&kind, &binding.template_key())?;
                has_names(&template).then(|| (template, binding.status.aggregated_status.clone()))
            })
            .collect()
    }

    /// The federated Services of the hub.
    fn templates(&self, federation: &str) -> Vec<Arc<Object>> {
        let kind = resources::SERVICE.gvk();
        let bindings = self.pipeline.federated(federation);
        let of_services = bindings.into_iter().filter(|binding| binding.template_kind() == kind);
        of_services.filter_map(|binding| self.pipeline.template(&kind, &binding.template_key())).collect()
    }

    fn service(&self, key: ObjectKey, reports: &[AggregatedStatusItem]) -> FederatedService {
        let shards = shards(
            reports,
            |cluster| self.endpoints.are_ready(cluster, &key),
            |name| self.hosts.addresses(name),
        );
        FederatedService { namespace: key.namespace, name: key.name, shards }
    }

    /// Adds every registered cluster with its place and state.
    async fn add_clusters(&self, federation: &Federation, observed: &mut Observed) {
        let dns = federation.spec.dns.as_ref();
        let dead_after = dns.and_then(|dns| dns.dead_after_seconds);
        let dead_after = dead_after.map_or(DEAD_AFTER, |seconds| Duration::from_secs(seconds.into()));
        let now = self.hub.clock.now();
        let mut waits = Vec::new();
        for cluster in self.hub.clusters.list() {
            let name = &cluster.metadata.name;
            let nodes = self.hub.capacities.of(name).and_then(|capacity| capacity.nodes());
            let before = federation.status.clusters.iter().find(|place| place.name == *name);
            let nodes = nodes.as_ref().map(|nodes| nodes.iter().map(|node| &node.labels));
            let place = place(&cluster, nodes, before);
            let reach = match contact(&cluster, now, dead_after) {
                Contact::Ready => Reach::Counted,
                Contact::Lost(left) => {
                    waits.push(left);
                    Reach::Counted
                }
                Contact::Overdue => {
                    waits.push(PROBE_INTERVAL);
                    if any_answers(samples(name, observed)).await { Reach::Counted } else { Reach::Dead }
                }
            };
            observed.clusters.push(Cluster {
                name: name.clone(),
                region: Some(place.region.clone()).filter(|region| !region.is_empty()),
                zones: place.zones.iter().cloned().collect(),
                reach,
            });
            observed.places.push(place);
        }
        observed.places.sort_by(|a, b| a.name.cmp(&b.name));
        observed.again = waits.into_iter().chain(observed.again).min();
    }
}

/// Host names of load balancers.
fn host_names<'a>(reported: impl IntoIterator<Item = &'a [AggregatedStatusItem]>) -> BTreeSet<DomainName> {
    let read = |reports| shards(reports, |_| true, |_| Vec::new());
    let ingress = reported.into_iter().flat_map(read).flat_map(|shard| shard.ingress);
    ingress
        .filter_map(|ingress| match ingress {
            Ingress::Host { name, .. } => Some(name),
            Ingress::Address(_) => None,
        })
        .collect()
}

/// Addresses and ports of a few load balancers of a cluster.
fn samples(cluster: &str, observed: &Observed) -> Vec<(IpAddr, u16)> {
    let sample = |service: &FederatedService| {
        let port = *tcp_ports(observed.templates.get(&service.resource())?).first()?;
        let shard = service.shards.iter().find(|shard| shard.cluster == cluster)?;
        let address = match shard.ingress.first()? {
            Ingress::Address(address) => *address,
            Ingress::Host { addresses, .. } => *addresses.first()?,
        };
        Some((address, port))
    };
    observed.services.iter().filter_map(sample).take(SAMPLES).collect()
}
