//! Problems that keep an import from working, wholly or in part, and are told to the owners of the exports.
//!
//! The owner of a service sees the exporting cluster only. What goes wrong in an importing cluster is therefore a part of
//! condition `Ready` of every ServiceExport that it concerns.

use std::fmt;

use portolan_api::kubernetes::{EndpointSlice, Service, View};
use portolan_object::{Object, ObjectKey};

use super::slice_ports::unusable_ports;
use super::slices::is_exportable;
use super::usage::NotUsed;
use crate::import_marks::{is_of_explicit_import, is_of_set, is_slice_of_explicit_import, is_slice_of_set};

/// Maximum foreign slices and slices without ports that are named.
const MAX_NAMED: usize = 5;

/// A problem of one import in one importing cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportProblem {
    /// The cluster's API server refuses a write, or answers with an error that a repetition does not mend.
    Refused {
        /// The message of the API server.
        message: String,
    },
    /// Another writer in the cluster changes an object of the import back, so that the control plane writes it slowly.
    Contested {
        /// The object, and what happens to it.
        message: String,
    },
    /// A Service with the name of the derived Service exists and is not managed by Portolan.
    ForeignService(ObjectKey),
    /// The exporter has no port that matches these ports of the import.
    MissingPorts {
        /// Name of the exporting cluster.
        exporter: String,
        /// Ports of the import.
        ports: Vec<String>,
    },
    /// The cluster has none of the service's address families.
    NoFamily {
        /// The message of the API server.
        message: String,
    },
    /// The endpoints of the exporter are known, and get no traffic in this cluster.
    NotUsed {
        /// Name or id of the exporting cluster.
        exporter: String,
        /// What is done with them, and why.
        not_used: NotUsed,
    },
    /// An EndpointSlice that is not Portolan's names the derived Service, so that its endpoints get a part of the traffic.
    ForeignSlice {
        /// The slice.
        slice: ObjectKey,
        /// The derived Service.
        service: String,
    },
}

impl ImportProblem {
    /// Whether the export is not ready: the importing cluster lacks the import until a user changes something.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Contested { .. } | Self::ForeignService(_))
    }

    /// Whether the problem concerns the export of a cluster, which is called by one of `names`.
    pub fn concerns(&self, names: &[&str]) -> bool {
        match self {
            Self::MissingPorts { exporter, .. } | Self::NotUsed { exporter, .. } => {
                names.contains(&exporter.as_str())
            }
            _ => true,
        }
    }
}

impl fmt::Display for ImportProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { message } => write!(f, "its API server refuses the import: {message}"),
            Self::Contested { message } => {
                write!(
                    f,
                    "{message}: look at metadata.managedFields of the object, and stop the other writer"
                )
            }
            Self::ForeignService(service) => write!(
                f,
                "Service {service}, which the import needs, exists and is not managed by Portolan: delete or rename it"
            ),
            Self::MissingPorts { exporter, ports } => write!(
                f,
                "the ServiceImport lists {}, which the Service in {exporter} does not have: edit spec.ports of the \
                 ServiceImport",
                ports.join(", ")
            ),
            Self::NoFamily { message } => {
                write!(f, "it has none of the service's address families: {message}")
            }
            Self::NotUsed { not_used, .. } => write!(
                f,
                "the endpoints of this cluster are {} there (since {}): {}",
                not_used.usage, not_used.since, not_used.cause
            ),
            Self::ForeignSlice { slice, service } => write!(
                f,
                "EndpointSlice {slice} is not Portolan's and names Service {service}, so that its endpoints get a part \
                 of the traffic: delete it, and the Endpoints {service} if there are any"
            ),
        }
    }
}

/// EndpointSlices that name a derived Service and were not imported for it.
pub(super) fn foreign_slices(service: Option<&Object>, slices: &[&Object]) -> Vec<ImportProblem> {
    let Some(service) = service.filter(|service| is_of_set(service) || is_of_explicit_import(service)) else {
        return Vec::new();
    };
    let is_foreign = |slice: &&&Object| {
        !is_slice_of_set(slice) && !is_slice_of_explicit_import(slice) && !slice.is_deleting()
    };
    let named = slices.iter().filter(is_foreign).take(MAX_NAMED);
    named
        .map(|slice| ImportProblem::ForeignSlice { slice: slice.key(), service: service.name().to_owned() })
        .collect()
}

