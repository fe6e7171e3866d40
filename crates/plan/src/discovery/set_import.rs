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

mod action;
mod endpoints;
mod import;
mod service;
mod slices;
mod state;

use std::collections::BTreeSet;

use portolan_api::kubernetes::View;
use portolan_api::multicluster::ServiceImportView;
use portolan_api::{annotations, labels, names};
use portolan_object::{Object, ObjectKey};

use super::conditions::{Exporters, Usability, import_status, present};
use super::exporters_read::UnreadExporter;
use super::exporters_used::{self, ExportersUsed};
use super::merge::{Merged, merge};
use super::problem::{ImportProblem, foreign_slices};
use crate::clusters::ownership::{is_own, stamped};
use crate::import_marks::is_of_set;
use endpoints::{delete_slice, is_source_known, plan_slices};
use service::ServicePlan;

pub use action::SetImportAction;
pub use endpoints::allotments;
pub use slices::ExportingMember;
pub use state::{ExportedService, ImportingMember, RefusedFamilies};

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
