//! Whether the import and the exporters have the same ports.

use std::collections::BTreeSet;

use portolan_api::kubernetes::{Service, ServicePort, View as _};
use portolan_api::multicluster::ServiceImportView;
use portolan_object::Object;

use super::facts::{Facts, Member, View, kind_of};
use super::finding::{Finding, of_exporters};
use crate::discovery::port_names::match_ports;

/// Problems of the ports; none if all is well.
pub(super) fn ports(facts: &Facts, from: &str, view: &View, import: &Object) -> Vec<Finding> {
    let imported = ServiceImportView::read(import).map(|import| import.spec.ports).unwrap_or_default();
    if view.has_explicit_import() && imported.is_empty() && !is_headless(import) {
        return vec![Finding::broken(
            format!("the ServiceImport in {from} lists no port, so that it cannot have a Service"),
            format!("spec.ports of the ServiceImport {} in {from}", facts.service.name),
        )];
    }
    let check = |(exporter, source): (&Member, &View)| {
        let service =
            source.local.as_ref().and_then(|service| Service::read(service).ok()).unwrap_or_default();
        if view.has_explicit_import() {
            listed_and_missing(facts, from, exporter, &imported, &service.spec.ports)
        } else {
            lost_a_conflict(facts, exporter, &imported, &service.spec.ports)
        }
    };
    let found: Vec<Finding> = facts.valid_exporters().map(check).collect();
    of_exporters(found).into_iter().filter(|finding| !matches!(finding, Finding::Good(_))).collect()
}

fn is_headless(import: &Object) -> bool {
    kind_of(import) == portolan_api::multicluster::ServiceImportType::Headless.as_str()
}

/// Ports that a user's import lists and the exporter does not have. Ports that it does not list are not imported, as the
/// user wants.
fn listed_and_missing(
    facts: &Facts,
    from: &str,
    exporter: &Member,
    imported: &[ServicePort<'_>],
    exported: &[ServicePort<'_>],
) -> Finding {
    let missing = match_ports(imported, exported).missing;
    if missing.is_empty() {
        return Finding::Good(String::new());
    }
    let (cluster, name) = (&exporter.name, &facts.service.name);
    let cause = format!(
        "the ServiceImport in {from} lists {}, which the Service in {cluster} does not have",
        missing.join(", ")
    );
    let next =
        format!("spec.ports of the ServiceImport {name} in {from}: the ports of the Service in {cluster}");
    if missing.len() == imported.len() { Finding::broken(cause, next) } else { Finding::warning(cause, next) }
}

/// Ports of an exporter that lost a conflict, so that its endpoints get no traffic on them. The ports that won have traffic.
/// Ports that differ in name only do get traffic.
fn lost_a_conflict(
    facts: &Facts,
    exporter: &Member,
    imported: &[ServicePort<'_>],
    exported: &[ServicePort<'_>],
) -> Finding {
    let numbers: BTreeSet<String> = imported.iter().map(number).collect();
    let lost: Vec<String> = exported
        .iter()
        .filter(|port| !numbers.contains(&number(port)))
        .map(|port| format!("{} {}", port.name, number(port)).trim_start().to_owned())
        .collect();
    if lost.is_empty() {
        return Finding::Good(String::new());
    }
    let (cluster, name) = (&exporter.name, &facts.service.name);
    let cause = format!(
        "port conflict: {} of {cluster} gets no traffic, because an older export has another port",
        lost.join(", ")
    );
    let next =
        format!("spec.ports of Service {name} in {cluster}: names and numbers as in the other clusters");
    if lost.len() == exported.len() { Finding::broken(cause, next) } else { Finding::warning(cause, next) }
}

/// Whether the import of a set in `view` has none of the ports of the exporter `source`: its endpoints are not imported.
pub(super) fn lost_every_port(facts: &Facts, view: &View, source: &View) -> bool {
    let import = view.import.as_ref().filter(|_| facts.native().is_none() && !view.has_explicit_import());
    let Some(import) = import.and_then(|import| ServiceImportView::read(import).ok()) else { return false };
    let service = source.local.as_ref().and_then(|service| Service::read(service).ok()).unwrap_or_default();
    let imported: BTreeSet<String> = import.spec.ports.iter().map(number).collect();
    !service.spec.ports.is_empty() && service.spec.ports.iter().all(|port| !imported.contains(&number(port)))
}

/// `number/protocol`.
fn number(port: &ServicePort<'_>) -> String {
    format!("{}/{}", port.port, port.protocol.filter(|protocol| !protocol.is_empty()).unwrap_or("TCP"))
}
