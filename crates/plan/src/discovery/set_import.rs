//! Import of one service in one member of a cluster set (KEP-1645).
//!
//! [`plan_set_import`] computes the steps from the present objects of the member to the desired ones. The controllers
//! take the steps and call it again until no step is left, because some steps have results that later steps need: the
//! API server chooses the addresses of the Service, and the uid of the import. Objects without the labels of a set are
//! neither changed nor deleted.
//!
//! | pass | steps |
//! | --- | --- |
//! | 1 | create the derived Service |
//! | 2 | create the ServiceImport with the addresses of the Service |
//! | 3 | create the EndpointSlices, write the status of the import |
//! | 4 | none |

mod import;
mod service;
mod slices;

use std::collections::{BTreeMap, BTreeSet};

use portolan_api::kubernetes::View;
use portolan_api::multicluster::{ServiceImportType, ServiceImportView};
use portolan_api::{annotations, labels, names};
use portolan_object::{Object, ObjectKey};

use super::allotment::{allot, changed_usages, set_usages, supply};
use super::compare::same_slice;
use super::conditions::{Exporters, Usability, import_status, present};
use super::export::ValidExport;
use super::exporters_read::UnreadExporter;
use super::exporters_used::{self, ExportersUsed};
use super::merge::{Merged, merge};
use super::problem::{ImportProblem, foreign_slices};
use super::routing::Routing;
use super::usage::Allotment;
use crate::clusters::ownership::{is_own, stamped};
use crate::import_marks::{has_selector, is_of_set, is_slice_of_selector, is_slice_of_set};
use service::ServicePlan;

pub use slices::ExportingMember;

/// One service as the members of a set export it.
#[derive(Debug, Clone)]
pub struct ExportedService<'a> {
    /// Name of the set.
    pub set: &'a str,
    /// Valid exports of the members.
    pub exports: &'a [ValidExport],
    /// Type of the oldest import in the set, which stays in use.
    pub used: Option<ServiceImportType>,
    /// Exporting members with their EndpointSlices.
    pub sources: Vec<ExportingMember<'a>>,
    /// Ids of members with known exports.
    pub known: &'a BTreeSet<String>,
    /// Ids of members that are unreachable or not synced. Endpoints from them stay unchanged.
    pub unknown: &'a BTreeSet<String>,
    /// Members of the set that cannot be reached. What was read of them before is used.
    pub unreachable: Vec<UnreadExporter>,
    /// How this member uses the endpoints of each exporter, by their ids.
    pub routing: Routing,
}

/// Objects of the service in the importing member.
#[derive(Debug, Clone)]
pub struct ImportingMember<'a> {
    /// Id of this control plane, which holds the member.
    pub control_plane: &'a str,
    /// `apiVersion` in which the member serves ServiceImports.
    pub import_version: &'a str,
    /// Whether the namespace exists and is not being deleted.
    pub has_namespace: bool,
    /// Known address families of the member.
    pub families: &'a [String],
    /// Address families that the member's API server has refused for the derived Service.
    pub refused: Option<&'a RefusedFamilies>,
    /// The ServiceImport.
    pub import: Option<&'a Object>,
    /// The object with the name of the derived Service, with or without the labels of the set.
    pub derived_service: Option<&'a Object>,
    /// Other Services with the labels of the import: the one before another one was taken over. They stay while the service is
    /// imported, because clients may use their addresses.
    pub leftover_services: Vec<&'a Object>,
    /// EndpointSlices of the import.
    pub slices: Vec<&'a Object>,
}

/// Address families of a derived Service that the member's API server has refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedFamilies {
    families: Vec<String>,
    message: String,
}

impl RefusedFamilies {
    /// The families of a refused derived Service, with the message of the API server.
    pub fn new(service: &Object, message: String) -> Self {
        Self { families: service::families(service), message }
    }
}

/// Step in the importing member.
#[derive(Debug, Clone, PartialEq)]
pub enum SetImportAction {
    /// Create or update the derived Service.
    PutService(Object),
    /// Create or replace the ServiceImport.
    PutImport(Object),
    /// Write the status of the ServiceImport.
    PutStatus(Object),
    /// Create or replace an EndpointSlice.
    PutSlice(Object),
    /// Delete an EndpointSlice.
    DeleteSlice(ObjectKey),
    /// Delete the derived Service.
    DeleteService(ObjectKey),
    /// Delete the ServiceImport.
    DeleteImport(ObjectKey),
    /// Report that a Service with the name of the derived Service exists and is not managed by Portolan.
    ReportForeignService(ObjectKey),
}

