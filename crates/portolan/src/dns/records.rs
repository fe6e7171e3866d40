//! `portolan dns records`: the public records of a federated Service, as they shall be and as its zones have them.

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
use portolan_controllers::federation::{publisher, secret_of};
use portolan_object::{Object, ObjectKey};
use portolan_plan::federation::dns::observed::{
    Contact, DEAD_AFTER, contact, has_names, has_ready_endpoints, shards,
};
use portolan_plan::federation::dns::overview::{Row, rows};
use portolan_plan::federation::dns::record::{DomainName, RecordSet};
use portolan_plan::federation::dns::service::{Cluster, Ingress, Reach};
use portolan_plan::federation::dns::zones::{FederatedService, Target, targets, wanted};
use portolan_plan::import_marks::service_of_slice;
use portolan_runtime::client::Selection;
use portolan_runtime::{Client, ClientError};

use crate::arguments::DnsRecords;
use crate::output::causes;
use crate::output::table::align;
use crate::servers::members_with_credentials;
use crate::survey::read_all;

/// Prints a table for every zone. A zone or a cluster that cannot be read is reported on standard error.
pub(super) async fn run(arguments: DnsRecords) -> Result<()> {
    let hub = arguments.hub.hub().await?;
    let key = ObjectKey::namespaced(hub.namespace_or(arguments.namespace.as_deref()), &*arguments.service);
    let hub = hub.client;
    let (federation, reports) = federated(&hub, &key).await?;
    let services = hub.resource::<Object>(&resources::SERVICE.into());
    let template = services.get(&key).await.with_context(|| format!("cannot read Service {key}"))?;
    if federation.spec.dns.is_none() && federation.status.zones.is_empty() {
        bail!(
            "Federation {0} publishes no records: add spec.dns to it (kubectl edit federation {0})",
            federation.metadata.name
        );
    }
    let service = service(&hub, &key, &template, &reports).await?;
    let clusters = clusters(&hub, &federation).await?;
    let mut lines =
        vec![["ZONE", "NAME", "TYPE", "WANTED", "PUBLISHED", "STATE"].map(str::to_owned).to_vec()];
    let mut unread = Vec::new();
    for target in targets(&federation) {
        match zone_rows(&hub, &federation, &target, &clusters, &service).await {
            Ok(rows) => lines.extend(rows.iter().map(|row| line(&target, row))),
            Err(error) => unread.push(format!("zone {}: {error:#}", target.zone.zone)),
        }
    }
    if lines.len() > 1 {
        anstream::print!("{}", align(&lines.iter().collect::<Vec<_>>()));
    } else if unread.is_empty() {
        anstream::println!(
            "Service {key} has no records, and shall have none: no cluster is healthy with an address."
        );
    }
    if !unread.is_empty() {
        bail!("{}", unread.join("; "));
    }
    Ok(())
}

fn line(target: &Target, row: &Row) -> Vec<String> {
    let data = |set: &Option<RecordSet>| match set {
        None => "-".to_owned(),
        Some(set) => set.targets.iter().cloned().collect::<Vec<_>>().join(","),
    };
    vec![
        target.zone.zone.clone(),
        row.name.to_string(),
        row.kind.to_string(),
        data(&row.wanted),
        data(&row.published),
        row.state.to_string(),
    ]
}

/// The federation of a Service, and what its clusters reported.
async fn federated(hub: &Client, key: &ObjectKey) -> Result<(Federation, Vec<AggregatedStatusItem>)> {
    let binding = ObjectKey::namespaced(&*key.namespace, names::binding("Service", &key.name));
    let found = match hub.kind::<ResourceBinding>().get(&binding).await {
        Err(ClientError::NotFound(_)) => None,
        found => Some(found.with_context(|| format!("cannot read ResourceBinding {binding}"))?),
    };
    let name = found.as_ref().and_then(|binding| binding.metadata.label(labels::federation::NAME));
    let (Some(found), Some(name)) = (&found, name) else {
        bail!(
            "Service {key} belongs to no Federation: `portolan why service/{} -n {}` says what has it",
            key.name,
            key.namespace
        );
    };
    let federation = hub.kind::<Federation>().get(&ObjectKey::cluster(name)).await;
    let federation = federation.with_context(|| format!("cannot read Federation {name}"))?;
    Ok((federation, found.status.aggregated_status.clone()))
}

/// The Service with its shards. Endpoints are read from the members; one that cannot be read counts as ready, as it does for
/// the control plane.
async fn service(
    hub: &Client,
    key: &ObjectKey,
    template: &Object,
    reports: &[AggregatedStatusItem],
) -> Result<FederatedService> {
    let namespace = key.namespace.clone();
    let read = |client: Client| {
        let selection = Selection::namespace(namespace.clone());
        async move {
            let listed =
                client.resource::<Object>(&resources::ENDPOINT_SLICE.into()).list(&selection).await?;
            Ok(listed.items.into_iter().map(|seen| seen.object).collect::<Vec<Object>>())
        }
    };
    let mut ready: BTreeMap<String, bool> = BTreeMap::new();
    for (name, answer) in read_all(members_with_credentials(hub, &[]).await?, read).await {
        match answer {
            Ok(slices) => {
                let of_service = slices.iter().filter(|slice| service_of_slice(slice).as_ref() == Some(key));
                ready.insert(name, has_ready_endpoints(of_service));
            }
            Err(error) => anstream::eprintln!(
                "warning: cluster {name} was not looked at, its endpoints are taken as ready: {}",
                causes(&error)
            ),
        }
    }
    let hosts = hosts(reports).await;
    let mut shards = shards(
        reports,
        |cluster| ready.get(cluster).copied().unwrap_or(true),
        |name| hosts.get(name).cloned().unwrap_or_default(),
    );
    if !has_names(template) {
        shards.clear();
    }
    Ok(FederatedService { namespace: key.namespace.clone(), name: key.name.clone(), shards })
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
    let publisher = publisher(&target.zone.provider, secret.as_ref()).await?;
    let listed = publisher.list(&DomainName::parse(&target.zone.zone)?).await?;
    let registry = target.registry();
    Ok(rows(&registry, &service.resource(), &wanted, &registry.read(listed)))
}
