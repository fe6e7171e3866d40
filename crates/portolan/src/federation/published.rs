//! The public records of a federated Service, as they shall be and as its zones have them.
//!
//! `portolan dns records` prints them, `portolan why service` judges them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use portolan_api::cluster::Cluster as ClusterObject;
use portolan_api::federation::Federation;
use portolan_api::names::SYSTEM_NAMESPACE;
use portolan_api::work::{AggregatedStatusItem, ResourceBinding};
use portolan_api::{labels, names, resources};
use portolan_controllers::federation::{OwnTargets, Writers, publisher, secret_of};
use portolan_object::{Object, ObjectKey};
use portolan_plan::federation::dns::observed::{
    Contact, DEAD_AFTER, contact, has_names, has_ready_endpoints, shards,
};
use portolan_plan::federation::dns::overview::{Row, reported_rows, rows};
use portolan_plan::federation::dns::record::DomainName;
use portolan_plan::federation::dns::service::{Cluster, Ingress, Reach};
use portolan_plan::federation::dns::zones::{FederatedService, Target, targets, wanted};
use portolan_plan::import_marks::service_of_slice;
use portolan_runtime::client::Selection;
use portolan_runtime::{Client, ClientError};

use crate::output::causes;
use crate::servers::members_with_credentials;
use crate::survey::read_all;

/// A federated Service, as the hub and its clusters have it.
pub(crate) struct Federated {
    pub(super) key: ObjectKey,
    pub(super) federation: Federation,
    /// The object of the hub.
    pub(super) template: Object,
    /// What its clusters reported.
    pub(super) reports: Vec<AggregatedStatusItem>,
    /// Clusters that are to have it.
    pub(super) targets: Vec<String>,
    /// Whether it has a ready endpoint in each cluster, or why that cannot be told.
    pub(super) ready: BTreeMap<String, Result<bool, String>>,
}

impl Federated {
    /// Reads a Service; `None` if it belongs to no Federation.
    ///
    /// # Errors
    /// If the hub cannot be read.
    pub(crate) async fn read(hub: &Client, key: &ObjectKey) -> Result<Option<Self>> {
        let binding = ObjectKey::namespaced(&*key.namespace, names::binding("Service", &key.name));
        let binding = match hub.kind::<ResourceBinding>().get(&binding).await {
            Err(ClientError::NotFound(_)) => return Ok(None),
            found => found.with_context(|| format!("cannot read ResourceBinding {binding}"))?,
        };
        let Some(name) = binding.metadata.label(labels::federation::NAME) else { return Ok(None) };
        let federation = hub.kind::<Federation>().get(&ObjectKey::cluster(name)).await;
        let federation = federation.with_context(|| format!("cannot read Federation {name}"))?;
        let services = hub.resource::<Object>(&resources::SERVICE.into());
        let template = services.get(key).await.with_context(|| format!("cannot read Service {key}"))?;
        let ready = ready_endpoints(hub, key).await?;
        let targets = binding.spec.clusters.into_iter().map(|target| target.name).collect();
        let reports = binding.status.aggregated_status;
        Ok(Some(Self { key: key.clone(), federation, template, reports, targets, ready }))
    }

    /// What each zone has, and is to have.
    ///
    /// # Errors
    /// If the clusters cannot be listed.
    pub(crate) async fn zones(&self, hub: &Client) -> Result<Vec<(Target, Result<Vec<Row>>)>> {
        let service = self.service().await;
        let clusters = clusters(hub, &self.federation).await?;
        let mut zones = Vec::new();
        for target in targets(&self.federation) {
            let rows = zone_rows(hub, &self.federation, &target, &clusters, &service).await;
            zones.push((target, rows));
        }
        Ok(zones)
    }

    /// Clusters without an answer about endpoints, and why.
    pub(crate) fn unread(&self) -> impl Iterator<Item = (&String, &String)> {
        self.ready.iter().filter_map(|(name, answer)| Some((name, answer.as_ref().err()?)))
    }

    /// Whether the Service is of a type that has records.
    pub(crate) fn has_names(&self) -> bool {
        has_names(&self.template)
    }

    /// Whether the federation publishes records.
    pub(crate) fn publishes(&self) -> bool {
        self.federation.spec.dns.is_some() || !self.federation.status.zones.is_empty()
    }

    /// Name of the federation.
    pub(crate) fn name(&self) -> &str {
        &self.federation.metadata.name
    }

    /// The Service with its shards. A cluster that cannot be asked counts as ready, as it does for the control plane.
    async fn service(&self) -> FederatedService {
        let hosts = hosts(&self.reports).await;
        let is_ready = |cluster: &str| match self.ready.get(cluster) {
            Some(Ok(is_ready)) => *is_ready,
            _ => true,
        };
        let resolved = |name: &DomainName| hosts.get(name).cloned().unwrap_or_default();
        let mut shards = shards(&self.reports, is_ready, resolved);
        if !self.has_names() {
            shards.clear();
        }
        FederatedService { namespace: self.key.namespace.clone(), name: self.key.name.clone(), shards }
    }
}