impl SetImportAction {
    /// Whether the next pass needs the result of this step.
    pub fn has_result(&self) -> bool {
        matches!(self, Self::PutService(_) | Self::PutImport(_))
    }

    /// Whether the step concerns one EndpointSlice only, so that other steps are valid if it fails.
    pub fn is_independent(&self) -> bool {
        matches!(self, Self::PutSlice(_) | Self::DeleteSlice(_))
    }
}

/// Inputs of one planning pass.
#[derive(Clone, Copy)]
struct Pass<'a> {
    service: &'a ObjectKey,
    exported: &'a ExportedService<'a>,
    member: &'a ImportingMember<'a>,
    merged: &'a Merged,
    /// The control plane that the import and the derived Service name.
    owner: &'a str,
}

impl Pass<'_> {
    /// Name of the derived Service. One that was taken over from another implementation of the API keeps its name.
    fn derived_name(&self) -> String {
        let present = self.member.derived_service.filter(|service| is_of_set(service));
        let default = || names::derived_service_of_set(&self.service.namespace, &self.service.name);
        present.map_or_else(default, |service| service.name().to_owned())
    }
}

/// The name of the object in a member that is the derived Service of `service`, or that has its name. `held` are the names of the
/// Services with the labels of the import. One of them that was taken over from another implementation of the API has the address
/// that clients use: it stays the derived Service, also when the import, which names it in its annotation, was deleted.
pub fn derived_service_name(service: &ObjectKey, import: Option<&Object>, held: &BTreeSet<String>) -> String {
    let default = names::derived_service_of_set(&service.namespace, &service.name);
    let named = import.and_then(|import| import.annotation(annotations::service_import::DERIVED_SERVICE));
    let named = named.and_then(|name| held.get(name));
    let taken_over = || held.iter().find(|name| **name != default);
    named.or_else(taken_over).cloned().unwrap_or(default)
}

/// Computes the steps for `service`, in the order to take them; `exported` is `None` in a member without a set.
pub fn plan_set_import(
    service: &ObjectKey,
    exported: Option<&ExportedService<'_>>,
    member: &ImportingMember<'_>,
    now: &str,
) -> Vec<SetImportAction> {
    let Some(exported) = exported.filter(|_| member.has_namespace) else { return delete_all(member, None) };
    if exported.routing.is_hidden {
        return delete_all(member, Some(exported));
    }
    let unseen = unseen_exporters(exported, member);
    let mut exports = exported.exports.to_vec();
    if let (Some(import), false) = (member.import, unseen.is_empty()) {
        // Unreachable exporters probably still export the service, so the present import counts as their export.
        exports.push(import::as_export(import));
    }
    let Some(merged) = merge(exports, exported.used) else {
        let is_undecided = may_be_exported(exported, member);
        return if is_undecided { Vec::new() } else { delete_all(member, Some(exported)) };
    };
    let pass = Pass { service, exported, member, merged: &merged, owner: owner(exported, member, &unseen) };
    let (mut actions, addresses, usability) = match service::plan_service(&pass) {
        ServicePlan::Continue { action, addresses, usability } => {
            (Vec::from_iter(action), addresses, usability)
        }
        ServicePlan::Wait(actions) => return actions,
    };
    let wanted = import::wanted(&pass, &addresses);
    match member.import {
        // The EndpointSlices name the import as their owner, by its uid.
        None => {
            actions.push(SetImportAction::PutImport(wanted));
            return actions;
        }
        Some(import) if !import::is_same(import, &wanted) => {
            actions.push(SetImportAction::PutImport(import::replacement(import, wanted)));
            actions.extend(plan_slices(&pass, import));
            return actions;
        }
        Some(import) => actions.extend(plan_slices(&pass, import)),
    }
    let clusters = exported.exports.iter().map(|export| export.cluster.clone()).chain(unseen).collect();
    actions.extend(plan_status(&pass, clusters, &usability, now));
    actions
}

/// Whether members that are not known yet may export a service of which a migration has marked the import. The status of an
/// import that no set has written does not name its exporters.
fn may_be_exported(exported: &ExportedService<'_>, member: &ImportingMember<'_>) -> bool {
    let is_unwritten = |import: &Object| import.label(labels::CONTROL_PLANE).is_none();
    !exported.unknown.is_empty() && member.import.is_some_and(is_unwritten)
}

