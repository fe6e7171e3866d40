//! Explicit import: steps for a ServiceImport that a user or a policy created in a member.
//!
//! The import `web` is served by a derived Service `derived-web` and by copies of the exporters' EndpointSlices.

use std::collections::BTreeMap;

use portolan_api::labels;
use portolan_object::{Object, ObjectKey};

use super::compare::{same_service, same_slice};
use super::derived_service::derived_service;
use super::slices::{imported_slice, is_exportable};
use crate::import_marks::{is_of_explicit_import, is_slice_of_explicit_import};

/// One exporting cluster.
#[derive(Debug, Clone)]
pub struct Exporter<'a> {
    /// Name of the cluster.
    pub cluster: &'a str,
    /// All EndpointSlices of the exported Service.
    pub slices: Vec<&'a Object>,
}

/// Inputs of the plan for one import in one member.
#[derive(Debug, Clone, Default)]
pub struct ExplicitImport<'a> {
    /// The ServiceImport in the member; `None` after its deletion.
    pub import: Option<&'a Object>,
    /// Exporting clusters.
    pub exporters: Vec<Exporter<'a>>,
    /// Clusters that are unreachable or not synced. Endpoints from them stay unchanged.
    pub unreachable: Vec<&'a str>,
    /// The object with the name of the derived Service, managed by Portolan or not.
    pub service: Option<&'a Object>,
    /// EndpointSlices of the derived Service in the member.
    pub slices: Vec<&'a Object>,
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
    let (Some(import), Some(wanted)) = (seen.import, wanted_service) else {
        return delete_all(seen);
    };
    match seen.service {
        Some(service) if !is_of_explicit_import(service) => {
            return vec![ExplicitImportAction::ReportForeignService(service.key())];
        }
        Some(service) if same_service(service, &wanted) => {}
        _ => actions.push(ExplicitImportAction::Apply(wanted)),
    }
    let wanted = wanted_slices(seen, import);
    let managed = seen.slices.iter().filter(|slice| is_slice_of_explicit_import(slice));
    let present: BTreeMap<&str, &Object> = managed.map(|slice| (slice.name(), *slice)).collect();
    for (name, slice) in &wanted {
        if !present.get(name.as_str()).is_some_and(|old| same_slice(old, slice)) {
            actions.push(ExplicitImportAction::Apply(slice.clone()));
        }
    }
    for (name, slice) in present {
        let source = slice.label(labels::endpoint_slice::SOURCE_CLUSTER).unwrap_or_default();
        if !wanted.contains_key(name) && !seen.unreachable.contains(&source) {
            actions.push(ExplicitImportAction::DeleteSlice(slice.key()));
        }
    }
    actions
}

/// Deletes the managed objects of a deleted import.
fn delete_all(seen: &ExplicitImport<'_>) -> Vec<ExplicitImportAction> {
    let service = seen
        .service
        .filter(|service| is_of_explicit_import(service))
        .map(|service| ExplicitImportAction::DeleteService(service.key()));
    let slices = seen
        .slices
        .iter()
        .filter(|slice| is_slice_of_explicit_import(slice))
        .map(|slice| ExplicitImportAction::DeleteSlice(slice.key()));
    service.into_iter().chain(slices).collect()
}

fn wanted_slices(seen: &ExplicitImport<'_>, import: &Object) -> BTreeMap<String, Object> {
    let mut wanted = BTreeMap::new();
    for exporter in &seen.exporters {
        for slice in exporter.slices.iter().filter(|slice| is_exportable(slice)) {
            // A slice that no API server could have stored is left out.
            if let Ok(imported) = imported_slice(exporter.cluster, import.name(), slice) {
                wanted.insert(imported.name().to_owned(), imported);
            }
        }
    }
    wanted
}

#[cfg(test)]
mod tests;
