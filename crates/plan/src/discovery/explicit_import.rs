//! Explicit import: steps for a ServiceImport that a user or a policy created in a member.
//!
//! The import `web` is served by a derived Service `derived-web` and by copies of the exporters' EndpointSlices.

use std::collections::BTreeMap;

use portolan_api::kubernetes::{Service, View};
use portolan_api::labels;
use portolan_api::multicluster::ServiceImportView;
use portolan_object::{Object, ObjectKey};

use super::allotment::{allot, changed_usages, set_usages, supply};
use super::compare::{same_service, same_slice};
use super::derived_service::{derived_service, is_headless};
use super::exporters_used;
use super::port_names::{PortNames, match_ports};
use super::problem::{ImportProblem, foreign_slices};
use super::routing::Routing;
use super::slices::{imported_slice, is_exportable};
use super::usage::Allotment;
use crate::clusters::ownership::{is_own, stamp, stamped};
use crate::import_marks::{
    has_selector, is_of_explicit_import, is_of_set, is_slice_of_explicit_import, is_slice_of_selector,
};

/// One exporting cluster.
#[derive(Debug, Clone)]
pub struct Exporter<'a> {
    /// Name of the cluster.
    pub cluster: &'a str,
    /// The exported Service.
    pub service: Option<&'a Object>,
    /// All EndpointSlices of the exported Service.
    pub slices: Vec<&'a Object>,
}

/// Inputs of the plan for one import in one member.
#[derive(Debug, Clone, Default)]
pub struct ExplicitImport<'a> {
    /// Id of this control plane, which holds the member.
    pub control_plane: &'a str,
    /// The ServiceImport in the member; `None` after its deletion.
    pub import: Option<&'a Object>,
    /// Exporting clusters.
    pub exporters: Vec<Exporter<'a>>,
    /// Clusters with known exports.
    pub known: Vec<&'a str>,
    /// Clusters that are unreachable or not synced. Endpoints from them stay unchanged.
    pub unreachable: Vec<&'a str>,
    /// The object with the name of the derived Service, managed by Portolan or not.
    pub service: Option<&'a Object>,
    /// EndpointSlices of the derived Service in the member.
    pub slices: Vec<&'a Object>,
    /// How the importing cluster uses the endpoints of each exporter.
    pub routing: Routing,
}

/// Step in the importing member.
#[derive(Debug, Clone, PartialEq)]
pub enum ExplicitImportAction {
    /// Create or update the object.
    Apply(Object),
    /// Remove an EndpointSlice that is ours.
    DeleteSlice(ObjectKey),
    /// Remove the derived Service, which is ours.
    DeleteService(ObjectKey),
    /// Report that a Service with the name of the derived Service exists and is not managed by Portolan.
    ReportForeignService(ObjectKey),
}

/// Computes the steps that give the consumer what its import asks for, in the order to take them.
///
/// Planning again after the steps were taken yields none. Objects without our mark are neither changed nor removed.
pub fn plan_explicit_import(seen: &ExplicitImport<'_>) -> Vec<ExplicitImportAction> {
    let mut actions = Vec::new();
    let wanted_service = seen.import.filter(|import| !import.is_deleting()).and_then(derived_service);
    let (Some(import), Some(mut wanted)) = (seen.import, wanted_service) else {
        return delete_all(seen);
    };
    stamp(&mut wanted, seen.control_plane);
    match seen.service {
        // `portolan services migrate` marks the Service for the set, and then the import: until then clients use this form.
        Some(service) if is_marked_for_set(service, import) => {}
        Some(service) if !is_of_explicit_import(service) => {
            return vec![ExplicitImportAction::ReportForeignService(service.key())];
        }
        Some(service) if is_headless(service) != is_headless(&wanted) => {
            // Whether a Service has an address is immutable: the next pass creates it again.
            return stamp_before(service, seen.control_plane)
                .into_iter()
                .chain([ExplicitImportAction::DeleteService(service.key())])
                .collect();
        }
        Some(service) if same_service(service, &wanted) => {}
        _ => actions.push(ExplicitImportAction::Apply(wanted)),
    }
    let mut wanted = wanted_slices(seen, import);
    let allotted = allotments(seen);
    set_usages(wanted.values_mut(), &allotted, seen.routing.http_probe.as_ref());
    let has_selector = seen.service.is_some_and(has_selector);
    let is_managed = |slice: &&&Object| {
        is_slice_of_explicit_import(slice)
            || is_of_explicit_import(slice) && !has_selector && is_slice_of_selector(slice)
    };
    let managed = seen.slices.iter().filter(is_managed);
    let present: BTreeMap<&str, &Object> = managed.map(|slice| (slice.name(), *slice)).collect();
    for (name, slice) in &wanted {
        if !present.get(name.as_str()).is_some_and(|old| same_slice(old, slice)) {
            actions.push(ExplicitImportAction::Apply(slice.clone()));
        }
    }
    actions.extend(plan_present(
        seen,
        present.into_values().filter(|slice| !wanted.contains_key(slice.name())),
        &allotted,
    ));
    actions
}

