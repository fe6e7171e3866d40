//! List of all exported services of the federation, with exporters, importers and conflicts.
//!
//! `portolan services` collects the objects of each member and calls [`overview`]; nothing here reads a cluster or a
//! clock. An unreachable member becomes a note; its services are known from the objects in other members.

mod member;

use std::collections::{BTreeMap, BTreeSet};

use portolan_api::kubernetes::View;
use portolan_api::multicluster::ServiceImportView;
use portolan_object::ObjectKey;
use serde::Serialize;

pub use member::{MemberObjects, MemberSnapshot};
use member::{conflict, endpoints, exported_by, invalid, last_change, ports};
pub(crate) use member::{is_imported_slice, is_own_slice};

use super::usage::{Usage, ready_at_source};

/// All services, by namespace and name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Overview {
    /// Services by namespace and name.
    pub services: Vec<ServiceSummary>,
    /// Members that could not be read.
    pub notes: Vec<Note>,
}

/// A member that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Name of the member.
    pub cluster: String,
    /// The cause, the message of the error, and what to do.
    pub reason: String,
}

/// One service of the federation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSummary {
    /// Namespace, the same in every cluster.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// ClusterSetIP or Headless; empty without an import.
    #[serde(rename = "type")]
    pub kind: String,
    /// Ports of the imports, as `name:number/protocol`.
    pub ports: Vec<String>,
    /// Clusters that export it, by name.
    pub exporters: Vec<ExporterSummary>,
    /// Clusters that import it, by name.
    pub importers: Vec<ImporterSummary>,
    /// Time of the latest change of its exports, imports and slices, RFC 3339; empty if unknown.
    pub last_change: String,
}

/// A cluster that exports a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExporterSummary {
    /// Name of the cluster.
    pub cluster: String,
    /// Whether the cluster could be read; if not, the endpoints are those imported by other clusters.
    pub reachable: bool,
    /// Ready endpoints.
    pub ready_endpoints: usize,
    /// All endpoints.
    pub endpoints: usize,
    /// Clusters that have its endpoints and do not use them.
    pub not_used_in: Vec<String>,
    /// Reason and message of condition `Valid` if it is false; otherwise empty.
    pub invalid: String,
    /// Reasons of condition `Conflict` if it is true; otherwise empty.
    pub conflict: String,
    /// Message of condition `Conflict` if it is true; otherwise empty.
    pub conflict_message: String,
}

/// A cluster that imports a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImporterSummary {
    /// Name of the cluster.
    pub cluster: String,
    /// Addresses of the import.
    pub ips: Vec<String>,
    /// What the agents of the cluster see of each exporter.
    pub probes: Vec<ProbeSummary>,
}

/// The last connection of an agent to an endpoint of one exporter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeSummary {
    /// Name of the exporting cluster.
    pub exporter: String,
    /// Whether the endpoint answered.
    pub answers: bool,
    /// Its address and port.
    pub endpoint: String,
    /// Time of the connection, RFC 3339.
    pub time: String,
    /// Why an HTTP probe failed; empty if it did not.
    pub failure: String,
}

impl ServiceSummary {
    /// Reasons of all conflicts, each once.
    pub fn conflicts(&self) -> Vec<&str> {
        let reasons: BTreeSet<&str> = self
            .exporters
            .iter()
            .flat_map(|exporter| exporter.conflict.split(','))
            .filter(|reason| !reason.is_empty())
            .collect();
        reasons.into_iter().collect()
    }
}

/// Collects the services of `namespace`; of all namespaces if it is empty.
pub fn overview(clusters: &[MemberSnapshot], namespace: &str) -> Overview {
    let mut services: BTreeMap<ObjectKey, ServiceSummary> = BTreeMap::new();
    for key in exported(clusters).into_iter().filter(|key| namespace.is_empty() || key.namespace == namespace)
    {
        services.insert(key.clone(), service(&key, clusters));
    }
    let unread = clusters.iter().filter_map(|cluster| {
        let lost = cluster.objects.as_ref().err()?;
        let reason = format!("{}: {lost}; next: {}", lost.cause, lost.cure(&cluster.name));
        Some(Note { cluster: cluster.name.clone(), reason })
    });
    Overview { services: services.into_values().collect(), notes: unread.collect() }
}

/// Services with an export or an import.
fn exported(clusters: &[MemberSnapshot]) -> BTreeSet<ObjectKey> {
    let mut keys = BTreeSet::new();
    for objects in clusters.iter().filter_map(|cluster| cluster.objects.as_ref().ok()) {
        keys.extend(objects.exports.iter().filter(|export| !export.is_deleting()).map(|export| export.key()));
        keys.extend(objects.imports.iter().map(|import| import.key()));
    }
    keys
}

