//! Validation of one ServiceExport, and the offer that it makes to the set.
//!
//! Reads the export and the Service of one cluster only (KEP-1645, condition `Valid`). The controllers call it for every
//! export; `merge` combines the valid offers.

use std::collections::BTreeMap;

use portolan_api::conditions::multicluster as reasons;
use portolan_api::multicluster::{ServiceExport, ServiceImportType, ServicePort};
use portolan_object::Object;
use serde_json::Value;

mod metadata;

use metadata::IllegalMetadata;

/// Default of `sessionAffinityConfig.clientIP.timeoutSeconds` (kubernetes pkg/apis/core/types.go,
/// `DefaultClientIPServiceAffinitySeconds`).
const DEFAULT_AFFINITY_SECONDS: i32 = 10_800;

/// Protocols that a Service port can have.
const PROTOCOLS: &[&str] = &["TCP", "UDP", "SCTP"];

/// Properties of a service in one exporting cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
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
            Self::ApiServer | Self::Port(_) => reasons::SERVICE_NOT_EXPORTABLE,
            Self::NoService(_) => reasons::NO_SERVICE,
            Self::ExternalName(_) => reasons::INVALID_SERVICE_TYPE,
        }
    }
}

/// The offer of `cluster`, from `export` and the Service of the same name.
///
/// # Errors
/// [`InvalidExport`]; its text is the message of condition `Valid`.
pub fn offer_of(cluster: &str, export: &Object, service: Option<&Object>) -> Result<Offer, InvalidExport> {
    let key = export.key();
    if (key.namespace.as_str(), key.name.as_str()) == ("default", "kubernetes") {
        return Err(InvalidExport::ApiServer);
    }
    let service = service.filter(|service| !service.is_deleting());
    let service = service.ok_or_else(|| InvalidExport::NoService(key.to_string()))?;
    let spec = |field: &str| service.str_at(&["spec", field]).to_owned();
    if spec("type") == "ExternalName" {
        return Err(InvalidExport::ExternalName(key.to_string()));
    }
    let wanted = export
        .to_typed::<ServiceExport>()
        .map_err(|error| InvalidExport::Unreadable(error.to_string()))?
        .spec;
    metadata::check(&wanted)?;
    let session_affinity = match spec("sessionAffinity") {
        unset if unset.is_empty() => "None".to_owned(),
        set => set,
    };
    let seconds = || service.at(&["spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds"]);
    let affinity_seconds = (session_affinity == "ClientIP").then(|| {
        let seconds = seconds().and_then(Value::as_i64).and_then(|seconds| i32::try_from(seconds).ok());
        seconds.unwrap_or(DEFAULT_AFFINITY_SECONDS)
    });
    let optional = |field: &str| Some(spec(field)).filter(|value| !value.is_empty());
    Ok(Offer {
        cluster: cluster.to_owned(),
        since: export.str_at(&["metadata", "creationTimestamp"]).to_owned(),
        kind: if spec("clusterIP") == "None" {
            ServiceImportType::Headless
        } else {
            ServiceImportType::ClusterSetIP
        },
        ports: ports(service)?,
        session_affinity,
        affinity_seconds,
        internal_traffic_policy: optional("internalTrafficPolicy"),
        traffic_distribution: optional("trafficDistribution"),
        families: families(service),
        labels: wanted.exported_labels,
        annotations: wanted.exported_annotations,
    })
}

/// Ports of the Service. Each must be valid for the derived Services in other clusters: an invalid port would break the
/// service in all of them.
fn ports(service: &Object) -> Result<Vec<ServicePort>, InvalidExport> {
    let listed = service.at(&["spec", "ports"]).and_then(Value::as_array).into_iter().flatten();
    let port = |port: &Value| {
        let text = |field: &str| port[field].as_str().unwrap_or_default().to_owned();
        let number = port["port"].as_u64().and_then(|number| u16::try_from(number).ok());
        let protocol =
            Some(text("protocol")).filter(|set| !set.is_empty()).unwrap_or_else(|| "TCP".to_owned());
        let is_legal = metadata::is_port_name(&text("name")) && PROTOCOLS.contains(&protocol.as_str());
        let number = number
            .filter(|number| *number > 0 && is_legal)
            .ok_or_else(|| InvalidExport::Port(text("name")))?;
        let app_protocol = port["appProtocol"].as_str().map(str::to_owned);
        Ok(ServicePort { name: text("name"), protocol, app_protocol, port: i32::from(number) })
    };
    listed.map(port).collect()
}

/// Address families of a Service. API servers before 1.20 do not write `ipFamilies`; IPv4 is the likely family there.
fn families(service: &Object) -> Vec<String> {
    let listed = service.at(&["spec", "ipFamilies"]).and_then(Value::as_array).into_iter().flatten();
    let families: Vec<String> = listed.filter_map(Value::as_str).map(str::to_owned).collect();
    if families.is_empty() { vec!["IPv4".to_owned()] } else { families }
}

#[cfg(test)]
mod tests;
