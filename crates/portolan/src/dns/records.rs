//! `portolan dns records`: prints the public records of a federated Service.

use anyhow::{Result, bail};
use portolan_object::ObjectKey;
use portolan_plan::federation::dns::overview::Row;
use portolan_plan::federation::dns::record::RecordSet;
use portolan_plan::federation::dns::zones::Target;

use crate::arguments::DnsRecords;
use crate::federation::published::Federated;
use crate::output::table::align;

/// Prints a table for every zone. A zone or a cluster that cannot be read is reported on standard error.
pub(super) async fn run(arguments: DnsRecords) -> Result<()> {
    let hub = arguments.hub.hub().await?;
    let key = ObjectKey::namespaced(hub.namespace_or(arguments.namespace.as_deref()), &*arguments.service);
    let hub = hub.client;
    let Some(service) = Federated::read(&hub, &key).await? else {
        bail!(
            "Service {key} belongs to no Federation: `portolan why service/{} -n {}` says what has it",
            key.name,
            key.namespace
        );
    };
    if !service.publishes() {
        bail!(
            "Federation {0} publishes no records: add spec.dns to it (kubectl edit federation {0})",
            service.name()
        );
    }
    for (name, error) in service.unread() {
        anstream::eprintln!(
            "warning: cluster {name} was not looked at, its endpoints are taken as ready: {error}"
        );
    }
    let mut lines =
        vec![["ZONE", "NAME", "TYPE", "WANTED", "PUBLISHED", "STATE"].map(str::to_owned).to_vec()];
    let mut unread = Vec::new();
    for (target, rows) in service.zones(&hub).await? {
        match rows {
            Ok(rows) => lines.extend(rows.iter().map(|row| line(&target, row))),
            Err(error) => unread.push(format!("zone {}: {error:#}", target.zone.zone)),
        }
    }
    if lines.len() > 1 {
        anstream::print!("{}", align(&lines.iter().collect::<Vec<_>>()));
    } else if unread.is_empty() {
        let reason = match service.has_names() {
            true => "no cluster is healthy with an address",
            false => "it is not of type LoadBalancer",
        };
        anstream::println!("Service {key} has no records, and shall have none: {reason}.");
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
