//! What a member of a cluster set must have for one service of the set, and the steps from what it has.
//!
//! The controllers call [`plan`] for every member and every service that changed, take the steps, and call it again
//! until none is left: a step such as creating the Service tells the addresses that the next one needs. Objects without
//! the set's mark are neither changed nor removed.

mod import;
mod service;
mod slices;

use std::collections::{BTreeMap, BTreeSet};

use portolan_api::labels;
use portolan_api::multicluster::ServiceImportType;
use portolan_object::{Object, ObjectKey};
use serde_json::Value;

use super::compare::{is_ours, same_slice};
use super::conditions::{Usable, import_status};
use super::export::Offer;
use super::merge::merge;

pub use slices::Source;

/// Everything that decides about one service in one member, at one instant.
#[derive(Debug, Clone)]
pub struct Observed<'a> {
    /// Namespace and name of the service.
    pub service_key: &'a ObjectKey,
    /// The set that the member is in; `None` when it is in none (any more).
    pub set: Option<&'a str>,
    /// The version in which the member serves ServiceImports.
    pub import_version: &'a str,
    /// Whether the member has the namespace, and it is not being deleted.
    pub has_namespace: bool,
    /// Valid offers of members of the set.
    pub offers: Vec<Offer>,
    /// The type with which the service is imported anywhere in the set.
    pub used: Option<ServiceImportType>,
    /// The exporting members and their EndpointSlices.
    pub sources: Vec<Source<'a>>,
    /// Ids of members whose state is not known: what came from them stays as it was last seen.
    pub unknown: &'a BTreeSet<String>,
    /// Address families of the member, as far as they are known.
    pub families: &'a [String],
    /// What the member's API server said when it refused the Service's address families.
    pub refused: Option<&'a str>,
    /// The ServiceImport.
    pub import: Option<&'a Object>,
    /// The object called like the derived Service, whoever made it.
    pub derived: Option<&'a Object>,
    /// EndpointSlices of the import in the member.
    pub slices: Vec<&'a Object>,
    /// The present, RFC 3339.
    pub now: &'a str,
}

/// One step in the member.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Create the derived Service, or bring it in line.
    PutService(Object),
    /// Create the import, or replace it.
    PutImport(Object),
    /// Write the status of the import.
    PutStatus(Object),
    /// Create a slice, or replace it.
    PutSlice(Object),
    /// Remove a slice.
    DeleteSlice(ObjectKey),
    /// Remove the derived Service.
    DeleteService(ObjectKey),
    /// Remove the import.
    DeleteImport(ObjectKey),
    /// A Service of that name is somebody else's: leave it, and say so.
    ReportForeignService(ObjectKey),
}

/// Whether an import was made by a cluster set; any other is a user's and keeps its explicit form.
pub fn is_of_set(object: &Object) -> bool {
    is_ours(object) && object.label(labels::cluster_set::NAME).is_some()
}