/// Whether a Service is marked as the derived Service of a set's import of this name.
fn is_marked_for_set(service: &Object, import: &Object) -> bool {
    is_of_set(service) && service.label(labels::endpoint_slice::IMPORT_NAME) == Some(import.name())
}

/// Steps for present slices that are not wanted: those of exporters that cannot be read stay, and may be used in another way.
fn plan_present<'a>(
    seen: &ExplicitImport<'_>,
    unwanted: impl Iterator<Item = &'a Object>,
    allotted: &BTreeMap<String, Allotment>,
) -> Vec<ExplicitImportAction> {
    let (mut actions, mut last_known) = (Vec::new(), Vec::new());
    for slice in unwanted {
        let source = slice.label(labels::endpoint_slice::SOURCE_CLUSTER).unwrap_or_default();
        let (is_own, is_unread) = (is_own(slice, seen.control_plane), seen.unreachable.contains(&source));
        let is_outside = seen.routing.is_outside(source);
        // A source that this control plane does not know has left it, or has not joined it yet after another one.
        let has_left = is_own || seen.known.contains(&source) || is_slice_of_selector(slice);
        if is_outside || !is_unread && has_left {
            let delete = ExplicitImportAction::DeleteSlice(slice.key());
            actions.extend(stamp_before(slice, seen.control_plane).into_iter().chain([delete]));
        } else if is_unread && is_own {
            last_known.push(slice);
        }
    }
    let changed = changed_usages(&last_known, allotted, seen.routing.http_probe.as_ref());
    actions.extend(changed.into_iter().map(ExplicitImportAction::Apply));
    actions
}

/// What is done with the endpoints of each exporter.
pub fn allotments(seen: &ExplicitImport<'_>) -> BTreeMap<String, Allotment> {
    if seen.routing.is_plain() {
        return BTreeMap::new();
    }
    let exported = seen.exporters.iter().map(|exporter| (exporter.cluster, exporter.slices.as_slice()));
    let imported = seen.slices.iter().copied().filter(|slice| is_slice_of_explicit_import(slice));
    allot(&supply(exported, imported), &seen.routing, None)
}

/// Deletes the managed objects of a deleted import; those of an earlier control plane get the label of this one before.
fn delete_all(seen: &ExplicitImport<'_>) -> Vec<ExplicitImportAction> {
    let service = seen.service.filter(|service| is_of_explicit_import(service));
    let slices = seen.slices.iter().copied().filter(|slice| is_slice_of_explicit_import(slice));
    let deletes = service
        .map(|service| (service, ExplicitImportAction::DeleteService(service.key())))
        .into_iter()
        .chain(slices.map(|slice| (slice, ExplicitImportAction::DeleteSlice(slice.key()))));
    deletes
        .flat_map(|(object, delete)| stamp_before(object, seen.control_plane).into_iter().chain([delete]))
        .collect()
}

/// The step that gives an object of another control plane the label of this one, which must precede its deletion.
fn stamp_before(object: &Object, own: &str) -> Option<ExplicitImportAction> {
    (!is_own(object, own)).then(|| ExplicitImportAction::Apply(stamped(object, own)))
}

fn wanted_slices(seen: &ExplicitImport<'_>, import: &Object) -> BTreeMap<String, Object> {
    let mut wanted = BTreeMap::new();
    for exporter in seen.exporters.iter().filter(|exporter| !seen.routing.is_outside(exporter.cluster)) {
        let names = port_names(import, exporter);
        for slice in exporter.slices.iter().filter(|slice| is_exportable(slice)) {
            // A slice that no API server could have stored is left out.
            if let Ok(mut imported) = imported_slice(exporter.cluster, import.name(), slice, &names) {
                stamp(&mut imported, seen.control_plane);
                wanted.insert(imported.name().to_owned(), imported);
            }
        }
    }
    wanted
}

/// How the import calls the ports of an exporter. Without a readable Service the ports keep their names.
fn port_names(import: &Object, exporter: &Exporter<'_>) -> PortNames {
    let import = ServiceImportView::read(import).map(|import| import.spec.ports).unwrap_or_default();
    match exporter.service.and_then(|service| Service::read(service).ok()) {
        Some(service) => match_ports(&import, &service.spec.ports),
        None => PortNames::default(),
    }
}

/// Problems of a present import that its plan cannot solve.
pub fn problems(seen: &ExplicitImport<'_>) -> Vec<ImportProblem> {
    let Some(import) = seen.import.filter(|import| !import.is_deleting()) else { return Vec::new() };
    let missing = seen.exporters.iter().filter_map(|exporter| {
        let ports = port_names(import, exporter).missing;
        (!ports.is_empty())
            .then(|| ImportProblem::MissingPorts { exporter: exporter.cluster.to_owned(), ports })
    });
    let allotted = allotments(seen);
    let not_used = exporters_used::problems(&seen.routing, &allotted);
    missing.chain(not_used).chain(foreign_slices(seen.service, &seen.slices)).collect()
}

#[cfg(test)]
mod tests;