fn service(key: &ObjectKey, clusters: &[MemberSnapshot]) -> ServiceSummary {
    let read: Vec<(&str, &MemberObjects)> = clusters
        .iter()
        .filter_map(|cluster| Some((cluster.name.as_str(), cluster.objects.as_ref().ok()?)))
        .collect();
    let imports = read.iter().filter_map(|(name, objects)| {
        Some((*name, ServiceImportView::read(objects.import(key)?).unwrap_or_default()))
    });
    let imports: Vec<(&str, ServiceImportView<'_>)> = imports.collect();
    let kind = imports.iter().map(|(_, import)| import.spec.kind).find(|kind| !kind.is_empty());
    let importers = imports.iter().map(|(cluster, import)| ImporterSummary {
        cluster: (*cluster).to_owned(),
        ips: import.spec.ips.iter().map(|ip| (*ip).to_owned()).collect(),
        probes: read
            .iter()
            .filter(|(name, _)| name == cluster)
            .flat_map(|(_, objects)| probes(key, objects, clusters))
            .collect(),
    });
    let changes = read.iter().flat_map(|(_, objects)| objects.objects_of(key)).map(last_change);
    ServiceSummary {
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        kind: kind.unwrap_or_default().to_owned(),
        ports: imports.first().map(|(_, import)| ports(import)).unwrap_or_default(),
        exporters: exporters(key, clusters),
        importers: importers.collect(),
        last_change: changes.max().unwrap_or_default(),
    }
}

fn exporters(key: &ObjectKey, clusters: &[MemberSnapshot]) -> Vec<ExporterSummary> {
    let others: Vec<&MemberObjects> =
        clusters.iter().filter_map(|cluster| cluster.objects.as_ref().ok()).collect();
    let exporter = |cluster: &MemberSnapshot| match &cluster.objects {
        Ok(objects) => {
            let export = objects.export(key)?;
            let (ready, all) = endpoints(objects.own_slices(key));
            let (conflict, conflict_message) = conflict(export);
            Some(ExporterSummary {
                cluster: cluster.name.clone(),
                reachable: true,
                ready_endpoints: ready,
                endpoints: all,
                not_used_in: not_used_in(key, cluster, clusters),
                invalid: invalid(export),
                conflict,
                conflict_message,
            })
        }
        Err(_) => {
            // The last known endpoints are in the clusters that imported them.
            let importers = others.iter().filter(|objects| exported_by(objects, key, cluster));
            let counts = importers.map(|objects| {
                let slices = || objects.slices_from(key, cluster);
                (slices().map(ready_at_source).sum(), endpoints(slices()).1)
            });
            let (ready, all) = counts.max()?;
            Some(ExporterSummary {
                cluster: cluster.name.clone(),
                ready_endpoints: ready,
                endpoints: all,
                not_used_in: not_used_in(key, cluster, clusters),
                ..ExporterSummary::default()
            })
        }
    };
    clusters.iter().filter_map(exporter).collect()
}

/// Clusters that have the endpoints of an exporter and do not use them.
fn not_used_in(key: &ObjectKey, exporter: &MemberSnapshot, clusters: &[MemberSnapshot]) -> Vec<String> {
    let importing = clusters.iter().filter(|cluster| {
        let objects = cluster.objects.as_ref().ok();
        objects.is_some_and(|objects| {
            objects.slices_from(key, exporter).any(|slice| Usage::of_slice(slice).is_left_out())
        })
    });
    importing.map(|cluster| cluster.name.clone()).collect()
}

/// What the agents of a cluster see of each exporter of a service.
fn probes(key: &ObjectKey, objects: &MemberObjects, clusters: &[MemberSnapshot]) -> Vec<ProbeSummary> {
    let of_exporter = |exporter: &MemberSnapshot| {
        let names = [exporter.name.as_str(), exporter.id.as_deref().unwrap_or(&exporter.name)];
        let seen =
            objects.probes.iter().filter_map(|report| report.service(&names, &key.namespace, &key.name));
        // One agent of several that connects is enough.
        let seen = seen.max_by_key(|seen| (seen.answers, seen.time.clone()))?;
        Some(ProbeSummary {
            exporter: exporter.name.clone(),
            answers: seen.answers,
            endpoint: seen.endpoint.clone(),
            time: seen.time.clone(),
            failure: seen.failure.clone(),
        })
    };
    clusters.iter().filter_map(of_exporter).collect()
}

#[cfg(test)]
mod tests;