/// Computes the steps, in the order to take them. Planning again after they were taken yields those that had to wait
/// for their outcome, and in the end none.
pub fn plan(seen: &Observed<'_>) -> Vec<Action> {
    let Some(set) = seen.set.filter(|_| seen.has_namespace) else { return withdraw(seen) };
    let mut offers = seen.offers.clone();
    let absent = unseen_exporters(seen);
    let clusters: Vec<String> =
        offers.iter().map(|offer| offer.cluster.clone()).chain(absent.iter().cloned()).collect();
    if let (Some(import), false) = (seen.import, absent.is_empty()) {
        // What is imported goes on: the clusters that cannot be seen export it as far as anybody knows.
        offers.push(import::as_offer(import));
    }
    let Some(merged) = merge(offers, seen.used) else { return withdraw(seen) };
    let mut actions = Vec::new();
    let mut usable = Usable::Yes;
    let mut addresses = import::Addresses { ips: Vec::new(), families: merged.families.clone() };
    match merged.kind {
        ServiceImportType::Headless => {
            let ours = seen.derived.filter(|service| is_of_set(service));
            actions.extend(ours.map(|service| Action::DeleteService(service.key())));
        }
        ServiceImportType::ClusterSetIP => match service::decide(seen, set, &merged) {
            service::Step::Settled(found) => addresses = found,
            service::Step::Put(service, found) => {
                actions.push(Action::PutService(service));
                match found {
                    Some(found) => addresses = found,
                    // The API server says which addresses it chose; the import is right at its first write.
                    None => return actions,
                }
            }
            service::Step::Replace(key) => return vec![Action::DeleteService(key)],
            service::Step::Refused(reason) => usable = Usable::NoFamily(reason),
            // The API server chooses its addresses in the same moment; until they are seen there is no import.
            service::Step::Waiting if seen.import.is_none() => return actions,
            service::Step::Waiting => usable = Usable::Pending,
            service::Step::Foreign(key) => return vec![Action::ReportForeignService(key)],
        },
    }
    let wanted = import::wanted(seen, set, &merged, &addresses);
    let Some(import) = seen.import.filter(|import| import::is_same(import, &wanted)) else {
        actions.push(Action::PutImport(import::over(seen.import, wanted)));
        if seen.import.is_none() {
            // Slices name the import as their owner, by its uid.
            return actions;
        }
        return actions.into_iter().chain(slice_actions(seen, set, &merged)).collect();
    };
    actions.extend(slice_actions(seen, set, &merged));
    let has_slices = seen.sources.iter().any(|source| !source.slices.is_empty()) || !seen.slices.is_empty();
    let status = import_status(import, &clusters, has_slices, &usable, seen.now);
    if import.0.get("status") != Some(&status) {
        let mut written = import.clone();
        written.0["status"] = status;
        actions.push(Action::PutStatus(written));
    }
    actions
}

/// Exporters of the present import whose state is not known.
fn unseen_exporters(seen: &Observed<'_>) -> Vec<String> {
    let clusters =
        seen.import.and_then(|import| import.at(&["status", "clusters"])).and_then(Value::as_array);
    let named = clusters.into_iter().flatten().filter_map(|cluster| cluster["cluster"].as_str());
    named.filter(|cluster| seen.unknown.contains(*cluster)).map(str::to_owned).collect()
}

fn slice_actions(seen: &Observed<'_>, set: &str, merged: &super::merge::Merged) -> Vec<Action> {
    let Some(import) = seen.import else { return Vec::new() };
    let mut wanted: BTreeMap<String, Object> = BTreeMap::new();
    for source in &seen.sources {
        let slices = slices::wanted(import, set, merged, source);
        wanted.extend(slices.into_iter().map(|slice| (slice.name().to_owned(), slice)));
    }
    let ours = seen.slices.iter().filter(|slice| is_of_set(slice));
    let present: BTreeMap<&str, &Object> = ours.map(|slice| (slice.name(), *slice)).collect();
    let put =
        wanted.values().filter(|slice| !present.get(slice.name()).is_some_and(|old| same_slice(old, slice)));
    let mut actions: Vec<Action> = put.cloned().map(Action::PutSlice).collect();
    for (name, slice) in present {
        let source = slice.label(labels::endpoint_slice::SOURCE_CLUSTER).unwrap_or_default();
        if !wanted.contains_key(name) && !seen.unknown.contains(source) {
            actions.push(Action::DeleteSlice(slice.key()));
        }
    }
    actions
}

/// Takes back everything of the set; first the import, so that nobody new finds the service.
fn withdraw(seen: &Observed<'_>) -> Vec<Action> {
    let import =
        seen.import.filter(|import| is_of_set(import)).map(|import| Action::DeleteImport(import.key()));
    let slices =
        seen.slices.iter().filter(|slice| is_of_set(slice)).map(|slice| Action::DeleteSlice(slice.key()));
    let service = seen.derived.filter(|service| is_of_set(service));
    let service = service.map(|service| Action::DeleteService(service.key()));
    import.into_iter().chain(slices).chain(service).collect()
}

#[cfg(test)]
mod tests;
