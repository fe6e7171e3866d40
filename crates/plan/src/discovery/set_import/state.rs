//! What a plan is made from: the exports of a service in a set, and its objects in one importing member.

use std::collections::BTreeSet;

use portolan_api::multicluster::ServiceImportType;
use portolan_object::Object;

use super::service;
use super::slices::ExportingMember;
use crate::discovery::export::ValidExport;
use crate::discovery::exporters_read::UnreadExporter;
use crate::discovery::routing::Routing;

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
    pub(super) families: Vec<String>,
    pub(super) message: String,
}

impl RefusedFamilies {
    /// The families of a refused derived Service, with the message of the API server.
    pub fn new(service: &Object, message: String) -> Self {
        Self { families: service::families(service), message }
    }
}
