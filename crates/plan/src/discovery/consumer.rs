//! What an importing cluster must have for one import, and the steps from what it has.

use std::collections::BTreeMap;

use portolan_api::labels;
use portolan_object::{Object, ObjectKey};

use super::compare::{is_explicit, same_service, same_slice};
use super::service::derived_service;
use super::slices::{imported_slice, is_exportable, is_of_explicit_import};

/// One cluster that exports the service, with the slices of the Service there.
#[derive(Debug, Clone)]
pub struct Exporter<'a> {
    /// The cluster.
    pub cluster: &'a str,
    /// All slices of the Service in that cluster.
    pub slices: Vec<&'a Object>,
}

/// Everything that decides about one import in one cluster, at one instant.
#[derive(Debug, Clone, Default)]
pub struct Observed<'a> {
    /// The ServiceImport in the consumer; `None` once it is gone.
    pub import: Option<&'a Object>,
    /// The clusters that export the service.
    pub exporters: Vec<Exporter<'a>>,
    /// Clusters whose state is unknown: what came from them stays as it was last seen.
    pub unreachable: Vec<&'a str>,
    /// The object called like the derived Service, whoever made it.
    pub service: Option<&'a Object>,
    /// Slices of the derived Service in the consumer.
    pub slices: Vec<&'a Object>,
}

/// One step in the consumer.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Create the object, or bring it in line.
    Apply(Object),
    /// Remove an EndpointSlice that is ours.
    DeleteSlice(ObjectKey),
    /// Remove the derived Service, which is ours.
    DeleteService(ObjectKey),
    /// A Service of that name is somebody else's: leave it, and say so.
    ReportForeignService(ObjectKey),
}

/// Computes the steps that give the consumer what its import asks for, in the order to take them.
///
/// Planning again after the steps were taken yields none. Objects without our mark are neither changed nor removed.
pub fn plan(seen: &Observed<'_>) -> Vec<Action> {
    let mut actions = Vec::new();
    let wanted_service = seen.import.filter(|import| !import.is_deleting()).and_then(derived_service);
    let (Some(import), Some(wanted)) = (seen.import, wanted_service) else {
        return withdraw(seen);
    };
    match seen.service {
        Some(service) if !is_explicit(service) => return vec![Action::ReportForeignService(service.key())],
        Some(service) if same_service(service, &wanted) => {}
        _ => actions.push(Action::Apply(wanted)),
    }
    let wanted = wanted_slices(seen, import);
    let mine = seen.slices.iter().filter(|slice| is_of_explicit_import(slice));
    let present: BTreeMap<&str, &Object> = mine.map(|slice| (slice.name(), *slice)).collect();
    for (name, slice) in &wanted {
        if !present.get(name.as_str()).is_some_and(|old| same_slice(old, slice)) {
            actions.push(Action::Apply(slice.clone()));
        }
    }
    for (name, slice) in present {
        let source = slice.label(labels::endpoint_slice::SOURCE_CLUSTER).unwrap_or_default();
        if !wanted.contains_key(name) && !seen.unreachable.contains(&source) {
            actions.push(Action::DeleteSlice(slice.key()));
        }
    }
    actions
}

/// Without an import everything of ours goes, slices first so that nobody is sent to a Service without endpoints.
fn withdraw(seen: &Observed<'_>) -> Vec<Action> {
    let service = seen
        .service
        .filter(|service| is_explicit(service))
        .map(|service| Action::DeleteService(service.key()));
    let slices = seen
        .slices
        .iter()
        .filter(|slice| is_of_explicit_import(slice))
        .map(|slice| Action::DeleteSlice(slice.key()));
    service.into_iter().chain(slices).collect()
}

fn wanted_slices(seen: &Observed<'_>, import: &Object) -> BTreeMap<String, Object> {
    let mut wanted = BTreeMap::new();
    for exporter in &seen.exporters {
        for slice in exporter.slices.iter().filter(|slice| is_exportable(slice)) {
            let imported = imported_slice(exporter.cluster, import.name(), slice);
            wanted.insert(imported.name().to_owned(), imported);
        }
    }
    wanted
}

#[cfg(test)]
mod tests;
