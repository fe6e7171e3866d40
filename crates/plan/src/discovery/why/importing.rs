//! Hops in the client cluster: its ServiceImport, and the imported endpoints.

use std::collections::BTreeSet;

use portolan_api::conditions::multicluster;
use portolan_api::kubernetes::{Condition, Service, ServicePort, View as _, condition};
use portolan_api::labels::endpoint_slice::SOURCE_CLUSTER;
use portolan_api::multicluster::{ServiceImportType, ServiceImportView};
use portolan_object::Object;

use super::Finding;
use super::facts::{Facts, Member, View};
use crate::discovery::overview::is_imported_slice;

/// Checks that the import exists, is ready, and has the ports of every exporter.
pub(super) fn import(facts: &Facts, from: &str) -> Finding {
    let Some(member) = facts.member(from) else {
        return Finding::broken(
            format!("{from} has not joined this federation"),
            "`portolan get clusters` lists the members",
        );
    };
    let view = match &member.view {
        Ok(view) => view,
        Err(reason) => {
            return Finding::broken(
                format!("{from} cannot be reached: {reason}"),
                format!(
                    "make {from} reachable, or check its Cluster object with `portolan get clusters {from}`"
                ),
            );
        }
    };
    let Some(import) = &view.import else { return missing(facts, member, view) };
    if let Some(finding) = unusable(facts, from, view, import) {
        return finding;
    }
    let exporters = || facts.exporters();
    let lost_port =
        exporters().find_map(|(exporter, source_view)| dropped(facts, exporter, source_view, import));
    let lost_type =
        || exporters().find_map(|(exporter, source_view)| other_type(exporter, source_view, import));
    let conflict = || exporters().find_map(|(exporter, source_view)| conflict(facts, exporter, source_view));
    lost_port.or_else(lost_type).or_else(conflict).unwrap_or_else(|| {
        let addresses: Vec<String> = facts.addresses(view).into_iter().collect();
        let kind = kind_of(import);
        Finding::Good(format!("{kind} {}", addresses.join(", ")).trim_end().to_owned())
    })
}

fn missing(facts: &Facts, member: &Member, view: &View) -> Finding {
    let (from, namespace) = (&member.name, &facts.service.namespace);
    if !view.has_namespace {
        return Finding::broken(
            format!(
                "{from} has no namespace {namespace}, and nothing is imported where the namespace is missing"
            ),
            format!("`kubectl --context {from} create namespace {namespace}`"),
        );
    }
    let sets: BTreeSet<&str> = facts.exporters().filter_map(|(exporter, _)| exporter.set()).collect();
    match member.set() {
        None => {
            let set = sets.first().copied().unwrap_or("SET");
            Finding::broken(
                format!("{from} is in no clusterset and has no ServiceImport"),
                format!("`portolan clusterset add {set} {from}`, or send it a ServiceImport with a policy"),
            )
        }
        Some(own) if !sets.is_empty() && !sets.contains(own) => {
            let others: Vec<&str> = sets.into_iter().collect();
            Finding::broken(
                format!("{from} is in clusterset {own}, the exporters are in {}", others.join(", ")),
                format!("move one of them: `portolan clusterset remove {own} {from}`, then `add`"),
            )
        }
        Some(own) => Finding::broken(
            format!("{from} has no ServiceImport although it is in clusterset {own} with an exporter"),
            format!("check that the control plane runs and reaches {from}: `portolan get clusters {from}`"),
        ),
    }
}

/// The problem of an import without address or with condition `Ready` false.
fn unusable(facts: &Facts, from: &str, view: &View, import: &Object) -> Option<Finding> {
    let look = facts.kubectl(from, &format!("describe serviceimport {}", facts.service.name));
    let ready = condition(import, multicluster::READY);
    if let Some(Condition { reason, message, .. }) = ready.filter(|ready| ready.status == "False") {
        return Some(Finding::broken(
            format!("the ServiceImport in {from} is not ready ({reason}): {message}"),
            look,
        ));
    }
    let has_address = !facts.addresses(view).is_empty();
    (kind_of(import) != ServiceImportType::Headless.as_str() && !has_address)
        .then(|| Finding::broken(format!("the ServiceImport in {from} has no address yet"), look))
}