/// Exporters in the status of the present import that are unreachable or not synced, and exporters of an import or slice
/// of an earlier control plane that have not joined this one yet.
fn unseen_exporters(exported: &ExportedService<'_>, member: &ImportingMember<'_>) -> BTreeSet<String> {
    let is_inherited = |object: &Object| !is_own(object, member.control_plane);
    let is_new = |cluster: &str| !exported.known.contains(cluster);
    let import = member.import.and_then(|import| ServiceImportView::read(import).ok());
    let listed = import.into_iter().flat_map(|import| import.status.clusters).map(|listed| listed.cluster);
    let has_inherited = member.import.is_some_and(is_inherited);
    let listed =
        listed.filter(|cluster| exported.unknown.contains(*cluster) || has_inherited && is_new(cluster));
    let slices = member.slices.iter().filter(|slice| is_of_set(slice) && is_inherited(slice));
    let sources = slices.filter_map(|slice| slice.label(labels::endpoint_slice::SOURCE_CLUSTER));
    listed.chain(sources.filter(|source| is_new(source))).map(str::to_owned).collect()
}

/// The control plane that import and derived Service name: this one, once all exporters of an import of an earlier one
/// have joined. Until then the import keeps its label, by which [`unseen_exporters`] recognizes it.
fn owner<'a>(
    exported: &ExportedService<'_>,
    member: &ImportingMember<'a>,
    unseen: &BTreeSet<String>,
) -> &'a str {
    let has_joined =
        |cluster: &String| exported.known.contains(cluster) || exported.unknown.contains(cluster);
    let present = member.import.and_then(|import| import.label(labels::CONTROL_PLANE));
    present.filter(|_| !unseen.iter().all(has_joined)).unwrap_or(member.control_plane)
}

/// Whether the source of an imported EndpointSlice is known, so that a slice that is not wanted can be deleted. A source
/// without membership counts only for slices of this control plane: it has been removed from the set.
fn is_source_known(slice: &Object, exported: &ExportedService<'_>, control_plane: &str) -> bool {
    let source = slice.label(labels::endpoint_slice::SOURCE_CLUSTER).unwrap_or_default();
    !exported.unknown.contains(source) && (is_own(slice, control_plane) || exported.known.contains(source))
}

/// Deletes a slice, with the label of this control plane before.
fn delete_slice(slice: &Object, control_plane: &str) -> Vec<SetImportAction> {
    let stamp =
        (!is_own(slice, control_plane)).then(|| SetImportAction::PutSlice(stamped(slice, control_plane)));
    stamp.into_iter().chain([SetImportAction::DeleteSlice(slice.key())]).collect()
}

fn plan_slices(pass: &Pass<'_>, import: &Object) -> Vec<SetImportAction> {
    let mut wanted: BTreeMap<String, Object> = BTreeMap::new();
    for source in &pass.exported.sources {
        let slices = slices::wanted(import, pass, source);
        wanted.extend(slices.into_iter().map(|slice| (slice.name().to_owned(), slice)));
    }
    let has_selector = pass.member.derived_service.is_some_and(has_selector);
    let is_managed = |slice: &&&Object| {
        is_of_set(slice) && (is_slice_of_set(slice) || !has_selector && is_slice_of_selector(slice))
    };
    let managed = pass.member.slices.iter().filter(is_managed);
    let present: BTreeMap<&str, &Object> = managed.map(|slice| (slice.name(), *slice)).collect();
    let own = pass.member.control_plane;
    let allotted = allotments(pass.exported, pass.member);
    set_usages(wanted.values_mut(), &allotted);
    let routing = &pass.exported.routing;
    let unwanted = || present.values().filter(|slice| !wanted.contains_key(slice.name())).copied();
    let is_gone = |slice: &Object| {
        is_slice_of_selector(slice)
            || is_source_known(slice, pass.exported, own)
            || routing.is_outside(slice.label(labels::endpoint_slice::SOURCE_CLUSTER).unwrap_or_default())
    };
    let deleted = unwanted().filter(|slice| is_gone(slice)).flat_map(|slice| delete_slice(slice, own));
    let deleted: Vec<SetImportAction> = deleted.collect();
    // Of exporters that cannot be read, the last known endpoints stay; how they are used may change.
    let last_known =
        unwanted().filter(|slice| is_own(slice, own) && is_slice_of_set(slice) && !is_gone(slice));
    let changed = changed_usages(&last_known.collect::<Vec<_>>(), &allotted);
    let is_current = |slice: &Object| present.get(slice.name()).is_some_and(|old| same_slice(old, slice));
    let put = wanted.into_values().filter(|slice| !is_current(slice)).chain(changed);
    put.map(SetImportAction::PutSlice).chain(deleted).collect()
}

