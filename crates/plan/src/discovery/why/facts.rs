//! Facts for the diagnosis of one service, collected from the control plane and the clusters.

use std::collections::BTreeSet;

use portolan_api::kubernetes::{EndpointSlice, Service, View as _};
use portolan_api::labels::endpoint_slice::SOURCE_CLUSTER;
use portolan_api::multicluster::ServiceImportView;
use portolan_api::names;
use portolan_api::traffic::TrafficPolicy;
use portolan_object::{Object, ObjectKey};

use super::agent::Agent;
use super::connection::{Connection, Proof};
use super::known::{HubKind, Known, Native, Ready, Unread};
use crate::discovery::Lost;
use crate::discovery::export::{InvalidExport, validate_export};
use crate::discovery::overview::{is_imported_slice, is_own_slice};
use crate::discovery::properties::Properties;
use crate::discovery::usage::Usage;
use crate::dns::ZoneKind;
use crate::import_marks::{is_import_of_set, is_of_explicit_import, is_of_set};

/// State of the federation with respect to one service.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Namespace and name of the service.
    pub service: ObjectKey,
    /// All members of the federation.
    pub members: Vec<Member>,
    /// The TrafficPolicies of the namespace, on the control plane.
    pub policies: Vec<TrafficPolicy>,
    /// Properties of the members, by which TrafficPolicies select them.
    pub properties: Properties,
    /// The MultiClusterService of the name, on the control plane.
    pub native: Option<Native>,
    /// Kinds of the control plane that the caller may not read.
    pub unread: Vec<Unread>,
}

/// One member.
#[derive(Debug, Clone)]
pub struct Member {
    /// Name in the federation.
    pub name: String,
    /// What the control plane says about it.
    pub known: Known,
    /// Its objects.
    pub view: Result<View, Lost>,
}

/// State of a namespace in a member.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Namespace {
    /// It does not exist.
    #[default]
    Missing,
    /// It exists.
    Present,
    /// It is being deleted.
    Deleting,
}

/// Objects of a member that concern the service.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Whether it serves ServiceExports and ServiceImports.
    pub serves_api: bool,
    /// The namespace of the service.
    pub namespace: Namespace,
    /// Clusterset of the member.
    pub clusterset: Option<Clusterset>,
    /// The ServiceExport.
    pub export: Option<Object>,
    /// The Service of the same name.
    pub local: Option<Object>,
    /// Pods that the selector of that Service selects; `None` without a selector.
    pub pods: Option<Vec<Object>>,
    /// The ServiceImport.
    pub import: Option<Object>,
    /// Services with a name that a derived Service of the import can have, managed by Portolan or not.
    pub derived: Vec<Object>,
    /// All EndpointSlices of the namespace.
    pub slices: Vec<Object>,
    /// Rights that the account of the control plane lacks and needs to write an import, such as `create services`.
    pub missing_rights: Vec<String>,
    /// Pod address ranges of its nodes, in CIDR notation.
    pub pod_ranges: Vec<String>,
    /// State of its DNS.
    pub dns: Dns,
    /// Connections that a probe pod tried.
    pub connections: Vec<Connection>,
    /// Connections that the agents of the member made.
    pub proofs: Vec<Proof>,
    /// The agents of the member.
    pub agent: Agent,
    /// NetworkPolicies of the namespace.
    pub network_policies: Vec<Object>,
    /// Resources of which the account of the control plane may not read what would explain a problem.
    pub unread: Vec<String>,
}

/// Last line that nslookup printed when it failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LookupError(pub String);

/// Membership of a clusterset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clusterset {
    /// Name of the set.
    pub name: String,
    /// Id of the member in the set.
    pub id: String,
}

/// State of a member's DNS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dns {
    /// Whether the cluster DNS forwards the zone of the clusterset; `None` without a readable Corefile.
    pub forwards_zone: Option<bool>,
    /// Addresses in the answer for the name; `None` without a probe.
    pub answer: Option<Result<BTreeSet<String>, LookupError>>,
}

impl Facts {
    /// Members with a ServiceExport that is not being deleted; the providers of a MultiClusterService with their Service.
    pub(super) fn exporters(&self) -> impl Iterator<Item = (&Member, &View)> {
        let native = self.native();
        let has_endpoints = |view: &View| !self.own_addresses(view).is_empty();
        let some_have = native.is_some_and(|native| !native.names_providers)
            && self.views().any(|(_, view)| view.has_service() && has_endpoints(view));
        self.views().filter(move |(member, view)| match native {
            Some(native) => {
                let is_provider = native.providers.contains(&member.name) && view.has_service();
                is_provider && (!some_have || !self.own_addresses(view).is_empty())
            }
            None => view.has_export(),
        })
    }