/// Properties of an exported Service because of which clients in other clusters get no connection although it is exported
/// as its owner has written it.
pub fn export_doubts(service: Option<&Object>, slices: &[&Object]) -> Vec<String> {
    let Some(spec) = service.and_then(|service| Service::read(service).ok()).map(|service| service.spec)
    else {
        return Vec::new();
    };
    let mut doubts = Vec::new();
    if spec.internal_traffic_policy == "Local" {
        doubts.push(
            "spec.internalTrafficPolicy of the Service is Local, so clients in other clusters get no connection: set it \
             to Cluster"
                .to_owned(),
        );
    }
    let exported = slices.iter().filter(|slice| is_exportable(slice));
    let unusable = exported.filter_map(|slice| {
        let why = unusable_ports(&spec, &EndpointSlice::read(slice).ok()?)?;
        Some(format!("EndpointSlice {} {why}", slice.name()))
    });
    let unusable: Vec<String> = unusable.take(MAX_NAMED).collect();
    if !unusable.is_empty() {
        let effect = if spec.is_headless() { "have no SRV records" } else { "get no traffic" };
        doubts.push(format!(
            "{}, so that the endpoints {effect}: check spec.ports[] of the Service against the ports of the pods and of the \
             EndpointSlice",
            unusable.join("; ")
        ));
    }
    doubts
}

#[cfg(test)]
mod tests {
    use portolan_api::labels::{self, endpoint_slice};
    use serde_json::{Value, json};

    use super::*;

    fn service(spec: Value) -> Object {
        Object(json!({ "metadata": { "namespace": "shop", "name": "web" }, "spec": spec }))
    }

    fn slice(name: &str, ports: Value) -> Object {
        Object(json!({ "metadata": { "namespace": "shop", "name": name }, "addressType": "IPv4",
            "endpoints": [{ "addresses": ["10.0.0.1"] }], "ports": ports }))
    }

    #[test]
    fn what_clients_elsewhere_do_not_get_is_said() {
        let port = json!([{ "name": "http", "port": 80 }]);
        let cases = [
            ("nothing", service(json!({ "ports": port })), slice("a", port.clone()), None),
            (
                "traffic stays on the node",
                service(json!({ "ports": port, "internalTrafficPolicy": "Local" })),
                slice("a", port.clone()),
                Some("internalTrafficPolicy"),
            ),
            (
                "no target port",
                service(json!({ "ports": port })),
                slice("a", json!([])),
                Some("get no traffic"),
            ),
            ("unset", service(json!({ "ports": port })), slice("a", Value::Null), Some("spec.ports[]")),
            (
                "another port",
                service(json!({ "ports": port })),
                slice("a", json!([{ "name": "web", "port": 80 }])),
                Some("has the ports web/TCP, and the Service has http/TCP"),
            ),
            (
                "headless",
                service(json!({ "ports": port, "clusterIP": "None" })),
                slice("a", json!([])),
                Some("SRV"),
            ),
            (
                "a headless one without ports",
                service(json!({ "clusterIP": "None" })),
                slice("a", json!([])),
                None,
            ),
        ];
        for (name, service, slice, want) in cases {
            let doubts = export_doubts(Some(&service), &[&slice]);
            match want {
                None => assert!(doubts.is_empty(), "{name}: {doubts:?}"),
                Some(want) => assert!(doubts.concat().contains(want), "{name}: {doubts:?}"),
            }
        }
    }

    #[test]
    fn slices_of_others_are_named() {
        let mut derived = service(json!({}));
        derived.set_label(labels::MANAGED, labels::TRUE);
        let mut ours = slice("ours", Value::Null);
        ours.set_label(labels::MANAGED, labels::TRUE);
        ours.set_label(endpoint_slice::MANAGED_BY, endpoint_slice::IMPORT_MANAGER);
        let theirs = slice("theirs", Value::Null);
        let found = foreign_slices(Some(&derived), &[&ours, &theirs]);
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().contains("shop/theirs"), "{}", found[0]);
        assert_eq!(foreign_slices(Some(&service(json!({}))), &[&theirs]), [], "not our Service");
    }
}