/// What is done with the endpoints of each exporter.
pub fn allotments(
    exported: &ExportedService<'_>,
    member: &ImportingMember<'_>,
) -> BTreeMap<String, Allotment> {
    if exported.routing.is_plain() {
        return BTreeMap::new();
    }
    let read = exported.sources.iter().map(|source| (source.cluster, source.slices.as_slice()));
    let imported = member.slices.iter().copied().filter(|slice| is_slice_of_set(slice));
    allot(&supply(read, imported), &exported.routing, None)
}

/// Problems of a present import that its plan cannot solve. `slices` are those that name the derived Service.
pub fn problems(
    exported: Option<&ExportedService<'_>>,
    member: &ImportingMember<'_>,
    slices: &[&Object],
) -> Vec<ImportProblem> {
    if member.import.is_none() {
        return Vec::new();
    }
    let refused = member.refused.filter(|_| member.derived_service.is_none());
    let family = refused.map(|refused| ImportProblem::NoFamily { message: refused.message.clone() });
    let not_used = exported.into_iter().flat_map(|exported| {
        let allotted = allotments(exported, member);
        exporters_used::problems(&exported.routing, &allotted).collect::<Vec<_>>()
    });
    family.into_iter().chain(not_used).chain(foreign_slices(member.derived_service, slices)).collect()
}

fn plan_status(
    pass: &Pass<'_>,
    clusters: Vec<String>,
    usability: &Usability,
    now: &str,
) -> Option<SetImportAction> {
    let import = pass.member.import?;
    let has_slices = pass.exported.sources.iter().any(|source| !source.slices.is_empty())
        || !pass.member.slices.is_empty();
    let unreachable = pass.exported.unreachable.iter();
    let unread: Vec<UnreadExporter> =
        unreachable.filter(|unread| clusters.contains(&unread.cluster)).cloned().collect();
    let allotted = allotments(pass.exported, pass.member);
    let used = ExportersUsed { routing: &pass.exported.routing, allotted: &allotted, exporters: &clusters };
    let used = used.told(&present(import), now);
    let exporters = Exporters { unread: &unread, used };
    let status = import_status(import, clusters, has_slices, usability, exporters, now);
    (import.0.get("status") != Some(&status)).then(|| {
        let mut written = import.clone();
        written.0["status"] = status;
        SetImportAction::PutStatus(written)
    })
}

/// Deletes all objects of the set; the import first, so that new clients do not find the service.
///
/// Objects of another control plane stay, unless the exports are known: then the service is not exported any more, and
/// they get the label of this control plane first. A later pass deletes them.
fn delete_all(member: &ImportingMember<'_>, exported: Option<&ExportedService<'_>>) -> Vec<SetImportAction> {
    let own = member.control_plane;
    let is_deletable = |object: &&Object| is_of_set(object) && (exported.is_some() || is_own(object, own));
    let step =
        |object: &Object, put: fn(Object) -> SetImportAction, delete: fn(ObjectKey) -> SetImportAction| {
            if is_own(object, own) { delete(object.key()) } else { put(stamped(object, own)) }
        };
    let import = member.import.filter(is_deletable);
    let import = import.map(|import| step(import, SetImportAction::PutImport, SetImportAction::DeleteImport));
    let slices = member.slices.iter().copied().filter(is_deletable);
    let slices = slices
        .filter(|slice| {
            exported
                .is_none_or(|exported| exported.routing.is_hidden || is_source_known(slice, exported, own))
        })
        .flat_map(|slice| delete_slice(slice, own));
    let services = member.derived_service.into_iter().chain(member.leftover_services.iter().copied());
    let services = services.filter(is_deletable);
    let services =
        services.map(|service| step(service, SetImportAction::PutService, SetImportAction::DeleteService));
    import.into_iter().chain(slices).chain(services).collect()
}

#[cfg(test)]
mod tests;
