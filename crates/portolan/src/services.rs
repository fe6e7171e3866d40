//! `portolan services`: the services that the clusters of the federation export to each other.
//!
//! Reads the members directly, so that the table shows their state and not the control plane's view of it.
//! `portolan_plan::discovery::overview` builds the table.

mod migrate;
mod network_policies;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use portolan_api::clusterset::ID_PROPERTY;
use portolan_api::probes::ProbeReport;
use portolan_net::Clock;
use portolan_object::age;
use portolan_plan::discovery::overview::{
    ExporterSummary, ImporterSummary, MemberObjects, MemberSnapshot, Overview, ProbeSummary, ServiceSummary,
    overview,
};
use portolan_runtime::client::Selection;
use portolan_runtime::{Client, ClientError};

use crate::arguments::{self, ServicesCommand, ServicesOutput};
use crate::output::table::align;
use crate::servers::members_with_credentials;
use crate::survey::{GROUP, agents, list, lost, property, read_all};

/// Time between two reads with `--watch`.
const WATCH_INTERVAL: Duration = Duration::from_secs(2);
/// Text of an empty cell.
const NONE: &str = "-";

/// Prints the services. A member that cannot be read is reported on standard error.
pub(crate) async fn run(arguments: arguments::Services) -> Result<()> {
    match arguments.command {
        Some(ServicesCommand::Netpol(arguments)) => return network_policies::run(arguments).await,
        Some(ServicesCommand::Migrate(arguments)) => return migrate::run(arguments).await,
        None => {}
    }
    let hub = arguments.hub.hub().await?;
    let namespace =
        if arguments.all_namespaces { "" } else { hub.namespace_or(arguments.namespace.as_deref()) };
    let (namespace, hub) = (&namespace.to_owned(), hub.client);
    let page = Printer { output: arguments.output, namespaces: arguments.all_namespaces };
    let seen = poll(&hub, namespace).await?;
    page.print(&seen.services, Heading::Shown)?;
    warn(&seen, &Overview::default());
    if seen.services.is_empty() && page.output.is_none_or(|output| output == ServicesOutput::Wide) {
        anstream::eprintln!("No services found: nothing is exported in {}.", namespace_phrase(namespace));
    }
    if arguments.watch {
        return watch(&hub, namespace, &page, seen).await;
    }
    Ok(())
}

/// Prints changes until the process is stopped.
async fn watch(hub: &Client, namespace: &str, page: &Printer, mut seen: Overview) -> Result<()> {
    loop {
        tokio::time::sleep(WATCH_INTERVAL).await;
        let now = poll(hub, namespace).await?;
        page.print(&changes(&seen.services, &now.services), Heading::Hidden)?;
        warn(&now, &seen);
        seen = now;
    }
}

fn namespace_phrase(namespace: &str) -> String {
    if namespace.is_empty() { "any namespace".to_owned() } else { format!("namespace {namespace}") }
}

async fn poll(hub: &Client, namespace: &str) -> Result<Overview> {
    let connected = members_with_credentials(hub, &[]).await?;
    let answers = read_all(connected, |client| read(client, namespace.to_owned())).await;
    let clusters: Vec<MemberSnapshot> = answers
        .into_iter()
        .map(|(name, answer)| match answer {
            Ok((id, objects)) => MemberSnapshot { name, id, objects: Ok(objects) },
            Err(error) => MemberSnapshot { name, id: None, objects: Err(lost(&error)) },
        })
        .collect();
    Ok(overview(&clusters, namespace))
}

async fn read(client: Client, namespace: String) -> Result<(Option<String>, MemberObjects), ClientError> {
    let discovery = client.discover().await?;
    let selection = Selection::namespace(namespace);
    let (exports, imports, slices, id) = futures::try_join!(
        list(&client, &discovery, (GROUP, "ServiceExport"), &selection),
        list(&client, &discovery, (GROUP, "ServiceImport"), &selection),
        list(&client, &discovery, ("discovery.k8s.io", "EndpointSlice"), &selection),
        property(&client, &discovery, ID_PROPERTY),
    )?;
    let probes = agents(&client).await.iter().flatten().filter_map(ProbeReport::of_lease).collect();
    Ok((id, MemberObjects { exports, imports, slices, probes }))
}

/// Reports members that cannot be read, unless they were reported before.
fn warn(now: &Overview, before: &Overview) {
    for note in now.notes.iter().filter(|note| !before.notes.contains(note)) {
        anstream::eprintln!("cluster({}): {}", note.cluster, note.reason);
    }
}