    /// The MultiClusterService, if the service has no other form: a ServiceExport leads to the names of a cluster set.
    pub(super) fn native(&self) -> Option<&Native> {
        self.native.as_ref().filter(|_| !self.views().any(|(_, view)| view.has_export()))
    }

    /// Why a kind of the control plane was not read.
    pub(super) fn unread(&self, kind: HubKind) -> Option<&Unread> {
        self.unread.iter().find(|unread| unread.kind == kind)
    }

    /// Members with an export that can be used.
    pub(super) fn valid_exporters(&self) -> impl Iterator<Item = (&Member, &View)> {
        self.exporters().filter(|(member, view)| validity(member, view).is_ok())
    }

    /// Members that could be read.
    pub(super) fn views(&self) -> impl Iterator<Item = (&Member, &View)> {
        self.members.iter().filter_map(|member| Some((member, member.view()?)))
    }

    /// Members that could not be read, and why.
    pub(super) fn lost(&self) -> impl Iterator<Item = (&Member, &Lost)> {
        self.members.iter().filter_map(|member| Some((member, member.view.as_ref().err()?)))
    }

    pub(super) fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    /// A kubectl command for a member. Assumes a context with the name of the member, as `portolan playground` writes it.
    pub(super) fn kubectl(&self, cluster: &str, rest: &str) -> String {
        format!("kubectl --context {cluster} --namespace {} {rest}", self.service.namespace)
    }

    /// EndpointSlices of the Service itself in a member.
    pub(super) fn own_slices<'a>(&'a self, view: &'a View) -> impl Iterator<Item = &'a Object> {
        view.slices.iter().filter(|slice| is_own_slice(slice, &self.service))
    }

    /// EndpointSlices in a member that were imported for the service.
    pub(super) fn imported_slices<'a>(&'a self, view: &'a View) -> impl Iterator<Item = &'a Object> {
        view.slices.iter().filter(|slice| is_imported_slice(slice, &self.service))
    }

    /// Addresses of the Service's own ready endpoints in a member.
    pub(super) fn own_ready_addresses(&self, view: &View) -> BTreeSet<String> {
        addresses(self.own_slices(view), Wanted::Ready)
    }

    /// All addresses of the Service's own endpoints in a member.
    pub(super) fn own_addresses(&self, view: &View) -> BTreeSet<String> {
        addresses(self.own_slices(view), Wanted::All)
    }

    /// Ready addresses in the slices of `view` that were imported from `source`.
    pub(super) fn received(&self, view: &View, source: &Member) -> BTreeSet<String> {
        let from_source = |slice: &&Object| source.is_called(slice.label(SOURCE_CLUSTER).unwrap_or_default());
        addresses(self.imported_slices(view).filter(from_source), Wanted::Ready)
    }

    /// What is done in a member with the endpoints that it has from `source`, if they are not used.
    pub(super) fn not_used(&self, view: &View, source: &Member) -> Option<Usage> {
        let mut slices = self.imported_slices(view);
        let is_from = |slice: &&Object| source.is_called(slice.label(SOURCE_CLUSTER).unwrap_or_default());
        let usage = slices.find(is_from).map(Usage::of_slice)?;
        (usage != Usage::Keep).then_some(usage)
    }

    /// Whether the import or the EndpointSlices of a member name `source` as exporter.
    pub(super) fn names_exporter(&self, view: &View, source: &Member) -> bool {
        let import = view.import.as_ref().and_then(|import| ServiceImportView::read(import).ok());
        let mut listed = import.into_iter().flat_map(|import| import.status.clusters);
        listed.any(|listed| source.is_called(listed.cluster))
            || !self.received(view, source).is_empty()
            || self.not_used(view, source).is_some()
    }

    /// Addresses of the service in an importing member.
    pub(super) fn addresses(&self, view: &View) -> BTreeSet<String> {
        let import = view.import.as_ref().and_then(|import| ServiceImportView::read(import).ok());
        let derived = view.derived().and_then(|service| Service::read(service).ok());
        if self.native().is_some() {
            let service = view.local.as_ref().and_then(|service| Service::read(service).ok());
            let addresses = service.map(|service| service.spec.addresses()).unwrap_or_default();
            return addresses.into_iter().map(str::to_owned).collect();
        }
        let of_import = import.map(|import| import.spec.ips).unwrap_or_default();
        let addresses = if of_import.is_empty() {
            derived.map(|service| service.spec.addresses()).unwrap_or_default()
        } else {
            of_import
        };
        addresses.into_iter().map(str::to_owned).collect()
    }

    /// Zone of the name of the service in a member. The cluster's own DNS answers in the zone of the cluster.
    pub(super) fn dns_zone(&self, view: &View) -> ZoneKind {
        let is_derived = view.clusterset.is_none() && view.derived().is_some();
        if self.native().is_some() || is_derived { ZoneKind::Cluster } else { ZoneKind::ClusterSet }
    }

