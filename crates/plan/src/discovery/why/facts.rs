//! Facts for the diagnosis of one service, collected from the clusters.

use std::collections::BTreeSet;

use portolan_api::kubernetes::{EndpointSlice, Service, View as _};
use portolan_api::labels::endpoint_slice::SOURCE_CLUSTER;
use portolan_api::multicluster::ServiceImportView;
use portolan_object::{Object, ObjectKey};

use crate::discovery::ReadError;
use crate::discovery::overview::{is_imported_slice, is_own_slice};
use crate::dns::ZoneKind;

/// State of the federation with respect to one service.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Namespace and name of the service.
    pub service: ObjectKey,
    /// All members of the federation.
    pub members: Vec<Member>,
}

/// One member.
#[derive(Debug, Clone)]
pub struct Member {
    /// Name in the federation.
    pub name: String,
    /// Its objects.
    pub view: Result<View, ReadError>,
}

/// Objects of a member that concern the service.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Whether it serves ServiceExports and ServiceImports.
    pub serves_api: bool,
    /// Whether the namespace exists.
    pub has_namespace: bool,
    /// Clusterset of the member.
    pub clusterset: Option<Clusterset>,
    /// The ServiceExport.
    pub export: Option<Object>,
    /// The Service of the same name.
    pub local: Option<Object>,
    /// The ServiceImport.
    pub import: Option<Object>,
    /// The derived Service of the import, which has the addresses of an explicit import.
    pub derived: Option<Object>,
    /// All EndpointSlices of the namespace.
    pub slices: Vec<Object>,
    /// Pod address ranges of its nodes, in CIDR notation.
    pub pod_ranges: Vec<String>,
    /// State of its DNS.
    pub dns: Dns,
    /// TCP ports that a probe pod tried, and whether it could connect.
    pub connections: Vec<(u16, bool)>,
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
    /// Members that export the service.
    pub(super) fn exporters(&self) -> impl Iterator<Item = (&Member, &View)> {
        self.views().filter(|(_, view)| view.export.as_ref().is_some_and(|export| !export.is_deleting()))
    }

    /// Members that could be read.
    pub(super) fn views(&self) -> impl Iterator<Item = (&Member, &View)> {
        self.members.iter().filter_map(|member| Some((member, member.view()?)))
    }

    /// Unreachable members, with the error message.
    pub(super) fn lost(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members
            .iter()
            .filter_map(|member| Some((member.name.as_str(), member.view.as_ref().err()?.0.as_str())))
    }

    pub(super) fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    /// A kubectl command for a member. Assumes a context with the name of the member, as `portolan playground` writes it.
    pub(super) fn kubectl(&self, cluster: &str, rest: &str) -> String {
        format!("kubectl --context {cluster} --namespace {} {rest}", self.service.namespace)
    }

    /// Addresses of the Service's own ready endpoints in a member.
    pub(super) fn own_ready_addresses(&self, view: &View) -> BTreeSet<String> {
        addresses(view.slices.iter().filter(|slice| is_own_slice(slice, &self.service)), Wanted::Ready)
    }

    /// All addresses of the Service's own endpoints in a member.
    pub(super) fn own_addresses(&self, view: &View) -> BTreeSet<String> {
        addresses(view.slices.iter().filter(|slice| is_own_slice(slice, &self.service)), Wanted::All)
    }

    /// Addresses of the service in an importing member.
    pub(super) fn addresses(&self, view: &View) -> BTreeSet<String> {
        let import = view.import.as_ref().and_then(|import| ServiceImportView::read(import).ok());
        let derived = view.derived.as_ref().and_then(|service| Service::read(service).ok());
        let of_import = import.map(|import| import.spec.ips).unwrap_or_default();
        let addresses = if of_import.is_empty() {
            derived.map(|service| service.spec.cluster_ips).unwrap_or_default()
        } else {
            of_import
        };
        addresses.into_iter().map(str::to_owned).collect()
    }

    /// DNS name of the service in a member: in the zone of the clusterset, or the name of the derived Service for an
    /// explicit import.
    pub(super) fn dns_name(&self, view: &View) -> String {
        match (&view.clusterset, &view.derived) {
            (None, Some(derived)) => {
                let zone = ZoneKind::Cluster.default_zone();
                format!("{}.{}.svc.{zone}", derived.name(), derived.namespace())
            }
            _ => {
                let zone = ZoneKind::ClusterSet.default_zone();
                format!("{}.{}.svc.{zone}", self.service.name, self.service.namespace)
            }
        }
    }

    /// Ready addresses in the slices of `view` that were imported from `source`.
    pub(super) fn received(&self, view: &View, source: &Member) -> BTreeSet<String> {
        let from_source = |slice: &&Object| {
            is_imported_slice(slice, &self.service)
                && source.is_called(slice.label(SOURCE_CLUSTER).unwrap_or_default())
        };
        addresses(view.slices.iter().filter(from_source), Wanted::Ready)
    }
}

impl Member {
    /// Its objects, if it could be read.
    pub fn view(&self) -> Option<&View> {
        self.view.as_ref().ok()
    }

    /// Name of its clusterset.
    pub(super) fn set(&self) -> Option<&str> {
        self.view()?.clusterset.as_ref().map(|set| set.name.as_str())
    }

    /// Whether the value of a source-cluster label is its name or its id.
    pub(super) fn is_called(&self, label: &str) -> bool {
        let id = self.view().and_then(|view| view.clusterset.as_ref()).map(|set| set.id.as_str());
        label == self.name || id == Some(label)
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
