//! `portolan why service` of a federated Service: shards, records, and what a resolver answers.

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::{Context, Result};
use portolan_api::cluster::Cluster;
use portolan_api::conditions::cluster::READY;
use portolan_api::meta::condition;
use portolan_object::ObjectKey;
use portolan_plan::federation::dns::overview::{Row, State};
use portolan_plan::federation::dns::record::{DomainName, RecordType};
use portolan_plan::federation::overview::load_balancers;
use portolan_plan::federation::why::{Finding, Meaning, ShardFacts, answer, shard, without_names, zone};
use portolan_runtime::Client;
use portolan_runtime::client::Selection;

use super::published::Federated;

/// Prints what is found about a Service, and returns the worst of it; `None` if it belongs to no Federation.
pub(crate) async fn explain(hub: &Client, key: &ObjectKey) -> Result<Option<Meaning>> {
    let Some(service) = Federated::read(hub, key).await? else { return Ok(None) };
    let mut findings = shards(hub, &service).await?;
    if service.publishes() && !service.has_names() {
        findings.push(without_names(service.template.str_at(&["spec", "type"])));
    }
    for (target, rows) in service.zones(hub).await? {
        let name = target.zone.zone.as_str();
        match rows {
            Ok(rows) => {
                findings.extend(zone(name, Ok(&rows), &target.zone.message));
                findings.extend(resolve(&rows).await);
            }
            Err(error) => findings.extend(zone(name, Err(&format!("{error:#}")), &target.zone.message)),
        }
    }
    anstream::print!("{key} of Federation {}\n{}", service.name(), render(&findings));
    Ok(Some(findings.iter().map(|finding| finding.meaning).max().unwrap_or(Meaning::Good)))
}

async fn shards(hub: &Client, service: &Federated) -> Result<Vec<Finding>> {
    let clusters = hub.kind::<Cluster>().list(&Selection::all()).await.context("cannot list the clusters")?;
    let clusters: Vec<Cluster> = clusters.items.into_iter().map(|seen| seen.object).collect();
    let dns = service.federation.spec.dns.as_ref();
    let has_names = service.has_names() && dns.is_some();
    let ignores_endpoints = dns.is_some_and(|dns| dns.ignore_endpoints);
    let facts = |name: &String| {
        let cluster = clusters.iter().find(|cluster| cluster.metadata.name == *name);
        let ready = cluster.and_then(|cluster| condition(&cluster.status.conditions, READY));
        let report = service.reports.iter().find(|report| report.cluster_name == *name);
        ShardFacts {
            cluster: name.clone(),
            not_ready: ready.filter(|ready| !ready.is_true()).map(|ready| ready.message.clone()),
            applied: match report {
                Some(report) if report.applied => Ok(()),
                Some(report) => Err(report.applied_message.clone()),
                None => Err("it has not reported about it yet".to_owned()),
            },
            load_balancers: report.map(load_balancers).unwrap_or_default(),
            has_ready_endpoints: service
                .ready
                .get(name)
                .cloned()
                .unwrap_or_else(|| Err("it was not looked at".to_owned())),
        }
    };
    Ok(service.targets.iter().map(|name| shard(&facts(name), has_names, ignores_endpoints)).collect())
}

/// Asks the resolver of this machine for the shortest name of the Service, which is the global one.
async fn resolve(rows: &[Row]) -> Option<Finding> {
    let addresses = rows.iter().filter(|row| matches!(row.kind, RecordType::A | RecordType::Aaaa));
    let name: &DomainName = &addresses.clone().min_by_key(|row| row.name.to_string().len())?.name;
    let of_name = addresses.filter(|row| row.name == *name).filter_map(|row| match row.state {
        State::Reported => row.wanted.as_ref(),
        _ => row.published.as_ref(),
    });
    let published: BTreeSet<IpAddr> =
        of_name.flat_map(|set| &set.targets).filter_map(|target| target.parse().ok()).collect();
    let name = name.without_dot();
    let found = tokio::net::lookup_host((name, 0)).await;
    let found = found.map(|found| found.map(|address| address.ip()).collect::<BTreeSet<IpAddr>>());
    Some(match found {
        Ok(found) => answer(name, &published, Ok(&found)),
        Err(error) => answer(name, &published, Err(&error.to_string())),
    })
}

/// A line for each finding, and the next step where there is one.
fn render(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.subject.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for Finding { subject, meaning, seen, next } in findings {
        let mark = match meaning {
            Meaning::Good => '✓',
            Meaning::Unclear => '?',
            Meaning::LeftOut => '!',
            Meaning::Broken => '✗',
        };
        text.push_str(&format!("  {mark} {subject:<width$}  {seen}\n"));
        if !next.is_empty() {
            text.push_str(&format!("    {:width$}  next: {next}\n", ""));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_step_is_below_its_finding() {
        let finding = |subject: &str, meaning, next: &str| Finding {
            subject: subject.to_owned(),
            meaning,
            seen: "seen".to_owned(),
            next: next.to_owned(),
        };
        let text = render(&[
            finding("shard eu", Meaning::Good, ""),
            finding("zone example.com", Meaning::Broken, "delete it"),
        ]);
        let want =
            "  ✓ shard eu          seen\n  ✗ zone example.com  seen\n                      next: delete it\n";
        assert_eq!(text, want);
    }
}