/// Whether a Service has a ready endpoint in each cluster.
async fn ready_endpoints(hub: &Client, key: &ObjectKey) -> Result<BTreeMap<String, Result<bool, String>>> {
    let namespace = key.namespace.clone();
    let read = |client: Client| {
        let selection = Selection::namespace(namespace.clone());
        async move {
            let listed =
                client.resource::<Object>(&resources::ENDPOINT_SLICE.into()).list(&selection).await?;
            Ok(listed.items.into_iter().map(|seen| seen.object).collect::<Vec<Object>>())
        }
    };
    let answers = read_all(members_with_credentials(hub, &[]).await?, read).await;
    let judged = answers.into_iter().map(|(name, answer)| {
        let ready = answer.map_err(|error| causes(&error)).map(|slices: Vec<Object>| {
            has_ready_endpoints(slices.iter().filter(|slice| service_of_slice(slice).as_ref() == Some(key)))
        });
        (name, ready)
    });
    Ok(judged.collect())
}

/// Addresses of load balancers that have a host name.
async fn hosts(reports: &[AggregatedStatusItem]) -> BTreeMap<DomainName, Vec<IpAddr>> {
    let read = shards(reports, |_| true, |_| Vec::new());
    let names = read.into_iter().flat_map(|shard| shard.ingress).filter_map(|ingress| match ingress {
        Ingress::Host { name, .. } => Some(name),
        Ingress::Address(_) => None,
    });
    let mut found = BTreeMap::new();
    for name in names {
        let addresses = tokio::net::lookup_host((name.without_dot(), 0)).await;
        let addresses: BTreeSet<IpAddr> =
            addresses.into_iter().flatten().map(|address| address.ip()).collect();
        found.insert(name, addresses.into_iter().collect());
    }
    found
}

/// The clusters, where they were seen last.
async fn clusters(hub: &Client, federation: &Federation) -> Result<Vec<Cluster>> {
    let listed =
        hub.kind::<ClusterObject>().list(&Selection::all()).await.context("cannot list the clusters")?;
    let dead_after = federation.spec.dns.as_ref().and_then(|dns| dns.dead_after_seconds);
    let dead_after = dead_after.map_or(DEAD_AFTER, |seconds| Duration::from_secs(seconds.into()));
    let cluster = |cluster: ClusterObject| {
        let name = cluster.metadata.name.clone();
        let place =
            federation.status.clusters.iter().find(|place| place.name == name).cloned().unwrap_or_default();
        let reach = match contact(&cluster, Timestamp::now(), dead_after) {
            Contact::Ready | Contact::Lost(_) => Reach::Counted,
            Contact::Overdue => {
                anstream::eprintln!(
                    "warning: cluster {name} cannot be reached and is taken as dead here; the control plane keeps its records \
                     while its load balancers answer"
                );
                Reach::Dead
            }
        };
        let region = Some(place.region).filter(|region| !region.is_empty());
        Cluster { name, region, zones: place.zones.into_iter().collect(), reach }
    };
    Ok(listed.items.into_iter().map(|seen| cluster(seen.object)).collect())
}

async fn zone_rows(
    hub: &Client,
    federation: &Federation,
    target: &Target,
    clusters: &[Cluster],
    service: &FederatedService,
) -> Result<Vec<Row>> {
    let services = if service.shards.is_empty() { Vec::new() } else { vec![service.clone()] };
    let (wanted, unnamed) = wanted(federation, target, clusters, &services);
    if let Some(unnamed) = unnamed.first() {
        bail!("{}", unnamed.error);
    }
    if target.zone.provider.built_in.is_some() {
        // What the control plane has in memory can be read from its DNS server only.
        let noted = federation.status.zones.iter().any(|zone| zone.zone == target.zone.zone);
        return Ok(reported_rows(&service.resource(), &wanted, noted && target.zone.message.is_empty()));
    }
    let secret = match secret_of(&target.zone.provider) {
        None => None,
        Some(name) => {
            let key = ObjectKey::namespaced(SYSTEM_NAMESPACE, name);
            match hub.resource::<Object>(&resources::SECRET.into()).get(&key).await {
                Err(ClientError::NotFound(_)) => None,
                found => Some(found.with_context(|| format!("cannot read Secret {key}"))?),
            }
        }
    };
    let own = OwnTargets { hub: hub.clone(), dns: None, writers: Writers::default() };
    let publisher = publisher(&own, &target.zone.zone, &target.zone.provider, secret.as_ref()).await?;
    let listed = publisher.list(&DomainName::parse(&target.zone.zone)?).await?;
    let registry = target.registry();
    Ok(rows(&registry, &service.resource(), &wanted, &registry.read(listed)))
}
