//! `portolan federation status`: clusters, Services and zones of every federation.

use anyhow::{Context, Result, bail};
use portolan_api::cluster::Cluster;
use portolan_api::conditions::cluster::READY;
use portolan_api::federation::Federation;
use portolan_api::labels;
use portolan_api::meta::condition;
use portolan_api::work::ResourceBinding;
use portolan_plan::federation::overview::{ClusterRow, ServiceRow, clusters, services};
use portolan_runtime::Client;
use portolan_runtime::client::Selection;

use crate::output::table::align;

/// Prints the tables of one federation, or of all.
pub(super) async fn run(hub: &Client, name: Option<&str>) -> Result<()> {
    let federations = hub.kind::<Federation>().list(&Selection::all()).await;
    let federations = federations.context("cannot list the Federations")?;
    let mut wanted: Vec<Federation> = federations.items.into_iter().map(|seen| seen.object).collect();
    wanted.retain(|federation| name.is_none_or(|name| federation.metadata.name == name));
    if wanted.is_empty() {
        bail!(
            "there is no Federation{}: `portolan federation init NAME` makes one",
            name.map(|name| format!(" {name}")).unwrap_or_default()
        );
    }
    let known = hub.kind::<Cluster>().list(&Selection::all()).await.context("cannot list the clusters")?;
    let known: Vec<Cluster> = known.items.into_iter().map(|seen| seen.object).collect();
    for (index, federation) in wanted.iter().enumerate() {
        if index > 0 {
            anstream::println!();
        }
        let name = &federation.metadata.name;
        let label = format!("{}={name}", labels::federation::NAME);
        let bindings = hub.kind::<ResourceBinding>().list(&Selection::labels(label)).await;
        let bindings = bindings.with_context(|| format!("cannot list the bindings of Federation {name}"))?;
        let bindings: Vec<ResourceBinding> = bindings.items.into_iter().map(|seen| seen.object).collect();
        print(federation, &known, &bindings);
    }
    Ok(())
}

fn print(federation: &Federation, known: &[Cluster], bindings: &[ResourceBinding]) {
    anstream::println!("Federation {}", federation.metadata.name);
    for condition in &federation.status.conditions {
        anstream::println!("  {}: {} ({})", condition.kind, condition.status.as_str(), condition.message);
    }
    let is_ready = |cluster: &Cluster| {
        let ready = condition(&cluster.status.conditions, READY);
        ready.map_or("Unknown", |ready| ready.status.as_str()).to_owned()
    };
    let rows = clusters(federation, known, bindings).into_iter().map(|row| {
        let ClusterRow { cluster, region, zones, objects, applied } = row;
        let place = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        vec![
            cluster.metadata.name.clone(),
            is_ready(cluster),
            place(region),
            place(zones.join(",")),
            format!("{applied}/{objects}"),
        ]
    });
    table(["CLUSTER", "READY", "REGION", "ZONES", "APPLIED"], rows.collect());
    let rows = services(bindings).into_iter().map(|row| {
        let ServiceRow { service, shards, applied, addresses } = row;
        let addresses = if addresses.is_empty() { "-".to_owned() } else { addresses.join(",") };
        vec![service.to_string(), format!("{applied}/{shards}"), addresses]
    });
    table(["SERVICE", "APPLIED", "LOAD BALANCERS"], rows.collect());
    let rows = federation.status.zones.iter().map(|zone| {
        let message = if zone.message.is_empty() { "-" } else { &zone.message };
        vec![zone.zone.clone(), zone.provider.address(), zone.record_sets.to_string(), message.to_owned()]
    });
    table(["DNS ZONE", "PROVIDER", "RECORD SETS", "MESSAGE"], rows.collect());
}

/// Prints a table, unless it has no rows.
fn table<const COLUMNS: usize>(head: [&str; COLUMNS], rows: Vec<Vec<String>>) {
    if rows.is_empty() {
        return;
    }
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    lines.extend(rows);
    anstream::print!("\n{}", align(&lines.iter().collect::<Vec<_>>()));
}
