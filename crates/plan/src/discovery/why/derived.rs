//! Hop of the derived Service, which gives the import its address in the client cluster.

use portolan_api::kubernetes::{Service, View as _};
use portolan_api::multicluster::{ServiceImportType, ServiceImportView};
use portolan_object::Object;

use super::facts::{Facts, View, kind_of};
use super::finding::Finding;
use super::unwritten::why_unwritten;

/// Checks that the derived Service exists, has an address, and forwards to endpoints of other clusters.
pub(super) fn derived(facts: &Facts, from: &str) -> Vec<Finding> {
    let Some((member, view)) = facts.member(from).and_then(|member| Some((member, member.view()?))) else {
        return vec![Finding::NotSeen(format!("{from} was not read"))];
    };
    let Some(import) = &view.import else {
        return vec![Finding::NotSeen("there is no import".to_owned())];
    };
    let is_headless = kind_of(import) == ServiceImportType::Headless.as_str();
    if is_headless && !view.has_explicit_import() {
        return vec![Finding::Good("a headless import of a clusterset has none".to_owned())];
    }
    let Some(service) = view.derived() else {
        let (cause, next) = why_unwritten(facts, member, view);
        return vec![Finding::broken(format!("the import in {from} has no derived Service: {cause}"), next)];
    };
    if let Some(finding) = local_only(facts, from, view, import) {
        return vec![finding];
    }
    if let Some(finding) = changed_by_others(facts, from, service) {
        return vec![finding];
    }
    if is_headless {
        return vec![Finding::Good(format!("{} is headless", service.name()))];
    }
    let addresses: Vec<String> = facts.addresses(view).into_iter().collect();
    if addresses.is_empty() {
        let look = facts.kubectl(from, &format!("describe service {}", service.name()));
        return vec![Finding::broken(
            format!("Service {} in {from} has no address yet", service.name()),
            format!("spec.clusterIPs of that Service, which the API server of {from} allocates: `{look}`"),
        )];
    }
    vec![Finding::Good(format!("{} {}", service.name(), addresses.join(", ")))]
}

/// `internalTrafficPolicy: Local` forbids endpoints of other nodes, and so of other clusters.
fn local_only(facts: &Facts, from: &str, view: &View, import: &Object) -> Option<Finding> {
    let policy = ServiceImportView::read(import).ok()?.spec.internal_traffic_policy;
    if policy != "Local" {
        return None;
    }
    let name = &facts.service.name;
    let next = if view.has_explicit_import() {
        format!("spec.internalTrafficPolicy of the ServiceImport {name} in {from}: Cluster")
    } else {
        let exporters: Vec<&str> =
            facts.valid_exporters().map(|(exporter, _)| exporter.name.as_str()).collect();
        format!("spec.internalTrafficPolicy of Service {name} in {}: Cluster", exporters.join(", "))
    };
    let has_own = facts
        .valid_exporters()
        .any(|(exporter, source)| exporter.name == from && !facts.own_ready_addresses(source).is_empty());
    Some(if has_own {
        Finding::warning(
            format!(
                "internalTrafficPolicy is Local: clients in {from} reach endpoints of their own node only"
            ),
            next,
        )
    } else {
        Finding::broken(
            format!(
                "internalTrafficPolicy is Local, and {from} has no endpoint of its own: no client is forwarded"
            ),
            next,
        )
    })
}

/// Fields of the derived Service by which another writer sends its traffic elsewhere.
fn changed_by_others(facts: &Facts, from: &str, service: &Object) -> Option<Finding> {
    let spec = Service::read(service).ok()?.spec;
    let field = match () {
        () if !spec.selector.is_empty() => "spec.selector",
        () if !spec.external_ips.is_empty() => "spec.externalIPs",
        () => return None,
    };
    let look = facts.kubectl(from, &format!("get service {} --show-managed-fields -o yaml", service.name()));
    Some(Finding::warning(
        format!("{field} of Service {} in {from} was set by another writer", service.name()),
        format!("stop that writer; the control plane removes the field: `{look}`"),
    ))
}