/// Services that are new or changed. A service that disappeared has neither exporters nor importers.
fn changes(before: &[ServiceSummary], now: &[ServiceSummary]) -> Vec<ServiceSummary> {
    let key = |service: &ServiceSummary| (service.namespace.clone(), service.name.clone());
    let mut old: BTreeMap<_, _> = before.iter().map(|service| (key(service), service)).collect();
    let mut changed: Vec<ServiceSummary> =
        now.iter().filter(|service| old.remove(&key(service)) != Some(service)).cloned().collect();
    changed.extend(old.into_keys().map(|(namespace, name)| ServiceSummary {
        namespace,
        name,
        ..ServiceSummary::default()
    }));
    changed
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Heading {
    Shown,
    Hidden,
}

/// Prints services in one of the output formats.
struct Printer {
    output: Option<ServicesOutput>,
    namespaces: bool,
}

impl Printer {
    fn print(&self, services: &[ServiceSummary], heading: Heading) -> Result<()> {
        let is_list = heading == Heading::Shown;
        if services.is_empty() && !is_list {
            return Ok(());
        }
        let document = serde_json::json!({ "services": services });
        match self.output {
            Some(ServicesOutput::Json) => {
                anstream::println!(
                    "{}",
                    serde_json::to_string_pretty(&document).context("cannot print JSON")?
                );
            }
            Some(ServicesOutput::Yaml) => {
                let separator = if is_list { "" } else { "---\n" };
                let text = serde_saphyr::to_string(&document).context("cannot print YAML")?;
                anstream::print!("{separator}{text}");
            }
            None | Some(ServicesOutput::Wide) if services.is_empty() => {}
            None | Some(ServicesOutput::Wide) => {
                anstream::print!("{}", self.table(services, heading, Clock::system().now()));
            }
        }
        Ok(())
    }

    fn table(&self, services: &[ServiceSummary], heading: Heading, now: Timestamp) -> String {
        let wide = self.output == Some(ServicesOutput::Wide);
        let mut lines: Vec<Vec<String>> = Vec::new();
        if heading == Heading::Shown {
            let names = ["NAME", "TYPE", "EXPORTERS", "IMPORTERS", "CONFLICTS", "CHANGED"];
            let more: &[&str] = if wide { &["PORTS", "IPS", "PROBES", "MESSAGE"] } else { &[] };
            let place = self.namespaces.then_some("NAMESPACE");
            lines.push(place.iter().chain(&names).chain(more).map(|&name| name.to_owned()).collect());
        }
        for service in services {
            let mut line: Vec<String> = Vec::new();
            line.extend(self.namespaces.then(|| service.namespace.clone()));
            line.extend([service.name.clone(), or_none(service.kind.clone())]);
            line.push(joined(service.exporters.iter().map(exporter)));
            line.push(joined(service.importers.iter().map(|importer| importer.cluster.clone())));
            line.push(joined(service.conflicts().into_iter().map(str::to_owned)));
            line.push(changed(&service.last_change, now));
            if wide {
                line.push(joined(service.ports.iter().cloned()));
                line.push(joined(
                    service.importers.iter().filter(|importer| !importer.ips.is_empty()).map(addresses),
                ));
                line.push(joined(service.importers.iter().flat_map(|importer| probes(importer, now))));
                line.push(joined(service.exporters.iter().filter_map(message)));
            }
            lines.push(line);
        }
        align(&lines.iter().collect::<Vec<_>>())
    }
}

fn or_none(text: String) -> String {
    if text.is_empty() { NONE.to_owned() } else { text }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    or_none(parts.collect::<Vec<_>>().join(","))
}

/// `member1(2/3)`: ready of all endpoints; a question mark means that the cluster did not answer, and an exclamation mark
/// that a cluster does not use them.
fn exporter(exporter: &ExporterSummary) -> String {
    let invalid = exporter.invalid.split(':').next().unwrap_or_default();
    let not_used = if exporter.not_used_in.is_empty() { "" } else { "!" };
    let counts = format!("{}/{}{not_used}", exporter.ready_endpoints, exporter.endpoints);
    match (exporter.reachable, invalid) {
        (true, "") => format!("{}({counts})", exporter.cluster),
        (true, reason) => format!("{}({reason})", exporter.cluster),
        (false, _) => format!("{}({counts}?)", exporter.cluster),
    }
}

fn addresses(importer: &ImporterSummary) -> String {
    format!("{}={}", importer.cluster, importer.ips.join("+"))
}

/// `us→eu:ok(3s)`: whether the agent of `us` got a connection to `eu`, and how long ago; or why its HTTP probe failed.
fn probes(importer: &ImporterSummary, now: Timestamp) -> Vec<String> {
    let text = |probe: &ProbeSummary| {
        let result = match (probe.answers, probe.failure.as_str()) {
            (true, _) => "ok",
            (false, "") => "fails",
            (false, failure) => failure,
        };
        format!("{}→{}:{result}({})", importer.cluster, probe.exporter, changed(&probe.time, now))
    };
    importer.probes.iter().map(text).collect()
}

fn message(exporter: &ExporterSummary) -> Option<String> {
    let not_used = match exporter.not_used_in.join(" and ") {
        clusters if clusters.is_empty() => clusters,
        clusters => format!(
            "not used in {clusters}: condition portolan.dev/ExportersUsed of the import there says why"
        ),
    };
    let texts = [exporter.invalid.clone(), exporter.conflict_message.clone(), not_used];
    let text = texts.into_iter().find(|text| !text.is_empty())?;
    Some(format!("{}: {text}", exporter.cluster))
}

fn changed(time: &str, now: Timestamp) -> String {
    match time.parse::<Timestamp>() {
        Ok(time) => age::human(now.duration_since(time)),
        Err(_) => age::UNKNOWN.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> ServiceSummary {
        ServiceSummary {
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
            kind: "ClusterSetIP".to_owned(),
            ports: vec!["http:80/TCP".to_owned()],
            exporters: vec![
                ExporterSummary {
                    cluster: "a".to_owned(),
                    reachable: true,
                    ready_endpoints: 2,
                    endpoints: 3,
                    conflict: "PortConflict".to_owned(),
                    conflict_message: "port http".to_owned(),
                    ..ExporterSummary::default()
                },
                ExporterSummary {
                    cluster: "b".to_owned(),
                    ready_endpoints: 1,
                    endpoints: 1,
                    not_used_in: vec!["d".to_owned()],
                    ..ExporterSummary::default()
                },
                ExporterSummary {
                    cluster: "c".to_owned(),
                    reachable: true,
                    invalid: "NoService: it has none".to_owned(),
                    ..ExporterSummary::default()
                },
            ],
            importers: vec![ImporterSummary {
                cluster: "d".to_owned(),
                ips: vec!["10.1.0.9".to_owned()],
                probes: vec![ProbeSummary {
                    exporter: "b".to_owned(),
                    answers: true,
                    endpoint: "10.2.0.5:8080".to_owned(),
                    time: "2026-01-01T00:01:27Z".to_owned(),
                    failure: String::new(),
                }],
            }],
            last_change: "2026-01-01T00:00:00Z".to_owned(),
        }
    }

    fn now() -> Timestamp {
        "2026-01-01T00:01:30Z".parse().unwrap()
    }

    #[test]
    fn a_line_per_service() {
        let page = Printer { output: None, namespaces: false };
        assert_eq!(
            page.table(&[service()], Heading::Shown, now()),
            "NAME   TYPE           EXPORTERS                      IMPORTERS   CONFLICTS      CHANGED\n\
             web    ClusterSetIP   a(2/3),b(1/1!?),c(NoService)   d           PortConflict   90s\n"
        );
    }

    #[test]
    fn wide_lines_say_ports_addresses_and_reasons() {
        let page = Printer { output: Some(ServicesOutput::Wide), namespaces: true };
        let text = page.table(&[service()], Heading::Hidden, now());
        assert!(text.starts_with("shop   web"), "{text}");
        assert!(
            text.ends_with("http:80/TCP   d=10.1.0.9   d→b:ok(3s)   a: port http,b: not used in d: condition portolan.dev/ExportersUsed of the import there says why,c: NoService: it has none\n"),
            "{text}"
        );
    }

    #[test]
    fn watching_prints_what_changed() {
        let other = ServiceSummary { last_change: "2026-01-01T00:01:00Z".to_owned(), ..service() };
        let gone = ServiceSummary {
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
            ..ServiceSummary::default()
        };
        let cases = [
            ("nothing", vec![service()], vec![service()], vec![]),
            ("new", vec![], vec![service()], vec![service()]),
            ("changed", vec![service()], vec![other.clone()], vec![other]),
            ("gone", vec![service()], vec![], vec![gone]),
        ];
        for (name, before, after, want) in cases {
            assert_eq!(changes(&before, &after), want, "{name}");
        }
    }

    #[test]
    fn an_invalid_time_has_no_age() {
        assert_eq!(changed("", now()), "<unknown>");
    }
}