    /// DNS name of the service in a member: its own name for a MultiClusterService, the name in the zone of the clusterset, or
    /// that of the derived Service for an explicit import in a member without a set.
    pub(super) fn dns_name(&self, view: &View) -> String {
        let zone = self.dns_zone(view);
        let derived = view.derived().filter(|_| self.native().is_none() && zone == ZoneKind::Cluster);
        let name = derived.map_or(self.service.name.as_str(), Object::name);
        format!("{name}.{}.svc.{}", self.service.namespace, zone.default_zone())
    }
}

/// Whether the export of a member can be used, by the rules of the controllers.
pub(super) fn validity(member: &Member, view: &View) -> Result<(), InvalidExport> {
    match &view.export {
        Some(export) => validate_export(&member.name, export, view.local.as_ref()).map(|_| ()),
        None => Ok(()),
    }
}

impl Member {
    /// Its objects, if it could be read.
    pub fn view(&self) -> Option<&View> {
        self.view.as_ref().ok()
    }

    /// Name of its clusterset. That of a member that could not be read is in the control plane's ClusterSet.
    pub(super) fn set(&self) -> Option<&str> {
        match &self.view {
            Ok(view) => view.clusterset.as_ref().map(|set| set.name.as_str()),
            Err(_) => self.known.listed.as_ref().map(|listed| listed.set.as_str()),
        }
    }

    /// Whether the value of a source-cluster label is its name or its id.
    pub(super) fn is_called(&self, label: &str) -> bool {
        let id = self.view().and_then(|view| view.clusterset.as_ref()).map(|set| set.id.as_str());
        let listed = self.known.listed.as_ref().map(|listed| listed.id.as_str());
        label == self.name || id == Some(label) || listed == Some(label)
    }

    /// Since when the control plane has not been ready for the cluster; `None` while it is, or says nothing.
    pub(super) fn not_ready(&self) -> Option<&Ready> {
        self.known.ready.as_ref().filter(|ready| !ready.is_ready)
    }
}

impl View {
    /// Whether it has a ServiceExport that is not being deleted.
    pub(super) fn has_export(&self) -> bool {
        self.export.as_ref().is_some_and(|export| !export.is_deleting())
    }

    /// Whether it has a Service of the name that is not being deleted.
    pub(super) fn has_service(&self) -> bool {
        self.local.as_ref().is_some_and(|service| !service.is_deleting())
    }

    /// The derived Service of the import: one that Portolan manages.
    pub(super) fn derived(&self) -> Option<&Object> {
        let of_set = self.import.as_ref().is_some_and(is_import_of_set);
        let is_ours =
            |service: &&Object| if of_set { is_of_set(service) } else { is_of_explicit_import(service) };
        let any_of_ours = |service: &&Object| is_of_set(service) || is_of_explicit_import(service);
        self.derived.iter().find(is_ours).or_else(|| self.derived.iter().find(any_of_ours))
    }

    /// A Service that has the name of the derived Service and is not Portolan's.
    pub(super) fn foreign_derived(&self, service: &ObjectKey) -> Option<&Object> {
        let name = if self.clusterset.is_some() && !self.has_explicit_import() {
            names::derived_service_of_set(&service.namespace, &service.name)
        } else {
            names::derived_service(&service.name)
        };
        let is_foreign = |found: &&Object| !is_of_set(found) && !is_of_explicit_import(found);
        self.derived.iter().filter(is_foreign).find(|found| found.name() == name)
    }

    /// Whether the import was made by a user or a policy.
    pub(super) fn has_explicit_import(&self) -> bool {
        self.import.as_ref().is_some_and(|import| !is_import_of_set(import))
    }
}

/// Endpoints to select.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Ready,
    All,
}

/// Addresses of endpoints. Absent `ready` means ready (EndpointSlice API).
fn addresses<'a>(slices: impl Iterator<Item = &'a Object>, wanted: Wanted) -> BTreeSet<String> {
    let mut addresses = BTreeSet::new();
    for slice in slices.filter_map(|slice| EndpointSlice::read(slice).ok()) {
        let chosen = slice.endpoints.iter().filter(|endpoint| wanted == Wanted::All || endpoint.is_ready());
        addresses
            .extend(chosen.flat_map(|endpoint| &endpoint.addresses).map(|address| (*address).to_owned()));
    }
    addresses
}

/// Addresses of the ready endpoints of slices.
pub(super) fn ready_addresses<'a>(slices: impl Iterator<Item = &'a Object>) -> BTreeSet<String> {
    addresses(slices, Wanted::Ready)
}

/// `spec.type` of an import; empty if it cannot be read.
pub(super) fn kind_of(import: &Object) -> &str {
    ServiceImportView::read(import).map(|import| import.spec.kind).unwrap_or_default()
}
