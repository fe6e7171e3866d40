//! What the walk is decided from: one picture of the federation as far as a service is concerned.

use std::collections::BTreeSet;

use portolan_api::labels::endpoint_slice::SOURCE_CLUSTER;
use portolan_object::{Object, ObjectKey};
use serde_json::Value;

use crate::discovery::overview::{is_imported_slice, is_own_slice};
use crate::dns::ZoneKind;

/// The picture.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The service.
    pub service: ObjectKey,
    /// Every member of the federation.
    pub members: Vec<Member>,
}

/// One member.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its name in the federation.
    pub name: String,
    /// What it holds, or why it could not be read.
    pub view: Result<View, String>,
}

/// What a member holds of a service and of itself.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Whether it knows ServiceExports and ServiceImports.
    pub serves_api: bool,
    /// Whether the namespace is there.
    pub has_namespace: bool,
    /// The clusterset that it is in.
    pub clusterset: Option<Clusterset>,
    /// The ServiceExport.
    pub export: Option<Object>,
    /// The Service of the same name.
    pub local: Option<Object>,
    /// The ServiceImport.
    pub import: Option<Object>,
    /// The Service derived from the import, which holds its addresses where the import does not.
    pub derived: Option<Object>,
    /// All EndpointSlices of the namespace.
    pub slices: Vec<Object>,
    /// Pod address ranges of its nodes, in CIDR notation.
    pub pod_ranges: Vec<String>,
    /// What its DNS says.
    pub dns: Dns,
    /// TCP ports of the service that a pod tried there, and whether they took the connection.
    pub connections: Vec<(u16, bool)>,
}

/// Membership of a clusterset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clusterset {
    /// The set.
    pub name: String,
    /// The id of the member in it.
    pub id: String,
}

/// What is known of a member's DNS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dns {
    /// Whether its cluster DNS passes the clusterset's zone on; `None` when its configuration is not there to read.
    pub hooked_up: Option<bool>,
    /// Addresses that it answers for the name, or why it did not answer; `None` when it was not asked.
    pub answer: Option<Result<BTreeSet<String>, String>>,
}

impl Facts {
    /// Members that export the service, with what they hold.
    pub(super) fn exporters(&self) -> impl Iterator<Item = (&Member, &View)> {
        self.views().filter(|(_, view)| view.export.as_ref().is_some_and(|export| !export.is_deleting()))
    }

    /// Members that could be read.
    pub(super) fn views(&self) -> impl Iterator<Item = (&Member, &View)> {
        self.members.iter().filter_map(|member| Some((member, member.view()?)))
    }

    /// Members that could not be read, with the reason.
    pub(super) fn lost(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members
            .iter()
            .filter_map(|member| Some((member.name.as_str(), member.view.as_ref().err()?.as_str())))
    }

    pub(super) fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    /// The commands here name contexts like members, as `portolan playground` writes them.
    pub(super) fn kubectl(&self, cluster: &str, rest: &str) -> String {
        format!("kubectl --context {cluster} --namespace {} {rest}", self.service.namespace)
    }

    /// Addresses of the Service's own ready endpoints in a member.
    pub(super) fn ready_at_home(&self, view: &View) -> BTreeSet<String> {
        addresses(view.slices.iter().filter(|slice| is_own_slice(slice, &self.service)), Wanted::Ready)
    }

    /// All addresses of the Service's own endpoints in a member.
    pub(super) fn all_at_home(&self, view: &View) -> BTreeSet<String> {
        addresses(view.slices.iter().filter(|slice| is_own_slice(slice, &self.service)), Wanted::All)
    }

    /// Addresses of the service in an importing member.
    pub(super) fn addresses(&self, view: &View) -> BTreeSet<String> {
        let texts = |object: &Option<Object>, field: &str| -> BTreeSet<String> {
            let list = object.as_ref().and_then(|object| object.at(&["spec", field])?.as_array());
            list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let of_import = texts(&view.import, "ips");
        if of_import.is_empty() { texts(&view.derived, "clusterIPs") } else { of_import }
    }

    /// The DNS name by which a member asks for the service: that of the clusterset, or of the derived Service where
    /// the import came by a policy.
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

    /// Ready addresses that `view` has got from `source`.
    pub(super) fn received(&self, view: &View, source: &Member) -> BTreeSet<String> {
        let from_source = |slice: &&Object| {
            is_imported_slice(slice, &self.service)
                && source.is_called(slice.label(SOURCE_CLUSTER).unwrap_or_default())
        };
        addresses(view.slices.iter().filter(from_source), Wanted::Ready)
    }
}

impl Member {
    /// What it holds, when it could be read.
    pub fn view(&self) -> Option<&View> {
        self.view.as_ref().ok()
    }

    /// The clusterset that it is in.
    pub(super) fn set(&self) -> Option<&str> {
        self.view()?.clusterset.as_ref().map(|set| set.name.as_str())
    }

    /// Whether a source-cluster label names it.
    pub(super) fn is_called(&self, label: &str) -> bool {
        let id = self.view().and_then(|view| view.clusterset.as_ref()).map(|set| set.id.as_str());
        label == self.name || id == Some(label)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Ready,
    All,
}

/// An unset condition counts as ready (EndpointSlice API).
fn addresses<'a>(slices: impl Iterator<Item = &'a Object>, wanted: Wanted) -> BTreeSet<String> {
    let endpoints = slices.filter_map(|slice| slice.at(&["endpoints"])?.as_array()).flatten();
    let chosen =
        endpoints.filter(|endpoint| wanted == Wanted::All || endpoint["conditions"]["ready"] != false);
    let of = |endpoint: &Value| endpoint["addresses"].as_array().cloned().unwrap_or_default();
    chosen.flat_map(of).filter_map(|address| address.as_str().map(str::to_owned)).collect()
}