/// Ports of an exporter that lost a conflict, so that its endpoints get no traffic on them. Ports that differ in name only
/// do get traffic.
fn dropped(facts: &Facts, exporter: &Member, view: &View, import: &Object) -> Option<Finding> {
    let service = view.local.as_ref()?;
    let (cluster, name) = (&exporter.name, &facts.service.name);
    let import_ports = ServiceImportView::read(import).map(|import| import.spec.ports).unwrap_or_default();
    let service_ports = Service::read(service).map(|service| service.spec.ports).unwrap_or_default();
    let imported: BTreeSet<String> = import_ports.iter().map(|port| named_port(port).1).collect();
    let lost: Vec<String> = service_ports
        .iter()
        .map(named_port)
        .filter(|(_, number)| !imported.contains(number))
        .map(|(name, number)| format!("{name} {number}").trim_start().to_owned())
        .collect();
    (!lost.is_empty()).then(|| {
        Finding::broken(
            format!(
                "port conflict: {cluster} exports {}, which an older export defines differently",
                lost.join(", ")
            ),
            format!("give the ports of {name} in {cluster} the names and numbers of the other clusters"),
        )
    })
}

/// A type of an exporter that lost a conflict. Its endpoints get traffic, but the service has the other type.
fn other_type(exporter: &Member, view: &View, import: &Object) -> Option<Finding> {
    let service = view.local.as_ref()?;
    let cluster = &exporter.name;
    let is_headless = Service::read(service).is_ok_and(|service| service.spec.is_headless());
    let own =
        if is_headless { ServiceImportType::Headless } else { ServiceImportType::ClusterSetIP }.as_str();
    let kind = kind_of(import);
    (!kind.is_empty() && kind != own).then(|| {
        Finding::warning(
            format!(
                "type conflict: the Service in {cluster} is {own}, the service is {kind} by an older export"
            ),
            format!("make the Service in {cluster} {kind} too, or delete its ServiceExport"),
        )
    })
}

/// A conflict that does not stop traffic.
fn conflict(facts: &Facts, exporter: &Member, view: &View) -> Option<Finding> {
    let export = view.export.as_ref()?;
    let conflict = condition(export, multicluster::CONFLICT).filter(Condition::is_true)?;
    let (reason, message) = (conflict.reason, conflict.message);
    let look = facts.kubectl(&exporter.name, &format!("describe serviceexport {}", facts.service.name));
    Some(Finding::warning(format!("the exports differ ({reason}): {message}"), look))
}

/// Name of a port, and `number/protocol`.
fn named_port<'a>(port: &ServicePort<'a>) -> (&'a str, String) {
    (port.name, format!("{}/{}", port.port, port.protocol.unwrap_or("TCP")))
}

/// `spec.type` of an import; empty if it cannot be read.
fn kind_of(import: &Object) -> &str {
    ServiceImportView::read(import).map(|import| import.spec.kind).unwrap_or_default()
}

/// Checks that the client cluster has exactly the ready endpoints of the exporters.
pub(super) fn slices(facts: &Facts, from: &str) -> Finding {
    let Some(view) = facts.member(from).and_then(Member::view) else {
        return Finding::Unknown(format!("{from} cannot be read"));
    };
    let mut received = 0;
    for (exporter, source_view) in facts.exporters() {
        let (ready, all) = (facts.own_ready_addresses(source_view), facts.own_addresses(source_view));
        let there = facts.received(view, exporter);
        let next = format!("check that the control plane runs and reaches {from}: `portolan get clusters`");
        let cluster = &exporter.name;
        if there.is_empty() && !ready.is_empty() {
            return Finding::broken(
                format!("{from} has no EndpointSlice with the {} ready endpoints of {cluster}", ready.len()),
                next,
            );
        }
        if let Some(address) = there.iter().find(|address| !all.contains(*address)) {
            return Finding::broken(
                format!(
                    "stale: {from} still has {address} of {cluster}, which is not an endpoint there any more"
                ),
                next,
            );
        }
        if let Some(address) = ready.iter().find(|address| !there.contains(*address)) {
            return Finding::broken(format!("stale: {from} does not have {address} of {cluster} yet"), next);
        }
        received += there.len();
    }
    leftovers(facts, from, view)
        .unwrap_or_else(|| Finding::Good(format!("ready endpoints in {from}: {received}")))
}

/// Endpoints from a cluster that does not export the service: it is unreachable, or its export was deleted.
fn leftovers(facts: &Facts, from: &str, view: &View) -> Option<Finding> {
    let sources = view.slices.iter().filter(|slice| is_imported_slice(slice, &facts.service));
    let source = sources
        .filter_map(|slice| slice.label(SOURCE_CLUSTER))
        .find(|source| !facts.exporters().any(|(exporter, _)| exporter.is_called(source)))?;
    let lost: Vec<&str> = facts.lost().map(|(cluster, _)| cluster).collect();
    if lost.is_empty() {
        return Some(Finding::broken(
            format!("stale: {from} still has endpoints of {source}, which does not export it"),
            format!("check that the control plane runs and reaches {from}: `portolan get clusters`"),
        ));
    }
    Some(Finding::warning(
        format!("{from} has the last known endpoints of {source}: {} cannot be reached", lost.join(", ")),
        format!("make {} reachable: `portolan get clusters`", lost.join(", ")),
    ))
}
