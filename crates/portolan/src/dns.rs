//! `portolan dns`: makes a member's CoreDNS forward the cluster set's zone to Portolan, and undoes that; and prints the
//! public records of federated Services.

mod records;

use std::net::IpAddr;

use anyhow::{Context, Result, bail};
use portolan_api::cluster::Cluster;
use portolan_api::federation::ClusterPlace;
use portolan_api::resources;
use portolan_object::{Object, ObjectKey};
use portolan_plan::dns::corefile;
use portolan_plan::federation::dns::observed::place;
use portolan_runtime::client::Selection;
use portolan_runtime::{Client, ClientError};
use serde_json::Value;

use crate::arguments::{Dns, DnsChange};

const COREFILE: &str = "Corefile";

/// Prints the change, and makes it unless `--dry-run` is given.
pub(crate) async fn run(command: Dns) -> Result<()> {
    match command {
        Dns::Install { change, addresses, service, zone } => {
            let client = change.member.client().await.context("cannot reach the member")?;
            let addresses =
                if addresses.is_empty() { addresses_of(&client, &service).await? } else { addresses };
            apply(&client, &change, |text| corefile::install(text, &zone, &addresses)).await
        }
        Dns::Records(arguments) => records::run(arguments).await,
        Dns::Federation { name, change, remove: true, .. } => {
            let client = change.member.client().await.context("cannot reach the member")?;
            apply(&client, &change, |text| corefile::uninstall_federation(text, &name)).await
        }
        Dns::Federation { name, change, domain, region, zone, cluster_domain, remove: false } => {
            let client = change.member.client().await.context("cannot reach the member")?;
            let place = place_of(&client).await?;
            let names = corefile::FederationNames {
                federation: &name,
                cluster_domain: &cluster_domain,
                region: region.as_deref().unwrap_or(&place.region),
                zone: zone.as_deref().or(place.zones.first().map(String::as_str)).unwrap_or_default(),
                domain: domain.as_deref().unwrap_or_default(),
            };
            apply(&client, &change, |text| corefile::install_federation(text, &names)).await
        }
        Dns::Uninstall { change } => {
            let client = change.member.client().await.context("cannot reach the member")?;
            apply(&client, &change, corefile::uninstall).await
        }
    }
}

/// Region and zones of the nodes of a member.
async fn place_of(client: &Client) -> Result<ClusterPlace> {
    let nodes = client.resource::<Object>(&resources::NODE.into()).list(&Selection::all()).await;
    let nodes = nodes.context("cannot list the nodes of the member")?;
    let labels: Vec<_> = nodes.items.iter().map(|seen| seen.object.labels()).collect();
    Ok(place(&Cluster::default(), Some(labels.iter()), None))
}

/// The addresses of the agent's Service.
async fn addresses_of(client: &Client, service: &str) -> Result<Vec<IpAddr>> {
    let key = key_of(service)?;
    let services = client.resource::<Object>(&resources::SERVICE.into());
    let found = match services.get(&key).await {
        Err(error) if error.is_not_found() => bail!(
            "there is no service {service} in the member: deploy the agent first (deploy/agent/), or give --address"
        ),
        found => found.with_context(|| format!("cannot read service {service}"))?,
    };
    let several = found.at(&["spec", "clusterIPs"]).and_then(Value::as_array).into_iter().flatten();
    let addresses: Vec<IpAddr> = several.filter_map(|text| text.as_str()?.parse().ok()).collect();
    if addresses.is_empty() {
        bail!("service {service} has no address: give it a ClusterIP, or give --address");
    }
    Ok(addresses)
}

async fn apply(
    client: &Client,
    change: &DnsChange,
    edit: impl FnOnce(&str) -> Result<String, corefile::CorefileError>,
) -> Result<()> {
    let name = &change.config_map;
    let maps = client.resource::<Object>(&resources::CONFIG_MAP.into());
    let mut map = match maps.get(&key_of(name)?).await {
        Err(error) if error.is_not_found() => bail!(
            "there is no ConfigMap {name}: this cluster configures its DNS in another way; name its ConfigMap with \
             --config-map, or see docs/dns.md"
        ),
        map => map.with_context(|| format!("cannot read ConfigMap {name}"))?,
    };
    let old = map.str_at(&["data", COREFILE]).to_owned();
    if old.is_empty() {
        bail!("ConfigMap {name} has no {COREFILE}: name another ConfigMap with --config-map");
    }
    let new = edit(&old).with_context(|| format!("ConfigMap {name} was not changed"))?;
    let difference = corefile::difference(&format!("configmap/{name} {COREFILE}"), &old, &new);
    if difference.is_empty() {
        anstream::println!("configmap/{name} unchanged");
        return Ok(());
    }
    anstream::print!("{difference}");
    if change.dry_run {
        anstream::println!("configmap/{name} not changed (dry run)");
        return Ok(());
    }
    map.0["data"][COREFILE] = Value::from(new);
    // With the resourceVersion that was read, so that a concurrent change is not overwritten.
    match maps.replace(&map).await {
        Err(ClientError::Conflict(_)) => {
            bail!("ConfigMap {name} was changed by another client at the same time: run the command again")
        }
        replaced => replaced.with_context(|| format!("cannot change ConfigMap {name}"))?,
    };
    anstream::println!(
        "configmap/{name} changed; CoreDNS reads it within two minutes when it runs with `reload`"
    );
    Ok(())
}

fn key_of(name: &str) -> Result<ObjectKey> {
    match name.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Ok(ObjectKey::namespaced(namespace, name))
        }
        _ => bail!("{name:?} is not NAMESPACE/NAME"),
    }
}
