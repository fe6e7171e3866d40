//! Validation of one ServiceExport, with the properties of its Service for the merge.
//!
//! Reads the export and the Service of one cluster only (KEP-1645, condition `Valid`). The controllers call it for every
//! export; `merge` combines the valid exports.

use std::collections::BTreeMap;

use portolan_api::conditions::multicluster as reasons;
use portolan_api::kubernetes::{self, Service, View, ViewError};
use portolan_api::multicluster::{ServiceExport, ServiceImportType, ServicePort};
use portolan_object::Object;

mod metadata;

use metadata::IllegalMetadata;

/// Default of `sessionAffinityConfig.clientIP.timeoutSeconds` (kubernetes pkg/apis/core/types.go,
/// `DefaultClientIPServiceAffinitySeconds`).
const DEFAULT_AFFINITY_SECONDS: i32 = 10_800;

/// Protocols that a Service port can have.
const PROTOCOLS: &[&str] = &["TCP", "UDP", "SCTP"];

/// Properties of a service in one exporting cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidExport {
    /// Id of the cluster in the set.
    pub cluster: String,
    /// Creation time of the ServiceExport, RFC 3339 in UTC, by the clock of that cluster's API server.
    pub since: String,
    /// Whether the Service has an address.
    pub kind: ServiceImportType,
    /// Ports of the Service, with defaulted protocol.
    pub ports: Vec<ServicePort>,
    /// `None` or `ClientIP`.
    pub session_affinity: String,
    /// Timeout of affinity `ClientIP` in seconds; `None` without it.
    pub affinity_seconds: Option<i32>,
    /// `spec.internalTrafficPolicy` of the Service.
    pub internal_traffic_policy: Option<String>,
    /// `spec.trafficDistribution` of the Service.
    pub traffic_distribution: Option<String>,
    /// Address families of the Service, the primary one first.
    pub families: Vec<String>,
    /// Labels of the imports.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the imports.
    pub annotations: BTreeMap<String, String>,
}

/// Why an export is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidExport {
    /// The ServiceExport has a field of a wrong type.
    #[error("the ServiceExport cannot be read: {0}")]
    Unreadable(String),
    /// The Service has a field of a wrong type.
    #[error(transparent)]
    UnreadableService(#[from] ViewError),
    /// Service default/kubernetes, which is a different API server in each cluster.
    #[error(
        "service default/kubernetes is each cluster's own API server and cannot be exported: delete this ServiceExport"
    )]
    ApiServer,
    /// The cluster has no Service of the export's name.
    #[error("service {0} does not exist in this cluster: create it, and the export takes effect")]
    NoService(String),
    /// The Service is of type ExternalName, which has no endpoints.
    #[error(
        "service {0} is of type ExternalName, which cannot be exported: it has no endpoints in this cluster"
    )]
    ExternalName(String),
    /// A port that Kubernetes' validation of Services does not allow.
    #[error("port {0:?} of the Service is not a port that an import can have")]
    Port(String),
    /// A label or annotation that is not valid on an import.
    #[error(transparent)]
    Metadata(#[from] IllegalMetadata),
}

impl InvalidExport {
    /// Reason of condition `Valid`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreadable(_) | Self::Metadata(_) => reasons::INVALID_EXPORTED_METADATA,
            Self::ApiServer | Self::Port(_) | Self::UnreadableService(_) => reasons::SERVICE_NOT_EXPORTABLE,
            Self::NoService(_) => reasons::NO_SERVICE,
            Self::ExternalName(_) => reasons::INVALID_SERVICE_TYPE,
        }
    }
}

/// Validates `export` in `cluster`, with the Service of the same name.
///
/// # Errors
/// [`InvalidExport`]; its text is the message of condition `Valid`.
pub fn validate_export(
    cluster: &str,
    export: &Object,
    service: Option<&Object>,
) -> Result<ValidExport, InvalidExport> {
    let key = export.key();
    if (key.namespace.as_str(), key.name.as_str()) == ("default", "kubernetes") {
        return Err(InvalidExport::ApiServer);
    }
    let service = service.filter(|service| !service.is_deleting());
    let service = service.ok_or_else(|| InvalidExport::NoService(key.to_string()))?;
    let spec = Service::read(service)?.spec;
    if spec.kind == "ExternalName" {
        return Err(InvalidExport::ExternalName(key.to_string()));
    }
    let wanted = export
        .to_typed::<ServiceExport>()
        .map_err(|error| InvalidExport::Unreadable(error.to_string()))?
        .spec;
    metadata::check(&wanted)?;
    let session_affinity = if spec.session_affinity.is_empty() { "None" } else { spec.session_affinity };
    let affinity_seconds = (session_affinity == "ClientIP").then(|| {
        let seconds = spec.session_affinity_config.client_ip.timeout_seconds;
        seconds.and_then(|seconds| i32::try_from(seconds).ok()).unwrap_or(DEFAULT_AFFINITY_SECONDS)
    });
    let optional = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Ok(ValidExport {
        cluster: cluster.to_owned(),
        since: export.str_at(&["metadata", "creationTimestamp"]).to_owned(),
        kind: if spec.is_headless() { ServiceImportType::Headless } else { ServiceImportType::ClusterSetIP },
        ports: spec.ports.iter().map(valid_port).collect::<Result<_, _>>()?,
        session_affinity: session_affinity.to_owned(),
        affinity_seconds,
        internal_traffic_policy: optional(spec.internal_traffic_policy),
        traffic_distribution: optional(spec.traffic_distribution),
        families: families(&spec.ip_families),
        labels: wanted.exported_labels,
        annotations: wanted.exported_annotations,
    })
}

/// A port of the Service. It must be valid for the derived Services in other clusters: an invalid port would break the
/// service in all of them.
fn valid_port(port: &kubernetes::ServicePort<'_>) -> Result<ServicePort, InvalidExport> {
    let protocol = port.protocol.filter(|protocol| !protocol.is_empty()).unwrap_or("TCP");
    let is_valid = metadata::is_port_name(port.name) && PROTOCOLS.contains(&protocol);
    let number = u16::try_from(port.port).ok().filter(|number| *number > 0 && is_valid);
    Ok(ServicePort {
        name: port.name.to_owned(),
        protocol: protocol.to_owned(),
        app_protocol: port.app_protocol.map(str::to_owned),
        port: number.ok_or_else(|| InvalidExport::Port(port.name.to_owned()))?.into(),
    })
}

/// Address families of a Service. API servers before 1.20 do not write `ipFamilies`; IPv4 is the likely family there.
fn families(listed: &[&str]) -> Vec<String> {
    if listed.is_empty() {
        return vec!["IPv4".to_owned()];
    }
    listed.iter().map(|family| (*family).to_owned()).collect()
}

#[cfg(test)]
mod tests;
